//! A vault in memory: tables with their objects and terms, and what was asked of it and told to it.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use statement::{
    Asked, Database, Ended, Endings, GrantId, Granted, GrantedObject, GrantedTable, Refused,
    Release, Road, Session, SessionId, Sign, Signed, Source, TableDef, TableRef, TableShown, Terms,
    Use, Why,
};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use words::{UnixMillis, VersionId};

/// One table of the vault.
#[derive(Clone)]
pub struct Held {
    pub def: TableDef,
    pub terms: Terms,
    /// Each version's objects; one for a table that keeps none.
    pub versions: Vec<Vec<GrantedObject>>,
}

#[derive(Default)]
pub struct State {
    pub tables: BTreeMap<TableRef, Held>,
    pub objects: HashMap<VersionId, Bytes>,
    /// Objects of buckets, by `bucket/name`.
    pub files: BTreeMap<String, GrantedObject>,
    pub grants: HashMap<GrantId, Granted>,
    pub asked: Vec<Asked>,
    pub ended: Vec<Ended>,
    pub releases: Vec<Release>,
    pub refuse_release: bool,
    /// By how many persons groups have to differ.
    pub watched: u32,
    pub over: Vec<GrantId>,
    pub database: Option<Database>,
}

#[derive(Default)]
pub struct TestRoad {
    pub state: Mutex<State>,
    pub reads: AtomicU64,
    pub slow: AtomicU64,
    /// Sessions that are open.
    pub sessions: AtomicU64,
    next: AtomicU64,
    told: Notify,
}

impl TestRoad {
    pub fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        let next = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        id[..8].copy_from_slice(&next.to_be_bytes());
        id
    }

    pub fn object(&self, key: &str, bytes: impl Into<Bytes>) -> GrantedObject {
        let bytes = bytes.into();
        let object = GrantedObject {
            key: key.to_owned(),
            version: VersionId::from_bytes(self.id()),
            bytes: bytes.len() as u64,
            modified: UnixMillis(1),
        };
        let mut state = self.state.lock().unwrap();
        state.objects.insert(object.version, bytes);
        object
    }

    pub fn hold(
        &self,
        database: Database,
        def: TableDef,
        terms: Terms,
        objects: Vec<GrantedObject>,
    ) {
        let table = TableRef {
            database,
            table: def.name.clone(),
        };
        let held = Held {
            def,
            terms,
            versions: vec![objects],
        };
        self.state.lock().unwrap().tables.insert(table, held);
    }

    /// How the last statement ended.
    pub fn last_end(&self) -> Ended {
        self.state.lock().unwrap().ended.last().unwrap().clone()
    }

    pub fn open_grants(&self) -> usize {
        self.state.lock().unwrap().grants.len()
    }

    /// Takes back all grants.
    pub fn end_all(&self) {
        let mut state = self.state.lock().unwrap();
        let all: Vec<GrantId> = state.grants.keys().copied().collect();
        state.over.extend(all);
        drop(state);
        self.told.notify_waiters();
    }
}

pub fn owner_terms(def: &TableDef) -> Terms {
    Terms::of_owner(
        [7; 32],
        def.columns
            .iter()
            .map(|column| column.name.as_str())
            .chain(def.partitions.iter().map(|part| part.name.as_str())),
    )
}

fn shown(table: &TableRef, held: &Held) -> TableShown {
    let columns = held.terms.columns.iter().filter_map(|terms| {
        let column = held
            .def
            .columns
            .iter()
            .find(|column| column.name == terms.name);
        let part = held
            .def
            .partitions
            .iter()
            .find(|part| part.name == terms.name);
        let (kind, nullable) = match (column, part) {
            (Some(column), _) => (column.kind, column.nullable),
            (_, Some(part)) => (part.kind, true),
            _ => panic!("terms of no column"),
        };
        Some(statement::Column {
            name: terms.name.clone(),
            kind: terms.transform.kind_of(kind)?,
            nullable,
            sensitive: false,
        })
    });
    TableShown {
        table: table.clone(),
        columns: columns.collect(),
        note: String::new(),
    }
}

fn no(why: Why, message: &str) -> Refused {
    Refused::new(why, message)
}

#[async_trait]
impl Road for TestRoad {
    async fn sign_in(&self, sign: Sign, _: &str, _: Option<IpAddr>) -> Result<Signed, Refused> {
        let user = match sign {
            Sign::Password { user, password, .. } if password != "wrong" => user,
            Sign::Password { .. } => return Err(no(Why::Unauthenticated, "not believed")),
            _ => "u".into(),
        };
        let database = self.state.lock().unwrap().database.clone();
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(Signed::In {
            session: Session {
                id: SessionId(self.id()),
                user,
                tenant: "ministry".into(),
                database: database.unwrap_or(Database::Own),
                expires: UnixMillis(u64::MAX),
            },
            message: String::new(),
        })
    }

    async fn sign_out(&self, _: SessionId) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }

    async fn tables(&self, _: SessionId) -> Result<Vec<TableShown>, Refused> {
        let state = self.state.lock().unwrap();
        Ok(state
            .tables
            .iter()
            .map(|(at, held)| shown(at, held))
            .collect())
    }

    async fn begin(&self, _: SessionId, asked: Asked) -> Result<Granted, Refused> {
        let id = GrantId(self.id());
        let mut state = self.state.lock().unwrap();
        state.asked.push(asked.clone());
        let mut tables = Vec::new();
        for table in &asked.tables {
            let (def, terms, objects, version) = match (&table.source, &table.used) {
                (Source::Table { .. }, Use::Create(def)) => {
                    (def.clone(), owner_terms(def), Vec::new(), None)
                }
                (
                    Source::Table {
                        table: at, version, ..
                    },
                    used,
                ) => {
                    let held = state
                        .tables
                        .get(at)
                        .ok_or_else(|| no(Why::NotFound, "no table"))?;
                    let newest = held.versions.len() as u64;
                    let number = version.unwrap_or(newest);
                    let objects = match used {
                        Use::Read => held
                            .versions
                            .get(number as usize - 1)
                            .ok_or_else(|| no(Why::NotFound, "no such version"))?
                            .clone(),
                        _ => Vec::new(),
                    };
                    (held.def.clone(), held.terms.clone(), objects, Some(number))
                }
                (Source::Objects { bucket, prefix }, _) => {
                    let begin = format!("{}/{prefix}", bucket.as_str());
                    let objects: Vec<GrantedObject> = state
                        .files
                        .iter()
                        .filter(|(name, _)| name.starts_with(&begin))
                        .map(|(_, object)| object.clone())
                        .collect();
                    let def = TableDef {
                        name: statement::TableName::parse("objects").unwrap(),
                        format: statement::Format::Parquet,
                        bucket: bucket.clone(),
                        prefix: prefix.clone(),
                        columns: Vec::new(),
                        partitions: Vec::new(),
                        subject: None,
                        managed: false,
                    };
                    let terms = owner_terms(&def);
                    (def, terms, objects, None)
                }
            };
            tables.push(GrantedTable {
                def,
                version,
                objects,
                terms,
                entry: 1,
            });
        }
        let granted = Granted {
            id,
            tables,
            ends: UnixMillis(u64::MAX),
        };
        state.grants.insert(id, granted.clone());
        Ok(granted)
    }

    async fn read(
        &self,
        grant: GrantId,
        table: usize,
        object: usize,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>, Refused> {
        let slow = self.slow.load(Ordering::Relaxed);
        if slow > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(slow)).await;
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        let state = self.state.lock().unwrap();
        let granted = state
            .grants
            .get(&grant)
            .ok_or_else(|| no(Why::Revoked, "it has ended"))?;
        let object = &granted.tables[table].objects[object];
        let bytes = &state.objects[&object.version];
        Ok(ranges
            .into_iter()
            .map(|range| bytes.slice(range.start as usize..range.end as usize))
            .collect())
    }

    async fn release(&self, _: GrantId, release: Release) -> Result<Vec<bool>, Refused> {
        let mut state = self.state.lock().unwrap();
        if state.refuse_release {
            return Err(no(Why::Denied, "too like an earlier group"));
        }
        // As the vault does it, without remembering more than one test.
        let mut shown = Vec::with_capacity(release.cohorts.len());
        for cohort in &release.cohorts {
            let before = state.releases.iter().flat_map(|release| &release.cohorts);
            let near = before
                .filter(|other| other.measure == cohort.measure)
                .map(|other| cohort.differs_by(other, state.watched))
                .any(|by| by > 0 && by < state.watched as usize);
            shown.push(!near);
        }
        let mut taken = release;
        let mut kept = shown.iter();
        taken
            .cohorts
            .retain(|_| kept.next().copied().unwrap_or(false));
        state.releases.push(taken);
        Ok(shown)
    }

    async fn write(
        &self,
        _: GrantId,
        _: usize,
        mut bytes: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<GrantedObject, Refused> {
        let mut whole = Vec::new();
        while let Some(piece) = bytes.next().await {
            whole.extend_from_slice(&piece.map_err(|e| no(Why::Invalid, &e.to_string()))?);
        }
        let name = words::hex::encode(&self.id());
        Ok(self.object(&name, whole))
    }

    async fn commit(
        &self,
        grant: GrantId,
        table: usize,
        written: Vec<GrantedObject>,
    ) -> Result<u64, Refused> {
        let mut state = self.state.lock().unwrap();
        let def = state.grants[&grant].tables[table].def.clone();
        let at = TableRef {
            database: Database::Own,
            table: def.name.clone(),
        };
        let held = state.tables.entry(at).or_insert_with(|| Held {
            terms: owner_terms(&def),
            def,
            versions: Vec::new(),
        });
        let mut objects = held.versions.last().cloned().unwrap_or_default();
        objects.extend(written);
        held.versions.push(objects);
        Ok(held.versions.len() as u64)
    }

    async fn close(&self, grant: GrantId, ended: Ended) -> Result<(), Refused> {
        let mut state = self.state.lock().unwrap();
        state
            .grants
            .remove(&grant)
            .ok_or_else(|| no(Why::Revoked, "it was closed"))?;
        state.ended.push(ended);
        Ok(())
    }

    async fn declare(&self, _: SessionId, def: TableDef) -> Result<(), Refused> {
        let begin = format!("{}/{}", def.bucket.as_str(), def.prefix);
        let state = self.state.lock().unwrap();
        let objects: Vec<GrantedObject> = state
            .files
            .iter()
            .filter(|(name, _)| name.starts_with(&begin))
            .map(|(_, object)| object.clone())
            .collect();
        drop(state);
        let terms = owner_terms(&def);
        self.hold(Database::Own, def, terms, objects);
        Ok(())
    }

    async fn withdraw(&self, _: SessionId, table: TableRef) -> Result<(), Refused> {
        let mut state = self.state.lock().unwrap();
        let found = state.tables.remove(&table);
        found
            .map(|_| ())
            .ok_or_else(|| no(Why::NotFound, "no table"))
    }

    async fn endings(&self, after: u64) -> Result<Endings, Refused> {
        loop {
            let told = self.told.notified();
            {
                let state = self.state.lock().unwrap();
                if state.over.len() as u64 > after {
                    return Ok(Endings {
                        next: state.over.len() as u64,
                        grants: state.over[after as usize..].to_vec(),
                    });
                }
            }
            told.await;
        }
    }
}

pub fn of(road: &Arc<TestRoad>) -> Arc<dyn Road> {
    Arc::clone(road) as Arc<dyn Road>
}

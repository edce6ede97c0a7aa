//! A road in memory: it answers what the tests expect and writes down what it was asked.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use statement::{
    Asked, Column, Database, Ended, Endings, Filter, Format, GrantId, Granted, GrantedObject,
    GrantedTable, Kind, Op, Partition, Refused, Release, Road, Session, SessionId, Sign, Signed,
    Source, TableAsked, TableDef, TableName, TableRef, TableShown, Terms, Use, Value, Whom, Why,
};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Semaphore, watch};
use words::{BucketName, UnixMillis, VersionId};

pub const PASSWORD: &str = "correct horse";
pub const OBJECT_BYTES: u64 = 96 * 1024 * 1024;

/// What a byte of an object is.
pub fn byte(object: usize, at: u64) -> u8 {
    (at.wrapping_mul(31) ^ (at >> 13) ^ object as u64) as u8
}

pub fn bytes(object: usize, range: Range<u64>) -> Bytes {
    range.map(|at| byte(object, at)).collect()
}

#[derive(Default)]
pub struct Seen {
    pub grants: HashMap<GrantId, Asked>,
    pub closed: Vec<(GrantId, Ended)>,
    pub signed_out: Vec<SessionId>,
    pub released: Vec<Release>,
    pub written: Vec<Vec<u8>>,
    pub writes_broken: Vec<String>,
    pub committed: BTreeMap<u64, Vec<GrantedObject>>,
    pub declared: Vec<TableDef>,
    pub withdrawn: Vec<TableRef>,
    pub from: Vec<Option<IpAddr>>,
    pub close_refusals: Vec<Refused>,
}

pub struct Memory {
    seen: Mutex<Seen>,
    next: AtomicU64,
    /// Objects that each granted table has.
    pub objects: usize,
    /// What reads give, kept ready.
    content: Bytes,
    pub endings: watch::Sender<Endings>,
    pub waiting: Arc<AtomicU64>,
    /// `begin` waits for a permit.
    pub begins: Semaphore,
}

impl Memory {
    pub fn new(objects: usize) -> Arc<Self> {
        let none = Endings {
            next: 0,
            grants: Vec::new(),
        };
        Arc::new(Self {
            seen: Mutex::default(),
            next: AtomicU64::new(1),
            objects,
            content: bytes(0, 0..4 * 1024 * 1024),
            endings: watch::channel(none).0,
            waiting: Arc::default(),
            begins: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn id(&self) -> [u8; 16] {
        u128::from(self.next.fetch_add(1, Ordering::SeqCst)).to_le_bytes()
    }

    fn own(&self, grant: GrantId) -> Result<(), Refused> {
        match self.seen().grants.contains_key(&grant) {
            true => Ok(()),
            false => Err(Refused::new(Why::Revoked, "no such grant")),
        }
    }

    /// Waits until something holds.
    pub async fn until(&self, holds: impl Fn(&Seen) -> bool) {
        let wait = async {
            while !holds(&self.seen()) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), wait)
            .await
            .expect("it never came to hold");
    }
}

pub fn object(number: usize) -> GrantedObject {
    GrantedObject {
        key: format!("register/part-{number:06}.parquet"),
        version: VersionId::from_bytes((number as u128).to_le_bytes()),
        bytes: OBJECT_BYTES,
        modified: UnixMillis(1_700_000_000_000 + number as u64),
    }
}

pub fn definition() -> TableDef {
    TableDef {
        name: TableName::parse("residents").unwrap(),
        format: Format::Parquet,
        bucket: BucketName::parse("registers").unwrap(),
        prefix: "residents/".into(),
        columns: vec![Column {
            name: "id".into(),
            kind: Kind::Decimal(13, 0),
            nullable: false,
            sensitive: true,
        }],
        partitions: vec![Partition {
            name: "canton".into(),
            kind: Kind::Text,
        }],
        subject: Some("id".into()),
        managed: false,
    }
}

pub fn terms() -> Terms {
    let mut terms = Terms::of_owner([7; 32], ["id", "canton"]);
    terms.rows = Some(Filter::Not(Box::new(Filter::Compare {
        column: "canton".into(),
        op: Op::Equal,
        value: Value::Text("esch".into()),
    })));
    terms
}

pub fn table() -> TableRef {
    TableRef {
        database: Database::Own,
        table: TableName::parse("residents").unwrap(),
    }
}

pub fn asked(tables: usize) -> Asked {
    let one = TableAsked {
        source: Source::Table {
            table: table(),
            version: None,
            at: Some(UnixMillis(5)),
        },
        columns: Some(vec!["id".into()]),
        used: Use::Read,
    };
    Asked {
        tables: vec![one; tables],
        statement: [9; 32],
        purpose: Some("statistics".into()),
        case: Some("2026/17".into()),
    }
}

pub fn ended(tables: usize) -> Ended {
    Ended {
        rows: 3,
        bytes: vec![1; tables],
        whom: vec![Whom::These(vec!["1990010112345".into()]); tables],
        broken: None,
    }
}

#[async_trait]
impl Road for Memory {
    async fn sign_in(
        &self,
        sign: Sign,
        database: &str,
        from: Option<IpAddr>,
    ) -> Result<Signed, Refused> {
        self.seen().from.push(from);
        let session = |user: &str| Session {
            id: SessionId(self.id()),
            user: user.into(),
            tenant: "first".into(),
            database: match database.strip_prefix("agr_") {
                Some(id) => Database::Agreement(id.into()),
                None => Database::Own,
            },
            expires: UnixMillis(17),
        };
        match sign {
            Sign::Password { user, password, .. } if password == PASSWORD => Ok(Signed::In {
                session: session(&user),
                message: String::new(),
            }),
            Sign::ScramFirst { message, .. } => Ok(Signed::Challenge {
                exchange: self.id(),
                message: format!("r={message}"),
            }),
            Sign::ScramFinal { message, .. } => Ok(Signed::In {
                session: session("scram"),
                message: format!("v={message}"),
            }),
            Sign::Password { .. } => Err(Refused::new(
                Why::Unauthenticated,
                "the password is wrong; nothing was shown",
            )),
        }
    }

    async fn sign_out(&self, session: SessionId) {
        self.seen().signed_out.push(session);
    }

    async fn tables(&self, _: SessionId) -> Result<Vec<TableShown>, Refused> {
        let shown = |number: usize| TableShown {
            table: TableRef {
                database: Database::Agreement("00ff".into()),
                table: TableName::parse(&format!("t{number}")).unwrap(),
            },
            columns: definition().columns,
            note: "a register".into(),
        };
        Ok((0..self.objects).map(shown).collect())
    }

    async fn begin(&self, _: SessionId, asked: Asked) -> Result<Granted, Refused> {
        self.begins.acquire().await.unwrap().forget();
        let id = GrantId(self.id());
        let one = GrantedTable {
            def: definition(),
            version: Some(4),
            objects: (0..self.objects).map(object).collect(),
            terms: terms(),
            entry: 11,
        };
        let tables = vec![one; asked.tables.len()];
        self.seen().grants.insert(id, asked);
        Ok(Granted {
            id,
            tables,
            ends: UnixMillis(99),
        })
    }

    async fn read(
        &self,
        grant: GrantId,
        _: usize,
        object: usize,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>, Refused> {
        self.own(grant)?;
        if object >= self.objects {
            return Err(Refused::new(Why::NotFound, "there is no such object"));
        }
        let cut = |range: Range<u64>| range.start..range.end.min(OBJECT_BYTES);
        let ready = |range: Range<u64>| match range.end <= self.content.len() as u64 && object == 0
        {
            true => self.content.slice(range.start as usize..range.end as usize),
            false => bytes(object, range),
        };
        Ok(ranges.into_iter().map(cut).map(ready).collect())
    }

    async fn release(&self, grant: GrantId, release: Release) -> Result<Vec<bool>, Refused> {
        self.own(grant)?;
        let shown = vec![true; release.cohorts.len()];
        self.seen().released.push(release);
        Ok(shown)
    }

    async fn write(
        &self,
        grant: GrantId,
        table: usize,
        mut bytes: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<GrantedObject, Refused> {
        self.own(grant)?;
        if table == 1 {
            bytes.next().await;
            return Err(Refused::new(Why::TooLarge, "the table is full"));
        }
        let mut all = Vec::new();
        while let Some(piece) = bytes.next().await {
            match piece {
                Ok(piece) => all.extend_from_slice(&piece),
                Err(error) => {
                    self.seen().writes_broken.push(error.to_string());
                    return Err(Refused::new(Why::Invalid, "it broke; nothing was kept"));
                }
            }
        }
        let seen = &mut self.seen();
        seen.written.push(all);
        Ok(object(seen.written.len()))
    }

    async fn commit(
        &self,
        grant: GrantId,
        _: usize,
        written: Vec<GrantedObject>,
    ) -> Result<u64, Refused> {
        self.own(grant)?;
        let version = self.next.fetch_add(1, Ordering::SeqCst);
        self.seen().committed.insert(version, written);
        Ok(version)
    }

    async fn close(&self, grant: GrantId, ended: Ended) -> Result<(), Refused> {
        self.own(grant)?;
        if let Some(no) = self.seen().close_refusals.pop() {
            return Err(no);
        }
        let seen = &mut self.seen();
        seen.grants.remove(&grant);
        seen.closed.push((grant, ended));
        Ok(())
    }

    async fn declare(&self, _: SessionId, def: TableDef) -> Result<(), Refused> {
        self.seen().declared.push(def);
        Ok(())
    }

    async fn withdraw(&self, _: SessionId, table: TableRef) -> Result<(), Refused> {
        self.seen().withdrawn.push(table);
        Ok(())
    }

    async fn endings(&self, after: u64) -> Result<Endings, Refused> {
        struct Waits(Arc<AtomicU64>);
        impl Drop for Waits {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waits = Waits(Arc::clone(&self.waiting));
        let mut told = self.endings.subscribe();
        let endings = told.wait_for(|endings| endings.next > after).await;
        Ok(endings.unwrap().clone())
    }
}

//! The road of statements, on the vault's side: sessions, grants under way, and those that end before their time.

use crate::rooms::Rooms;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use host::Host;
use statement::limits::GRANT_MS_MAX;
use statement::{
    Asked, Ended, Endings, GrantId, Granted, GrantedObject, Refused, Release, Road, SessionId,
    Sign, Signed, TableDef, TableRef, TableShown, Why,
};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::OpenStatement;
use store::api::BodyError;
use tokio::sync::Notify;
use words::UnixMillis;

/// Grants under way.
const GRANTS_MAX: usize = 10_000;
/// Between two looks at all that runs.
const LOOKS: Duration = Duration::from_millis(250);
/// Looks in a row that may stay without an answer: a second.
const UNSURE_MAX: u8 = 4;
/// Endings that are remembered for an engine that asks late.
const ENDINGS_KEPT: usize = 10_000;

/// A statement that runs.
struct Running {
    statement: OpenStatement,
    ends: UnixMillis,
    over: AtomicBool,
    /// Looks in a row that did not say whether it may go on.
    unsure: AtomicU8,
}

/// Grants that ended before their time, numbered.
#[derive(Default)]
struct Over {
    next: u64,
    kept: VecDeque<(u64, GrantId)>,
}

/// The road's far end.
pub struct Statements {
    rooms: Arc<Rooms>,
    host: Host,
    running: Mutex<BTreeMap<GrantId, Arc<Running>>>,
    over: Mutex<Over>,
    told: Notify,
}

impl Statements {
    /// Over the node's rooms.
    pub fn new(rooms: Arc<Rooms>, host: Host) -> Arc<Self> {
        Arc::new(Self {
            rooms,
            host,
            running: Mutex::default(),
            over: Mutex::default(),
            told: Notify::new(),
        })
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<GrantId, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grants whose time is over and that nobody closed are forgotten: the ledger says of them what could be read.
    fn make_room(&self) -> Result<(), Refused> {
        let mut running = self.running();
        if running.len() >= GRANTS_MAX {
            let now = self.host.now();
            running.retain(|_, one| one.ends > now);
        }
        match running.len() < GRANTS_MAX {
            true => Ok(()),
            false => Err(Refused::new(
                Why::TooLarge,
                format!("{GRANTS_MAX} statements run already; nothing was done, come again"),
            )),
        }
    }

    fn of(&self, grant: GrantId) -> Result<Arc<Running>, Refused> {
        let found = self.running().get(&grant).cloned();
        let found = found
            .ok_or_else(|| Refused::new(Why::Revoked, "the statement has ended; ask it again"))?;
        if found.over.load(Ordering::Acquire) {
            return Err(Refused::new(
                Why::Revoked,
                "what the statement stood on, an agreement or a key, was suspended, revoked or has ended; nothing more is shown",
            ));
        }
        if found.ends <= self.host.now() {
            return Err(Refused::new(
                Why::Revoked,
                "the statement took longer than the hour that its grant lasts, or its agreement has ended; ask for less at once",
            ));
        }
        Ok(found)
    }

    /// Ends what stands on an agreement.
    pub fn end_agreement(&self, id: &str) {
        let on = |running: &Running| running.statement.grant().agreements().any(|on| on == id);
        let ended: Vec<GrantId> = self
            .running()
            .iter()
            .filter(|(_, running)| on(running))
            .map(|(grant, running)| {
                running.over.store(true, Ordering::Release);
                *grant
            })
            .collect();
        self.tell(ended);
    }

    /// Looks again and again whether all that runs may go on, and ends what may not: the time of a grant or an agreement is
    /// over, a provider or a key was suspended, the node is sealed. An engine may have all bytes of a statement
    /// already and ask for none. Never done.
    pub async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOKS).await;
            let all: Vec<(GrantId, Arc<Running>)> = self
                .running()
                .iter()
                .map(|(grant, running)| (*grant, Arc::clone(running)))
                .collect();
            let mut ended = Vec::new();
            for (grant, running) in all {
                if running.over.load(Ordering::Acquire) {
                    continue;
                }
                if self.may_go_on(&running).await {
                    continue;
                }
                // It is on the list still: its end is told, and closes it.
                running.over.store(true, Ordering::Release);
                ended.push(grant);
            }
            self.tell(ended);
        }
    }

    async fn may_go_on(&self, running: &Running) -> bool {
        if running.ends <= self.host.now() {
            return false;
        }
        let stands = self.rooms.vault.statement_stands(running.statement.grant());
        match stands.await.map_err(Refused::from) {
            Ok(()) => {
                running.unsure.store(0, Ordering::Relaxed);
                true
            }
            // The catalog may be changing sites: what cannot be asked for a moment is not ended for that.
            Err(refused) if matches!(refused.why, Why::Unavailable | Why::Internal) => {
                running.unsure.fetch_add(1, Ordering::Relaxed) + 1 < UNSURE_MAX
                    && !self.rooms.vault.is_sealed()
            }
            Err(_) => false,
        }
    }

    /// Tells the engine of grants that are over.
    fn tell(&self, ended: Vec<GrantId>) {
        if ended.is_empty() {
            return;
        }
        let mut over = self.over();
        for grant in ended {
            let number = over.next;
            over.next += 1;
            over.kept.push_back((number, grant));
            if over.kept.len() > ENDINGS_KEPT {
                over.kept.pop_front();
            }
        }
        drop(over);
        self.told.notify_waiters();
    }

    fn after(&self, after: u64) -> Option<Endings> {
        let over = self.over();
        // An engine that was told more than there is speaks of another life of this process.
        let from = if after > over.next { 0 } else { after };
        (over.next > from).then(|| Endings {
            next: over.next,
            grants: over
                .kept
                .iter()
                .filter(|(number, _)| *number >= from)
                .map(|(_, grant)| *grant)
                .collect(),
        })
    }
}

#[async_trait]
impl Road for Statements {
    async fn sign_in(
        &self,
        sign: Sign,
        database: &str,
        from: Option<IpAddr>,
    ) -> Result<Signed, Refused> {
        Ok(self.rooms.vault.sql_sign_in(sign, database, from).await?)
    }

    async fn sign_out(&self, session: SessionId) {
        self.rooms.vault.sql_sign_out(session);
    }

    async fn tables(&self, session: SessionId) -> Result<Vec<TableShown>, Refused> {
        Ok(self.rooms.vault.sql_tables(session).await?)
    }

    async fn begin(&self, session: SessionId, asked: Asked) -> Result<Granted, Refused> {
        self.make_room()?;
        let statement = self.rooms.store.begin_statement(session, &asked).await?;
        // A grant never outlives the agreement that it stands on.
        let most = self.host.now().plus(GRANT_MS_MAX);
        let granted = Granted {
            id: GrantId(self.host.random()),
            tables: statement.shown()?,
            ends: statement.grant().ends().map_or(most, |end| end.min(most)),
        };
        let running = Running {
            statement,
            ends: granted.ends,
            over: AtomicBool::new(false),
            unsure: AtomicU8::new(0),
        };
        let running = Arc::new(running);
        self.running().insert(granted.id, Arc::clone(&running));
        // What was revoked before this one could be told of it, is asked once more: an engine may have all bytes already. It was granted
        // and stays so in the records, for anybody.
        let stands = self.rooms.vault.statement_stands(running.statement.grant());
        if let Err(error) = stands.await {
            self.running().remove(&granted.id);
            return Err(error.into());
        }
        Ok(granted)
    }

    async fn read(
        &self,
        grant: GrantId,
        table: usize,
        object: usize,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>, Refused> {
        let running = self.of(grant)?;
        self.rooms
            .store
            .read_statement(&running.statement, table, object, &ranges)
            .await
    }

    async fn release(&self, grant: GrantId, release: Release) -> Result<Vec<bool>, Refused> {
        let running = self.of(grant)?;
        let grant = running.statement.grant();
        Ok(self.rooms.vault.release_cohorts(grant, &release).await?)
    }

    async fn write(
        &self,
        grant: GrantId,
        table: usize,
        bytes: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<GrantedObject, Refused> {
        let running = self.of(grant)?;
        let body = bytes.map(|piece| piece.map_err(|_| BodyError::Incomplete));
        self.rooms
            .store
            .write_statement(&running.statement, table, body.boxed())
            .await
    }

    async fn commit(
        &self,
        grant: GrantId,
        table: usize,
        written: Vec<GrantedObject>,
    ) -> Result<u64, Refused> {
        let running = self.of(grant)?;
        let grant = running.statement.grant();
        let none = || Refused::new(Why::Invalid, "the grant has no such table");
        let table = grant.tables().get(table).ok_or_else(none)?;
        Ok(self
            .rooms
            .vault
            .sql_commit(grant.session(), table.def(), table.used(), &written)
            .await?)
    }

    async fn close(&self, grant: GrantId, ended: Ended) -> Result<(), Refused> {
        let running = self.running().remove(&grant);
        let Some(running) = running else {
            return Err(Refused::new(
                Why::Revoked,
                "the statement was closed already",
            ));
        };
        let done = self
            .rooms
            .vault
            .close_statement(running.statement.grant(), &ended)
            .await;
        if done.is_err() {
            // It is not closed: whoever asks again closes it, and until then it counts as under way.
            self.running().insert(grant, running);
        }
        Ok(done?)
    }

    async fn declare(&self, session: SessionId, def: TableDef) -> Result<(), Refused> {
        Ok(self.rooms.vault.sql_declare(session, def).await?)
    }

    async fn withdraw(&self, session: SessionId, table: TableRef) -> Result<(), Refused> {
        Ok(self.rooms.vault.sql_withdraw(session, &table).await?)
    }

    async fn endings(&self, after: u64) -> Result<Endings, Refused> {
        loop {
            let told = self.told.notified();
            if let Some(endings) = self.after(after) {
                return Ok(endings);
            }
            told.await;
        }
    }
}

//! Statements that were handed in: how far each is, and its rows on their way.

use super::answer::{Refusal, failure};
use super::asked::{Asked, values};
use super::planned::{Planned, columns, renamed};
use crate::postgres::fail::code_of;
use crate::postgres::portal::tag_of;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::StreamExt;
use futures::stream::BoxStream;
use host::Host;
use http::StatusCode;
use serde_json::{Value, json};
use sql::{Answer, Connection, Done, Fault, Prepared, SqlError, Stop, datafusion};
use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use words::hex;

/// Statements of one key that have not ended.
const RUNNING_MAX: usize = 32;
/// Statements that are known, those that have ended with them.
const KNOWN_MAX: usize = 4096;
/// How long an ended one is known.
const KNOWN: Duration = Duration::from_secs(600);
/// How long rows wait for somebody to fetch them.
const WAITS: Duration = Duration::from_secs(300);
/// Statements of all keys that have not ended.
const ALL_RUNNING_MAX: usize = 512;
/// How long one that is cancelled may take to end by itself, and between two words to it.
const ENDS: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(50);
/// How long a fetch that has begun may pause.
const FETCHES: Duration = Duration::from_secs(600);

/// Rows, or why there are none.
type Batch = Result<RecordBatch, SqlError>;
/// To whom the next rows are to go. Only those wait here, and they go nowhere when the grant that they were read under has
/// ended.
type Wanted = oneshot::Sender<Batch>;
/// What a fetch asks with.
pub type Asks = mpsc::Sender<Wanted>;

/// Whose a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    user: String,
    tenant: String,
}

impl Owner {
    pub fn of(connection: &Connection) -> Self {
        let session = connection.session();
        Self {
            user: session.user.clone(),
            tenant: session.tenant.clone(),
        }
    }

    #[cfg(test)]
    pub fn named(user: &str, tenant: &str) -> Self {
        Self {
            user: user.to_owned(),
            tenant: tenant.to_owned(),
        }
    }
}

/// Whose session a statement runs in.
pub enum Within {
    /// Its own, which ends with it.
    Own,
    /// One that others use too; what it is kept by is kept for as long as the statement runs.
    Shared(Arc<dyn Any + Send + Sync>),
}

/// How far a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing of its answer is there yet.
    Running,
    /// Its rows wait to be fetched, or are being.
    Ready,
    Finished,
    Failed,
    Cancelled,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// One statement.
pub struct Run {
    pub id: String,
    owner: Owner,
    connection: Arc<Connection>,
    host: Host,
    begun: Duration,
    phase: watch::Sender<Phase>,
    cancelled: watch::Sender<bool>,
    rows: AtomicU64,
    known: Mutex<Known>,
}

/// What is known of it.
#[derive(Default)]
struct Known {
    names: Vec<Option<String>>,
    schema: Option<SchemaRef>,
    columns: Value,
    asks: Option<Asks>,
    tag: Option<String>,
    error: Option<SqlError>,
    ended: Option<Duration>,
}

impl Run {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until something of its answer is there, or the time is over.
    pub async fn wait(&self, time: Duration) {
        let mut phase = self.phase.subscribe();
        let there = phase.wait_for(|phase| *phase != Phase::Running);
        let _ = tokio::time::timeout(time, there).await;
    }

    /// Waits until something of its answer is there, and gives its columns; none where it has no rows to show.
    pub async fn first(&self) -> Result<Option<SchemaRef>, SqlError> {
        let mut phase = self.phase.subscribe();
        // It cannot go away before it is over.
        let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
        let known = self.known();
        match &known.error {
            Some(error) => Err(error.clone()),
            None => Ok(known.schema.clone()),
        }
    }

    /// Rows that it showed, or changed.
    pub fn count(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Waits until it is over, and says how it ended.
    pub async fn ended(&self) -> Result<(), SqlError> {
        let mut phase = self.phase.subscribe();
        let over = phase.wait_for(|phase| phase.is_over()).await;
        let finished = over.is_ok_and(|phase| *phase == Phase::Finished);
        match (finished, &self.known().error) {
            (true, _) => Ok(()),
            (false, Some(error)) => Err(error.clone()),
            (false, None) => Err(SqlError::new(Fault::Internal, "the statement broke off")),
        }
    }

    /// Ends it, if it is not over: also one that is only being planned.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
        self.connection.cancel();
        // Whoever fetches hears of it from the statement; without anybody, nothing waits any longer.
        self.known().asks = None;
    }

    /// Its rows, for the first who fetches them.
    pub fn fetch(&self) -> Result<(SchemaRef, Asks), Refusal> {
        let mut known = self.known();
        if let (Some(schema), Some(asks)) = (known.schema.clone(), known.asks.take()) {
            return Ok((schema, asks));
        }
        drop(known);
        Err(match self.phase() {
            Phase::Running => Refusal::new(
                StatusCode::CONFLICT,
                "55000",
                "the statement is running; look at it again, or hand it in with wait_ms",
            ),
            Phase::Failed | Phase::Cancelled => Refusal::new(
                StatusCode::CONFLICT,
                "55000",
                "the statement has failed; its state says why",
            ),
            Phase::Finished | Phase::Ready => Refusal::new(
                StatusCode::GONE,
                "55000",
                "there are no rows, or they were fetched already: an answer is not kept; hand the statement in again",
            ),
        })
    }

    /// What is told of it.
    pub fn told(&self) -> Value {
        let phase = self.phase();
        let known = self.known();
        let until = known.ended.unwrap_or_else(|| self.host.elapsed());
        let elapsed = until.saturating_sub(self.begun).as_millis();
        let mut told = json!({
            "id": self.id,
            "state": phase.name(),
            "rows": self.rows.load(Ordering::Relaxed),
            "elapsed_ms": u64::try_from(elapsed).unwrap_or(u64::MAX),
        });
        if let Value::Array(_) = known.columns {
            told["columns"] = known.columns.clone();
            told["rows_at"] = Value::String(format!("/v1/statements/{}/rows", self.id));
        }
        if let Some(tag) = &known.tag {
            told["done"] = Value::String(tag.clone());
        }
        if let Some(error) = &known.error {
            told["error"] = failure(code_of(error.fault), &error.message);
        }
        told
    }

    /// Runs it to its end.
    async fn drive(self: Arc<Self>, asked: Asked, within: Within) {
        let done = self.until_cancelled(self.go(&asked)).await;
        // What was read is on the ledger; a session of its own is over with its statement.
        match within {
            Within::Own => self.connection.end().await,
            Within::Shared(kept) => {
                self.connection.cancel();
                drop(kept);
            }
        }
        let phase = {
            let mut known = self.known();
            known.ended = Some(self.host.elapsed());
            if done.is_err() {
                known.asks = None;
            }
            match done {
                Ok(tag) => {
                    known.tag = Some(tag);
                    Phase::Finished
                }
                Err(error) => {
                    let cancelled = error.fault == Fault::Cancelled;
                    known.error = Some(error);
                    match cancelled {
                        true => Phase::Cancelled,
                        false => Phase::Failed,
                    }
                }
            }
        };
        self.phase.send_replace(phase);
    }

    /// What a statement came to. One that is cancelled is told so and given a moment: a write that was being committed says
    /// itself whether it was.
    async fn until_cancelled(
        &self,
        work: impl Future<Output = Result<String, SqlError>>,
    ) -> Result<String, SqlError> {
        let mut work = std::pin::pin!(work);
        let mut cancelled = self.cancelled.subscribe();
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = cancelled.wait_for(|cancelled| *cancelled) => {}
        }
        let until = tokio::time::Instant::now() + ENDS;
        while tokio::time::Instant::now() < until {
            // Again and again: it may just have begun.
            self.connection.cancel();
            if let Ok(done) = tokio::time::timeout(AGAIN, &mut work).await {
                return done;
            }
        }
        Err(gone())
    }

    async fn go(&self, asked: &Asked) -> Result<String, SqlError> {
        let (prepared, done) = match self.began(asked).await {
            // What it was planned with has changed meanwhile.
            Err(error) if error.fault == Fault::Stale => self.began(asked).await?,
            other => other?,
        };
        match done {
            Done::Count { verb, rows } => {
                self.rows.store(rows, Ordering::Relaxed);
                Ok(tag_of(verb, rows))
            }
            Done::Rows(answer) => self.show(&prepared, answer).await,
        }
    }

    async fn began(&self, asked: &Asked) -> Result<(Prepared, Done), SqlError> {
        let connection = &self.connection;
        let Planned {
            prepared,
            stated,
            names,
        } = Planned::of(connection, &asked.sql).await?;
        self.known().names = names;
        let values = values(&prepared, &stated, asked)
            .map_err(|refusal| SqlError::new(Fault::Value, refusal.message))?;
        if *self.cancelled.borrow() {
            return Err(gone());
        }
        let done = connection.run(&prepared, values).await?;
        Ok((prepared, done))
    }

    /// Hands rows on as they are fetched. It is ready when the first are there.
    async fn show(&self, prepared: &Prepared, answer: Answer) -> Result<String, SqlError> {
        let Answer {
            schema,
            mut rows,
            stop,
            ..
        } = answer;
        let schema = renamed(&schema, &self.known().names);
        let columns = columns(&schema)?;
        let first = rows.next().await.transpose()?;
        let (asks, wanted) = mpsc::channel(1);
        {
            let mut known = self.known();
            known.schema = Some(schema);
            known.columns = columns;
            known.asks = Some(asks);
        }
        if let Some(first) = first {
            self.phase.send_replace(Phase::Ready);
            self.hand_on(first, wanted, rows, &stop).await?;
        }
        Ok(tag_of(prepared.verb(), self.rows.load(Ordering::Relaxed)))
    }

    /// Dropped before they are over, rows end their statement, and the ledger says so.
    async fn hand_on(
        &self,
        mut batch: RecordBatch,
        mut wanted: mpsc::Receiver<Wanted>,
        mut rows: BoxStream<'static, Batch>,
        stop: &Stop,
    ) -> Result<(), SqlError> {
        let mut waits = WAITS;
        let mut next: Option<Wanted> = None;
        loop {
            let to = match next.take() {
                Some(to) => to,
                None => {
                    let ended = tokio::select! {
                        biased;
                        // What waits here was read under a grant, and goes nowhere when that has ended.
                        cause = stop.stopped() => Err(cause),
                        to = wanted.recv() => to.ok_or_else(gone),
                        () = tokio::time::sleep(waits) => Err(nobody(waits)),
                    };
                    match ended {
                        Ok(to) => to,
                        Err(cause) => return Err(self.break_off(rows, cause).await),
                    }
                }
            };
            // A client that has begun may take its time, up to the statement's.
            waits = FETCHES;
            let count = batch.num_rows() as u64;
            if to.send(Ok(batch)).is_err() {
                return Err(self.break_off(rows, gone()).await);
            }
            self.rows.fetch_add(count, Ordering::Relaxed);
            let following = loop {
                tokio::select! {
                    biased;
                    to = wanted.recv(), if next.is_none() => match to {
                        Some(to) => next = Some(to),
                        None => return Err(self.break_off(rows, gone()).await),
                    },
                    following = rows.next() => break following,
                }
            };
            batch = match following {
                Some(Ok(following)) => following,
                Some(Err(error)) => {
                    if let Some(to) = next {
                        // Perhaps nobody is there to hear it.
                        let _ = to.send(Err(error.clone()));
                    }
                    return Err(error);
                }
                None => return Ok(()),
            };
        }
    }
}

impl Run {
    /// Ends rows that go nowhere any more. The ledger says so when this returns, with the statement's own reason where it was
    /// ended from outside.
    async fn break_off(&self, mut rows: BoxStream<'static, Batch>, cause: SqlError) -> SqlError {
        self.connection.cancel();
        // One more look at it: it tells its end before it answers.
        while let Some(Ok(_)) = rows.next().await {}
        cause
    }
}

fn nobody(waits: Duration) -> SqlError {
    SqlError::new(
        Fault::Timeout,
        format!(
            "nobody fetched the rows for {} s; hand the statement in again",
            waits.as_secs()
        ),
    )
}

fn gone() -> SqlError {
    SqlError::new(
        Fault::Cancelled,
        "the statement was cancelled, or whoever fetched its rows went away; what was shown until then is on the ledger",
    )
}

/// All statements that are known.
pub struct Runs {
    host: Host,
    all: Mutex<BTreeMap<String, Arc<Run>>>,
}

impl Runs {
    pub const fn new(host: Host) -> Self {
        Self {
            host,
            all: Mutex::new(BTreeMap::new()),
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Run>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a statement.
    pub fn begin(
        &self,
        connection: Arc<Connection>,
        asked: Asked,
        within: Within,
    ) -> Result<Arc<Run>, Refusal> {
        let timeout = asked.timeout_ms.map(Duration::from_millis);
        connection.say(|said| {
            said.purpose.clone_from(&asked.purpose);
            said.case.clone_from(&asked.case);
            said.timeout = timeout;
        });
        let now = self.host.elapsed();
        let run = Arc::new(Run {
            id: hex::encode(&self.host.random::<16>()),
            owner: Owner::of(&connection),
            connection,
            host: self.host.clone(),
            begun: now,
            phase: watch::channel(Phase::Running).0,
            cancelled: watch::channel(false).0,
            rows: AtomicU64::new(0),
            known: Mutex::default(),
        });
        self.take(&run, now)?;
        tokio::spawn(Arc::clone(&run).drive(asked, within));
        Ok(run)
    }

    fn take(&self, run: &Arc<Run>, now: Duration) -> Result<(), Refusal> {
        let mut all = self.all();
        let fresh = |run: &Run| {
            let ended = run.known().ended;
            ended.is_none_or(|ended| now.saturating_sub(ended) < KNOWN)
        };
        all.retain(|_, run| fresh(run));
        let running = all
            .values()
            .filter(|other| other.owner == run.owner && !other.phase().is_over());
        if running.count() >= RUNNING_MAX {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "53300",
                format!(
                    "{RUNNING_MAX} statements of this key have not ended; fetch or delete some first"
                ),
            ));
        }
        let running = all.values().filter(|run| !run.phase().is_over());
        if running.count() >= ALL_RUNNING_MAX {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "53300",
                format!("{ALL_RUNNING_MAX} statements are under way; come again"),
            ));
        }
        if all.len() >= KNOWN_MAX {
            let over = all
                .iter()
                .filter(|(_, run)| run.phase().is_over())
                .min_by_key(|(_, run)| run.known().ended)
                .map(|(id, _)| id.clone());
            let over = over.ok_or_else(|| {
                Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "53300",
                    format!("{KNOWN_MAX} statements are under way; come again"),
                )
            })?;
            all.remove(&over);
        }
        all.insert(run.id.clone(), Arc::clone(run));
        Ok(())
    }

    /// One of somebody's own.
    pub fn of(&self, owner: &Owner, id: &str) -> Result<Arc<Run>, Refusal> {
        let found = self.all().get(id).cloned();
        found.filter(|run| run.owner == *owner).ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "26000",
                "there is no such statement of this key; one that has ended is known for ten minutes",
            )
        })
    }

    /// All of somebody's own.
    pub fn all_of(&self, owner: &Owner) -> Vec<Value> {
        let all: Vec<Arc<Run>> = self.all().values().cloned().collect();
        all.iter()
            .filter(|run| run.owner == *owner)
            .map(|run| run.told())
            .collect()
    }
}

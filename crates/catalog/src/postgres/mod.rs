//! The engine on PostgreSQL: the same contract on a replicated server that others run and trust. One coalescing
//! writer per engine gives whole batches to the primary; batches of several nodes take effect one after the
//! other, because each locks the one row of `clarence.head` first. What a commit does is worked out by the same
//! `plan` as in the other engines.
//!
//! Never here: who is primary (Patroni decides), a retry of what may have taken effect, a cancel of a commit
//! (the server would then acknowledge what the standby does not have).

mod batch;
mod cluster;
mod dial;
mod error;
mod found;
mod options;
mod reads;
mod session;
mod snapshot;
mod tls;
mod watch;
mod writer;

pub use dial::{Dial, Direct, Stream};
pub use error::OpenError;
pub use found::{Blocks, Filled, SCHEMA, fill, found, vacant};
pub use options::{Durability, Hold, Member, Options};
pub use watch::{Seen, Watch};

use crate::engine::{Commit, Engine, KeyRange, Order, ReadError, Row};
use crate::outcome::{Outcome, Refused};
use crate::plan::{RESERVED_TAG, check_limits, commit_bytes};
use async_trait::async_trait;
use cluster::Cluster;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch as signal;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use words::limits::SCAN_ROWS_MAX;
use words::{CloudId, OpId};
use writer::{Message, Waiting, Writer};

/// Bytes of commits that may wait, in KiB.
const ROOM_KIB: usize = 64 * 1024;
/// How long another node that seems to use the catalog is waited for.
const IN_USE_WAIT: Duration = Duration::from_secs(15);
/// Messages that may wait for the writer.
const QUEUE: usize = 4096;

/// The engine on PostgreSQL.
pub struct Postgres {
    cluster: Arc<Cluster>,
    reads: reads::Reads,
    messages: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
    lost: signal::Receiver<Option<String>>,
}

/// What the writer counted since it was opened.
#[derive(Debug, Default)]
struct Counts {
    batches: AtomicU64,
    commits: AtomicU64,
    unknown: AtomicU64,
}

/// How the engine stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The member that is primary, by its place in the options; none while there is none.
    pub primary: Option<usize>,
    /// The newest timeline that was seen. It grows with each take-over.
    pub timeline: u32,
    /// Batches that were durable.
    pub batches: u64,
    /// Commits in them.
    pub commits: u64,
    /// Commits whose outcome had to be told as unknown.
    pub unknown: u64,
}

impl Postgres {
    /// Opens the catalog of a cloud. Waits for a primary no longer than the options allow.
    pub async fn open(
        options: Options,
        dial: Arc<dyn Dial>,
        cloud: CloudId,
    ) -> Result<Self, OpenError> {
        session::callable(&options)?;
        let deadline = options.deadline;
        let cluster = Arc::new(Cluster::new(options, dial));
        let mut session = cluster.first().await?;
        let checked = timeout(deadline, found::check(&session, cloud)).await;
        checked.map_err(|_| OpenError::NoAnswer)??;
        if let Some(holder) = cluster.options().holder {
            take_over(&session, holder, cluster.options()).await?;
        }
        let parsed = timeout(deadline, session.prepare()).await;
        let parsed = parsed.map_err(|_| OpenError::NoAnswer)?;
        parsed.map_err(|error| OpenError::Server(session::error_chain(&error)))?;
        let (messages, queue) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let (told, lost) = signal::channel(None);
        let writer = Writer::new(
            Arc::clone(&cluster),
            session,
            queue,
            Arc::clone(&counts),
            told,
        );
        tokio::spawn(writer.run());
        Ok(Self {
            reads: reads::Reads::new(Arc::clone(&cluster)),
            cluster,
            messages,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            counts,
            lost,
        })
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let (primary, timeline) = self.cluster.standing();
        Status {
            primary,
            timeline,
            batches: self.counts.batches.load(Ordering::Relaxed),
            commits: self.counts.commits.load(Ordering::Relaxed),
            unknown: self.counts.unknown.load(Ordering::Relaxed),
        }
    }

    /// Waits until another node has taken the catalog over; says so. This one must end then.
    pub async fn lost(&self) -> String {
        let mut lost = self.lost.clone();
        let found = lost.wait_for(Option::is_some).await;
        let why = found.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            // The writer ended as it was told to.
            None => std::future::pending().await,
        }
    }

    /// Ends the writer after what it has taken. Commits are refused from then on.
    pub async fn shutdown(&self) {
        let (answer, answered) = oneshot::channel();
        if self.messages.send(Message::Stop(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

/// Makes this node the one that writes. Unless it stands in for one that is taken for dead, it waits a moment for another one's connection: a server notices late that its node
/// was killed.
async fn take_over(
    session: &session::Session,
    holder: [u8; 16],
    options: &Options,
) -> Result<(), OpenError> {
    let deadline = options.deadline;
    if options.hold_as == Hold::Taken {
        let held = timeout(deadline, found::supersede(session, holder)).await;
        return held.map_err(|_| OpenError::NoAnswer)?;
    }
    let until = Instant::now() + IN_USE_WAIT;
    loop {
        let held = timeout(deadline, found::hold(session, holder)).await;
        match held.map_err(|_| OpenError::NoAnswer)? {
            Err(OpenError::InUse(_)) if Instant::now() < until => {
                sleep(Duration::from_millis(100)).await;
            }
            held => return held,
        }
    }
}

#[async_trait]
impl Engine for Postgres {
    async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        if key.first().is_none_or(|tag| *tag == RESERVED_TAG) {
            return Ok(None);
        }
        self.reads.get(key).await
    }

    async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        self.reads
            .scan(range, limit.min(SCAN_ROWS_MAX), order)
            .await
    }

    async fn commit(&self, request: Commit) -> Outcome {
        if let Err(refused) = check_limits(&request) {
            return Outcome::Refused(refused);
        }
        let kib = u32::try_from(commit_bytes(&request) / 1024 + 1).unwrap_or(u32::MAX);
        let stopped = || Outcome::Refused(Refused::NotWritable("it has stopped".to_owned()));
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(kib).await else {
            return stopped();
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting::new(request, answer, room);
        if self.messages.send(Message::Commit(waiting)).await.is_err() {
            return stopped();
        }
        answered.await.unwrap_or_else(|_| {
            Outcome::Unknown("the catalog stopped before it answered".to_owned())
        })
    }

    async fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError> {
        let stopped = || ReadError::Stopped("its writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        let asked = self.messages.send(Message::Lookup(op, answer)).await;
        asked.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

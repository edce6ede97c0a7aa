//! The one task of a node that writes: it takes what waits as one batch, and answers when the batch is durable.
//! While a batch is on its way the next one gathers. No timer.

use super::Counts;
use super::batch::{self, Below, Failed};
use super::cluster::{AGAIN, Cluster};
use super::session::Session;
use crate::engine::{Commit, ReadError};
use crate::outcome::{Committed, Outcome, Refused, Sites};
use crate::plan::{Accepted, Plan, Verdict, commit_bytes};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;
use words::OpId;
use words::limits::{BATCH_BYTES_MAX, BATCH_REQUESTS_MAX};

/// A commit that waits, and the room it takes up.
pub struct Waiting {
    request: Commit,
    bytes: usize,
    answer: oneshot::Sender<Outcome>,
    room: OwnedSemaphorePermit,
    since: Instant,
}

impl Waiting {
    pub fn new(
        request: Commit,
        answer: oneshot::Sender<Outcome>,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            bytes: commit_bytes(&request),
            request,
            answer,
            room,
            since: Instant::now(),
        }
    }
}

/// What the writer is asked.
pub enum Message {
    /// A commit.
    Commit(Waiting),
    /// Whether an op took effect.
    Lookup(OpId, oneshot::Sender<Result<Option<u64>, ReadError>>),
    /// To end.
    Stop(oneshot::Sender<()>),
}

/// The writer.
pub struct Writer {
    cluster: Arc<Cluster>,
    session: Option<Session>,
    queue: mpsc::Receiver<Message>,
    /// Taken from the queue and not looked at yet.
    next: Option<Message>,
    counts: Arc<Counts>,
    /// Whether the session shows others that the catalog is in use.
    marked: bool,
    /// Why nothing is written any more.
    stopped: Option<String>,
    /// The same, for whoever has to end then.
    lost: watch::Sender<Option<String>>,
}

/// What a request of a batch came to, told once the batch is durable.
enum Fate {
    Accepted(Accepted),
    Answer(Outcome),
}

struct Told {
    answer: oneshot::Sender<Outcome>,
    fate: Fate,
    _room: OwnedSemaphorePermit,
}

impl Writer {
    pub fn new(
        cluster: Arc<Cluster>,
        session: Session,
        queue: mpsc::Receiver<Message>,
        counts: Arc<Counts>,
        lost: watch::Sender<Option<String>>,
    ) -> Self {
        Self {
            cluster,
            session: Some(session),
            queue,
            next: None,
            counts,
            // Looked at once more, in case another one's mark has not fallen yet.
            marked: false,
            stopped: None,
            lost,
        }
    }

    /// Works until it is told to stop or nobody can ask any more.
    pub async fn run(mut self) {
        loop {
            let message = match self.next.take() {
                Some(message) => Some(message),
                None => self.queue.recv().await,
            };
            match message {
                Some(Message::Commit(first)) => {
                    let batch = self.gather(first);
                    match self.stopped.clone() {
                        None => self.commit(batch).await,
                        Some(why) => refuse(batch, &why),
                    }
                }
                Some(Message::Lookup(op, answer)) => {
                    let found = match self.stopped.clone() {
                        None => self.look_up(op).await,
                        Some(why) => Err(ReadError::Stopped(why)),
                    };
                    let _ = answer.send(found);
                }
                Some(Message::Stop(answer)) => {
                    self.queue.close();
                    self.let_go().await;
                    self.session = None;
                    let _ = answer.send(());
                    return;
                }
                None => return,
            }
        }
    }

    /// What waits already, up to the limits of a batch.
    fn gather(&mut self, first: Waiting) -> Vec<Waiting> {
        let mut bytes = first.bytes;
        let mut batch = vec![first];
        while batch.len() < BATCH_REQUESTS_MAX {
            match self.queue.try_recv() {
                Ok(Message::Commit(waiting)) if bytes + waiting.bytes <= BATCH_BYTES_MAX => {
                    bytes += waiting.bytes;
                    batch.push(waiting);
                }
                Ok(other) => {
                    self.next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        batch
    }

    async fn commit(&mut self, batch: Vec<Waiting>) {
        let below = match self.begin(&batch).await {
            Ok(below) => below,
            // Nothing of it was sent.
            Err(why) => return refuse(batch, &why),
        };
        if let Some(why) = self.taken_over(below.holder.as_deref()) {
            self.roll_back().await;
            self.session = None;
            return refuse(batch, &why);
        }
        let mut plan = Plan::new(below.version + 1, below.next_index);
        let told: Vec<Told> = batch
            .into_iter()
            .map(|waiting| Told {
                fate: fate(&mut plan, &below, waiting.request),
                answer: waiting.answer,
                _room: waiting.room,
            })
            .collect();
        let accepted = told
            .iter()
            .filter(|told| matches!(told.fate, Fate::Accepted(_)))
            .count();
        if accepted == 0 {
            return match self.turn_away(&below).await {
                Ok(()) => settle(told, Sites::Both),
                Err(failed) => self.fail(told, &failed),
            };
        }
        match self.finish(&below, &plan).await {
            Ok(sites) => {
                self.counts.batches.fetch_add(1, Ordering::Relaxed);
                let accepted = u64::try_from(accepted).unwrap_or(u64::MAX);
                self.counts.commits.fetch_add(accepted, Ordering::Relaxed);
                settle(told, sites);
            }
            Err(failed) => self.fail(told, &failed),
        }
    }

    /// Begins the batch at the primary; tries again over a take-over, since nothing is written yet.
    async fn begin(&mut self, batch: &[Waiting]) -> Result<Below, String> {
        let since = batch.iter().map(|waiting| waiting.since).min();
        let hold = self.cluster.options().hold;
        let until = since.unwrap_or_else(Instant::now) + hold;
        let requests: Vec<&Commit> = batch.iter().map(|waiting| &waiting.request).collect();
        loop {
            let deadline = self.cluster.options().deadline;
            self.connect(until).await?;
            let Some(session) = &self.session else {
                continue;
            };
            let why = match timeout(deadline, batch::begin(session, &requests)).await {
                Ok(Ok(below)) => return Ok(below),
                Ok(Err(error)) => super::session::error_chain(&error),
                Err(_) => "the primary did not answer in time".to_owned(),
            };
            tracing::warn!(%why, "a batch could not be begun; nothing of it was sent");
            self.drop_session();
            if Instant::now() + AGAIN >= until {
                return Err(why);
            }
            sleep(AGAIN).await;
        }
    }

    /// Whether another node holds the catalog now; this one writes nothing from then on.
    fn taken_over(&mut self, found: Option<&[u8]>) -> Option<String> {
        let holder = self.cluster.options().holder?;
        if found == Some(&holder[..]) {
            return None;
        }
        let why = "another node has taken the catalog over; this one has to end".to_owned();
        tracing::error!(why);
        self.stopped = Some(why.clone());
        self.lost.send_replace(Some(why.clone()));
        Some(why)
    }

    /// Says at the end that nobody holds the catalog, so that a node that stands by need not wait. If it cannot be
    /// said, that node waits as for one that was killed.
    async fn let_go(&mut self) {
        let (Some(session), Some(holder)) = (&self.session, self.cluster.options().holder) else {
            return;
        };
        let deadline = self.cluster.options().deadline;
        let said = timeout(deadline, super::found::let_go(session, holder)).await;
        if !matches!(said, Ok(Ok(()))) {
            tracing::debug!("the catalog's servers were not told that this node has ended");
        }
    }

    /// A session with the newest primary that is known, and others told that the catalog is in use.
    async fn connect(&mut self, until: Instant) -> Result<(), String> {
        let newest = |session: &Session| self.cluster.newest(session);
        if !self.session.as_ref().is_some_and(newest) {
            self.session = None;
            self.session = Some(self.cluster.session(until).await?);
            self.marked = false;
        }
        if let Some(session) = &self.session
            && self.cluster.options().holder.is_some()
            && !self.marked
        {
            // Whoever else shows it: what counts stands in the head. It may be this node's own connection that broke.
            let deadline = self.cluster.options().deadline;
            self.marked = matches!(timeout(deadline, session.mark()).await, Ok(Ok(true)));
        }
        Ok(())
    }

    /// Nothing of a batch is written: ends it.
    async fn turn_away(&mut self, below: &Below) -> Result<(), Failed> {
        if !below.standby {
            self.roll_back().await;
            return Ok(());
        }
        let Some(session) = &self.session else {
            return Err(Failed::Unknown("the connection is gone".to_owned()));
        };
        let deadline = self.cluster.options().deadline;
        let confirmed = match timeout(deadline, batch::confirm(session)).await {
            Ok(confirmed) => confirmed,
            Err(_) => Err(Failed::Unknown(
                "the primary did not answer in time".to_owned(),
            )),
        };
        if confirmed.is_err() {
            self.drop_session();
        }
        confirmed
    }

    async fn finish(&mut self, below: &Below, plan: &Plan) -> Result<Sites, Failed> {
        let Some(session) = &self.session else {
            return Err(Failed::Nothing("the connection is gone".to_owned(), None));
        };
        let deadline = self.cluster.options().deadline;
        let finished = match timeout(deadline, batch::finish(session, below, plan)).await {
            Ok(finished) => finished,
            Err(_) => Err(Failed::Unknown(
                "the primary did not answer in time".to_owned(),
            )),
        };
        let finished = match finished {
            Ok(_) if !self.cluster.newest(session) => Err(Failed::Unknown(
                "another server became primary meanwhile".to_owned(),
            )),
            finished => finished,
        };
        if finished.is_err() {
            // Dropped, never cancelled: a cancelled commit is acknowledged without its standby.
            self.drop_session();
        }
        finished
    }

    async fn roll_back(&mut self) {
        let Some(session) = &self.session else {
            return;
        };
        let deadline = self.cluster.options().deadline;
        let ended = timeout(deadline, session.client.batch_execute("ROLLBACK")).await;
        if !matches!(ended, Ok(Ok(()))) {
            self.drop_session();
        }
    }

    fn drop_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.cluster.forget(session.timeline.unwrap_or_default());
        }
    }

    fn fail(&self, told: Vec<Told>, failed: &Failed) {
        for Told { answer, fate, .. } in told {
            let outcome = match (failed, fate) {
                // It took effect before, whatever became of this batch.
                (_, Fate::Answer(known @ Outcome::Unknown(_))) => known,
                (Failed::Nothing(why, code), _) => Outcome::Refused(refusal(why, code.as_ref())),
                (Failed::Unknown(why), Fate::Accepted(_)) => {
                    self.counts.unknown.fetch_add(1, Ordering::Relaxed);
                    Outcome::Unknown(why.clone())
                }
                // Why it was turned away may rest on what is not known to have happened.
                (Failed::Unknown(why), Fate::Answer(_)) => {
                    Outcome::Refused(Refused::Away(why.clone()))
                }
            };
            let _ = answer.send(outcome);
        }
    }

    async fn look_up(&mut self, op: OpId) -> Result<Option<u64>, ReadError> {
        let until = Instant::now() + self.cluster.options().hold;
        loop {
            match self.look_up_once(op, until).await {
                Err(ReadError::Away(why)) if Instant::now() + AGAIN < until => {
                    tracing::debug!(why, "a lookup is tried again");
                    sleep(AGAIN).await;
                }
                told => return told,
            }
        }
    }

    async fn look_up_once(&mut self, op: OpId, until: Instant) -> Result<Option<u64>, ReadError> {
        let connected = self.connect(until).await;
        connected.map_err(ReadError::Away)?;
        let Some(session) = &self.session else {
            return Err(ReadError::Away("the connection is gone".to_owned()));
        };
        let deadline = self.cluster.options().deadline;
        let found = match timeout(deadline, batch::look_up(session, op)).await {
            Ok(found) => found,
            Err(_) => Err(Failed::Unknown(
                "the primary did not answer in time".to_owned(),
            )),
        };
        let (holder, found) = found.map_err(|failed| {
            self.drop_session();
            let (Failed::Nothing(why, _) | Failed::Unknown(why)) = failed;
            ReadError::Away(why)
        })?;
        match self.taken_over(holder.as_deref()) {
            None => Ok(found),
            Some(why) => {
                self.session = None;
                Err(ReadError::Stopped(why))
            }
        }
    }
}

fn refuse(batch: Vec<Waiting>, why: &str) {
    for waiting in batch {
        let refused = Refused::Away(why.to_owned());
        let _ = waiting.answer.send(Outcome::Refused(refused));
    }
}

fn fate(plan: &mut Plan, below: &Below, request: Commit) -> Fate {
    if let Some(version) = below.ops.get(&request.op) {
        return Fate::Answer(repeated(*version));
    }
    match plan.admit(below, request) {
        Ok(Verdict::Accepted(accepted)) => Fate::Accepted(accepted),
        Ok(Verdict::Conflict(which)) => Fate::Answer(Outcome::Conflict { which }),
        Ok(Verdict::Refused(refused)) => Fate::Answer(Outcome::Refused(refused)),
        Ok(Verdict::Repeated(version)) => Fate::Answer(repeated(version)),
        Err(error) => Fate::Answer(Outcome::Refused(Refused::NotWritable(error.to_string()))),
    }
}

fn repeated(version: u64) -> Outcome {
    Outcome::Unknown(format!(
        "this op took effect before, as version {version}; look it up"
    ))
}

fn settle(told: Vec<Told>, sites: Sites) {
    for Told { answer, fate, .. } in told {
        let outcome = match fate {
            Fate::Answer(outcome) => outcome,
            Fate::Accepted(accepted) => {
                let (version, receipts) = accepted.settle();
                Outcome::Committed(Committed::new(version, receipts, sites))
            }
        };
        let _ = answer.send(outcome);
    }
}

fn refusal(why: &str, code: Option<&SqlState>) -> Refused {
    match code {
        Some(code) if *code == SqlState::DISK_FULL => {
            Refused::NoSpace(format!("the server: {why}"))
        }
        _ => Refused::NotWritable(why.to_owned()),
    }
}

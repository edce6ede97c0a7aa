//! Writes the twin: one task that sends what the catalog acknowledged, in order, one object at a time, and
//! tells how far the host has it. While an object is on its way the next batches gather.

use crate::source::{Source, SourceError};
use crate::twin::record::{
    Generation, Header, Message, OBJECT_BYTES_MAX, PREFIX, Papers, RecordError,
};
use catalog::Embedded;
use catalog::embedded::follow::FollowError;
use host::Host;
use s3::{Bucket, S3Error};
use seal::TwinKey;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use words::CloudId;

/// How much of the catalog goes into one object, about.
const OBJECT_BYTES: usize = 8 * 1024 * 1024;
/// How long an entry that nobody waits for stays at home at most, while the host answers.
const TICK: Duration = Duration::from_millis(1000);
/// How long a commit waits for the host before its outcome counts as unknown.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts after trouble.
const PAUSE: Duration = Duration::from_millis(1000);
/// Between two attempts after the twin may not be written any more.
const REFUSED_PAUSE: Duration = Duration::from_secs(15);
/// The twin is begun anew when the changes have grown to this and to the size of the copy they follow.
const RENEW_BYTES: u64 = 32 * 1024 * 1024;

/// When a write of the guest is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Acknowledge {
    /// When it is durable at home and at the host.
    AtHost,
    /// When it is durable at home; the host has it as soon as it can.
    AtHome,
}

/// How the twin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TwinState {
    /// Not begun: the node is sealed, or has just started.
    Waiting,
    /// The host is being brought up to date.
    CatchingUp,
    /// The host has everything.
    InStep,
    /// The host does not take anything now.
    Away(String),
    /// What lies at the host is not ours to go on with.
    Refused(String),
}

/// How the twin is, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinView {
    /// How it is.
    pub state: TwinState,
    /// The last batch that can be brought back from the host alone.
    pub durable: u64,
    /// Objects written since the start.
    pub objects: u64,
    /// Bytes written since the start.
    pub bytes: u64,
}

/// What the twin is told of the home.
pub struct Home {
    /// The catalog.
    pub engine: Arc<Embedded>,
    /// The cloud.
    pub cloud: CloudId,
    /// Which gateway this is.
    pub owner: [u8; 16],
    /// Version of site a's key, and the key under the root.
    pub site_key: (u32, [u8; 104]),
    /// What else a catalog needs to be a cloud.
    pub papers: Papers,
    /// The key, while the node is open.
    pub key: Box<dyn Fn() -> Option<TwinKey> + Send + Sync>,
}

/// The twin of one guest.
pub struct Twin {
    bucket: Bucket,
    host: Host,
    acknowledge: Acknowledge,
    renew_bytes: u64,
    nudged: Notify,
    view: watch::Sender<TwinView>,
}

enum KeepError {
    Host(S3Error),
    Follow(FollowError),
    Refused(String),
    /// The node was sealed.
    Sealed,
}

impl From<S3Error> for KeepError {
    fn from(error: S3Error) -> Self {
        match error {
            S3Error::Exists { name, place } => Self::Refused(format!(
                "{place} has an object {name} that this gateway did not write: another gateway has taken over; \
                 nothing is written there any more"
            )),
            other => Self::Host(other),
        }
    }
}

impl From<SourceError> for KeepError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Host(error) => Self::from(error),
            SourceError::Export(error) => Self::Refused(error.to_string()),
        }
    }
}

impl From<FollowError> for KeepError {
    fn from(error: FollowError) -> Self {
        Self::Follow(error)
    }
}

/// One generation while it is written.
#[derive(Clone, Copy)]
struct Line {
    generation: Generation,
    next: u64,
    seq: u64,
    /// Of the copy of everything, and of the changes behind it.
    bytes: [u64; 2],
}

impl Twin {
    /// A twin in the bucket. Nothing is written before [`Twin::keep`].
    #[must_use]
    pub fn new(bucket: Bucket, host: Host, acknowledge: Acknowledge) -> Arc<Self> {
        Self::renewed_after(RENEW_BYTES, bucket, host, acknowledge)
    }

    /// The same, begun anew after so many bytes of changes (and never before they outgrow the copy).
    #[must_use]
    pub fn renewed_after(
        renew_bytes: u64,
        bucket: Bucket,
        host: Host,
        acknowledge: Acknowledge,
    ) -> Arc<Self> {
        let view = TwinView {
            state: TwinState::Waiting,
            durable: 0,
            objects: 0,
            bytes: 0,
        };
        Arc::new(Self {
            bucket,
            host,
            acknowledge,
            renew_bytes,
            nudged: Notify::new(),
            view: watch::Sender::new(view),
        })
    }

    /// When writes are acknowledged.
    #[must_use]
    pub const fn acknowledge(&self) -> Acknowledge {
        self.acknowledge
    }
    /// The place in words.
    #[must_use]
    pub fn place(&self) -> &Arc<str> {
        self.bucket.shown()
    }
    /// How it is.
    #[must_use]
    pub fn view(&self) -> TwinView {
        self.view.borrow().clone()
    }
    /// Whether the host has everything that is acknowledged.
    #[must_use]
    pub fn in_step(&self) -> bool {
        self.view.borrow().state == TwinState::InStep
    }
    /// Tells that there is something to send.
    pub fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Whether commits may be taken that have to reach the host; waits a little if that is about to be so.
    pub async fn ready(&self) -> Result<(), String> {
        let mut view = self.view.subscribe();
        let settled =
            view.wait_for(|view| !matches!(view.state, TwinState::Waiting | TwinState::CatchingUp));
        let state = match tokio::time::timeout(PATIENCE, settled).await {
            Ok(Ok(view)) => view.state.clone(),
            _ => TwinState::CatchingUp,
        };
        let why = match state {
            TwinState::InStep => return Ok(()),
            TwinState::Away(why) | TwinState::Refused(why) => why,
            TwinState::Waiting | TwinState::CatchingUp => {
                "it is still being brought up to date".to_owned()
            }
        };
        Err(format!(
            "the twin at the host cannot take this write, and the guest acknowledges nothing that the host does not have ({why})"
        ))
    }

    /// Waits until the host has everything up to a batch.
    pub async fn wait(&self, seq: u64) -> Result<(), String> {
        let mut view = self.view.subscribe();
        let reached = view
            .wait_for(|view| view.durable >= seq || matches!(view.state, TwinState::Refused(_)));
        let outcome = tokio::time::timeout(PATIENCE, reached).await;
        if let Ok(Ok(view)) = &outcome
            && view.durable >= seq
        {
            return Ok(());
        }
        drop(outcome);
        let why = match self.view().state {
            TwinState::Away(why) | TwinState::Refused(why) => why,
            _ => "it did not answer in time".to_owned(),
        };
        Err(format!(
            "it is durable at home and not known to be so at the host ({why}); look it up before sending it again"
        ))
    }

    /// Writes the twin for as long as the node runs.
    pub async fn keep(self: Arc<Self>, home: Home) {
        let home = Arc::new(home);
        loop {
            let pause = match self.session(&home).await {
                Ok(()) | Err(KeepError::Sealed) => {
                    self.set(TwinState::Waiting);
                    PAUSE / 5
                }
                Err(KeepError::Refused(why)) => {
                    tracing::error!(why, "the twin at the host is not written");
                    self.set(TwinState::Refused(why));
                    REFUSED_PAUSE
                }
                Err(KeepError::Host(error)) => {
                    tracing::warn!(%error, "the twin at the host is behind");
                    self.set(TwinState::Away(error.to_string()));
                    PAUSE
                }
                Err(KeepError::Follow(error)) => {
                    tracing::warn!(%error, "the twin at the host is behind");
                    self.set(TwinState::Away(error.to_string()));
                    PAUSE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn session(self: &Arc<Self>, home: &Arc<Home>) -> Result<(), KeepError> {
        let Some(key) = (home.key)() else {
            return Ok(());
        };
        self.set(TwinState::CatchingUp);
        let mut line = match self.resume(home, &key).await? {
            Some(line) => line,
            None => self.begin(home, &key).await?,
        };
        let mut renewal: Option<Renewal> = None;
        let mut tidy = true;
        loop {
            match self.catch_up(home, &key, &mut line).await {
                Ok(()) => {}
                Err(KeepError::Follow(FollowError::TooFarBack(_))) => {
                    line = self.begin(home, &key).await?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            self.view.send_modify(|view| {
                view.durable = view.durable.max(line.seq);
                view.state = TwinState::InStep;
            });
            if std::mem::take(&mut tidy) {
                self.remove_others(line.generation).await?;
            }
            if let Some(done) = finished(&mut renewal).await {
                line = done?;
                tidy = true;
                continue;
            }
            if renewal.is_none() && line.bytes[1] > self.renew_bytes.max(line.bytes[0]) {
                renewal = Some(self.renew(home));
            }
            let _ = tokio::time::timeout(TICK, self.nudged.notified()).await;
            if (home.key)().is_none() {
                return Err(KeepError::Sealed);
            }
        }
    }

    /// Sends everything that the catalog has acknowledged.
    async fn catch_up(&self, home: &Home, key: &TwinKey, line: &mut Line) -> Result<(), KeepError> {
        let mut settled = true;
        loop {
            let (engine, after) = (Arc::clone(&home.engine), line.seq);
            let followed = tokio::task::spawn_blocking(move || engine.follow(after, OBJECT_BYTES));
            let Some(followed) = followed.await.map_err(|_| KeepError::Sealed)?? else {
                return match settled {
                    true => Ok(()),
                    false => Err(KeepError::Refused(
                        "the catalog ends in the middle of a batch".into(),
                    )),
                };
            };
            let seq = followed.reached.seq;
            settled = followed.settled;
            let bytes = self
                .send(home, key, line, &Message::Segment(followed))
                .await?;
            line.seq = seq;
            line.bytes[1] += bytes;
            if settled {
                self.view
                    .send_modify(|view| view.durable = view.durable.max(seq));
            }
        }
    }

    async fn send(
        &self,
        home: &Home,
        key: &TwinKey,
        line: &mut Line,
        message: &Message,
    ) -> Result<u64, KeepError> {
        let sealed = message.seal(
            key,
            &home.cloud,
            &line.generation,
            line.next,
            self.host.random(),
        );
        let bytes = sealed.len() as u64;
        self.put(&line.generation.name(line.next), sealed).await?;
        line.next += 1;
        Ok(bytes)
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), KeepError> {
        let length = bytes.len() as u64;
        self.bucket.put(name, bytes.into(), true).await?;
        self.view.send_modify(|view| {
            view.objects += 1;
            view.bytes += length;
        });
        Ok(())
    }

    /// Begins the twin anew with a copy of everything.
    async fn begin(&self, home: &Home, key: &TwinKey) -> Result<Line, KeepError> {
        let mut generation = [0; 16];
        generation[..8].copy_from_slice(&self.host.now().0.to_be_bytes());
        generation[8..].copy_from_slice(&self.host.random::<8>());
        let mut line = Line {
            generation: Generation(generation),
            next: 0,
            seq: 0,
            bytes: [0; 2],
        };
        let header = self.header(home, line.generation);
        self.put(&line.generation.name(0), header.encode()).await?;
        line.next = 1;
        let papers = Message::Papers(home.papers.clone());
        line.bytes[0] += self.send(home, key, &mut line, &papers).await?;
        let mut everything = home.engine.everything()?;
        loop {
            let (rest, rows) = everything.next(OBJECT_BYTES).await?;
            everything = rest;
            if rows.is_empty() {
                break;
            }
            line.bytes[0] += self
                .send(home, key, &mut line, &Message::Rows(rows))
                .await?;
        }
        let reached = everything.reached().clone();
        line.seq = reached.seq;
        self.send(home, key, &mut line, &Message::Complete(reached))
            .await?;
        Ok(line)
    }

    fn header(&self, home: &Home, generation: Generation) -> Header {
        Header {
            cloud: home.cloud,
            generation,
            owner: home.owner,
            key_version: home.site_key.0,
            site_key: home.site_key.1,
        }
    }

    /// Begins the twin anew beside the one that is written.
    fn renew(self: &Arc<Self>, home: &Arc<Home>) -> Renewal {
        let (twin, home) = (Arc::clone(self), Arc::clone(home));
        Renewal(tokio::spawn(async move {
            let key = (home.key)().ok_or(KeepError::Sealed)?;
            twin.begin(&home, &key).await
        }))
    }

    /// Finds the generation to go on with; `None` if a new one has to be begun.
    async fn resume(&self, home: &Home, key: &TwinKey) -> Result<Option<Line>, KeepError> {
        let mut best: Option<(Line, [u8; 32])> = None;
        for (generation, last, bytes) in self.generations().await? {
            let Some(found) = self.look(home, key, generation, last).await? else {
                continue;
            };
            let (seq, chain) = found;
            let line = Line {
                generation,
                next: last + 1,
                seq,
                // What came when is not looked up again; a generation that was gone on with is renewed sooner.
                bytes: [bytes / 2, bytes / 2],
            };
            if best.as_ref().is_none_or(|(best, _)| best.seq <= seq) {
                best = Some((line, chain));
            }
        }
        let Some((line, chain)) = best else {
            return Ok(None);
        };
        let here = home.engine.chain_at(line.seq).map_err(FollowError::Read)?;
        let head = home.engine.head().map_err(FollowError::Read)?;
        match here {
            Some(here) if here == chain => Ok(Some(line)),
            None if line.seq <= head => Ok(None),
            _ => Err(KeepError::Refused(format!(
                "{} has the catalog up to batch {}, which the catalog at home (batch {head}) does not contain: home \
                 has lost something or is an old copy; nothing is written there; bring the cloud back with \
                 `clarence embassy restore`",
                self.place(),
                line.seq
            ))),
        }
    }

    /// How far a generation came, if it can be gone on with.
    async fn look(
        &self,
        home: &Home,
        key: &TwinKey,
        generation: Generation,
        last: u64,
    ) -> Result<Option<(u64, [u8; 32])>, KeepError> {
        let header = self.object(generation, 0).await?;
        let header = Header::decode(&header).map_err(|e| self.unreadable(generation, 0, &e))?;
        if header.cloud != home.cloud {
            return Err(KeepError::Refused(format!(
                "{} holds the twin of another cloud ({}); nothing is written there; use a bucket of its own",
                self.place(),
                header.cloud
            )));
        }
        let ours = header == self.header(home, generation);
        if last == 0 || (!ours && header.owner == home.owner) {
            // Never finished, or under an earlier wrap of the key: a new generation takes its place.
            return Ok(None);
        }
        let bytes = self.object(generation, last).await?;
        let message = Message::open(key, &home.cloud, &generation, last, &bytes)
            .map_err(|e| self.unreadable(generation, last, &e))?;
        match (&message, ours) {
            (Message::Closed, false) => return Ok(None),
            (Message::Closed, true) => {
                return Err(KeepError::Refused(format!(
                    "another gateway has taken over what lies in {}; this one writes nothing there any more",
                    self.place()
                )));
            }
            (_, false) => {
                return Err(KeepError::Refused(format!(
                    "{} is written by another gateway of this cloud; take over with `clarence embassy restore --take-over`, \
                     or use another bucket",
                    self.place()
                )));
            }
            (_, true) => {}
        }
        let Some((reached, _)) = message.reached() else {
            return Ok(None);
        };
        let papers = self.object(generation, 1).await?;
        let papers = Message::open(key, &home.cloud, &generation, 1, &papers)
            .map_err(|e| self.unreadable(generation, 1, &e))?;
        let same = matches!(papers, Message::Papers(papers) if papers == home.papers);
        Ok(same.then_some((reached.seq, reached.chain)))
    }

    async fn object(&self, generation: Generation, number: u64) -> Result<Vec<u8>, KeepError> {
        let name = generation.name(number);
        Ok(self
            .bucket
            .get(&name, None, OBJECT_BYTES_MAX)
            .await?
            .to_vec())
    }

    fn unreadable(&self, generation: Generation, number: u64, error: &RecordError) -> KeepError {
        KeepError::Refused(format!(
            "{} in {} cannot be gone on with: {error}; what is at home is whole; move the host's objects away, \
             then the twin is begun anew",
            generation.name(number),
            self.place()
        ))
    }

    /// Every generation with its last number and its size, oldest first.
    async fn generations(&self) -> Result<Vec<(Generation, u64, u64)>, KeepError> {
        let mut found: BTreeMap<Generation, (u64, u64)> = BTreeMap::new();
        for (name, bytes) in self.bucket.names(PREFIX).await? {
            if let Some((generation, number)) = Generation::parse(&name) {
                let entry = found.entry(generation).or_default();
                *entry = (entry.0.max(number), entry.1 + bytes);
            }
        }
        Ok(found
            .into_iter()
            .map(|(generation, (last, bytes))| (generation, last, bytes))
            .collect())
    }

    /// Removes what earlier generations left, once this one has everything. The header goes last.
    async fn remove_others(&self, keep: Generation) -> Result<(), KeepError> {
        let mut names = self.bucket.names(PREFIX).await?;
        names.reverse();
        for (name, _) in names {
            if Generation::parse(&name).is_some_and(|(generation, _)| generation != keep) {
                self.bucket.delete(&name).await?;
            }
        }
        Ok(())
    }

    fn set(&self, state: TwinState) {
        self.view.send_if_modified(|view| {
            let changed = view.state != state;
            view.state = state;
            changed
        });
    }
}

/// A new generation on its way. It ends with whoever waits for it.
struct Renewal(JoinHandle<Result<Line, KeepError>>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A renewal that has come to its end.
async fn finished(renewal: &mut Option<Renewal>) -> Option<Result<Line, KeepError>> {
    if !renewal.as_ref()?.0.is_finished() {
        return None;
    }
    let mut done = renewal.take()?;
    Some((&mut done.0).await.unwrap_or(Err(KeepError::Sealed)))
}

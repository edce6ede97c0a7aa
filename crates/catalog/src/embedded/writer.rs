//! The one thread that changes the catalog. It takes what waits, works it out as one batch, has it written
//! at every site that is current at the same time, and answers when it is durable there. No timer: while
//! one batch is being synced, the next one gathers.

use super::batch::{Head, Prepared, prepare};
use super::error::{HealError, SiteError};
use super::heal::Candidate;
use super::journal::MARK_EVERY;
use super::options::Options;
use super::shared::{Published, Shared};
use super::site::View;
use super::site_thread::SiteThread;
use crate::engine::{Commit, KeyRange, ReadError};
use crate::outcome::{Committed, Outcome, Refused, Sites};
use crate::plan::{Accepted, Base, Plan, Verdict, commit_bytes};
use epoch::{Standing, TroubleKind};
use host::Host;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use words::limits::{BATCH_BYTES_MAX, BATCH_REQUESTS_MAX};
use words::{OpId, SiteId};

/// A commit that waits, and the room it takes up in the queue.
pub struct Waiting {
    pub request: Commit,
    pub answer: oneshot::Sender<Outcome>,
    pub room: OwnedSemaphorePermit,
}

/// What the writer is asked to do.
pub enum Message {
    /// A commit.
    Commit(Waiting),
    /// Bring a healed site the rest of the way and take it back.
    Admit(Box<Candidate>, oneshot::Sender<Result<(), HealError>>),
    /// Give a site up.
    GiveUp(SiteId, String, oneshot::Sender<Result<(), HealError>>),
    /// Put rows right that differ, while nothing else writes.
    Mend(
        SiteId,
        Vec<Vec<u8>>,
        oneshot::Sender<Result<u64, HealError>>,
    ),
    /// Stop.
    Stop(oneshot::Sender<()>),
}

/// How often a standing that could not be recorded is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(1000);
/// How often free space is looked at.
const LOOK_AT_SPACE: Duration = Duration::from_millis(200);
/// How many deadlines may pass when no site answers at all.
const PATIENCE: u32 = 6;
/// How many journal rows one batch may prune.
const PRUNE_MAX: u64 = 2 * MARK_EVERY;

/// The writer's state. It is the only one who changes any of it.
pub struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) host: Host,
    pub(super) options: Options,
    pub(super) sites: Vec<SiteThread>,
    /// The newest views; ahead of the published ones only while a batch is not settled.
    pub(super) base: Vec<View>,
    pub(super) head: Head,
    /// The oldest journal row.
    pub(super) first: u64,
    /// Batches now and then with their cumulative bytes, for pruning.
    pub(super) marks: VecDeque<(u64, u64)>,
    /// A batch that is durable at the remaining site while it is not recorded that it goes on alone.
    pub(super) limbo: Option<Limbo>,
    pub(super) last_try: Option<Duration>,
    pub(super) looked_at_space: Option<Duration>,
    pub(super) stopped: Option<String>,
}

pub(super) struct Limbo {
    batch: Arc<Prepared>,
    views: Vec<View>,
    ops: Vec<(OpId, u64)>,
}

impl Writer {
    /// Takes messages until it is told to stop or nobody is left to ask.
    pub fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(first) = messages.blocking_recv() {
            let mut next = Some(first);
            while let Some(message) = next.take() {
                let Message::Commit(waiting) = message else {
                    if self.act(message) {
                        return;
                    }
                    continue;
                };
                let mut batch = vec![waiting];
                next = gather(&mut batch, &mut messages);
                self.commit(batch);
            }
        }
    }

    /// Does what is not a commit. True if that was to stop.
    fn act(&mut self, message: Message) -> bool {
        match message {
            Message::Commit(_) => {}
            Message::Admit(candidate, answer) => {
                let _ = answer.send(self.admit(*candidate));
            }
            Message::GiveUp(site, why, answer) => {
                let error = SiteError::new(TroubleKind::Gone, why);
                let _ = answer.send(self.give_up(site, &error));
            }
            Message::Mend(site, keys, answer) => {
                let _ = answer.send(self.mend(site, &keys));
            }
            Message::Stop(answer) => {
                self.shared.publish(None);
                self.base.clear();
                self.sites.clear();
                let _ = answer.send(());
                return true;
            }
        }
        false
    }

    fn commit(&mut self, batch: Vec<Waiting>) {
        if let Err(why) = self.ready() {
            let refused = Refused::NotWritable(why);
            return batch
                .into_iter()
                .for_each(|w| drop(w.answer.send(Outcome::Refused(refused.clone()))));
        }
        if let Err(refused) = self.check_space() {
            return batch
                .into_iter()
                .for_each(|w| drop(w.answer.send(Outcome::Refused(refused.clone()))));
        }
        let mut plan = Plan::new(self.head.next_version, self.head.next_index);
        let mut accepted = Vec::new();
        let mut others = Vec::new();
        for waiting in batch {
            let Waiting {
                request,
                answer,
                room,
            } = waiting;
            match self.plan(&mut plan, request) {
                Ok(taken) => accepted.push((taken, answer, room)),
                Err(outcome) => others.push((outcome, answer)),
            }
        }
        self.shared
            .figures
            .requests
            .fetch_add((accepted.len() + others.len()) as u64, Ordering::Relaxed);
        let settled = if accepted.is_empty() {
            Ok(self.standing_sites())
        } else {
            self.write(plan)
        };
        // Answers that rest on the batch are given only when it is settled.
        for (outcome, answer) in others {
            let _ = answer.send(match &settled {
                Ok(_) => outcome,
                Err(why) => Outcome::Refused(Refused::NotWritable(why.clone())),
            });
        }
        for (taken, answer, _room) in accepted {
            let _ = answer.send(match &settled {
                Ok(sites) => {
                    let (version, receipts) = taken.settle();
                    Outcome::Committed(Committed::new(version, receipts, *sites))
                }
                Err(why) => Outcome::Unknown(why.clone()),
            });
        }
    }

    fn plan(&self, plan: &mut Plan, request: Commit) -> Result<Accepted, Outcome> {
        if let Some(version) = self.shared.version_of(request.op) {
            return Err(repeated(version));
        }
        match plan.admit(&Rows { writer: self }, request) {
            Ok(Verdict::Accepted(accepted)) => Ok(accepted),
            Ok(Verdict::Conflict(which)) => {
                self.shared
                    .figures
                    .conflicts
                    .fetch_add(1, Ordering::Relaxed);
                Err(Outcome::Conflict { which })
            }
            Ok(Verdict::Refused(refused)) => {
                self.shared.figures.refused.fetch_add(1, Ordering::Relaxed);
                Err(Outcome::Refused(refused))
            }
            Ok(Verdict::Repeated(version)) => Err(repeated(version)),
            Err(error) => Err(Outcome::Refused(Refused::NotWritable(error.to_string()))),
        }
    }

    /// Writes a batch at all sites that are current; an error means that its outcome is not known.
    fn write(&mut self, plan: Plan) -> Result<Sites, String> {
        let ops: Vec<_> = plan
            .ops
            .iter()
            .map(|(op, version)| (*op, *version))
            .collect();
        let epoch = self.shared.tenure.record().epoch;
        let prune = self.prune();
        let batch = Arc::new(prepare(plan, &self.head, epoch, prune));
        let (views, failed) = self.write_everywhere(&batch);
        let figures = &self.shared.figures;
        figures.batches.fetch_add(1, Ordering::Relaxed);
        figures
            .syncs
            .fetch_add(views.len() as u64, Ordering::Relaxed);
        figures
            .bytes
            .fetch_add(batch.bytes * views.len() as u64, Ordering::Relaxed);
        for (site, error) in &failed {
            self.shared.tenure.report(*site, error.trouble());
            if error.kind == TroubleKind::Damaged {
                self.shared.found_damaged(*site, error);
            }
        }
        if views.is_empty() {
            let why = failed
                .iter()
                .map(|(site, e)| format!("{site}: {e}"))
                .collect::<Vec<_>>()
                .join("; ");
            return Err(self.stop(format!("no site took the last batch ({why}); restart the node when the disk works again"), ops));
        }
        for (site, error) in failed {
            if let Err(why) = self.drop_site(site, &error) {
                figures_unknown(&self.shared, ops.len());
                self.shared.put_in_limbo(ops.iter().map(|(op, _)| *op));
                self.shared.set_blocked(Some(why.clone()));
                self.limbo = Some(Limbo { batch, views, ops });
                return Err(why);
            }
        }
        self.take_up(&batch, views, ops);
        Ok(self.standing_sites())
    }

    /// Makes a batch that is durable part of what readers see.
    fn take_up(&mut self, batch: &Prepared, views: Vec<View>, ops: Vec<(OpId, u64)>) {
        self.head = batch.head;
        if batch.seq.is_multiple_of(MARK_EVERY) {
            self.marks.push_back((batch.seq, batch.head.bytes));
        }
        self.base = views;
        self.shared.remember(ops);
        self.shared.tenure.note_head(self.head.seq);
        self.publish();
    }

    pub(super) fn publish(&self) {
        self.shared.publish(Some(Published {
            seq: self.head.seq,
            views: self.base.clone(),
        }));
    }

    /// Hands the batch to every site and waits. A site is given up when it fails, or when it takes longer
    /// than the deadline beyond the other: measured against the other, because a busy machine slows both.
    fn write_everywhere(&self, batch: &Arc<Prepared>) -> (Vec<View>, Vec<(SiteId, SiteError)>) {
        let mut views = Vec::new();
        let mut failed = Vec::new();
        let mut waiting = Vec::new();
        for site in &self.sites {
            match site.begin(batch) {
                Ok(()) => waiting.push(site),
                Err(error) => failed.push((site.db().site(), error)),
            }
        }
        let start = self.host.elapsed();
        let mut first_done: Option<Duration> = None;
        while !waiting.is_empty() {
            let until = match first_done {
                Some(done) => done + self.options.deadline,
                None => start + self.options.deadline * PATIENCE,
            };
            let left = until.saturating_sub(self.host.elapsed());
            let step = if waiting.len() == 1 {
                left
            } else {
                left.min(Duration::from_millis(2))
            };
            waiting.retain(|site| match site.finish(batch.seq, step) {
                None => true,
                Some(Ok(view)) => {
                    first_done.get_or_insert(self.host.elapsed());
                    views.push(view);
                    false
                }
                Some(Err(error)) => {
                    failed.push((site.db().site(), error));
                    false
                }
            });
            if self.host.elapsed() >= until {
                let slow = |site: &&SiteThread| {
                    (
                        site.db().site(),
                        SiteError::new(TroubleKind::Slow, "it did not answer within the deadline"),
                    )
                };
                failed.extend(waiting.iter().map(slow));
                break;
            }
        }
        views.sort_by_key(|view| view.db().site());
        (views, failed)
    }

    /// Records that a site is given up, and lets go of it.
    fn drop_site(&mut self, site: SiteId, error: &SiteError) -> Result<(), String> {
        let recorded = self
            .shared
            .tenure
            .drop_site(site, self.head.seq, &error.what);
        self.sites.retain(|s| s.db().site() != site);
        recorded
            .map(|_| ())
            .map_err(|e| format!("{site} failed ({error}), and that could not be recorded: {e}"))
    }

    fn give_up(&mut self, site: SiteId, error: &SiteError) -> Result<(), HealError> {
        if !self.shared.tenure.serving(site) {
            return Ok(());
        }
        self.shared
            .tenure
            .drop_site(site, self.head.seq, &error.what)?;
        self.let_go(site);
        Ok(())
    }

    fn let_go(&mut self, site: SiteId) {
        self.sites.retain(|s| s.db().site() != site);
        self.base.retain(|v| v.db().site() != site);
        self.publish();
    }

    /// Whether commits may be taken now. Follows what others recorded, and tries again what could not be
    /// recorded, now and then.
    fn ready(&mut self) -> Result<(), String> {
        if let Some(why) = &self.stopped {
            return Err(why.clone());
        }
        let gone: Vec<_> = self
            .sites
            .iter()
            .map(|s| s.db().site())
            .filter(|s| !self.shared.tenure.serving(*s))
            .collect();
        if self.limbo.is_none() {
            gone.into_iter().for_each(|site| self.let_go(site));
        }
        // With both sites taking every batch, an attempt to give one up that was recorded in part is no
        // danger: whoever serves, holds everything.
        let both = self.shared.tenure.standing() == Standing::BothCurrent && self.sites.len() == 2;
        if self.limbo.is_none() && (both || self.shared.tenure.settled()) {
            if self.sites.is_empty() {
                return Err("no site that is current is open".to_owned());
            }
            return Ok(());
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<(), String> {
        let now = self.host.elapsed();
        if self.last_try.is_some_and(|last| now < last + TRY_AGAIN) {
            return Err(self
                .shared
                .blocked()
                .unwrap_or_else(|| "the standing of the sites is not recorded yet".to_owned()));
        }
        self.last_try = Some(now);
        let [remaining] = self.sites.as_slice() else {
            return Err("the standing of the sites is not recorded yet".to_owned());
        };
        let away = remaining.db().site().other();
        if let Err(error) = self
            .shared
            .tenure
            .drop_site(away, self.head.seq, "it failed earlier")
        {
            let why = format!("{away} failed, and that could not be recorded: {error}");
            self.shared.set_blocked(Some(why.clone()));
            return Err(why);
        }
        self.shared.set_blocked(None);
        self.last_try = None;
        if let Some(Limbo { batch, views, ops }) = self.limbo.take() {
            self.take_up(&batch, views, ops);
        }
        Ok(())
    }

    /// Takes no more commits until a restart. Reads go on.
    fn stop(&mut self, why: String, ops: Vec<(OpId, u64)>) -> String {
        tracing::error!("the catalog takes no more commits: {why}");
        figures_unknown(&self.shared, ops.len());
        self.shared.put_in_limbo(ops.into_iter().map(|(op, _)| op));
        self.shared.set_blocked(Some(why.clone()));
        self.stopped = Some(why.clone());
        why
    }

    /// A full disk is noticed before a write fails on it, because a failed write poisons the database.
    fn check_space(&mut self) -> Result<(), Refused> {
        let now = self.host.elapsed();
        if self
            .looked_at_space
            .is_some_and(|last| now < last + LOOK_AT_SPACE)
        {
            return Ok(());
        }
        let full = |site: &SiteThread| {
            site.db()
                .folder()
                .free_bytes()
                .is_ok_and(|free| free < self.options.free_bytes_min)
        };
        let full: Vec<_> = self
            .sites
            .iter()
            .filter(|s| full(s))
            .map(|s| s.db().site())
            .collect();
        if full.len() >= self.sites.len() {
            let names = full
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" and ");
            return Err(Refused::NoSpace(names));
        }
        self.looked_at_space = Some(now);
        for site in full {
            let error = SiteError::new(TroubleKind::Full, "its disk is full");
            self.shared.tenure.report(site, error.trouble());
            self.give_up(site, &error)
                .map_err(|e| Refused::NotWritable(e.to_string()))?;
        }
        Ok(())
    }

    /// Journal rows that are no longer needed: never behind what a heal that runs has still to copy.
    fn prune(&mut self) -> std::ops::Range<u64> {
        let hold = self.shared.hold.load(Ordering::Relaxed);
        let enough = self
            .head
            .bytes
            .saturating_sub(self.options.journal_bytes_max);
        let mut until = self.first;
        while let Some((seq, bytes)) = self.marks.front().copied() {
            if bytes > enough || seq >= hold || seq - self.first > PRUNE_MAX {
                break;
            }
            until = seq;
            self.marks.pop_front();
        }
        let range = self.first..until;
        self.first = until;
        range
    }

    fn standing_sites(&self) -> Sites {
        match self.shared.tenure.standing() {
            Standing::BothCurrent => Sites::Both,
            Standing::Only(site) => Sites::Only(site),
        }
    }
}

fn figures_unknown(shared: &Shared, count: usize) {
    shared
        .figures
        .unknown
        .fetch_add(count as u64, Ordering::Relaxed);
}

fn repeated(version: u64) -> Outcome {
    Outcome::Unknown(format!(
        "this op took effect before, as version {version}; look it up"
    ))
}

/// Takes what waits, up to the limits of a batch; gives back a message that is not a commit.
fn gather(batch: &mut Vec<Waiting>, messages: &mut mpsc::Receiver<Message>) -> Option<Message> {
    let mut bytes: usize = batch.iter().map(|w| commit_bytes(&w.request)).sum();
    while batch.len() < BATCH_REQUESTS_MAX && bytes < BATCH_BYTES_MAX {
        match messages.try_recv() {
            Ok(Message::Commit(waiting)) => {
                bytes += commit_bytes(&waiting.request);
                batch.push(waiting);
            }
            Ok(other) => return Some(other),
            Err(_) => break,
        }
    }
    None
}

/// The rows as the writer sees them: the newest views, one site answering for the other.
struct Rows<'a> {
    writer: &'a Writer,
}

impl Rows<'_> {
    fn read<T>(&self, read: impl Fn(&View) -> Result<T, SiteError>) -> Result<T, ReadError> {
        let mut why = String::from("no site is open");
        for view in &self.writer.base {
            match read(view) {
                Ok(value) => return Ok(value),
                Err(error) => {
                    self.writer.shared.found_damaged(view.db().site(), &error);
                    why = format!("{}: {error}", view.db().site());
                }
            }
        }
        Err(ReadError::Unreadable(why))
    }
}

impl Base for Rows<'_> {
    fn version(&self, key: &[u8]) -> Result<Option<u64>, ReadError> {
        self.read(|view| Ok(view.get(key)?.map(|row| row.version)))
    }

    fn keys(&self, range: &KeyRange) -> Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + '_> {
        let mut rest = range.clone();
        let mut views = self.writer.base.iter();
        let mut current = views.next().map(|view| (view, view.keys(&rest)));
        Box::new(std::iter::from_fn(move || {
            loop {
                let Some((view, keys)) = &mut current else {
                    return Some(Err(ReadError::Unreadable(
                        "no site could list the range".to_owned(),
                    )));
                };
                match keys.next()? {
                    Ok(key) => {
                        rest = rest.clone().after(&key);
                        return Some(Ok(key));
                    }
                    Err(error) => {
                        self.writer.shared.found_damaged(view.db().site(), &error);
                        current = views.next().map(|view| (view, view.keys(&rest)));
                    }
                }
            }
        }))
    }
}

//! Checks copies by their hash and repairs them from the other site. No key is needed. A copy is never
//! written in place: a new file is made durable and takes the old one's name.

use crate::error::RepairError;
use crate::health::Signal;
use crate::lane::{Miss, deadline};
use crate::mirror::{CHUNK_SEALED_BYTES_MAX, Mirror, Shared};
use crate::read::attempt;
use crate::standing::Stance;
use bytes::Bytes;
use chunks::{Cause, ChunkRef};
use epoch::{Trouble, TroubleKind};
use seal::Sealed;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use words::limits::{REPAIRS_WAITING_MAX, SITE_DEADLINE_MS};
use words::{ChunkId, SiteId};

/// Pieces in which a whole copy is read to be checked.
const CHECK_PIECE_BYTES: u64 = 1024 * 1024;

/// What a check of one copy found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckResult {
    /// Every byte is as recorded.
    Whole,
    /// The site answers and has no such chunk.
    Missing,
    /// Its length or its bytes are not as recorded.
    Damaged,
    /// The site does not answer, so nothing is known.
    Unreachable(String),
}

/// What a repair came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairOutcome {
    /// The copy was whole.
    AlreadyWhole,
    /// The copy was missing or damaged and is whole now, durably.
    Repaired,
}

/// Copies that wait for their repair; each at most once, and at most [`REPAIRS_WAITING_MAX`].
#[derive(Default)]
pub(crate) struct Waiting {
    list: Mutex<List>,
    arrived: Notify,
}

#[derive(Default)]
struct List {
    queue: VecDeque<(ChunkRef, SiteId)>,
    known: BTreeSet<(ChunkId, SiteId)>,
}

impl Waiting {
    /// False if there is no room.
    fn push(&self, chunk: &ChunkRef, site: SiteId) -> bool {
        let mut list = self.list();
        if list.known.contains(&(chunk.id, site)) {
            return true;
        }
        if list.queue.len() >= REPAIRS_WAITING_MAX {
            return false;
        }
        list.known.insert((chunk.id, site));
        list.queue.push_back((*chunk, site));
        drop(list);
        self.arrived.notify_one();
        true
    }
    fn pop(&self) -> Option<(ChunkRef, SiteId)> {
        let mut list = self.list();
        let (chunk, site) = list.queue.pop_front()?;
        list.known.remove(&(chunk.id, site));
        Some((chunk, site))
    }
    pub(crate) fn len(&self) -> usize {
        self.list().queue.len()
    }
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(crate) fn note_bad_copy(&self, site: SiteId, chunk: &ChunkRef) {
        if !self.waiting.push(chunk, site) {
            self.counts.repairs_dropped.add(1);
        }
    }
}

impl Mirror {
    /// Compares a site's copy with the recorded length and hash.
    pub async fn check(&self, site: SiteId, chunk: &ChunkRef) -> CheckResult {
        check(&self.shared, site, chunk).await
    }

    /// Repairs a site's copy from the other site, if it needs it.
    pub async fn repair(
        &self,
        chunk: &ChunkRef,
        bad: SiteId,
    ) -> Result<RepairOutcome, RepairError> {
        let shared = &*self.shared;
        let found = check(shared, bad, chunk).await;
        let what = match &found {
            CheckResult::Whole => return Ok(RepairOutcome::AlreadyWhole),
            CheckResult::Missing => "is missing",
            CheckResult::Damaged => "is damaged",
            CheckResult::Unreachable(why) => {
                return Err(RepairError::NotTaken {
                    site: bad,
                    why: why.clone(),
                });
            }
        };
        shared.counts.copies_bad.add(1);
        note(
            shared,
            bad,
            TroubleKind::Damaged,
            format!("chunk {} {what}", chunk.id),
        );
        match restore(shared, bad, chunk).await {
            Ok(()) => {
                shared.counts.copies_repaired.add(1);
                let text = format!("chunk {} was repaired from {}", chunk.id, bad.other());
                note(shared, bad, TroubleKind::Repaired, text);
                Ok(RepairOutcome::Repaired)
            }
            Err(error) => {
                shared.counts.repairs_failed.add(1);
                tracing::error!(chunk = %chunk.id, site = %bad, %error, "a copy could not be repaired");
                Err(error)
            }
        }
    }

    /// Repairs what reads have found wrong until nothing waits; gives how many were looked at. What fails
    /// is noted again by the next read or found by a scrub.
    pub async fn repair_waiting(&self) -> usize {
        let mut looked_at = 0;
        while let Some((chunk, site)) = self.shared.waiting.pop() {
            looked_at += 1;
            if self.shared.stance(site) != Stance::Away {
                // The outcome is counted and logged where it arises.
                let _ = self.repair(&chunk, site).await;
            }
        }
        looked_at
    }

    /// Repairs what reads find wrong, for as long as the node runs.
    pub async fn repair_forever(&self) {
        loop {
            self.repair_waiting().await;
            self.shared.waiting.arrived.notified().await;
        }
    }
}

fn note(shared: &Shared, site: SiteId, kind: TroubleKind, what: String) {
    tracing::warn!(%site, ?kind, what);
    shared.note_trouble(site, Trouble { kind, what });
}

async fn check(shared: &Shared, site: SiteId, chunk: &ChunkRef) -> CheckResult {
    let expected = u64::from(chunk.bytes);
    match deadline("looking at a chunk", shared.store(site).stat(chunk.id)).await {
        Ok(Some(stat)) if stat.bytes == expected && expected <= CHUNK_SEALED_BYTES_MAX => {}
        Ok(Some(_)) => return CheckResult::Damaged,
        Ok(None) => return CheckResult::Missing,
        Err(miss) => return CheckResult::Unreachable(miss.why),
    }
    let mut hasher = blake3::Hasher::new();
    let mut offset = 0;
    while offset < expected {
        let length = CHECK_PIECE_BYTES.min(expected - offset);
        match whole_read(shared, site, chunk, offset, length).await {
            Ok(bytes) => hasher.update(&bytes),
            Err(found) => return found,
        };
        offset += length;
        // Hashing is work; let requests in between.
        tokio::task::yield_now().await;
    }
    if hasher.finalize() == blake3::Hash::from_bytes(chunk.blake3) {
        CheckResult::Whole
    } else {
        CheckResult::Damaged
    }
}

/// A read that belongs to a check. A disk that gives an error for these bytes has a damaged copy of them.
async fn whole_read(
    shared: &Shared,
    site: SiteId,
    chunk: &ChunkRef,
    offset: u64,
    length: u64,
) -> Result<Bytes, CheckResult> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let read = shared.store(site).read(chunk.id, offset, length);
    match tokio::time::timeout(Duration::from_millis(SITE_DEADLINE_MS), read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(match error.cause() {
            Cause::Chunk | Cause::Trouble => CheckResult::Damaged,
            Cause::CannotWrite | Cause::FolderAway | Cause::Slow | Cause::Ourselves => {
                CheckResult::Unreachable(error.to_string())
            }
        }),
        Err(_) => Err(CheckResult::Unreachable("it did not answer in time".into())),
    }
}

/// Copies a chunk to `to` from the other site, or from `to` itself if only that copy is whole: what is on
/// the books as missing may have been written after all, but it is not known to be durable.
pub(crate) async fn restore(
    shared: &Shared,
    to: SiteId,
    chunk: &ChunkRef,
) -> Result<(), RepairError> {
    let sealed = match whole_copy(shared, to.other(), chunk).await {
        Ok(sealed) => sealed,
        Err(other) => {
            whole_copy(shared, to, chunk)
                .await
                .map_err(|own| RepairError::NoGoodCopy {
                    chunk: chunk.id,
                    site: to,
                    why: format!("{}: {other}; {to}: {own}", to.other()),
                })?
        }
    };
    put_copy(shared, to, chunk, &sealed)
        .await
        .map_err(|miss| RepairError::NotTaken {
            site: to,
            why: miss.why,
        })
}

/// A site's whole copy, checked against the recorded hash.
async fn whole_copy(shared: &Shared, site: SiteId, chunk: &ChunkRef) -> Result<Sealed, String> {
    if u64::from(chunk.bytes) > CHUNK_SEALED_BYTES_MAX {
        return Err(format!(
            "the record says {} bytes, which no chunk has",
            chunk.bytes
        ));
    }
    let length = chunk.bytes as usize;
    let patience = Duration::from_millis(SITE_DEADLINE_MS);
    let bytes = attempt(shared, site, chunk, 0, length, patience)
        .await
        .map_err(|miss| miss.why)?;
    Sealed::reverified(bytes, &chunk.blake3).map_err(|stale| stale.to_string())
}

async fn put_copy(
    shared: &Shared,
    to: SiteId,
    chunk: &ChunkRef,
    sealed: &Sealed,
) -> Result<(), Miss> {
    let began = shared.host.elapsed();
    let outcome = async {
        let mut writer = deadline("beginning a copy", shared.store(to).replace(chunk.id)).await?;
        deadline("writing a copy", writer.append(sealed)).await?;
        let turn = shared.sync_turn(to, sealed.len()).await;
        let finished = deadline("making a copy durable", writer.finish()).await;
        drop(turn);
        finished
    }
    .await;
    match &outcome {
        Ok(()) => shared.note_write(to, began, Signal::Well, ""),
        Err(Miss {
            signal: Some(signal),
            why,
        }) => shared.note_write(to, began, *signal, why),
        Err(_) => {}
    }
    outcome
}

//! How many deltas of a bucket wait to be folded, counted without reading them again and again.

use crate::api::Pending;
use crate::error::NamesError;
use crate::index::Index;
use crate::list::deltas_after;
use crate::position::Position;
use crate::rows;
use catalog::Order;
use quick_cache::sync::Cache;
use seal::IndexKey;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use words::limits::SCAN_ROWS_MAX;
use words::{BucketId, UnixMillis};

/// One position in so many is remembered, so that a count can be corrected when a fold has moved on.
const MARK_EVERY: u64 = 256;
/// Buckets whose count is kept.
const BUCKETS_MAX: usize = 4096;

/// The count of one bucket: a mark for every full step, and what came after the last one.
#[derive(Clone, Default)]
struct Tally {
    marks: VecDeque<Position>,
    tail: u64,
    last: Option<Position>,
    counted: Option<Duration>,
    /// Since when the oldest row that nothing refers to has been waiting.
    garbage: Option<UnixMillis>,
}

impl Tally {
    fn count(&self) -> u64 {
        self.marks.len() as u64 * MARK_EVERY + self.tail
    }
    fn add(&mut self, position: Position) {
        self.last = Some(position);
        self.tail += 1;
        if self.tail == MARK_EVERY {
            self.tail = 0;
            self.marks.push_back(position);
        }
    }
    /// Takes off what lies in runs. Right to within one step, and exact once everything is folded.
    fn settle(&mut self, watermark: Option<Position>) {
        while self
            .marks
            .front()
            .is_some_and(|mark| Some(*mark) <= watermark)
        {
            self.marks.pop_front();
        }
        if self.last <= watermark {
            self.tail = 0;
            self.last = watermark;
        }
    }
}

/// The counts that this node keeps.
pub(crate) struct Tallies(Cache<BucketId, Arc<Tally>>);

impl Default for Tallies {
    fn default() -> Self {
        Self(Cache::new(BUCKETS_MAX))
    }
}

impl Tallies {
    pub(crate) fn forget(&self, bucket: BucketId) {
        self.0.remove(&bucket);
    }
    /// What waits has changed: the next question goes to the catalog.
    pub(crate) fn recount(&self, bucket: BucketId) {
        if let Some(kept) = self.0.get(&bucket) {
            self.0.insert(
                bucket,
                Arc::new(Tally {
                    counted: None,
                    ..Tally::clone(&kept)
                }),
            );
        }
    }
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

impl Index {
    /// How many deltas of the bucket wait. Cheap enough to ask before every PUT: the catalog is asked a few
    /// times a second only, and only for what is new since.
    pub async fn pending(&self, key: &IndexKey, bucket: BucketId) -> Result<Pending, NamesError> {
        let now = self.host.elapsed();
        let kept = self.tallies.0.get(&bucket);
        let refresh = Duration::from_millis(self.tuning.pending_refresh_ms);
        if let Some(kept) = &kept
            && kept
                .counted
                .is_some_and(|counted| now.saturating_sub(counted) < refresh)
        {
            return Ok(self.judge(kept));
        }
        let mut tally = kept.as_deref().cloned().unwrap_or_default();
        let manifest = self.read_manifest(key, bucket).await?.manifest;
        tally.settle(manifest.watermark);
        tally.garbage = manifest.garbage.first().map(|garbage| garbage.since);
        while tally.count() < self.tuning.pending_max {
            let found = self
                .engine
                .scan(
                    deltas_after(bucket, tally.last),
                    SCAN_ROWS_MAX,
                    Order::Ascending,
                )
                .await?;
            found
                .iter()
                .filter_map(|(row_key, _)| rows::delta_position(row_key))
                .for_each(|at| tally.add(at));
            if found.len() < SCAN_ROWS_MAX {
                break;
            }
        }
        tally.counted = Some(now);
        let pending = self.judge(&tally);
        self.tallies.0.insert(bucket, Arc::new(tally));
        Ok(pending)
    }

    fn judge(&self, tally: &Tally) -> Pending {
        let deltas = tally.count();
        let sweep = tally.garbage.is_some_and(|since| self.grace_over(since));
        Pending {
            deltas,
            full: deltas >= self.tuning.pending_max,
            due: sweep || deltas >= self.tuning.fold_deltas_min as u64,
            unswept: tally.garbage.is_some(),
        }
    }

    /// Whether rows that nothing has referred to since then may go.
    pub(crate) fn grace_over(&self, since: UnixMillis) -> bool {
        since.plus(self.tuning.grace_ms) <= self.host.now()
    }
}

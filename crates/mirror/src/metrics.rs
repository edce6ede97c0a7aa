//! What the mirror counts. The number of debts and the age of the oldest are what would be lost with a
//! site: they are read from the catalog ([`crate::heal::backlog`]), not counted here.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the node started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Metrics {
    /// Chunks that became durable at both sites.
    pub chunks_both: u64,
    /// Chunks that were acknowledged with one copy.
    pub chunks_one_site: u64,
    /// Chunks that were not acknowledged.
    pub chunks_refused: u64,
    /// Times a site was recorded as behind because of a chunk it did not take.
    pub sites_lost: u64,
    /// Reads that turned to the second site.
    pub read_fallbacks: u64,
    /// Reads for which no copy was within reach.
    pub reads_failed: u64,
    /// Copies found damaged or missing where they should be.
    pub copies_bad: u64,
    /// Copies repaired from the other site.
    pub copies_repaired: u64,
    /// Copies that could not be repaired.
    pub repairs_failed: u64,
    /// Repairs that were not noted because too many waited; a scrub finds them.
    pub repairs_dropped: u64,
    /// Repairs waiting now.
    pub repairs_waiting: u64,
    /// Chunks healed from debt.
    pub chunks_healed: u64,
    /// Sealed bytes healed from debt.
    pub bytes_healed: u64,
}

/// One count.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub chunks_both: Count,
    pub chunks_one_site: Count,
    pub chunks_refused: Count,
    pub sites_lost: Count,
    pub read_fallbacks: Count,
    pub reads_failed: Count,
    pub copies_bad: Count,
    pub copies_repaired: Count,
    pub repairs_failed: Count,
    pub repairs_dropped: Count,
    pub chunks_healed: Count,
    pub bytes_healed: Count,
}

impl Counts {
    pub(crate) fn snapshot(&self, repairs_waiting: usize) -> Metrics {
        Metrics {
            chunks_both: self.chunks_both.get(),
            chunks_one_site: self.chunks_one_site.get(),
            chunks_refused: self.chunks_refused.get(),
            sites_lost: self.sites_lost.get(),
            read_fallbacks: self.read_fallbacks.get(),
            reads_failed: self.reads_failed.get(),
            copies_bad: self.copies_bad.get(),
            copies_repaired: self.copies_repaired.get(),
            repairs_failed: self.repairs_failed.get(),
            repairs_dropped: self.repairs_dropped.get(),
            repairs_waiting: repairs_waiting as u64,
            chunks_healed: self.chunks_healed.get(),
            bytes_healed: self.bytes_healed.get(),
        }
    }
}

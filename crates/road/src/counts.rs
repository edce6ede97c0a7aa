//! Statements, counted for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters; clones of the `Arc` around them count together.
#[derive(Debug, Default)]
pub struct Counts {
    pub(crate) running: AtomicU64,
    pub(crate) done: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) read_bytes: AtomicU64,
    pub(crate) engines: AtomicU64,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Statements with an open grant.
    pub running: u64,
    /// Statements that ran to their end.
    pub done: u64,
    /// Statements that ended early.
    pub broken: u64,
    /// Statements that were not granted.
    pub refused: u64,
    /// Bytes that were given to engines.
    pub read_bytes: u64,
    /// Engines that have come so far.
    pub engines: u64,
}

impl Counts {
    /// The numbers of now.
    #[must_use]
    pub fn now(&self) -> Counted {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            running: of(&self.running),
            done: of(&self.done),
            broken: of(&self.broken),
            refused: of(&self.refused),
            read_bytes: of(&self.read_bytes),
            engines: of(&self.engines),
        }
    }
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

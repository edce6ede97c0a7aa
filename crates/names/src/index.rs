//! The index of one node: every bucket's listing, and the worker's verbs beside it.

use crate::cache::Caches;
use crate::pending::Tallies;
use crate::tuning::Tuning;
use catalog::Engine;
use host::Host;
use std::sync::Arc;
use tokio::sync::Mutex;
use words::BucketId;

/// Locks are shared by buckets that fall on the same one: a bounded number for any number of buckets.
const STRIPES: usize = 64;

/// Sealed names of all buckets. Cheap to share behind an `Arc`; holds no key.
pub struct Index {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) host: Host,
    pub(crate) tuning: Tuning,
    pub(crate) caches: Caches,
    pub(crate) tallies: Tallies,
    pub(crate) extending: Stripes,
    pub(crate) folding: Stripes,
}

pub(crate) type Stripes = [Mutex<()>; STRIPES];

impl Index {
    /// An index over a catalog, with so much memory for what it has opened.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, host: Host, cache_bytes: usize) -> Self {
        Self::with_tuning(
            engine,
            host,
            Tuning {
                cache_bytes,
                ..Tuning::default()
            },
        )
    }

    /// An index with measures of its own, for tests and benches.
    #[must_use]
    pub fn with_tuning(engine: Arc<dyn Engine>, host: Host, tuning: Tuning) -> Self {
        let tuning = tuning.sane();
        Self {
            engine,
            host,
            tuning,
            caches: Caches::new(tuning.cache_bytes),
            tallies: Tallies::default(),
            extending: std::array::from_fn(|_| Mutex::new(())),
            folding: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Drops what is kept of a bucket, which was deleted.
    pub fn forget(&self, bucket: BucketId) {
        self.caches.forget(bucket);
        self.tallies.forget(bucket);
    }

    /// Drops everything that lies opened in memory; for a node that is being sealed.
    pub fn clear(&self) {
        self.caches.clear();
        self.tallies.clear();
    }

    /// Memory taken by opened pages, fences and deltas, in bytes.
    #[must_use]
    pub fn cached_bytes(&self) -> u64 {
        self.caches.weight()
    }

    /// The lock that a bucket falls on.
    pub(crate) fn stripe<'a>(&self, stripes: &'a Stripes, bucket: BucketId) -> &'a Mutex<()> {
        // Bucket ids are random, so their first byte spreads them evenly.
        let [first, ..] = bucket.as_bytes();
        let [only, ..] = stripes;
        stripes.get(usize::from(*first) % STRIPES).unwrap_or(only)
    }
}

//! What an operator or a test may choose.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use words::SiteId;
use words::limits::{MIB, SITE_DEADLINE_MS};

/// When the disk hook is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before a batch is written at a site.
    BeforeWrite,
    /// After it is durable there, before that is told.
    AfterWrite,
}

/// Stands between the engine and one site's disk, for tests: it may sleep, and what it returns as an
/// error counts as the disk's. It is given the site, the moment and the batch's number.
pub type DiskHook = Arc<dyn Fn(SiteId, Moment, u64) -> Result<(), String> + Send + Sync>;

/// Settings of the embedded engine.
#[derive(Clone)]
pub struct Options {
    /// Block cache of each site's database.
    pub cache_bytes: u64,
    /// Largest memtable of each of a database's two keyspaces.
    pub memtable_bytes: u64,
    /// Values of at least this size lie apart from their keys.
    pub separate_bytes: u32,
    /// How long one site may take longer than the other over a batch before it is given up.
    pub deadline: Duration,
    /// A site with less free space than this counts as full.
    pub free_bytes_min: u64,
    /// How many bytes of batches the journal reaches back, for catching up; beyond that a site is copied
    /// whole. Never less than what the database's own log may hold, so that a gap in it is noticed.
    pub journal_bytes_max: u64,
    /// The parties have accepted the loss of what a site's catalog lacks: it is opened although it was
    /// half healed or ends before what was acknowledged.
    pub accept_loss: bool,
    /// For tests.
    pub disk_hook: Option<DiskHook>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 32 * MIB,
            memtable_bytes: 16 * MIB,
            separate_bytes: 1024,
            deadline: Duration::from_millis(SITE_DEADLINE_MS),
            free_bytes_min: 64 * MIB,
            journal_bytes_max: 256 * MIB,
            accept_loss: false,
            disk_hook: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("cache_bytes", &self.cache_bytes)
            .field("memtable_bytes", &self.memtable_bytes)
            .field("separate_bytes", &self.separate_bytes)
            .field("deadline", &self.deadline)
            .field("free_bytes_min", &self.free_bytes_min)
            .field("journal_bytes_max", &self.journal_bytes_max)
            .field("accept_loss", &self.accept_loss)
            .finish_non_exhaustive()
    }
}

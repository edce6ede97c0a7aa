//! What statements may use together, and one alone.

use std::path::PathBuf;
use std::time::Duration;

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of memory that statements may use together.
    pub memory_bytes: u64,
    /// Bytes of the cache of what was read.
    pub cache_bytes: u64,
    /// The folder for what does not fit into memory; what lies there is sealed.
    pub spill: PathBuf,
    /// Bytes that statements may spill together.
    pub spill_bytes_max: u64,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// Threads that compute.
    pub threads: usize,
}

/// Bytes of a statement's text.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Parameters of a statement.
pub const PARAMETERS_MAX: usize = 65_535;

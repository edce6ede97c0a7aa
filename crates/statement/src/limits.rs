//! What a statement may be at most.

/// Tables in one statement.
pub const TABLES_MAX: usize = 64;
/// Objects of one table.
pub const OBJECTS_MAX: usize = 100_000;
/// Objects of one version of a table that Clarence writes itself: its row holds them all.
pub const TABLE_VERSION_OBJECTS_MAX: usize = 1500;
/// Tables of one tenant.
pub const TABLES_PER_TENANT_MAX: usize = 10_000;
/// Columns of one table.
pub const COLUMNS_MAX: usize = 1024;
/// Nodes of a row filter.
pub const FILTER_NODES_MAX: usize = 256;
/// Ranges in one read.
pub const RANGES_MAX: usize = 1024;
/// Bytes in one read.
pub const READ_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Persons that a close names one by one; beyond, the access counts as one to the whole dataset.
pub const SUBJECTS_MAX: usize = 4096;
/// Groups of persons that are asked about at once.
pub const COHORTS_MAX: usize = 128;
/// How long a statement's grant lasts, in milliseconds.
pub const GRANT_MS_MAX: u64 = 3_600_000;
/// How long a session lasts without signing in again, in milliseconds.
pub const SESSION_MS_MAX: u64 = 12 * 3_600_000;

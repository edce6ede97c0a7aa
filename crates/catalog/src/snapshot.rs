//! All rows of one moment, whatever engine keeps them: for whoever copies a catalog elsewhere.

use crate::engine::{ReadError, Row};
use async_trait::async_trait;

/// How far a catalog had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The version of the last commit.
    pub version: u64,
    /// The index of the next ledger entry.
    pub next_index: u64,
}

/// The rows of one moment, in the order of their keys. Commits go on meanwhile and are not in it.
#[async_trait]
pub trait Snapshot: Send {
    /// The moment.
    fn point(&self) -> Point;
    /// The next rows, about `bytes_max` of them; none at the end. After an error nothing more comes.
    async fn next(&mut self, bytes_max: usize) -> Result<Vec<(Vec<u8>, Row)>, ReadError>;
}

//! What an engine is: ordered rows, one round trip for a commit with its preconditions, one snapshot for a
//! page of a scan. Small on purpose, so that each engine can be checked against a model.

use crate::outcome::Outcome;
use async_trait::async_trait;
use bytes::Bytes;
use ledger::Entry;
use words::OpId;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The version of the commit that wrote it.
    pub version: u64,
    /// Its value.
    pub value: Bytes,
}

/// A range of keys: from `start`, included, to `end`, excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// First key.
    pub start: Vec<u8>,
    /// The first key behind the range; no end, if absent.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// All keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return Self {
                    start: prefix.to_vec(),
                    end: Some(end),
                };
            }
        }
        Self {
            start: prefix.to_vec(),
            end: None,
        }
    }

    /// What is left of the range behind `key`.
    #[must_use]
    pub fn after(mut self, key: &[u8]) -> Self {
        let mut start = key.to_vec();
        start.push(0);
        self.start = start;
        self
    }

    /// What is left of the range before `key`.
    #[must_use]
    pub fn before(mut self, key: &[u8]) -> Self {
        self.end = Some(key.to_vec());
        self
    }

    /// Whether the key lies in the range.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && self.end.as_deref().is_none_or(|end| key < end)
    }
}

/// The order of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By key, smallest first.
    Ascending,
    /// By key, largest first.
    Descending,
}

/// What must hold for a commit to take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// There is no row of this key.
    Absent(Vec<u8>),
    /// There is a row of this key.
    Present(Vec<u8>),
    /// The row of this key has this version.
    Version(Vec<u8>, u64),
    /// The range has no row.
    Empty(KeyRange),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Writes a row.
    Put {
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Bytes,
    },
    /// Takes a row away; one that is not there is no error.
    Delete {
        /// Its key.
        key: Vec<u8>,
    },
    /// Writes a row behind all that were appended before: its key is the prefix, then eight bytes of the
    /// commit's version and four of the mutation's place in the commit, both big-endian.
    Append {
        /// What the key begins with.
        prefix: Vec<u8>,
        /// Its value.
        value: Bytes,
    },
}

/// One request to change rows: all of it or nothing.
#[derive(Debug)]
pub struct Commit {
    /// Drawn by the caller, so that an unknown outcome can be looked up.
    pub op: OpId,
    /// What must hold.
    pub preconditions: Vec<Precondition>,
    /// What changes.
    pub mutations: Vec<Mutation>,
    /// What goes into the ledger in the same stroke.
    pub entries: Vec<Entry>,
}

/// Why a read gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No copy of the catalog could be read.
    #[error("no copy of the catalog could be read: {0}")]
    Unreadable(String),
    /// What keeps the catalog does not answer now. The same read may succeed in a moment.
    #[error(
        "the catalog's servers do not answer: {0}; nothing that was acknowledged is lost, try again"
    )]
    Away(String),
    /// The engine is shutting down or has stopped.
    #[error("the catalog has stopped: {0}")]
    Stopped(String),
}

/// An ordered transactional store of rows.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// One row.
    async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError>;
    /// At most `limit` (and at most `SCAN_ROWS_MAX`) rows of a range, from one snapshot.
    async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError>;
    /// Changes rows; durable at every site that is current when this returns `Committed`.
    async fn commit(&self, request: Commit) -> Outcome;
    /// The version under which an op was committed, if it was (as far back as the engine remembers ops).
    async fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError>;
}

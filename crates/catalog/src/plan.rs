//! What a commit does, worked out without I/O: limits and preconditions are checked, the version, the
//! ledger indices and the keys of appended rows are given out. Every engine uses this, so that they cannot
//! differ in it.

use crate::engine::{Commit, KeyRange, Mutation, Precondition, ReadError, Row};
use crate::outcome::Refused;
use bytes::Bytes;
use ledger::{Entry, Receipt};
use std::collections::BTreeMap;
use std::collections::HashMap;
use words::OpId;
use words::limits::{
    COMMIT_BYTES_MAX, COMMIT_MUTATIONS_MAX, ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX,
};

/// The tag of ledger rows: they are written by entries only and never change.
pub const LEDGER_TAG: u8 = b'L';
/// The tag an engine keeps for itself.
pub const RESERVED_TAG: u8 = 0;
/// What an append adds to its prefix: the version and the place in the commit.
pub const APPEND_SUFFIX_BYTES: usize = 12;

/// The rows below the batch that is being worked out.
pub trait Base {
    /// The version of a row; `None` if there is no such row.
    fn version(&self, key: &[u8]) -> Result<Option<u64>, ReadError>;
    /// The keys of a range, in order, one at a time.
    fn keys(&self, range: &KeyRange) -> Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + '_>;
}

/// What one commit came to.
#[derive(Debug)]
pub enum Verdict {
    /// It takes effect with the batch.
    Accepted(Accepted),
    /// A precondition did not hold.
    Conflict(usize),
    /// It is over a limit.
    Refused(Refused),
    /// The same op took effect before.
    Repeated(u64),
}

/// A commit that takes effect with the batch.
#[derive(Debug)]
pub struct Accepted {
    /// Its op.
    pub op: OpId,
    /// Its version.
    pub version: u64,
    /// Its entries with their indices.
    pub entries: Vec<(u64, Entry)>,
}

impl Accepted {
    /// The receipts, once the batch is durable.
    pub fn settle(self) -> (u64, Vec<Receipt>) {
        let receipts = self
            .entries
            .into_iter()
            .map(|(index, entry)| entry.settled(index))
            .collect();
        (self.version, receipts)
    }
}

/// A batch as it is being put together.
#[derive(Debug)]
pub struct Plan {
    /// The version of the next commit.
    pub next_version: u64,
    /// The index of the next ledger entry.
    pub next_index: u64,
    /// Every row the batch changes; `None` where it takes one away.
    pub changes: BTreeMap<Vec<u8>, Option<Row>>,
    /// The ops of the batch.
    pub ops: HashMap<OpId, u64>,
}

impl Plan {
    /// An empty batch behind what is there.
    pub fn new(next_version: u64, next_index: u64) -> Self {
        Self {
            next_version,
            next_index,
            changes: BTreeMap::new(),
            ops: HashMap::new(),
        }
    }

    /// Works out one commit on top of the base and of what the batch holds already. An error means that
    /// the base could not be read; then the batch holds nothing of it.
    pub fn admit(&mut self, base: &dyn Base, request: Commit) -> Result<Verdict, ReadError> {
        if let Err(refused) = check_limits(&request) {
            return Ok(Verdict::Refused(refused));
        }
        if let Some(version) = self.ops.get(&request.op) {
            return Ok(Verdict::Repeated(*version));
        }
        for (which, precondition) in request.preconditions.iter().enumerate() {
            if !self.holds(base, precondition)? {
                return Ok(Verdict::Conflict(which));
            }
        }
        Ok(Verdict::Accepted(self.take(request)))
    }

    fn take(&mut self, request: Commit) -> Accepted {
        let version = self.next_version;
        self.next_version += 1;
        for (place, mutation) in (0u32..).zip(request.mutations) {
            let (key, row) = match mutation {
                Mutation::Put { key, value } => (key, Some(Row { version, value })),
                Mutation::Delete { key } => (key, None),
                Mutation::Append { prefix, value } => (
                    append_key(prefix, version, place),
                    Some(Row { version, value }),
                ),
            };
            self.changes.insert(key, row);
        }
        let mut entries = Vec::with_capacity(request.entries.len());
        for entry in request.entries {
            let index = self.next_index;
            self.next_index += 1;
            let row = Row {
                version,
                value: Bytes::from(entry.row_value()),
            };
            self.changes
                .insert(ledger::row_key(index).to_vec(), Some(row));
            entries.push((index, entry));
        }
        self.ops.insert(request.op, version);
        Accepted {
            op: request.op,
            version,
            entries,
        }
    }

    fn holds(&self, base: &dyn Base, precondition: &Precondition) -> Result<bool, ReadError> {
        Ok(match precondition {
            Precondition::Absent(key) => self.version(base, key)?.is_none(),
            Precondition::Present(key) => self.version(base, key)?.is_some(),
            Precondition::Version(key, version) => self.version(base, key)? == Some(*version),
            Precondition::Empty(range) => self.is_empty(base, range)?,
        })
    }

    fn version(&self, base: &dyn Base, key: &[u8]) -> Result<Option<u64>, ReadError> {
        match self.changes.get(key) {
            Some(change) => Ok(change.as_ref().map(|row| row.version)),
            None => base.version(key),
        }
    }

    fn is_empty(&self, base: &dyn Base, range: &KeyRange) -> Result<bool, ReadError> {
        if range.end.as_ref().is_some_and(|end| *end <= range.start) {
            return Ok(true);
        }
        let within = self
            .changes
            .range(range.start.clone()..)
            .take_while(|(key, _)| range.contains(key));
        if within.into_iter().any(|(_, change)| change.is_some()) {
            return Ok(false);
        }
        for key in base.keys(range) {
            // A row of the base counts unless the batch takes it away.
            if !self.changes.contains_key(&key?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The key of an appended row.
fn append_key(mut prefix: Vec<u8>, version: u64, place: u32) -> Vec<u8> {
    prefix.extend_from_slice(&version.to_be_bytes());
    prefix.extend_from_slice(&place.to_be_bytes());
    prefix
}

/// How many bytes a commit brings.
pub fn commit_bytes(request: &Commit) -> usize {
    let mutations = request.mutations.iter().map(|m| match m {
        Mutation::Put { key, value } => key.len() + value.len(),
        Mutation::Delete { key } => key.len(),
        Mutation::Append { prefix, value } => prefix.len() + APPEND_SUFFIX_BYTES + value.len(),
    });
    let entries = request.entries.iter().map(|e| e.row_bytes() + 9);
    mutations.sum::<usize>() + entries.sum::<usize>()
}

/// Refuses what is over a limit before anything else is looked at.
pub fn check_limits(request: &Commit) -> Result<(), Refused> {
    if request.mutations.len() + request.entries.len() > COMMIT_MUTATIONS_MAX {
        return Err(Refused::Limit("more rows than one commit may change"));
    }
    if request.preconditions.len() > COMMIT_MUTATIONS_MAX {
        return Err(Refused::Limit(
            "more preconditions than one commit may have",
        ));
    }
    if commit_bytes(request) > COMMIT_BYTES_MAX {
        return Err(Refused::Limit("more bytes than one commit may bring"));
    }
    for mutation in &request.mutations {
        match mutation {
            Mutation::Put { key, value } => check_row(key, 0, value.len())?,
            Mutation::Delete { key } => check_row(key, 0, 0)?,
            Mutation::Append { prefix, value } => {
                check_row(prefix, APPEND_SUFFIX_BYTES, value.len())?
            }
        }
    }
    if request
        .entries
        .iter()
        .any(|e| e.row_bytes() > ROW_VALUE_BYTES_MAX)
    {
        return Err(Refused::Limit("a ledger entry is longer than a row may be"));
    }
    Ok(())
}

fn check_row(key: &[u8], suffix: usize, value: usize) -> Result<(), Refused> {
    match key.first() {
        None => return Err(Refused::Limit("a key is empty")),
        Some(&LEDGER_TAG) => return Err(Refused::Limit("ledger rows are written by entries only")),
        Some(&RESERVED_TAG) => {
            return Err(Refused::Limit(
                "keys that begin with 0 belong to the engine",
            ));
        }
        Some(_) => {}
    }
    if key.len() + suffix > ROW_KEY_BYTES_MAX {
        return Err(Refused::Limit("a key is longer than a row's key may be"));
    }
    if value > ROW_VALUE_BYTES_MAX {
        return Err(Refused::Limit("a value is longer than a row may be"));
    }
    Ok(())
}

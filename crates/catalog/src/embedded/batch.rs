//! A batch ready for the databases: the rows of the commits it took, and its journal row.

use super::site::Change;
use crate::plan::{LEDGER_TAG, Plan};
use crate::record::{journal_row, journal_row::JournalRow, row};
use words::CloudId;

/// How far a catalog has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last batch.
    pub seq: u64,
    /// The hash of everything up to it.
    pub chain: [u8; 32],
    /// The version of the next commit.
    pub next_version: u64,
    /// The index of the next ledger entry.
    pub next_index: u64,
    /// Bytes of all batches.
    pub bytes: u64,
}

impl Head {
    /// Before the first batch.
    pub fn genesis(cloud: &CloudId) -> Self {
        Self {
            seq: 0,
            chain: journal_row::genesis(cloud),
            next_version: 1,
            next_index: 0,
            bytes: 0,
        }
    }
    /// Behind the batch of this journal row.
    pub fn behind(row: &JournalRow) -> Self {
        Self {
            seq: row.seq,
            chain: row.chain,
            next_version: row.next_version,
            next_index: row.next_index,
            bytes: row.bytes,
        }
    }
}

/// A batch ready to be written.
pub struct Prepared {
    /// Its number.
    pub seq: u64,
    /// Where the catalog stands behind it.
    pub head: Head,
    /// Everything to write, the journal row and the journal's pruning included.
    pub changes: Vec<Change>,
    /// How many bytes that is.
    pub bytes: u64,
}

/// Lays out a planned batch behind `head`. `prune` are journal rows to take away with it.
pub fn prepare(plan: Plan, head: &Head, epoch: u64, prune: impl Iterator<Item = u64>) -> Prepared {
    let mut changes = Vec::with_capacity(plan.changes.len() + 2);
    let mut keys = Vec::with_capacity(plan.changes.len());
    let mut content = blake3::Hasher::new();
    for (key, change) in plan.changes {
        let stored = match change {
            Some(new) => {
                let (stored, hash) = row::encode(&key, new.version, &new.value);
                content.update(&hash);
                Some(stored)
            }
            None => {
                content.update(&row::hash(&key, None));
                None
            }
        };
        changes.push(Change::new(&key, stored));
        if key.first() != Some(&LEDGER_TAG) {
            keys.push(key);
        }
    }
    let seq = head.seq + 1;
    let brought: usize = changes.iter().map(Change::bytes).sum();
    let journal = JournalRow {
        chain: [0; 32],
        seq,
        epoch,
        content: *content.finalize().as_bytes(),
        next_version: plan.next_version,
        first_index: head.next_index,
        next_index: plan.next_index,
        bytes: head.bytes
            + brought as u64
            + (keys.iter().map(Vec::len).sum::<usize>() + 24 * plan.ops.len() + 160) as u64,
        ops: plan.ops.into_iter().collect(),
        keys,
    }
    .chained(&head.chain);
    let key = journal_row::key(seq);
    let (stored, _) = row::encode(&key, seq, &journal.encode());
    changes.push(Change::new(&key, Some(stored)));
    changes.extend(prune.map(|old| Change::new(&journal_row::key(old), None)));
    let bytes = changes.iter().map(Change::bytes).sum::<usize>() as u64;
    Prepared {
        seq,
        head: Head::behind(&journal),
        changes,
        bytes,
    }
}

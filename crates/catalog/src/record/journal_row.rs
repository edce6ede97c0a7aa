//! The journal row: one for each batch, written with it. It chains the batches, so that two sites can
//! compare how far they have come by one hash; it names the ops, so that an unknown outcome can be looked
//! up; and it names the keys that were touched, so that a site that is behind can be caught up.

use words::OpId;
use words::limits::ROW_KEY_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
const CHAIN_CONTEXT: &str = "clarence v1 catalog journal chain";
const GENESIS_CONTEXT: &str = "clarence v1 catalog journal genesis";

/// One batch in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// The hash of everything up to this batch.
    pub chain: [u8; 32],
    /// The batch's number, from 1.
    pub seq: u64,
    /// The epoch in which it was written.
    pub epoch: u64,
    /// The hash of every row it changed.
    pub content: [u8; 32],
    /// The version of the next commit behind it.
    pub next_version: u64,
    /// The index of its first ledger entry.
    pub first_index: u64,
    /// The index of the next ledger entry behind it.
    pub next_index: u64,
    /// Bytes of all batches up to this one, for bounding the journal.
    pub bytes: u64,
    /// Its ops and their versions.
    pub ops: Vec<(OpId, u64)>,
    /// The keys it touched; ledger rows follow from their indices.
    pub keys: Vec<Vec<u8>>,
}

/// The chain before the first batch of a cloud's catalog.
pub fn genesis(cloud: &words::CloudId) -> [u8; 32] {
    blake3::derive_key(GENESIS_CONTEXT, cloud.as_bytes())
}

/// The key of a batch's journal row.
pub fn key(seq: u64) -> Vec<u8> {
    Writer::bare()
        .u8(crate::plan::RESERVED_TAG)
        .u8(b'j')
        .u64(seq)
        .finish()
}

/// The batch a journal row's key speaks of.
pub fn seq_of(key: &[u8]) -> Option<u64> {
    let rest = key.strip_prefix(&[crate::plan::RESERVED_TAG, b'j'])?;
    Some(u64::from_be_bytes(rest.try_into().ok()?))
}

impl JournalRow {
    /// Sets the chain from the one before.
    pub fn chained(mut self, before: &[u8; 32]) -> Self {
        self.chain = chain(before, &self.body());
        self
    }

    /// Whether the chain follows from the one before.
    pub fn follows(&self, before: &[u8; 32]) -> bool {
        self.chain == chain(before, &self.body())
    }

    /// The row as it is stored: version ‖ chain ‖ body.
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .raw(&self.chain)
            .raw(&self.body())
            .finish()
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Writer::bare()
            .u64(self.seq)
            .u64(self.epoch)
            .raw(&self.content)
            .u64(self.next_version)
            .u64(self.first_index)
            .u64(self.next_index)
            .u64(self.bytes)
            .u32(u32::try_from(self.ops.len()).unwrap_or(u32::MAX));
        for (op, version) in &self.ops {
            body = body.raw(op.as_bytes()).u64(*version);
        }
        body = body.u32(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        for key in &self.keys {
            body = body.bytes(key);
        }
        body.finish()
    }

    /// Reads a stored row.
    pub fn decode(stored: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(stored, VERSION)?;
        let chain = reader.array()?;
        let seq = reader.u64()?;
        let epoch = reader.u64()?;
        let content = reader.array()?;
        let next_version = reader.u64()?;
        let first_index = reader.u64()?;
        let next_index = reader.u64()?;
        let bytes = reader.u64()?;
        let mut ops = Vec::new();
        for _ in 0..reader.u32()? {
            ops.push((OpId::from_bytes(reader.array()?), reader.u64()?));
        }
        let mut keys = Vec::new();
        for _ in 0..reader.u32()? {
            keys.push(reader.bytes(ROW_KEY_BYTES_MAX)?.to_vec());
        }
        reader.finish()?;
        Ok(Self {
            chain,
            seq,
            epoch,
            content,
            next_version,
            first_index,
            next_index,
            bytes,
            ops,
            keys,
        })
    }
}

fn chain(before: &[u8; 32], body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(CHAIN_CONTEXT);
    hasher.update(before);
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> JournalRow {
        JournalRow {
            chain: [0; 32],
            seq: 5,
            epoch: 2,
            content: [3; 32],
            next_version: 12,
            first_index: 4,
            next_index: 6,
            bytes: 777,
            ops: vec![(OpId::from_bytes([1; 16]), 11)],
            keys: vec![b"Oone".to_vec(), b"Btwo".to_vec()],
        }
        .chained(&genesis(&words::CloudId::from_bytes([9; 16])))
    }

    proptest! {
        #[test]
        fn round_trip(seq: u64, ops in proptest::collection::vec((any::<[u8; 16]>(), any::<u64>()), 0..5), keys in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..5)) {
            let ops = ops.into_iter().map(|(op, v)| (OpId::from_bytes(op), v)).collect();
            let row = JournalRow { seq, ops, keys, ..sample() }.chained(&[1; 32]);
            prop_assert!(row.follows(&[1; 32]));
            prop_assert!(!row.follows(&[2; 32]));
            prop_assert_eq!(JournalRow::decode(&row.encode()), Ok(row));
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = JournalRow::decode(&bytes);
        }
    }

    #[test]
    fn format_1_stays_readable() {
        let stored = sample().encode();
        assert_eq!(
            words::hex::encode(&stored),
            include_str!("journal_row.golden").trim()
        );
        assert_eq!(JournalRow::decode(&stored), Ok(sample()));
    }

    #[test]
    fn the_key_tells_the_batch() {
        assert_eq!(seq_of(&key(77)), Some(77));
        assert_eq!(seq_of(b"Oab"), None);
    }
}

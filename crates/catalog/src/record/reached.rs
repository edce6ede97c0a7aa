//! How far a site's catalog had come (`reached.clr`): the number of its last durable batch, written in
//! place after the batch and not synced. It may be behind the truth after a power cut, never ahead of it;
//! so a catalog that ends before it has lost batches, even if no other site is there to say so.

use words::wire::{Reader, Writer};

/// Length of the record.
pub const REACHED_BYTES: usize = 17;
const VERSION: u8 = 1;
const CHECK_CONTEXT: &str = "clarence v1 catalog reached checksum";

/// The record as it is stored: version ‖ batch ‖ check.
pub fn encode(seq: u64) -> Vec<u8> {
    let mut stored = Writer::versioned(VERSION).u64(seq).finish();
    let check = blake3::derive_key(CHECK_CONTEXT, &stored);
    stored.extend_from_slice(check.get(..8).unwrap_or_default());
    stored
}

/// The batch; `None` if the record is torn or damaged, which then says nothing.
pub fn decode(stored: &[u8]) -> Option<u64> {
    if stored.len() != REACHED_BYTES {
        return None;
    }
    let (_, mut reader) = Reader::versioned(stored, VERSION).ok()?;
    let seq = reader.u64().ok()?;
    (stored == encode(seq)).then_some(seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip_and_damage(seq: u64, at in 0..REACHED_BYTES) {
            let mut stored = encode(seq);
            prop_assert_eq!(stored.len(), REACHED_BYTES);
            prop_assert_eq!(decode(&stored), Some(seq));
            stored[at] ^= 4;
            prop_assert_eq!(decode(&stored), None);
        }
    }

    #[test]
    fn format_1_stays_readable() {
        assert_eq!(
            words::hex::encode(&encode(258)),
            include_str!("reached.golden").trim()
        );
        assert_eq!(decode(&[]), None);
    }
}

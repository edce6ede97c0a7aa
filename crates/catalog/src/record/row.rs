//! A row as it lies on the disk: version ‖ check ‖ value. The check covers key, version and value, so that
//! a row that was damaged or that stands in the wrong place is told from the right one without the other
//! site. The format of the folder gives the row its version number; a row has none of its own.

use crate::engine::Row;
use bytes::Bytes;

/// Bytes before the value: the version and the check.
pub const HEAD_BYTES: usize = 16;
const CHECK_BYTES: usize = 8;

/// The hash of one row, or of its absence.
pub fn hash(key: &[u8], row: Option<(u64, &[u8])>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_be_bytes());
    hasher.update(key);
    match row {
        Some((version, value)) => {
            hasher.update(&[1]);
            hasher.update(&version.to_be_bytes());
            hasher.update(value);
        }
        None => {
            hasher.update(&[0]);
        }
    }
    *hasher.finalize().as_bytes()
}

/// The stored row, and the hash its check was taken from.
pub fn encode(key: &[u8], version: u64, value: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let hash = hash(key, Some((version, value)));
    let mut stored = Vec::with_capacity(HEAD_BYTES + value.len());
    stored.extend_from_slice(&version.to_be_bytes());
    stored.extend_from_slice(hash.get(..CHECK_BYTES).unwrap_or_default());
    stored.extend_from_slice(value);
    (stored, hash)
}

/// The row that was stored under `key`; `None` if it is damaged.
pub fn decode(key: &[u8], stored: &Bytes) -> Option<Row> {
    let (head, value) = stored.split_at_checked(HEAD_BYTES)?;
    let (version, check) = head.split_at_checked(8)?;
    let version = u64::from_be_bytes(version.try_into().ok()?);
    let hash = hash(key, Some((version, value)));
    (hash.get(..CHECK_BYTES) == Some(check)).then(|| Row {
        version,
        value: stored.slice(HEAD_BYTES..),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(key in proptest::collection::vec(any::<u8>(), 1..40), version: u64, value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (stored, _) = encode(&key, version, &value);
            let row = decode(&key, &Bytes::from(stored)).unwrap();
            prop_assert_eq!(row, Row { version, value: value.into() });
        }

        #[test]
        fn a_flipped_bit_and_another_key_are_noticed(at in 0..66usize, bit in 0..8u8) {
            let (mut stored, _) = encode(b"key", 7, &[9; 50]);
            prop_assert!(decode(b"kez", &Bytes::from(stored.clone())).is_none());
            stored[at] ^= 1 << bit;
            prop_assert!(decode(b"key", &Bytes::from(stored)).is_none());
        }
    }

    #[test]
    fn what_is_too_short_is_damaged() {
        assert!(decode(b"k", &Bytes::from_static(&[0; 15])).is_none());
    }

    #[test]
    fn format_1_stays_readable() {
        let stored = encode(b"Okey", 258, b"value").0;
        assert_eq!(
            words::hex::encode(&stored),
            include_str!("row.golden").trim()
        );
        let row = decode(b"Okey", &Bytes::from(stored)).unwrap();
        assert_eq!(
            row,
            Row {
                version: 258,
                value: Bytes::from_static(b"value")
            }
        );
    }
}

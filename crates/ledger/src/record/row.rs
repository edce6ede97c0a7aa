//! The catalog's row of one entry: version 1 ‖ leaf (33 bytes) ‖ sealed opening (the rest).

use crate::entry::{LEAF_BYTES, Leaf, LeafError};
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
/// Bytes before the sealed opening.
pub const HEAD_BYTES: usize = 1 + LEAF_BYTES;

/// Why a ledger row could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row is cut or of another format.
    #[error("ledger row: {0}")]
    Wire(#[from] WireError),
    /// The leaf in it is not one.
    #[error("ledger row: {0}")]
    Leaf(#[from] LeafError),
}

/// Lays out a row.
#[must_use]
pub fn encode(leaf: &Leaf, sealed_opening: &[u8]) -> Vec<u8> {
    Writer::versioned(VERSION)
        .raw(leaf.as_bytes())
        .raw(sealed_opening)
        .finish()
}

/// Takes a row apart: the leaf and the sealed opening.
pub fn decode(bytes: &[u8]) -> Result<(Leaf, &[u8]), RowError> {
    let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
    let leaf = Leaf::parse(reader.raw(LEAF_BYTES)?)?;
    Ok((leaf, reader.rest()))
}

#[cfg(test)]
mod tests {
    use super::{HEAD_BYTES, decode, encode};
    use crate::fields::Commitment;
    use crate::{Entry, Leaf};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn a_row_reads_back(commitment in any::<[u8; 32]>(), opening in any::<Vec<u8>>()) {
            let commitment = Commitment::from_stored(commitment);
            let leaf = Leaf::new(&commitment);
            let row = encode(&leaf, &opening);
            prop_assert_eq!(row.len(), HEAD_BYTES + opening.len());
            prop_assert_eq!(decode(&row), Ok((leaf, opening.as_slice())));
            let entry = Entry::prepare(commitment, opening);
            prop_assert_eq!(entry.row_bytes(), row.len());
            prop_assert_eq!(entry.row_value(), row);
        }
    }

    #[test]
    fn a_cut_or_foreign_row_is_refused() {
        let row = encode(&Leaf::new(&Commitment::from_stored([7; 32])), &[]);
        for length in 0..row.len() {
            assert!(decode(&row[..length]).is_err());
        }
        for (place, value) in [(0, 2), (1, 2)] {
            let mut other = row.clone();
            other[place] = value;
            assert!(decode(&other).is_err());
        }
    }
}

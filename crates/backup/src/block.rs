//! Some rows of the catalog that follow each other: one file of a backup. Drawn in `docs/format/backup.md`; what covers its
//! bytes is the hash in the manifest.

use catalog::Row;
use words::limits::{ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX};
use words::wire::{Reader, WireError, Writer};

const MAGIC: &[u8; 8] = b"CLRNROWS";
const VERSION: u8 = 1;
/// About how many bytes of rows are put into one block.
pub const BLOCK_BYTES: usize = 4 * 1024 * 1024;
/// No block is longer: the last page of rows may bring some more than was asked for.
pub const BLOCK_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The bytes of a block.
#[must_use]
pub fn encode(rows: &[(Vec<u8>, Row)]) -> Vec<u8> {
    let number = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let begin = Writer::bare().raw(MAGIC).u8(VERSION).u32(number);
    let all = rows.iter().fold(begin, |writer, (key, row)| {
        writer.bytes(key).u64(row.version).bytes(&row.value)
    });
    all.finish()
}

/// Reads a block.
pub fn decode(bytes: &[u8]) -> Result<Vec<(Vec<u8>, Row)>, WireError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(WireError::Field("magic"))?;
    let (_, mut reader) = Reader::versioned(rest, VERSION)?;
    let mut rows = Vec::new();
    for _ in 0..reader.u32()? {
        let key = reader.bytes(ROW_KEY_BYTES_MAX)?.to_vec();
        let version = reader.u64()?;
        let value = reader.bytes(ROW_VALUE_BYTES_MAX)?.to_vec().into();
        rows.push((key, Row { version, value }));
    }
    reader.finish()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(key: &[u8], version: u64, value: &[u8]) -> (Vec<u8>, Row) {
        let value = value.to_vec().into();
        (key.to_vec(), Row { version, value })
    }

    proptest! {
        #[test]
        fn round_trip(rows in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..9), any::<u64>(), proptest::collection::vec(any::<u8>(), 0..50)), 0..9)) {
            let rows: Vec<_> = rows.iter().map(|(key, version, value)| row(key, *version, value)).collect();
            prop_assert_eq!(decode(&encode(&rows)), Ok(rows));
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let mut with = b"CLRNROWS\x01".to_vec();
            with.extend(bytes);
            let _ = decode(&with);
        }
    }

    #[test]
    fn format_1_stays_readable() {
        let rows = [row(b"Bone", 7, b"value"), row(b"Ttwo", 258, b"")];
        let stored = encode(&rows);
        assert_eq!(
            words::hex::encode(&stored),
            include_str!("block.golden").trim()
        );
        assert_eq!(decode(&stored), Ok(rows.to_vec()));
    }
}

//! One part of a multipart upload, and later one segment of the object it became: key
//! `P ‖ version ‖ part number`. Uploading a part again replaces the row; its new salt makes a new key.

use super::chunk_list::SegmentPlace;
use words::limits::ROW_VALUE_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};
use words::{UnixMillis, VersionId};

const VERSION: u8 = 1;

/// The row of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// When it was committed.
    pub modified: UnixMillis,
    /// `Meta` of the part, sealed under the object's key.
    pub sealed_meta: Vec<u8>,
    /// Where its bytes are.
    pub segment: SegmentPlace,
}

/// The row's key.
#[must_use]
pub fn key(version: VersionId, number: u32) -> Vec<u8> {
    Writer::bare()
        .u8(b'P')
        .raw(version.as_bytes())
        .u32(number)
        .finish()
}

/// What the keys of all parts of a version begin with.
#[must_use]
pub fn prefix(version: VersionId) -> Vec<u8> {
    Writer::bare().u8(b'P').raw(version.as_bytes()).finish()
}

/// The part number in a row's key.
pub fn number_in(key: &[u8]) -> Result<u32, WireError> {
    let mut reader = Reader::bare(key);
    reader.raw(17)?;
    reader.u32()
}

impl PartRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::versioned(VERSION)
            .u64(self.modified.0)
            .bytes(&self.sealed_meta);
        self.segment.write(writer).finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let modified = UnixMillis(reader.u64()?);
        let sealed_meta = reader.bytes(ROW_VALUE_BYTES_MAX)?.to_vec();
        let segment = SegmentPlace::read(&mut reader)?;
        reader.finish()?;
        Ok(Self {
            modified,
            sealed_meta,
            segment,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let segment = super::super::chunk_list::tests::sample(1);
        let row = PartRow {
            modified: UnixMillis(5),
            sealed_meta: vec![8; 30],
            segment,
        };
        assert_eq!(PartRow::decode(&row.encode()), Ok(row));
        assert_eq!(number_in(&key(VersionId::from_bytes([1; 16]), 77)), Ok(77));
    }
}

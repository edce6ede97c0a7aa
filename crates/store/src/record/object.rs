//! The current version of one object: key `O ‖ bucket ‖ keyed hash of the name`. The value opens with
//! the object record that carries the wrapped key, so that whoever may hold the bucket's key can find it
//! at a fixed place: version byte, then the 512 bytes of `CLRNOBJ1`.

use super::chunk_list::SegmentPlace;
use bytes::Bytes;
use words::limits::{INLINE_BYTES_MAX, PARTS_MAX, ROW_VALUE_BYTES_MAX};
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, UnixMillis};

const VERSION: u8 = 1;
/// Length of the object record in front.
pub const RECORD_BYTES: usize = 512;

/// Where the sealed bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In this row: one sealed segment.
    Inline(Bytes),
    /// One segment in chunk files.
    Single(SegmentPlace),
    /// Several segments, one per part; manifest pages and part rows say where.
    Parts {
        /// Number of parts.
        parts: u32,
        /// Number of manifest pages.
        pages: u32,
    },
}

/// The row of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    /// The object record, as `seal` lays it out.
    pub record: [u8; RECORD_BYTES],
    /// When the version was committed.
    pub modified: UnixMillis,
    /// `Meta`, sealed under the object's key.
    pub sealed_meta: Vec<u8>,
    /// Where the bytes are.
    pub body: Body,
}

/// The row's key.
#[must_use]
pub fn key(bucket: BucketId, name_hash: &[u8; 32]) -> Vec<u8> {
    Writer::bare()
        .u8(b'O')
        .raw(bucket.as_bytes())
        .raw(name_hash)
        .finish()
}

/// What the keys of all objects of a bucket begin with.
#[must_use]
pub fn prefix(bucket: BucketId) -> Vec<u8> {
    Writer::bare().u8(b'O').raw(bucket.as_bytes()).finish()
}

impl ObjectRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(&self.record)
    }

    /// The row's value with another object record, such as the same under a renewed key.
    #[must_use]
    pub fn encode_with(&self, record: &[u8; RECORD_BYTES]) -> Vec<u8> {
        let writer = Writer::versioned(VERSION)
            .raw(record)
            .u64(self.modified.0)
            .bytes(&self.sealed_meta);
        match &self.body {
            Body::Inline(sealed) => writer.u8(0).bytes(sealed),
            Body::Single(segment) => segment.write(writer.u8(1)),
            Body::Parts { parts, pages } => writer.u8(2).u32(*parts).u32(*pages),
        }
        .finish()
    }

    /// Reads the row's value; inline bytes are not copied.
    pub fn decode(bytes: &Bytes) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let record = reader.array()?;
        let modified = UnixMillis(reader.u64()?);
        let sealed_meta = reader.bytes(ROW_VALUE_BYTES_MAX)?.to_vec();
        let body = match reader.u8()? {
            0 => Body::Inline(bytes.slice_ref(reader.bytes(INLINE_BYTES_MAX as usize + 1024)?)),
            1 => Body::Single(SegmentPlace::read(&mut reader)?),
            2 => {
                let (parts, pages) = (reader.u32()?, reader.u32()?);
                if parts == 0 || parts > PARTS_MAX || pages == 0 || pages > parts {
                    return Err(WireError::Field("parts"));
                }
                Body::Parts { parts, pages }
            }
            _ => return Err(WireError::Field("body")),
        };
        reader.finish()?;
        Ok(Self {
            record,
            modified,
            sealed_meta,
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let segment = super::super::chunk_list::tests::sample(500_000);
        for body in [
            Body::Inline(Bytes::from_static(b"sealed")),
            Body::Single(segment),
            Body::Parts { parts: 9, pages: 1 },
        ] {
            let row = ObjectRow {
                record: [9; RECORD_BYTES],
                modified: UnixMillis(77),
                sealed_meta: vec![1, 2],
                body,
            };
            let bytes = Bytes::from(row.encode());
            assert_eq!(ObjectRow::decode(&bytes), Ok(row));
            assert!(ObjectRow::decode(&bytes.slice(..bytes.len() - 1)).is_err());
        }
    }
}

//! A multipart upload that is under way: key `U ‖ bucket ‖ version`. The version id is the upload id.

use words::limits::ROW_VALUE_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, UnixMillis, VersionId};

const VERSION: u8 = 1;

/// The row of one upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// When it was begun.
    pub begun: UnixMillis,
    /// The keyed hash of the object's name: parts and completion must name the same object.
    pub name_hash: [u8; 32],
    /// The object record with the wrapped key; lengths and digests are filled in at completion.
    pub record: [u8; super::object::RECORD_BYTES],
    /// The object's name, sealed under the bucket's index key, for listings.
    pub sealed_name: Vec<u8>,
    /// `Meta` of the object to be, sealed under its key.
    pub sealed_meta: Vec<u8>,
    /// The checksum family asked for, by its stored number; 0 for none.
    pub checksum: u8,
    /// The checksum shall be of the whole object.
    pub full_object: bool,
}

/// The row's key.
#[must_use]
pub fn key(bucket: BucketId, version: VersionId) -> Vec<u8> {
    Writer::bare()
        .u8(b'U')
        .raw(bucket.as_bytes())
        .raw(version.as_bytes())
        .finish()
}

/// What the keys of all uploads of a bucket begin with.
#[must_use]
pub fn prefix(bucket: BucketId) -> Vec<u8> {
    Writer::bare().u8(b'U').raw(bucket.as_bytes()).finish()
}

/// The upload id in a row's key.
pub fn version_in(key: &[u8]) -> Result<VersionId, WireError> {
    let mut reader = Reader::bare(key);
    reader.raw(17)?;
    Ok(VersionId::from_bytes(reader.array()?))
}

impl UploadRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u64(self.begun.0)
            .raw(&self.name_hash)
            .raw(&self.record)
            .bytes(&self.sealed_name)
            .bytes(&self.sealed_meta)
            .u8(self.checksum)
            .u8(u8::from(self.full_object))
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            begun: UnixMillis(reader.u64()?),
            name_hash: reader.array()?,
            record: reader.array()?,
            sealed_name: reader.bytes(ROW_VALUE_BYTES_MAX)?.to_vec(),
            sealed_meta: reader.bytes(ROW_VALUE_BYTES_MAX)?.to_vec(),
            checksum: reader.u8()?,
            full_object: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(WireError::Field("full_object")),
            },
        };
        reader.finish()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let row = UploadRow {
            begun: UnixMillis(1),
            name_hash: [2; 32],
            record: [3; 512],
            sealed_name: vec![4; 90],
            sealed_meta: vec![5; 120],
            checksum: 2,
            full_object: true,
        };
        let mut bytes = row.encode();
        assert_eq!(UploadRow::decode(&bytes), Ok(row));
        if let Some(last) = bytes.last_mut() {
            *last = 2;
        }
        let neither = Err(WireError::Field("full_object"));
        assert_eq!(UploadRow::decode(&bytes), neither);
        let version = VersionId::from_bytes([9; 16]);
        assert_eq!(
            version_in(&key(BucketId::from_bytes([8; 16]), version)),
            Ok(version)
        );
    }
}

//! One object version, or upload, of a shred group: key `E m ‖ group ‖ bucket ‖ version`. Written in the
//! commit of the object, taken away in the commit that replaces or deletes it: so an erasure knows what
//! there is without looking through the tenant's other data.

use super::TAG;
use words::limits::OBJECT_KEY_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, VersionId};

const VERSION: u8 = 1;

/// The row of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The keyed hash of the object's name.
    pub name_hash: [u8; 32],
    /// The object's name, sealed under a key derived from the group's.
    pub sealed_name: Vec<u8>,
}

/// The row's key.
#[must_use]
pub fn key(group: &[u8; 16], bucket: BucketId, version: VersionId) -> Vec<u8> {
    Writer::bare()
        .u8(TAG)
        .u8(b'm')
        .raw(group)
        .raw(bucket.as_bytes())
        .raw(version.as_bytes())
        .finish()
}

/// What the keys of all members of a group begin with.
#[must_use]
pub fn prefix(group: &[u8; 16]) -> Vec<u8> {
    Writer::bare().u8(TAG).u8(b'm').raw(group).finish()
}

/// Bucket and version in a row's key.
pub fn ids_in(key: &[u8]) -> Result<(BucketId, VersionId), WireError> {
    let mut reader = Reader::bare(key);
    reader.raw(18)?;
    let bucket = BucketId::from_bytes(reader.array()?);
    let version = VersionId::from_bytes(reader.array()?);
    reader.finish()?;
    Ok((bucket, version))
}

impl MemberRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .raw(&self.name_hash)
            .bytes(&self.sealed_name)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            name_hash: reader.array()?,
            sealed_name: reader.bytes(2 * OBJECT_KEY_BYTES_MAX)?.to_vec(),
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
        let row = MemberRow {
            name_hash: [1; 32],
            sealed_name: vec![2; 80],
        };
        assert_eq!(MemberRow::decode(&row.encode()), Ok(row));
        let ids = (
            BucketId::from_bytes([4; 16]),
            VersionId::from_bytes([5; 16]),
        );
        let key = key(&[3; 16], ids.0, ids.1);
        assert!(key.starts_with(&prefix(&[3; 16])));
        assert_eq!(ids_in(&key), Ok(ids));
    }
}

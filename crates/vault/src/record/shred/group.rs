//! The key of one shred group: key `E g ‖ version of the root ‖ group`. It is wrapped under the erasure key
//! of that root and nothing else, so each move of the root writes these rows anew.

use super::TAG;
use crate::record::WRAPPED_BYTES;
use words::wire::{Reader, WireError, Writer};
use words::{TenantId, UnixMillis};

const VERSION: u8 = 1;
const SEALED_SUBJECT_BYTES_MAX: usize = 1024;

/// The row of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// Its erasure was ordered: nothing is opened with its key any more.
    pub erasing: bool,
    /// The tenant whose data it is.
    pub tenant: TenantId,
    /// The keyed hash of the subject, under which the subject's row lies.
    pub subject: [u8; 32],
    /// When it was made.
    pub created: UnixMillis,
    /// The version of the root at that time: no older root ever led to its key.
    pub born: u32,
    /// Its key, under the erasure key of the root named in the row's key.
    pub key: [u8; WRAPPED_BYTES],
    /// The subject, sealed under a key derived from the group's: it goes with it.
    pub sealed_subject: Vec<u8>,
}

/// The row's key.
#[must_use]
pub fn key(root_version: u32, group: &[u8; 16]) -> Vec<u8> {
    Writer::bare()
        .u8(TAG)
        .u8(b'g')
        .u32(root_version)
        .raw(group)
        .finish()
}

/// What the keys of all groups under one root begin with.
#[must_use]
pub fn prefix(root_version: u32) -> Vec<u8> {
    Writer::bare().u8(TAG).u8(b'g').u32(root_version).finish()
}

/// What the keys of all groups begin with.
pub const ALL: &[u8] = &[TAG, b'g'];

/// Version of the root, and the group, in a row's key.
pub fn ids_in(key: &[u8]) -> Result<(u32, [u8; 16]), WireError> {
    let mut reader = Reader::bare(key);
    reader.raw(2)?;
    let ids = (reader.u32()?, reader.array()?);
    reader.finish()?;
    Ok(ids)
}

impl GroupRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u8(u8::from(self.erasing))
            .raw(self.tenant.as_bytes())
            .raw(&self.subject)
            .u64(self.created.0)
            .u32(self.born)
            .raw(&self.key)
            .bytes(&self.sealed_subject)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            erasing: crate::record::flag(reader.u8()?, "erasing")?,
            tenant: TenantId::from_bytes(reader.array()?),
            subject: reader.array()?,
            created: UnixMillis(reader.u64()?),
            born: reader.u32()?,
            key: reader.array()?,
            sealed_subject: reader.bytes(SEALED_SUBJECT_BYTES_MAX)?.to_vec(),
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
        let row = GroupRow {
            erasing: true,
            tenant: TenantId::from_bytes([1; 16]),
            subject: [2; 32],
            created: UnixMillis(3),
            born: 4,
            key: [5; WRAPPED_BYTES],
            sealed_subject: vec![6; 90],
        };
        let mut bytes = row.encode();
        assert_eq!(GroupRow::decode(&bytes), Ok(row));
        bytes[1] = 2;
        assert_eq!(GroupRow::decode(&bytes), Err(WireError::Field("erasing")));
        let key = key(7, &[8; 16]);
        assert!(key.starts_with(&prefix(7)) && key.starts_with(ALL));
        assert_eq!(ids_in(&key), Ok((7, [8; 16])));
        assert!(ids_in(&key[..21]).is_err());
    }
}

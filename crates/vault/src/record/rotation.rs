//! A rotation that is under way: key `C r ‖ kind ‖ id`. It remembers how far the wraps of one key are renewed,
//! so that a node that starts again goes on where the last one was.

use super::MAC_BYTES;
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, TenantId, UnixMillis};

const VERSION: u8 = 1;
/// What the keys of all rotations begin with.
pub const PREFIX: &[u8] = b"Cr";
const CURSOR_BYTES_MAX: usize = 2 * 1024;

/// Whose key is being renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A bucket's.
    Bucket(BucketId),
    /// A tenant's.
    Tenant(TenantId),
    /// Both sites'.
    Sites,
}

/// The row of one rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationRow {
    /// When it was begun.
    pub begun: UnixMillis,
    /// The version that everything is to be wrapped under.
    pub version: u32,
    /// The tenant concerned; zeroes for the sites' keys.
    pub tenant: TenantId,
    /// The key of the row that holds the keys; empty for the sites'.
    pub row_key: Vec<u8>,
    /// The last row that this pass is done with; empty at its beginning.
    pub cursor: Vec<u8>,
    /// Wraps that this pass renewed or found changed by others. A pass with none ends the rotation.
    pub found: u64,
    /// Rows that this pass could not renew: they keep the older versions alive.
    pub held: u64,
    /// Wraps renewed since the beginning.
    pub rewrapped: u64,
    /// What still needed an older version when that was last counted: uploads under way, which end that by
    /// being completed or aborted, and rows that could not be renewed.
    pub waiting: u64,
    /// The MAC over all this under the meta key of the tenant, or of site a for the sites' keys.
    pub mac: [u8; MAC_BYTES],
}

/// The row's key.
#[must_use]
pub fn key(target: Target) -> Vec<u8> {
    let writer = Writer::bare().raw(PREFIX);
    match target {
        Target::Bucket(id) => writer.u8(b'b').raw(id.as_bytes()),
        Target::Tenant(id) => writer.u8(b't').raw(id.as_bytes()),
        Target::Sites => writer.u8(b's').raw(&[0; 16]),
    }
    .finish()
}

/// Whose rotation a row's key names.
pub fn target_in(key: &[u8]) -> Result<Target, WireError> {
    let rest = key.strip_prefix(PREFIX).ok_or(WireError::Field("tag"))?;
    let mut reader = Reader::bare(rest);
    let (kind, id) = (reader.u8()?, reader.array()?);
    reader.finish()?;
    match kind {
        b'b' => Ok(Target::Bucket(BucketId::from_bytes(id))),
        b't' => Ok(Target::Tenant(TenantId::from_bytes(id))),
        b's' if id == [0; 16] => Ok(Target::Sites),
        _ => Err(WireError::Field("kind of rotation")),
    }
}

impl RotationRow {
    /// What the MAC is over: the row's value up to it.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u64(self.begun.0)
            .u32(self.version)
            .raw(self.tenant.as_bytes())
            .bytes(&self.row_key)
            .bytes(&self.cursor)
            .u64(self.found)
            .u64(self.held)
            .u64(self.rewrapped)
            .u64(self.waiting)
            .finish()
    }
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.signed_bytes().as_slice(), &self.mac].concat()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            begun: UnixMillis(reader.u64()?),
            version: reader.u32()?,
            tenant: TenantId::from_bytes(reader.array()?),
            row_key: reader.bytes(CURSOR_BYTES_MAX)?.to_vec(),
            cursor: reader.bytes(CURSOR_BYTES_MAX)?.to_vec(),
            found: reader.u64()?,
            held: reader.u64()?,
            rewrapped: reader.u64()?,
            waiting: reader.u64()?,
            mac: reader.array()?,
        };
        reader.finish()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> RotationRow {
        RotationRow {
            begun: UnixMillis(4),
            version: 3,
            tenant: TenantId::from_bytes([2; 16]),
            row_key: b"Bkey".to_vec(),
            cursor: b"Orow".to_vec(),
            found: 5,
            held: 6,
            rewrapped: 7,
            waiting: 8,
            mac: [9; MAC_BYTES],
        }
    }

    #[test]
    fn round_trip() {
        let bytes = row().encode();
        assert_eq!(RotationRow::decode(&bytes), Ok(row()));
        assert!(RotationRow::decode(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn format_1_stays_readable() {
        assert_eq!(
            words::hex::encode(&row().encode()),
            include_str!("rotation.golden").trim()
        );
    }

    #[test]
    fn a_key_tells_its_target() {
        for target in [
            Target::Bucket(BucketId::from_bytes([1; 16])),
            Target::Tenant(TenantId::from_bytes([1; 16])),
            Target::Sites,
        ] {
            let mut key = key(target);
            assert_eq!(target_in(&key), Ok(target));
            key[2] = b'x';
            assert!(target_in(&key).is_err());
        }
        let mut sites = key(Target::Sites);
        sites[18] = 1;
        assert!(target_in(&sites).is_err());
    }
}

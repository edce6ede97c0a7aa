//! Which group a subject's data is in: key `E s ‖ tenant ‖ keyed hash of the subject`. Every commit into a
//! group holds that this row has not changed, so nothing is written into a group that is being erased.

use super::TAG;
use words::TenantId;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;

/// The row's key.
#[must_use]
pub fn key(tenant: TenantId, hash: &[u8; 32]) -> Vec<u8> {
    Writer::bare()
        .u8(TAG)
        .u8(b's')
        .raw(tenant.as_bytes())
        .raw(hash)
        .finish()
}

/// The row's value.
#[must_use]
pub fn encode(group: &[u8; 16]) -> Vec<u8> {
    Writer::versioned(VERSION).raw(group).finish()
}

/// Reads the row's value: the group.
pub fn decode(bytes: &[u8]) -> Result<[u8; 16], WireError> {
    let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
    let group = reader.array()?;
    reader.finish()?;
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        assert_eq!(decode(&encode(&[3; 16])), Ok([3; 16]));
        assert!(decode(&[1; 18]).is_err());
        assert_eq!(key(TenantId::from_bytes([1; 16]), &[2; 32]).len(), 50);
    }
}

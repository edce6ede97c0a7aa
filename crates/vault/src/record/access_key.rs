//! One S3 credential: key `K ‖ access key`. The secret is sealed under a key derived from the tenant's.

use super::flag;
use words::wire::{Reader, WireError, Writer};
use words::{AccessKeyId, TenantId, UnixMillis};

const VERSION: u8 = 1;

/// The row of one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyRow {
    /// The tenant it acts for.
    pub tenant: TenantId,
    /// When it was made.
    pub created: UnixMillis,
    /// When it ends; never, if absent.
    pub expires: Option<UnixMillis>,
    /// Suspended credentials are refused.
    pub suspended: bool,
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
}

/// What the keys of all credentials begin with.
pub const PREFIX: &[u8] = b"K";

/// The row's key.
#[must_use]
pub fn key(access_key: &AccessKeyId) -> Vec<u8> {
    Writer::bare()
        .u8(b'K')
        .raw(access_key.as_str().as_bytes())
        .finish()
}

impl AccessKeyRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .raw(self.tenant.as_bytes())
            .u64(self.created.0)
            .u64(self.expires.map_or(0, |t| t.0))
            .u8(u8::from(self.suspended))
            .bytes(&self.sealed_secret)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            tenant: TenantId::from_bytes(reader.array()?),
            created: UnixMillis(reader.u64()?),
            expires: Some(reader.u64()?).filter(|t| *t != 0).map(UnixMillis),
            suspended: flag(reader.u8()?, "suspended")?,
            sealed_secret: reader.bytes(1024)?.to_vec(),
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
        let row = AccessKeyRow {
            tenant: TenantId::from_bytes([1; 16]),
            created: UnixMillis(4),
            expires: Some(UnixMillis(9)),
            suspended: true,
            sealed_secret: vec![5; 96],
        };
        let mut bytes = row.encode();
        assert_eq!(AccessKeyRow::decode(&bytes), Ok(row));
        bytes[33] = 2;
        let neither = Err(WireError::Field("suspended"));
        assert_eq!(AccessKeyRow::decode(&bytes), neither);
    }
}

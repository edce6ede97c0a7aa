//! One tenant: key `T ‖ tenant id`. Its key is wrapped once for each site, so that either site alone can
//! serve it.

use super::{WRAPPED_BYTES, flag};
use words::wire::{Reader, WireError, Writer};
use words::{TenantId, TenantName, UnixMillis};

const VERSION: u8 = 1;

/// The row of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    /// The name operators use.
    pub name: TenantName,
    /// When it was added.
    pub created: UnixMillis,
    /// Suspended tenants are refused.
    pub suspended: bool,
    /// Version of the tenant's key.
    pub key_version: u32,
    /// The tenant's key under each site's key.
    pub key_by_site: [[u8; WRAPPED_BYTES]; 2],
    /// The key under which bucket names are hashed, under the tenant's key.
    pub name_key: [u8; WRAPPED_BYTES],
    /// The key under which openings of ledger entries are sealed, under the tenant's key.
    pub ledger_key: [u8; WRAPPED_BYTES],
}

/// What the keys of all tenants begin with.
pub const PREFIX: &[u8] = b"T";

/// The row's key.
#[must_use]
pub fn key(tenant: TenantId) -> Vec<u8> {
    Writer::bare().u8(b'T').raw(tenant.as_bytes()).finish()
}

/// The tenant in a row's key.
pub fn tenant_in(key: &[u8]) -> Result<TenantId, WireError> {
    let mut reader = Reader::bare(key);
    if reader.u8()? != b'T' {
        return Err(WireError::Field("tag"));
    }
    let tenant = TenantId::from_bytes(reader.array()?);
    reader.finish()?;
    Ok(tenant)
}

impl TenantRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .bytes(self.name.as_str().as_bytes())
            .u64(self.created.0)
            .u8(u8::from(self.suspended))
            .u32(self.key_version)
            .raw(&self.key_by_site[0])
            .raw(&self.key_by_site[1])
            .raw(&self.name_key)
            .raw(&self.ledger_key)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let name = std::str::from_utf8(reader.bytes(64)?).map_err(|_| WireError::Field("name"))?;
        let row = Self {
            name: TenantName::parse(name).map_err(|_| WireError::Field("name"))?,
            created: UnixMillis(reader.u64()?),
            suspended: flag(reader.u8()?, "suspended")?,
            key_version: reader.u32()?,
            key_by_site: [reader.array()?, reader.array()?],
            name_key: reader.array()?,
            ledger_key: reader.array()?,
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
        let row = TenantRow {
            name: TenantName::parse("tax-office").unwrap(),
            created: UnixMillis(4),
            suspended: false,
            key_version: 1,
            key_by_site: [[1; WRAPPED_BYTES], [2; WRAPPED_BYTES]],
            name_key: [3; WRAPPED_BYTES],
            ledger_key: [4; WRAPPED_BYTES],
        };
        let mut bytes = row.encode();
        let suspended = 13 + row.name.as_str().len();
        assert_eq!(TenantRow::decode(&bytes), Ok(row));
        bytes[suspended] = 2;
        let neither = Err(WireError::Field("suspended"));
        assert_eq!(TenantRow::decode(&bytes), neither);
        let id = TenantId::from_bytes([6; 16]);
        assert_eq!(tenant_in(&key(id)), Ok(id));
        let mut bucket = key(id);
        bucket[0] = b'B';
        assert_eq!(tenant_in(&bucket), Err(WireError::Field("tag")));
    }
}

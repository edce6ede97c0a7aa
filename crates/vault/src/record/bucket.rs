//! One bucket: key `B ‖ tenant ‖ keyed hash of the name`. Names of buckets live inside their tenant: two
//! tenants may use the same name and neither can learn of the other's.

use super::WRAPPED_BYTES;
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, TenantId, UnixMillis};

const VERSION: u8 = 1;

/// What happens to writes while a site is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SitePolicy {
    /// They are refused.
    Strict,
    /// They are accepted with one copy and a recorded debt.
    Available,
}

/// The row of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRow {
    /// The bucket's id, which everything in it is bound to.
    pub id: BucketId,
    /// When it was made.
    pub created: UnixMillis,
    /// What happens to writes while a site is away.
    pub policy: SitePolicy,
    /// Version of the bucket's key.
    pub key_version: u32,
    /// The bucket's key under the tenant's key.
    pub key: [u8; WRAPPED_BYTES],
    /// The key under which object names are hashed, wrapped under the bucket's key.
    pub name_key: [u8; WRAPPED_BYTES],
    /// The key of the index of names, wrapped under the bucket's key.
    pub index_key: [u8; WRAPPED_BYTES],
    /// The bucket's name, sealed.
    pub sealed_name: Vec<u8>,
}

/// The row's key.
#[must_use]
pub fn key(tenant: TenantId, name_hash: &[u8; 32]) -> Vec<u8> {
    Writer::bare()
        .u8(b'B')
        .raw(tenant.as_bytes())
        .raw(name_hash)
        .finish()
}

/// What the keys of all buckets of a tenant begin with.
#[must_use]
pub fn prefix(tenant: TenantId) -> Vec<u8> {
    Writer::bare().u8(b'B').raw(tenant.as_bytes()).finish()
}

/// The tenant in a row's key.
pub fn tenant_in(key: &[u8]) -> Result<TenantId, WireError> {
    let mut reader = Reader::bare(key);
    if reader.u8()? != b'B' {
        return Err(WireError::Field("tag"));
    }
    Ok(TenantId::from_bytes(reader.array()?))
}

impl BucketRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .raw(self.id.as_bytes())
            .u64(self.created.0)
            .u8(match self.policy {
                SitePolicy::Strict => 1,
                SitePolicy::Available => 2,
            })
            .u32(self.key_version)
            .raw(&self.key)
            .raw(&self.name_key)
            .raw(&self.index_key)
            .bytes(&self.sealed_name)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            id: BucketId::from_bytes(reader.array()?),
            created: UnixMillis(reader.u64()?),
            policy: match reader.u8()? {
                1 => SitePolicy::Strict,
                2 => SitePolicy::Available,
                _ => return Err(WireError::Field("site policy")),
            },
            key_version: reader.u32()?,
            key: reader.array()?,
            name_key: reader.array()?,
            index_key: reader.array()?,
            sealed_name: reader.bytes(1024)?.to_vec(),
        };
        reader.finish()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_tenant() {
        let tenant = TenantId::from_bytes([6; 16]);
        let mut key = key(tenant, &[9; 32]);
        assert_eq!(tenant_in(&key), Ok(tenant));
        key[0] = b'T';
        assert_eq!(tenant_in(&key), Err(WireError::Field("tag")));
    }

    #[test]
    fn round_trip() {
        for policy in [SitePolicy::Strict, SitePolicy::Available] {
            let row = BucketRow {
                id: BucketId::from_bytes([1; 16]),
                created: UnixMillis(4),
                policy,
                key_version: 3,
                key: [1; WRAPPED_BYTES],
                name_key: [2; WRAPPED_BYTES],
                index_key: [3; WRAPPED_BYTES],
                sealed_name: vec![7; 80],
            };
            assert_eq!(BucketRow::decode(&row.encode()), Ok(row));
        }
    }
}

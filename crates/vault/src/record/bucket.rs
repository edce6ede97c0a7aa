//! One bucket: key `B ‖ tenant ‖ keyed hash of the name`. Names of buckets live inside their tenant: two
//! tenants may use the same name and neither can learn of the other's.

use super::{MAC_BYTES, WRAPPED_BYTES, key_count, key_version, newest_first, text};
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, TenantId, UnixMillis};

/// Rows without a MAC, with one version of the bucket's key.
const FIRST: u8 = 1;
/// Rows under a MAC, with several versions of the bucket's key.
const SIGNED: u8 = 2;
/// The same for a bucket whose key a guest keeps at home.
const LEASED: u8 = 3;
/// Longest text of a log's public keys.
const LESSOR_BYTES_MAX: usize = 16 * 1024;

/// What happens to writes while a site is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SitePolicy {
    /// They are refused.
    Strict,
    /// They are accepted with one copy and a recorded debt.
    Available,
}

/// Who keeps the key of a bucket that is leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lessor {
    /// The loan under which the key lies at the guest.
    pub loan: [u8; 16],
    /// The public keys of the guest's log, which signs leases.
    pub keys: String,
}

/// One version of a bucket's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyVersion {
    /// The version.
    pub version: u32,
    /// The key, under the tenant's; of a bucket that is leased, under one that only the guest has.
    pub key: [u8; WRAPPED_BYTES],
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
    /// Version of the tenant's key under which the bucket's is wrapped.
    pub tenant_version: u32,
    /// The version of the bucket's key under which new objects are written.
    pub newest: KeyVersion,
    /// Versions under which objects may still lie, newest first.
    pub older: Vec<KeyVersion>,
    /// The key under which object names are hashed, wrapped under the newest bucket key.
    pub name_key: [u8; WRAPPED_BYTES],
    /// The key of the index of names, wrapped under the newest bucket key.
    pub index_key: [u8; WRAPPED_BYTES],
    /// The bucket's name, sealed.
    pub sealed_name: Vec<u8>,
    /// Who keeps the bucket's key, if it is leased.
    pub lessor: Option<Lessor>,
    /// The MAC over all this under the tenant's meta key; absent in rows of the first format.
    pub mac: Option<[u8; MAC_BYTES]>,
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

impl SitePolicy {
    const fn byte(self) -> u8 {
        match self {
            Self::Strict => 1,
            Self::Available => 2,
        }
    }
    const fn from_byte(byte: u8) -> Result<Self, WireError> {
        match byte {
            1 => Ok(Self::Strict),
            2 => Ok(Self::Available),
            _ => Err(WireError::Field("site policy")),
        }
    }
}

impl BucketRow {
    /// All versions of the bucket's key, newest first.
    pub fn keys(&self) -> impl Iterator<Item = &KeyVersion> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// What the MAC is over: the row's value up to it.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let count = u8::try_from(1 + self.older.len()).unwrap_or(u8::MAX);
        let format = match self.lessor {
            Some(_) => LEASED,
            None => SIGNED,
        };
        let head = Writer::versioned(format)
            .raw(self.id.as_bytes())
            .u64(self.created.0)
            .u8(self.policy.byte())
            .u32(self.tenant_version)
            .u8(count);
        let writer = self
            .keys()
            .fold(head, |writer, of| writer.u32(of.version).raw(&of.key))
            .raw(&self.name_key)
            .raw(&self.index_key)
            .bytes(&self.sealed_name);
        match &self.lessor {
            Some(lessor) => writer.raw(&lessor.loan).bytes(lessor.keys.as_bytes()),
            None => writer,
        }
        .finish()
    }

    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match &self.mac {
            Some(mac) => [self.signed_bytes().as_slice(), mac].concat(),
            None => Writer::versioned(FIRST)
                .raw(self.id.as_bytes())
                .u64(self.created.0)
                .u8(self.policy.byte())
                .u32(self.newest.version)
                .raw(&self.newest.key)
                .raw(&self.name_key)
                .raw(&self.index_key)
                .bytes(&self.sealed_name)
                .finish(),
        }
    }

    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (format, mut reader) = Reader::versioned(bytes, LEASED)?;
        let id = BucketId::from_bytes(reader.array()?);
        let created = UnixMillis(reader.u64()?);
        let policy = SitePolicy::from_byte(reader.u8()?)?;
        let (tenant_version, count) = if format == FIRST {
            (1, 1)
        } else {
            (key_version(&mut reader)?, key_count(&mut reader)?)
        };
        let mut one = || {
            Ok::<_, WireError>(KeyVersion {
                version: key_version(&mut reader)?,
                key: reader.array()?,
            })
        };
        let newest = one()?;
        let older = (1..count).map(|_| one()).collect::<Result<Vec<_>, _>>()?;
        let mut row = Self {
            id,
            created,
            policy,
            tenant_version,
            newest,
            older,
            name_key: reader.array()?,
            index_key: reader.array()?,
            sealed_name: reader.bytes(1024)?.to_vec(),
            lessor: None,
            mac: None,
        };
        if format == LEASED {
            row.lessor = Some(Lessor {
                loan: reader.array()?,
                keys: text(&mut reader, LESSOR_BYTES_MAX, "lessor")?,
            });
        }
        if format >= SIGNED {
            row.mac = Some(reader.array()?);
        }
        reader.finish()?;
        newest_first(row.keys().map(|of| of.version))?;
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

    fn row(policy: SitePolicy, mac: Option<[u8; MAC_BYTES]>) -> BucketRow {
        let old = KeyVersion {
            version: 3,
            key: [1; WRAPPED_BYTES],
        };
        let newest = KeyVersion {
            version: 4,
            key: [9; WRAPPED_BYTES],
        };
        BucketRow {
            id: BucketId::from_bytes([1; 16]),
            created: UnixMillis(4),
            policy,
            tenant_version: if mac.is_some() { 7 } else { 1 },
            newest: if mac.is_some() { newest } else { old },
            older: if mac.is_some() { vec![old] } else { vec![] },
            name_key: [2; WRAPPED_BYTES],
            index_key: [3; WRAPPED_BYTES],
            sealed_name: vec![7; 80],
            lessor: None,
            mac,
        }
    }

    #[test]
    fn round_trip() {
        for policy in [SitePolicy::Strict, SitePolicy::Available] {
            for mac in [None, Some([5; MAC_BYTES])] {
                let row = row(policy, mac);
                assert_eq!(BucketRow::decode(&row.encode()), Ok(row));
            }
        }
    }

    #[test]
    fn both_formats_stay_readable() {
        let first = row(SitePolicy::Available, None);
        let signed = row(SitePolicy::Strict, Some([5; MAC_BYTES]));
        let leased = BucketRow {
            lessor: Some(Lessor {
                loan: [6; 16],
                keys: "guest.ee/ledger+…\n".into(),
            }),
            ..signed.clone()
        };
        for (row, golden) in [
            (first, include_str!("bucket-1.golden")),
            (signed, include_str!("bucket-2.golden")),
            (leased, include_str!("bucket-3.golden")),
        ] {
            assert_eq!(words::hex::encode(&row.encode()), golden.trim());
            assert_eq!(BucketRow::decode(&row.encode()), Ok(row));
        }
    }

    #[test]
    fn a_row_has_one_spelling() {
        let mut swapped = row(SitePolicy::Strict, Some([5; MAC_BYTES]));
        swapped.older[0].version = 4;
        let order = Err(WireError::Field("order of key versions"));
        assert_eq!(BucketRow::decode(&swapped.encode()), order);
        swapped.older[0].version = 0;
        let none = Err(WireError::Field("key version"));
        assert_eq!(BucketRow::decode(&swapped.encode()), none);
        let mut many = row(SitePolicy::Strict, Some([5; MAC_BYTES])).encode();
        for count in [0, 9] {
            many[30] = count;
            let number = Err(WireError::Field("number of key versions"));
            assert_eq!(BucketRow::decode(&many), number);
        }
    }
}

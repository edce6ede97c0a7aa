//! One tenant: key `T ‖ tenant id`. Its key is wrapped once for each site, so that either site alone can
//! serve it.

use super::{MAC_BYTES, WRAPPED_BYTES, flag, key_count, key_version, newest_first};
use words::wire::{Reader, WireError, Writer};
use words::{TenantId, TenantName, UnixMillis};

/// Rows without a MAC, with one version of the tenant's key.
const FIRST: u8 = 1;
/// Rows under a MAC, with several versions of the tenant's key.
const SIGNED: u8 = 2;

/// One version of a tenant's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyVersion {
    /// The version.
    pub version: u32,
    /// The key, under each site's.
    pub by_site: [[u8; WRAPPED_BYTES]; 2],
}

/// What rows of the second format have besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key of small records, under the tenant's newest key. In rows of the first format it is derived from
    /// the tenant's key instead.
    pub meta_key: [u8; WRAPPED_BYTES],
    /// The MAC over all this, under each site's meta key.
    pub macs: [[u8; MAC_BYTES]; 2],
}

/// The row of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    /// The name operators use.
    pub name: TenantName,
    /// When it was added.
    pub created: UnixMillis,
    /// Suspended tenants are refused.
    pub suspended: bool,
    /// Version of the sites' keys under which the tenant's is wrapped.
    pub site_version: u32,
    /// The version of the tenant's key under which new buckets are made.
    pub newest: KeyVersion,
    /// Versions under which buckets' keys may still lie, newest first.
    pub older: Vec<KeyVersion>,
    /// The key under which bucket names are hashed, under the tenant's newest key.
    pub name_key: [u8; WRAPPED_BYTES],
    /// The key under which openings of ledger entries are sealed, under the tenant's newest key.
    pub ledger_key: [u8; WRAPPED_BYTES],
    /// Absent in rows of the first format.
    pub signed: Option<Signed>,
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
    /// All versions of the tenant's key, newest first.
    pub fn keys(&self) -> impl Iterator<Item = &KeyVersion> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// What the MACs are over: the row's value up to them. Without a meta key, as in rows of the first format,
    /// there is nothing to sign.
    #[must_use]
    pub fn signed_bytes(&self, meta_key: &[u8; WRAPPED_BYTES]) -> Vec<u8> {
        let count = u8::try_from(1 + self.older.len()).unwrap_or(u8::MAX);
        let head = Writer::versioned(SIGNED)
            .bytes(self.name.as_str().as_bytes())
            .u64(self.created.0)
            .u8(u8::from(self.suspended))
            .u32(self.site_version)
            .u8(count);
        self.keys()
            .fold(head, |writer, of| {
                let [a, b] = &of.by_site;
                writer.u32(of.version).raw(a).raw(b)
            })
            .raw(&self.name_key)
            .raw(&self.ledger_key)
            .raw(meta_key)
            .finish()
    }

    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Some(Signed { meta_key, macs }) = &self.signed else {
            return Writer::versioned(FIRST)
                .bytes(self.name.as_str().as_bytes())
                .u64(self.created.0)
                .u8(u8::from(self.suspended))
                .u32(self.newest.version)
                .raw(&self.newest.by_site[0])
                .raw(&self.newest.by_site[1])
                .raw(&self.name_key)
                .raw(&self.ledger_key)
                .finish();
        };
        let signed = self.signed_bytes(meta_key);
        [signed.as_slice(), &macs[0], &macs[1]].concat()
    }

    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (format, mut reader) = Reader::versioned(bytes, SIGNED)?;
        let name = std::str::from_utf8(reader.bytes(64)?).map_err(|_| WireError::Field("name"))?;
        let name = TenantName::parse(name).map_err(|_| WireError::Field("name"))?;
        let created = UnixMillis(reader.u64()?);
        let suspended = flag(reader.u8()?, "suspended")?;
        let (site_version, count) = if format == FIRST {
            (1, 1)
        } else {
            (key_version(&mut reader)?, key_count(&mut reader)?)
        };
        let mut one = || {
            Ok::<_, WireError>(KeyVersion {
                version: key_version(&mut reader)?,
                by_site: [reader.array()?, reader.array()?],
            })
        };
        let newest = one()?;
        let older = (1..count).map(|_| one()).collect::<Result<Vec<_>, _>>()?;
        let mut row = Self {
            name,
            created,
            suspended,
            site_version,
            newest,
            older,
            name_key: reader.array()?,
            ledger_key: reader.array()?,
            signed: None,
        };
        if format == SIGNED {
            row.signed = Some(Signed {
                meta_key: reader.array()?,
                macs: [reader.array()?, reader.array()?],
            });
        }
        reader.finish()?;
        newest_first(row.keys().map(|of| of.version))?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(signed: bool) -> TenantRow {
        let version = |version, fill| KeyVersion {
            version,
            by_site: [[fill; WRAPPED_BYTES], [fill + 1; WRAPPED_BYTES]],
        };
        TenantRow {
            name: TenantName::parse("tax-office").unwrap(),
            created: UnixMillis(4),
            suspended: false,
            site_version: if signed { 3 } else { 1 },
            newest: version(if signed { 2 } else { 1 }, 5),
            older: if signed { vec![version(1, 7)] } else { vec![] },
            name_key: [3; WRAPPED_BYTES],
            ledger_key: [4; WRAPPED_BYTES],
            signed: signed.then_some(Signed {
                meta_key: [9; WRAPPED_BYTES],
                macs: [[10; MAC_BYTES], [11; MAC_BYTES]],
            }),
        }
    }

    #[test]
    fn round_trip() {
        for signed in [false, true] {
            let row = row(signed);
            let mut bytes = row.encode();
            let suspended = 13 + row.name.as_str().len();
            assert_eq!(TenantRow::decode(&bytes), Ok(row));
            bytes[suspended] = 2;
            let neither = Err(WireError::Field("suspended"));
            assert_eq!(TenantRow::decode(&bytes), neither);
        }
        let id = TenantId::from_bytes([6; 16]);
        assert_eq!(tenant_in(&key(id)), Ok(id));
        let mut bucket = key(id);
        bucket[0] = b'B';
        assert_eq!(tenant_in(&bucket), Err(WireError::Field("tag")));
    }

    #[test]
    fn both_formats_stay_readable() {
        for (signed, golden) in [
            (false, include_str!("tenant-1.golden")),
            (true, include_str!("tenant-2.golden")),
        ] {
            assert_eq!(words::hex::encode(&row(signed).encode()), golden.trim());
        }
    }
}

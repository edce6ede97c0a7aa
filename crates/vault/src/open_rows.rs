//! From rows to open keys and back: MACs are checked before a key is unwrapped, and every row that is written
//! has one. Rows of the first format, without a MAC, still open.

use crate::Vault;
use crate::error::VaultError;
use crate::record::SIGNED_ROW;
use crate::record::bucket::{self, BucketRow};
use crate::record::tenant::{self, Signed, TenantRow};
use crate::secrets::{Bucket, Secrets, Tenant, site_tenant, under_bucket, under_tenant};
use crate::site_keys::SiteKeys;
use catalog::Precondition;
use host::Host;
use ledger::Kind;
use seal::{BucketKey, Derives, IndexKey, LedgerKey, MetaKey, NameKey, TenantKey, Wrapped};
use words::{BucketName, SiteId, TenantId, TenantName, UnixMillis};

/// The key of a version among those that are open.
fn of_version<'a, K>(
    keys: &'a [(u32, K)],
    version: u32,
    what: &'static str,
) -> Result<&'a K, VaultError> {
    keys.iter()
        .find_map(|(of, key)| (*of == version).then_some(key))
        .ok_or(VaultError::KeyVersion { what, version })
}

fn newest<'a, K>(keys: &'a [(u32, K)], what: &'static str) -> Result<(u32, &'a K), VaultError> {
    let first = keys.first().map(|(version, key)| (*version, key));
    first.ok_or(VaultError::KeyVersion { what, version: 0 })
}

/// A wrapped key's version in its context: rows under a MAC mark it.
const fn marked(version: u32, signed: bool) -> u32 {
    if signed {
        SIGNED_ROW | version
    } else {
        version
    }
}

impl Tenant {
    /// The key under which new buckets are made.
    pub fn newest(&self) -> Result<(u32, &TenantKey), VaultError> {
        newest(&self.keys, "a bucket's key")
    }
}

impl Bucket {
    /// The key under which new objects are written.
    pub fn newest(&self) -> Result<(u32, &BucketKey), VaultError> {
        newest(&self.keys, "an object's key")
    }
    /// The key of a version that an object's record names.
    pub fn key_of(&self, version: u32) -> Result<&BucketKey, VaultError> {
        of_version(&self.keys, version, "an object's key")
    }
}

impl SiteKeys {
    /// Checks the MACs of a tenant's row with every site's key that is at hand.
    pub fn check_tenant(&self, id: TenantId, row: &TenantRow) -> Result<(), VaultError> {
        let Some(signed) = &row.signed else {
            return Ok(());
        };
        let (row_key, bytes) = (tenant::key(id), row.signed_bytes(&signed.meta_key));
        for site in SiteId::BOTH {
            let Some(key) = self.of(site, row.site_version)? else {
                continue;
            };
            let meta: MetaKey = key.derive();
            if !seal::row_is_genuine(&meta, &row_key, &bytes, &signed.macs[site.index()]) {
                return Err(VaultError::RowAltered(format!("tenant {id}")));
            }
        }
        Ok(())
    }

    /// The row of a tenant, wrapped and signed under the newest keys of both sites.
    pub fn tenant_row(
        &self,
        host: &Host,
        tenant: &Tenant,
        name: TenantName,
        created: UnixMillis,
    ) -> Result<TenantRow, VaultError> {
        let top = self.newest()?;
        let both = SiteId::BOTH.map(|site| top.by_site[site.index()].as_ref());
        let [Some(a), Some(b)] = both else {
            return Err(VaultError::Sealed);
        };
        let mut versions = tenant.keys.iter().map(|(version, key)| {
            let by_site = [(SiteId::A, a), (SiteId::B, b)].map(|(site, site_key)| {
                let context = site_tenant(site, top.version, tenant.id, marked(*version, true));
                *seal::wrap(site_key, key, &context, host.random()).as_bytes()
            });
            tenant::KeyVersion {
                version: *version,
                by_site,
            }
        });
        let first = versions.next().ok_or(VaultError::Sealed)?;
        let (version, key) = tenant.newest()?;
        let own = under_tenant(tenant.id, version, tenant.id.into(), 1);
        let meta_key = *seal::wrap(key, &tenant.meta_key, &own, host.random()).as_bytes();
        let mut row = TenantRow {
            name,
            created,
            suspended: tenant.suspended,
            site_version: top.version,
            newest: first,
            older: versions.collect(),
            name_key: *seal::wrap(key, &tenant.name_key, &own, host.random()).as_bytes(),
            ledger_key: *seal::wrap(key, &tenant.ledger_key, &own, host.random()).as_bytes(),
            signed: None,
        };
        let (row_key, bytes) = (tenant::key(tenant.id), row.signed_bytes(&meta_key));
        let macs = [a, b].map(|site_key| {
            let meta: MetaKey = site_key.derive();
            seal::row_mac(&meta, &row_key, &bytes)
        });
        row.signed = Some(Signed { meta_key, macs });
        Ok(row)
    }
}

/// The row of a bucket, wrapped under the tenant's newest key and signed. `sealed_name` is kept as it is.
pub fn bucket_row(
    host: &Host,
    tenant: &Tenant,
    bucket: &Bucket,
    sealed_name: Vec<u8>,
) -> Result<BucketRow, VaultError> {
    let (tenant_version, tenant_key) = tenant.newest()?;
    let mut versions = bucket.keys.iter().map(|(version, key)| {
        let context = under_tenant(
            tenant.id,
            tenant_version,
            bucket.id.into(),
            marked(*version, true),
        );
        bucket::KeyVersion {
            version: *version,
            key: *seal::wrap(tenant_key, key, &context, host.random()).as_bytes(),
        }
    });
    let first = versions.next().ok_or(VaultError::Sealed)?;
    let (version, key) = bucket.newest()?;
    let own = under_bucket(bucket.id, version, bucket.id.into());
    let mut row = BucketRow {
        id: bucket.id,
        created: bucket.created,
        policy: bucket.policy,
        tenant_version,
        newest: first,
        older: versions.collect(),
        name_key: *seal::wrap(key, &bucket.name_key, &own, host.random()).as_bytes(),
        index_key: *seal::wrap(key, &bucket.index_key, &own, host.random()).as_bytes(),
        sealed_name,
        lessor: None,
        mac: None,
    };
    let signed = row.signed_bytes();
    row.mac = Some(seal::row_mac(&tenant.meta_key, &bucket.row_key, &signed));
    Ok(row)
}

/// Holds while the tenant's row is the one that was opened: every row that is wrapped under the tenant's key
/// is committed with this, so that none is written under a version that was taken away.
pub fn tenant_stands(tenant: &Tenant) -> Precondition {
    Precondition::Version(tenant::key(tenant.id), tenant.row_version)
}

/// Checks the MAC of a bucket's row.
pub fn check_bucket(tenant: &Tenant, row_key: &[u8], row: &BucketRow) -> Result<(), VaultError> {
    match &row.mac {
        Some(mac) if !seal::row_is_genuine(&tenant.meta_key, row_key, &row.signed_bytes(), mac) => {
            Err(VaultError::RowAltered(format!("bucket {}", row.id)))
        }
        _ => Ok(()),
    }
}

impl SiteKeys {
    /// Opens a tenant from its row.
    pub fn open_tenant(
        &self,
        id: TenantId,
        row_version: u64,
        row: &TenantRow,
    ) -> Result<Tenant, VaultError> {
        self.check_tenant(id, row)?;
        let (site, site_key) = self.any(row.site_version)?;
        let mut keys = Vec::new();
        for of in row.keys() {
            let version = marked(of.version, row.signed.is_some());
            let context = site_tenant(site, row.site_version, id, version);
            let wrapped = Wrapped::from_bytes(of.by_site[site.index()]);
            let key: TenantKey = seal::unwrap(site_key, &wrapped, &context)?;
            keys.push((of.version, key));
        }
        let (version, key) = newest(&keys, "a tenant's names")?;
        let own = under_tenant(id, version, id.into(), 1);
        let name_key: NameKey = seal::unwrap(key, &Wrapped::from_bytes(row.name_key), &own)?;
        let ledger_key: LedgerKey = seal::unwrap(key, &Wrapped::from_bytes(row.ledger_key), &own)?;
        let meta_key = match &row.signed {
            Some(signed) => seal::unwrap(key, &Wrapped::from_bytes(signed.meta_key), &own)?,
            None => key.derive(),
        };
        Ok(Tenant {
            id,
            suspended: row.suspended,
            row_version,
            keys,
            name_key,
            meta_key,
            ledger_key,
        })
    }
}

impl Secrets {
    /// Opens a bucket from its row.
    pub fn open_bucket(
        tenant: &Tenant,
        name: &BucketName,
        row_key: Vec<u8>,
        row_version: u64,
        row: &BucketRow,
    ) -> Result<Bucket, VaultError> {
        check_bucket(tenant, &row_key, row)?;
        let tenant_key = of_version(&tenant.keys, row.tenant_version, "a bucket's key")?;
        let mut keys = Vec::new();
        for of in row.keys() {
            // Rows of the first format bind a bucket's key as version 1, whatever their field says.
            let version = if row.mac.is_some() {
                marked(of.version, true)
            } else {
                1
            };
            let context = under_tenant(tenant.id, row.tenant_version, row.id.into(), version);
            let key: BucketKey = seal::unwrap(tenant_key, &Wrapped::from_bytes(of.key), &context)?;
            keys.push((of.version, key));
        }
        Bucket::with_keys(tenant.id, name, (row_key, row_version), row, keys)
    }
}

impl Bucket {
    /// The bucket of a row whose keys are open; what lies under them is opened here.
    pub fn with_keys(
        owner: TenantId,
        name: &BucketName,
        (row_key, row_version): (Vec<u8>, u64),
        row: &BucketRow,
        keys: Vec<(u32, BucketKey)>,
    ) -> Result<Self, VaultError> {
        let (version, key) = newest(&keys, "a bucket's names")?;
        let own = under_bucket(row.id, version, row.id.into());
        let name_key: NameKey = seal::unwrap(key, &Wrapped::from_bytes(row.name_key), &own)?;
        let index_key: IndexKey = seal::unwrap(key, &Wrapped::from_bytes(row.index_key), &own)?;
        Ok(Self {
            id: row.id,
            owner,
            name: name.clone(),
            created: row.created,
            policy: row.policy,
            row_key,
            row_version,
            keys,
            name_key,
            index_key,
            lease: None,
        })
    }
}

impl Vault {
    /// Opens a bucket from its row, whose key is not leased; a tenant that is known only as it was before its key was renewed is looked
    /// at again.
    pub(crate) async fn open_bucket(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        name: &BucketName,
        row_key: Vec<u8>,
        row_version: u64,
        row: &BucketRow,
    ) -> Result<Bucket, VaultError> {
        let place = row_key.clone();
        let mut opened = Secrets::open_bucket(tenant, name, row_key.clone(), row_version, row);
        if matches!(opened, Err(VaultError::KeyVersion { .. })) {
            let tenant = self.tenant_again(secrets, tenant.id).await?;
            opened = Secrets::open_bucket(&tenant, name, row_key, row_version, row);
        }
        self.unless_altered(secrets, &place, opened).await
    }

    /// What was opened. A row that was altered goes on the ledger before the error is given.
    pub(crate) async fn unless_altered<T>(
        &self,
        secrets: &Secrets,
        row_key: &[u8],
        opened: Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        if let Err(VaultError::RowAltered(what)) = &opened {
            let mut fields = self.fields(Kind::Refuse);
            fields.operation = Some("OpenRow".into());
            fields.resource = Some(format!("{what}, row {}", words::hex::encode(row_key)));
            fields.decision = Some("RowAltered".into());
            self.record_later(self.entry_of_cloud(secrets, &fields))
                .await;
            tracing::error!(what, "a row of the catalog was altered; it is refused");
        }
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SitePolicy;
    use crate::site_keys::SiteKeyVersion;
    use seal::SiteKey;
    use std::sync::Arc;
    use words::BucketId;

    const TENANT: TenantId = TenantId::from_bytes([1; 16]);
    const BUCKET: BucketId = BucketId::from_bytes([2; 16]);
    const SALT: [u8; 24] = [3; 24];

    fn site_keys() -> SiteKeys {
        let by_site = [[4; 32], [5; 32]].map(|bytes| Some(SiteKey::from_bytes(bytes)));
        let first = SiteKeyVersion {
            version: 1,
            by_site,
        };
        let stand = Precondition::Present(b"Cka".to_vec());
        SiteKeys::new(vec![Arc::new(first)], stand)
    }

    /// As builds before MACs wrote it.
    fn first_tenant() -> TenantRow {
        let (sites, key) = (site_keys(), TenantKey::from_bytes([6; 32]));
        let by_site = SiteId::BOTH.map(|site| {
            let site_key = sites.of(site, 1).unwrap().unwrap();
            *seal::wrap(site_key, &key, &site_tenant(site, 1, TENANT, 1), SALT).as_bytes()
        });
        let own = under_tenant(TENANT, 1, TENANT.into(), 1);
        let name_key = NameKey::from_bytes([7; 32]);
        let ledger_key = LedgerKey::from_bytes([8; 32]);
        TenantRow {
            name: TenantName::parse("tax-office").unwrap(),
            created: UnixMillis(9),
            suspended: false,
            site_version: 1,
            newest: tenant::KeyVersion {
                version: 1,
                by_site,
            },
            older: vec![],
            name_key: *seal::wrap(&key, &name_key, &own, SALT).as_bytes(),
            ledger_key: *seal::wrap(&key, &ledger_key, &own, SALT).as_bytes(),
            signed: None,
        }
    }

    fn first_bucket(tenant: &Tenant) -> BucketRow {
        let key = BucketKey::from_bytes([10; 32]);
        let context = under_tenant(TENANT, 1, BUCKET.into(), 1);
        let own = under_bucket(BUCKET, 1, BUCKET.into());
        let (name_key, index_key) = (
            NameKey::from_bytes([11; 32]),
            IndexKey::from_bytes([12; 32]),
        );
        BucketRow {
            id: BUCKET,
            created: UnixMillis(9),
            policy: SitePolicy::Available,
            tenant_version: 1,
            newest: bucket::KeyVersion {
                version: 1,
                key: *seal::wrap(tenant.newest().unwrap().1, &key, &context, SALT).as_bytes(),
            },
            older: vec![],
            name_key: *seal::wrap(&key, &name_key, &own, SALT).as_bytes(),
            index_key: *seal::wrap(&key, &index_key, &own, SALT).as_bytes(),
            sealed_name: vec![],
            lessor: None,
            mac: None,
        }
    }

    /// Rows of the first format still open; written again they are signed and hold the same keys.
    #[test]
    fn rows_of_the_first_format_open_and_are_signed_when_they_are_written_again() {
        let (sites, host) = (site_keys(), Host::real());
        let old = TenantRow::decode(&first_tenant().encode()).unwrap();
        let tenant = sites.open_tenant(TENANT, 1, &old).unwrap();
        let new = sites
            .tenant_row(&host, &tenant, old.name, old.created)
            .unwrap();
        let again = sites.open_tenant(TENANT, 2, &new).unwrap();
        assert!(new.signed.is_some());
        assert_eq!(again.meta_key.kcv(), tenant.meta_key.kcv());
        assert_eq!(
            (again.name_key.kcv(), again.ledger_key.kcv()),
            (tenant.name_key.kcv(), tenant.ledger_key.kcv())
        );

        let name = BucketName::parse("records").unwrap();
        let old = BucketRow::decode(&first_bucket(&tenant).encode()).unwrap();
        let opened = Secrets::open_bucket(&tenant, &name, b"Brow".to_vec(), 1, &old).unwrap();
        let new = bucket_row(&host, &tenant, &opened, old.sealed_name).unwrap();
        let again = Secrets::open_bucket(&tenant, &name, b"Brow".to_vec(), 1, &new).unwrap();
        assert_eq!(
            again.newest().unwrap().1.kcv(),
            opened.newest().unwrap().1.kcv()
        );
        assert_eq!(again.index_key.kcv(), opened.index_key.kcv());
        // The MAC binds the row to its key.
        let moved = Secrets::open_bucket(&tenant, &name, b"Brox".to_vec(), 1, &new);
        assert!(matches!(moved, Err(VaultError::RowAltered(_))));
    }

    /// Every byte of a signed row counts: none can be flipped and the row still open.
    #[test]
    fn every_flipped_byte_of_a_signed_row_is_noticed() {
        let (sites, host) = (site_keys(), Host::real());
        let tenant = sites.open_tenant(TENANT, 1, &first_tenant()).unwrap();
        let row = sites
            .tenant_row(
                &host,
                &tenant,
                TenantName::parse("tax-office").unwrap(),
                UnixMillis(9),
            )
            .unwrap()
            .encode();
        for at in 0..row.len() {
            let mut bad = row.clone();
            bad[at] ^= 1;
            let opened = TenantRow::decode(&bad)
                .map_err(VaultError::from)
                .and_then(|row| sites.open_tenant(TENANT, 1, &row));
            assert!(opened.is_err(), "byte {at} of a tenant's row");
        }
        let name = BucketName::parse("records").unwrap();
        let key = b"Brow".to_vec();
        let opened =
            Secrets::open_bucket(&tenant, &name, key.clone(), 1, &first_bucket(&tenant)).unwrap();
        let row = bucket_row(&host, &tenant, &opened, vec![1, 2])
            .unwrap()
            .encode();
        for at in 0..row.len() {
            let mut bad = row.clone();
            bad[at] ^= 1;
            let opened = BucketRow::decode(&bad)
                .map_err(VaultError::from)
                .and_then(|row| Secrets::open_bucket(&tenant, &name, key.clone(), 1, &row));
            assert!(opened.is_err(), "byte {at} of a bucket's row");
        }
    }
}

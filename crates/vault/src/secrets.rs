//! What the vault knows while it is open: the sites' keys, the ledger's keys, and what it has unwrapped of
//! tenants, credentials and buckets so far.

use crate::error::VaultError;
use crate::leases::Why;
use crate::open_rows::check_bucket;
use crate::record::bucket::BucketRow;
use crate::record::tenant::TenantRow;
use crate::record::{access_key, bucket, tenant};
use crate::rotate::Rotations;
use crate::sessions::SessionKeys;
use crate::site_keys::{SiteKeys, SiteKeysHeld};
use crate::standing::{Holder, Judged};
use crate::{SitePolicy, Vault};
use authn::{Credential, SecretKey, SigningKey};
use quick_cache::sync::Cache;
use seal::{BucketKey, IndexKey, KeyId, LedgerKey, MetaKey, NameKey, TenantKey, WrapContext};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};
use words::{AccessKeyId, BucketId, BucketName, SiteId, TenantId, UnixMillis};

const CREDENTIALS_CACHED: usize = 10_000;
const BUCKETS_CACHED: usize = 10_000;

/// One tenant with its keys open.
pub struct Tenant {
    pub id: TenantId,
    pub suspended: bool,
    pub row_version: u64,
    /// The tenant's key in its versions, newest first; never empty.
    pub keys: Vec<(u32, TenantKey)>,
    pub name_key: NameKey,
    pub meta_key: MetaKey,
    pub ledger_key: LedgerKey,
}

/// One bucket with its keys open.
pub struct Bucket {
    pub id: BucketId,
    pub owner: TenantId,
    pub name: BucketName,
    pub created: UnixMillis,
    pub policy: SitePolicy,
    pub row_key: Vec<u8>,
    pub row_version: u64,
    /// The bucket's key in its versions, newest first; never empty.
    pub keys: Vec<(u32, BucketKey)>,
    pub name_key: NameKey,
    pub index_key: IndexKey,
    /// For how long, if the keys are leased.
    pub lease: Option<Arc<crate::Lease>>,
}

/// One credential with its secret open, and the signing key of the day it was last used.
pub struct Known {
    pub credential: Credential,
    pub secret: SecretKey,
    pub signing: RwLock<Option<Arc<SigningKey>>>,
    pub holder: Holder,
    /// SHA-256 of the token that a session's requests carry.
    pub token: Option<[u8; 32]>,
    /// The credential that a session came of.
    pub parent: Option<AccessKeyId>,
}

impl Known {
    /// The person or workload whose it is.
    pub fn identity(&self) -> Option<String> {
        match self.holder.standing.principal() {
            policy::Principal::User(name) => Some(name.clone()),
            _ => None,
        }
    }
}

/// Everything that is open.
pub struct Secrets {
    pub site_keys: SiteKeysHeld,
    pub log_keys: ledger::LogKeys,
    pub cloud_ledger_key: LedgerKey,
    pub tenants: RwLock<BTreeMap<TenantId, Arc<Tenant>>>,
    pub known: Cache<AccessKeyId, Arc<Known>>,
    pub buckets: Cache<(TenantId, BucketName), Arc<Bucket>>,
    /// What is ready to decide with.
    pub judged: Judged,
    pub sessions: SessionKeys,
    /// Buckets whose index changed since it was last looked after.
    pub changed: Mutex<BTreeMap<BucketId, Arc<Bucket>>>,
    pub shred: crate::shred::Shred,
    pub rotations: Rotations,
    pub people: crate::people::People,
    pub ended: crate::agreements::Ended,
    pub shown: crate::statements::Shown,
    pub leases: crate::leases::Leases,
}

impl Secrets {
    pub fn new(
        site_keys: SiteKeys,
        log_keys: ledger::LogKeys,
        cloud_ledger_key: LedgerKey,
    ) -> Self {
        Self {
            site_keys: SiteKeysHeld::new(site_keys),
            log_keys,
            cloud_ledger_key,
            tenants: RwLock::new(BTreeMap::new()),
            known: Cache::new(CREDENTIALS_CACHED),
            buckets: Cache::new(BUCKETS_CACHED),
            judged: Judged::new(),
            sessions: SessionKeys::default(),
            changed: Mutex::new(BTreeMap::new()),
            shred: crate::shred::Shred::default(),
            rotations: Rotations::default(),
            people: crate::people::People::default(),
            ended: crate::agreements::Ended::default(),
            shown: crate::statements::Shown::default(),
            leases: crate::leases::Leases::default(),
        }
    }

    /// Drops the loaded sessions of a tenant: each is looked at again, with its role and the credential it
    /// came of, at its next use.
    pub fn forget_sessions(&self, tenant: TenantId) {
        self.known
            .retain(|_, known| known.token.is_none() || known.credential.tenant != tenant);
    }
}

/// The context of a tenant's key under a site's.
pub const fn site_tenant(
    site: SiteId,
    site_version: u32,
    tenant: TenantId,
    version: u32,
) -> WrapContext {
    WrapContext {
        parent: KeyId::site(site),
        parent_version: site_version,
        child: KeyId::from_bytes(*tenant.as_bytes()),
        child_version: version,
    }
}

/// The context of a key under a tenant's.
pub const fn under_tenant(
    tenant: TenantId,
    version: u32,
    child: KeyId,
    child_version: u32,
) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(*tenant.as_bytes()),
        parent_version: version,
        child,
        child_version,
    }
}

/// The context of a key under a bucket's.
pub const fn under_bucket(bucket: BucketId, version: u32, child: KeyId) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(*bucket.as_bytes()),
        parent_version: version,
        child,
        child_version: 1,
    }
}

impl Vault {
    /// The tenant with its keys, read and unwrapped at first use.
    pub(crate) async fn tenant(
        &self,
        secrets: &Secrets,
        id: TenantId,
    ) -> Result<Arc<Tenant>, VaultError> {
        if let Some(tenant) = secrets
            .tenants
            .read()
            .ok()
            .and_then(|all| all.get(&id).cloned())
        {
            return Ok(tenant);
        }
        self.tenant_again(secrets, id).await
    }

    /// The tenant as its row says now, whatever was known of it before.
    pub(crate) async fn tenant_again(
        &self,
        secrets: &Secrets,
        id: TenantId,
    ) -> Result<Arc<Tenant>, VaultError> {
        self.check_place(id).await?;
        let mut opened = self.open_tenant_row(secrets, id).await;
        if matches!(opened, Err(VaultError::KeyVersion { .. })) {
            // The sites' keys were exchanged between the two looks.
            opened = self.open_tenant_row(secrets, id).await;
        }
        let tenant = Arc::new(
            self.unless_altered(secrets, &tenant::key(id), opened)
                .await?,
        );
        if let Ok(mut all) = secrets.tenants.write() {
            all.insert(id, Arc::clone(&tenant));
        }
        Ok(tenant)
    }

    async fn open_tenant_row(&self, secrets: &Secrets, id: TenantId) -> Result<Tenant, VaultError> {
        let row = self.engine.get(&tenant::key(id)).await?;
        let row = row.ok_or_else(|| VaultError::NoSuchTenant(id.to_string()))?;
        let decoded = TenantRow::decode(&row.value)?;
        let sites = secrets.site_keys.now();
        sites.open_tenant(id, row.version, &decoded)
    }

    /// The credential with its secret; `None` if there is none of that name.
    pub(crate) async fn known(
        &self,
        secrets: &Secrets,
        id: &AccessKeyId,
    ) -> Result<Option<Arc<Known>>, VaultError> {
        if let Some(known) = secrets.known.get(id) {
            return Ok(Some(known));
        }
        let changes = secrets.judged.changes();
        let Some(row) = self.engine.get(&access_key::key(id)).await? else {
            return Ok(None);
        };
        let row = access_key::AccessKeyRow::decode(&row.value)?;
        let tenant = self.tenant(secrets, row.tenant).await?;
        let body = Self::open_key(&tenant, id, &row)?;
        let holder = self.holder_of_key(secrets, &tenant, &body).await?;
        let credential = Credential {
            tenant: row.tenant,
            suspended: row.suspended || tenant.suspended || holder.suspended,
            not_after: row.expires,
            standing: *holder.standing.digest(),
        };
        let known = Arc::new(Known {
            credential,
            secret: SecretKey::new(body.secret.to_string()),
            signing: RwLock::new(None),
            holder,
            token: None,
            parent: None,
        });
        secrets.judged.keep_unless_changed(changes, || {
            secrets.known.insert(id.clone(), Arc::clone(&known));
        });
        Ok(Some(known))
    }

    /// What is sealed in a credential's row. A row of version 2 that was changed in any part does not open.
    pub(crate) fn open_key(
        tenant: &Tenant,
        id: &AccessKeyId,
        row: &access_key::AccessKeyRow,
    ) -> Result<access_key::Body, VaultError> {
        let plain = seal::open_value(&tenant.meta_key, &row.context(id), &row.sealed_secret)
            .map_err(|_| VaultError::Tampered(id.to_string()))?;
        if row.version > 1 {
            return Ok(access_key::Body::decode(&plain)?);
        }
        let secret = String::from_utf8(plain.to_vec())
            .map_err(|_| words::wire::WireError::Field("secret"))?;
        Ok(access_key::Body {
            secret: zeroize::Zeroizing::new(secret),
            identity: String::new(),
            maker: String::new(),
            documents: Vec::new(),
        })
    }

    /// The bucket with its keys; `None` if the tenant has none of that name. A key that is leased is asked for with
    /// this reason.
    pub(crate) async fn bucket(
        &self,
        secrets: &Secrets,
        owner: TenantId,
        name: &BucketName,
        why: Why<'_>,
    ) -> Result<Option<Arc<Bucket>>, VaultError> {
        let cached = (owner, name.clone());
        if let Some(bucket) = secrets.buckets.get(&cached)
            && self.lease_stands(secrets, &bucket, why)
        {
            return Ok(Some(bucket));
        }
        let tenant = self.tenant(secrets, owner).await?;
        let row_key = bucket::key(
            owner,
            &seal::name_hash(&tenant.name_key, name.as_str().as_bytes()),
        );
        let Some(row) = self.engine.get(&row_key).await? else {
            return Ok(None);
        };
        let (version, row) = (row.version, BucketRow::decode(&row.value)?);
        let bucket = match &row.lessor {
            Some(_) => {
                let checked = check_bucket(&tenant, &row_key, &row);
                self.unless_altered(secrets, &row_key, checked).await?;
                self.leased(secrets, &tenant, name, &row, why).await?
            }
            None => self
                .open_bucket(secrets, &tenant, name, row_key, version, &row)
                .await
                .map(Arc::new)?,
        };
        secrets.buckets.insert(cached, Arc::clone(&bucket));
        Ok(Some(bucket))
    }
}

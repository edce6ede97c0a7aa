//! What a caller may, made ready: documents translated once, standings and buckets' policies kept, and what
//! was taken back remembered for writes that are under way.

use crate::Vault;
use crate::error::VaultError;
use crate::record::access_key::Body;
use crate::record::identity::{self, IdentityRow, Sort};
use crate::secrets::{Secrets, Tenant};
use catalog::{Mutation, Row};
use policy::document::Kind;
use policy::{Claims, Compiled, Principal, Standing};
use quick_cache::sync::Cache;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use words::{BucketId, BucketName, TenantId};
use zeroize::Zeroizing;

/// Translated documents that are kept.
const DOCUMENTS_CACHED: usize = 100_000;
/// Standings that are kept.
const STANDINGS_CACHED: usize = 100_000;
/// Buckets whose policy, or the lack of one, is kept.
const BUCKET_POLICIES_CACHED: usize = 10_000;
/// Standings remembered as taken back.
const REVOKED_MAX: usize = 100_000;

/// What is ready to decide with.
pub struct Judged {
    documents: Cache<[u8; 32], Arc<Compiled>>,
    standings: Cache<[u8; 32], Arc<Standing>>,
    bucket_policies: Cache<BucketId, Option<Arc<Compiled>>>,
    revoked: Mutex<BTreeSet<[u8; 32]>>,
    /// Counts changes, so that what was read before one is not kept after it.
    changes: Mutex<u64>,
}

impl Judged {
    pub fn new() -> Self {
        Self {
            documents: Cache::new(DOCUMENTS_CACHED),
            standings: Cache::new(STANDINGS_CACHED),
            bucket_policies: Cache::new(BUCKET_POLICIES_CACHED),
            revoked: Mutex::new(BTreeSet::new()),
            changes: Mutex::new(0),
        }
    }

    /// How many changes there were, to be told to [`Judged::keep_unless_changed`].
    pub fn changes(&self) -> u64 {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was read, unless something was changed since.
    pub fn keep_unless_changed(&self, changes: u64, keep: impl FnOnce()) {
        let now = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if *now == changes {
            keep();
        }
    }

    /// Drops what a change makes untrue.
    pub fn changed<T>(&self, drop: impl FnOnce() -> T) -> T {
        let mut now = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        *now += 1;
        drop()
    }

    /// The standing that a caller was identified with.
    pub fn standing(&self, caller: &authn::Caller) -> Result<Arc<Standing>, VaultError> {
        let digest = &caller.credential().standing;
        if *digest == [0; 32] {
            return Ok(Arc::new(Standing::whole(caller.tenant())));
        }
        // Thousands of others came between a request's head and its act: it asks again.
        self.standings.get(digest).ok_or(VaultError::Conflict)
    }

    /// Keeps a standing that was just loaded and therefore holds.
    fn keep(&self, standing: Standing) -> Arc<Standing> {
        let standing = Arc::new(standing);
        self.revoked().remove(standing.digest());
        self.standings
            .insert(*standing.digest(), Arc::clone(&standing));
        standing
    }

    /// Remembers that a standing holds no longer.
    pub fn revoke(&self, digest: [u8; 32]) {
        let mut revoked = self.revoked();
        if revoked.len() < REVOKED_MAX {
            revoked.insert(digest);
        }
        self.standings.remove(&digest);
    }

    /// Whether a standing was taken back since it was given.
    pub fn is_revoked(&self, digest: &[u8; 32]) -> bool {
        let revoked = self.revoked();
        revoked.contains(digest) || revoked.len() >= REVOKED_MAX
    }

    fn revoked(&self) -> std::sync::MutexGuard<'_, BTreeSet<[u8; 32]>> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The digest of the policy that a bucket has now; `None` if it is not at hand.
    pub fn policy_digest(&self, bucket: BucketId) -> Option<Option<[u8; 32]>> {
        let policy = self.bucket_policies.get(&bucket)?;
        Some(policy.map(|policy| *policy.digest()))
    }

    /// A bucket's policy that was just committed.
    pub fn set_policy(&self, bucket: BucketId, policy: Option<Arc<Compiled>>) {
        self.changed(|| self.bucket_policies.insert(bucket, policy));
    }

    pub fn forget_policy(&self, bucket: BucketId) {
        self.changed(|| self.bucket_policies.remove(&bucket));
    }

    /// A document, translated at its first use.
    pub fn compiled(
        &self,
        tenant: TenantId,
        text: &str,
        kind: Kind<'_>,
    ) -> Result<Arc<Compiled>, VaultError> {
        let digest = Compiled::digest_of(text, kind, tenant);
        if let Some(ready) = self.documents.get(&digest) {
            return Ok(ready);
        }
        let ready = Arc::new(Compiled::read(text, kind, tenant)?);
        self.documents.insert(digest, Arc::clone(&ready));
        Ok(ready)
    }
}

/// Who holds a credential, loaded.
pub struct Holder {
    pub standing: Arc<Standing>,
    /// The documents as they were written: what the holder makes carries them on.
    pub texts: Vec<String>,
    pub suspended: bool,
}

/// The 32 bytes that stand for an id of 16.
pub const fn padded(id: &[u8; 16]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut at = 0;
    while at < 16 {
        out[at] = id[at];
        at += 1;
    }
    out
}

impl Vault {
    /// The holder of a long-lived credential.
    pub(crate) async fn holder_of_key(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        body: &Body,
    ) -> Result<Holder, VaultError> {
        if body.identity.is_empty() && body.documents.is_empty() {
            return Ok(Holder {
                standing: Arc::new(Standing::whole(tenant.id)),
                texts: Vec::new(),
                suspended: false,
            });
        }
        if body.identity.is_empty() {
            return self.holder(
                secrets,
                tenant,
                Principal::Root,
                Claims::default(),
                body.documents.clone(),
                false,
            );
        }
        let identity = self.identity(tenant, Sort::User, &body.identity).await?;
        let (mut texts, suspended) = match identity {
            Some((_, row)) => (row.documents, row.suspended),
            None => (Vec::new(), true),
        };
        // A holder without documents may nothing, whatever its credential says.
        if !texts.is_empty() {
            texts.extend(body.documents.iter().cloned());
        }
        let who = Principal::User(body.identity.clone());
        self.holder(secrets, tenant, who, Claims::default(), texts, suspended)
    }

    pub(crate) fn holder(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        who: Principal,
        claims: Claims,
        texts: Vec<String>,
        suspended: bool,
    ) -> Result<Holder, VaultError> {
        let documents = texts
            .iter()
            .map(|text| secrets.judged.compiled(tenant.id, text, Kind::Identity))
            .collect::<Result<_, _>>()?;
        let standing = Standing::of(tenant.id, who, claims, documents);
        Ok(Holder {
            standing: secrets.judged.keep(standing),
            texts,
            suspended,
        })
    }

    /// An identity by its name, with its row.
    pub(crate) async fn identity(
        &self,
        tenant: &Tenant,
        sort: Sort,
        name: &str,
    ) -> Result<Option<(Row, IdentityRow)>, VaultError> {
        let key = identity::key(tenant.id, sort, &hashed(tenant, sort, name));
        let Some((row, plain)) = self.sealed_row(tenant, &key).await? else {
            return Ok(None);
        };
        Ok(Some((row, IdentityRow::decode(&plain)?)))
    }

    /// A tenant's sealed row, opened.
    pub(crate) async fn sealed_row(
        &self,
        tenant: &Tenant,
        key: &[u8],
    ) -> Result<Option<(Row, Zeroizing<Vec<u8>>)>, VaultError> {
        let Some(row) = self.engine.get(key).await? else {
            return Ok(None);
        };
        let plain = seal::open_value(&tenant.meta_key, &row_context(key), &row.value)?;
        Ok(Some((row, plain)))
    }

    /// The mutation that writes a tenant's sealed row.
    pub(crate) fn sealed_put(&self, tenant: &Tenant, key: Vec<u8>, plain: &[u8]) -> Mutation {
        let value = seal::seal_value(
            &tenant.meta_key,
            &row_context(&key),
            self.host.random(),
            plain,
        );
        Mutation::Put {
            key,
            value: value.into(),
        }
    }

    /// The policy of a bucket.
    pub(crate) async fn policy_of(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        (bucket, name): (BucketId, &BucketName),
    ) -> Result<Option<Arc<Compiled>>, VaultError> {
        if let Some(kept) = secrets.judged.bucket_policies.get(&bucket) {
            return Ok(kept);
        }
        let changes = secrets.judged.changes();
        let key = policy_key(tenant.id, bucket);
        let policy = match self.sealed_row(tenant, &key).await? {
            None => None,
            Some((_, plain)) => {
                let text = std::str::from_utf8(&plain)
                    .map_err(|_| words::wire::WireError::Field("policy"))?;
                let kind = Kind::Bucket(name.as_str());
                Some(secrets.judged.compiled(tenant.id, text, kind)?)
            }
        };
        secrets.judged.keep_unless_changed(changes, || {
            secrets
                .judged
                .bucket_policies
                .insert(bucket, policy.clone());
        });
        Ok(policy)
    }
}

/// The row of a bucket's policy.
pub fn policy_key(tenant: TenantId, bucket: BucketId) -> Vec<u8> {
    identity::key(tenant, Sort::BucketPolicy, &padded(bucket.as_bytes()))
}

/// The keyed hash under which an identity's row lies.
pub fn hashed(tenant: &Tenant, sort: Sort, name: &str) -> [u8; 32] {
    let named = [b"identity\0".as_slice(), &[sort as u8, 0], name.as_bytes()].concat();
    seal::name_hash(&tenant.name_key, &named)
}

fn row_context(key: &[u8]) -> Vec<u8> {
    [b"tenant row\0".as_slice(), key].concat()
}

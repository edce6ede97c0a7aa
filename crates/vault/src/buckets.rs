//! Buckets: their rows hold keys, so they are made and taken away here.

use crate::Vault;
use crate::admit::{Admitted, Of};
use crate::entries::Who;
use crate::error::VaultError;
use crate::grant::stands;
use crate::open_rows::{bucket_row, check_bucket, tenant_stands};
use crate::record::bucket::{self, BucketRow};
use crate::secrets::{Bucket, Secrets, Tenant};
use crate::standing::policy_key;
use authn::Caller;
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition};
use ledger::{Fields, Kind};
use policy::{Action, Asked};
use seal::{BucketKey, IndexKey, NameKey};
use std::sync::Arc;
use words::limits::{BUCKETS_PER_TENANT_MAX, SCAN_ROWS_MAX};
use words::{BucketId, BucketName, OpId, UnixMillis};

/// How often a bucket is made anew because its tenant's key was renewed at the same moment.
const MOVES_MAX: usize = 4;

/// A bucket as its owner sees it.
#[derive(Clone, Debug)]
pub struct BucketFacts {
    /// Its id.
    pub id: BucketId,
    /// Its name.
    pub name: BucketName,
    /// When it was made.
    pub created: UnixMillis,
}

fn name_context(id: BucketId) -> Vec<u8> {
    [b"bucket name\0".as_slice(), id.as_bytes()].concat()
}

pub(crate) fn name_of(tenant: &Tenant, row: &BucketRow) -> Result<BucketName, VaultError> {
    let name = seal::open_value(&tenant.meta_key, &name_context(row.id), &row.sealed_name)?;
    let name = std::str::from_utf8(&name)
        .ok()
        .and_then(|name| BucketName::parse(name).ok());
    Ok(name.ok_or(words::wire::WireError::Field("bucket name"))?)
}

impl Vault {
    /// Opens a bucket from its row alone. Nobody waits for a key that is leased.
    pub(crate) async fn open_bucket_row(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        row_key: Vec<u8>,
        row_version: u64,
        row: &BucketRow,
    ) -> Result<Arc<Bucket>, VaultError> {
        let name = name_of(tenant, row)?;
        if row.lessor.is_some() {
            let checked = check_bucket(tenant, &row_key, row);
            self.unless_altered(secrets, &row_key, checked).await?;
            return self.leased_now(secrets, tenant.id, &name, row);
        }
        self.open_bucket(secrets, tenant, &name, row_key, row_version, row)
            .await
            .map(Arc::new)
    }

    /// Decides about an act on the tenant itself, which is always its own.
    pub(crate) async fn admit_tenant(
        &self,
        secrets: &Secrets,
        caller: Caller,
        action: Action,
        what: &str,
    ) -> Result<(Who, Arc<Tenant>), VaultError> {
        let tenant = self.tenant(secrets, caller.tenant()).await?;
        let standing = secrets.judged.standing(&caller)?;
        let digest = self.policies.in_force(standing.digest(), None);
        let who = Who::of(Arc::clone(&tenant), &caller, digest);
        self.within_glass(&who, action, None).await?;
        let asked = Asked {
            bucket: Some(what).filter(|what| !what.is_empty()),
            ..Asked::account(action, tenant.id)
        };
        let now = self.host.now();
        match self.policies.judge(caller, &asked, &standing, None, now) {
            Ok(_) => Ok((who, tenant)),
            Err(denial) => {
                let mut fields = self.fields_of(Kind::Deny, &who, action.name());
                fields.resource = Some(what.to_owned());
                fields.decision = Some(denial.reason().word().to_owned());
                self.note(self.entry_for(&tenant, &fields)).await?;
                Err(VaultError::Denied)
            }
        }
    }

    /// Makes a bucket with keys of its own.
    pub async fn create_bucket(&self, caller: Caller, name: &BucketName) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let (who, mut tenant) = self
            .admit_tenant(&secrets, caller, Action::CreateBucket, name.as_str())
            .await?;
        let hash = seal::name_hash(&tenant.name_key, name.as_str().as_bytes());
        let row_key = bucket::key(tenant.id, &hash);
        if self.engine.get(&row_key).await?.is_some() {
            return Err(self.bucket_exists(&who, name).await);
        }
        if self.count_buckets(&tenant).await? >= BUCKETS_PER_TENANT_MAX {
            return Err(VaultError::Limit(format!(
                "the tenant has {BUCKETS_PER_TENANT_MAX} buckets, the most there may be"
            )));
        }
        for _ in 0..MOVES_MAX {
            let row = self.new_bucket(&tenant, row_key.clone(), name)?;
            let mut fields = self.fields_of(Kind::Write, &who, "CreateBucket");
            fields.resource = Some(name.as_str().to_owned());
            fields.bucket = Some(row.id);
            fields.decision = Some("permit".into());
            let commit = Commit {
                op: OpId::from_bytes(self.host.random()),
                preconditions: vec![
                    Precondition::Absent(row_key.clone()),
                    tenant_stands(&tenant),
                ],
                mutations: vec![Mutation::Put {
                    key: row_key.clone(),
                    value: row.encode().into(),
                }],
                entries: vec![self.entry_for(&tenant, &fields)],
            };
            match self.engine.commit(commit).await {
                Outcome::Committed(_) => return Ok(()),
                Outcome::Conflict { which: 0 } => return Err(self.bucket_exists(&who, name).await),
                // The tenant's key was renewed meanwhile.
                Outcome::Conflict { .. } => tenant = self.tenant_again(&secrets, tenant.id).await?,
                other => return Err(VaultError::from_outcome(other)),
            }
        }
        Err(VaultError::Conflict)
    }

    /// Whether the tenant has a bucket of that name.
    pub(crate) async fn has_bucket(
        &self,
        tenant: &Tenant,
        name: &BucketName,
    ) -> Result<bool, VaultError> {
        let hash = seal::name_hash(&tenant.name_key, name.as_str().as_bytes());
        let row = self.engine.get(&bucket::key(tenant.id, &hash)).await?;
        Ok(row.is_some())
    }

    async fn bucket_exists(&self, who: &Who, name: &BucketName) -> VaultError {
        let mut fields = self.fields_of(Kind::Deny, who, "CreateBucket");
        fields.resource = Some(name.as_str().to_owned());
        fields.decision = Some("BucketAlreadyOwnedByYou".into());
        self.record_later(self.entry_for(&who.tenant, &fields))
            .await;
        VaultError::Exists(format!("a bucket named {}", name.as_str()))
    }

    fn new_bucket(
        &self,
        tenant: &Tenant,
        row_key: Vec<u8>,
        name: &BucketName,
    ) -> Result<BucketRow, VaultError> {
        let id = BucketId::from_bytes(self.host.random());
        let bucket = Bucket {
            id,
            owner: tenant.id,
            name: name.clone(),
            created: self.host.now(),
            policy: self.config.site_policy,
            row_key,
            row_version: 0,
            keys: vec![(1, BucketKey::from_bytes(self.host.random()))],
            name_key: NameKey::from_bytes(self.host.random()),
            index_key: IndexKey::from_bytes(self.host.random()),
            lease: None,
        };
        let sealed_name = self.sealed_name(tenant, id, name);
        bucket_row(&self.host, tenant, &bucket, sealed_name)
    }

    /// A bucket's name as its row has it.
    pub(crate) fn sealed_name(&self, tenant: &Tenant, id: BucketId, name: &BucketName) -> Vec<u8> {
        seal::seal_value(
            &tenant.meta_key,
            &name_context(id),
            self.host.random(),
            name.as_str().as_bytes(),
        )
    }

    pub(crate) async fn count_buckets(&self, tenant: &Tenant) -> Result<usize, VaultError> {
        Ok(self.bucket_rows(tenant).await?.len())
    }

    pub(crate) async fn bucket_rows(
        &self,
        tenant: &Tenant,
    ) -> Result<Vec<(Vec<u8>, BucketRow)>, VaultError> {
        let mut rows = Vec::new();
        let mut range = KeyRange::prefix(&bucket::prefix(tenant.id));
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let more = page.len() == SCAN_ROWS_MAX;
            for (key, row) in page {
                range = range.after(&key);
                rows.push((key, BucketRow::decode(&row.value)?));
            }
            if !more {
                return Ok(rows);
            }
        }
    }

    /// The tenant's buckets by name; no key is opened.
    pub(crate) async fn bucket_names(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
    ) -> Result<Vec<(BucketName, BucketId)>, VaultError> {
        let mut found = Vec::new();
        for (key, row) in self.bucket_rows(tenant).await? {
            let checked = check_bucket(tenant, &key, &row);
            self.unless_altered(secrets, &key, checked).await?;
            found.push((name_of(tenant, &row)?, row.id));
        }
        found.sort();
        Ok(found)
    }

    /// The tenant's buckets, by name.
    pub async fn list_buckets(&self, caller: Caller) -> Result<Vec<BucketFacts>, VaultError> {
        let secrets = self.secrets()?;
        let (who, tenant) = self
            .admit_tenant(&secrets, caller, Action::ListBuckets, "")
            .await?;
        let mut found = Vec::new();
        for (key, row) in self.bucket_rows(&tenant).await? {
            let checked = check_bucket(&tenant, &key, &row);
            self.unless_altered(&secrets, &key, checked).await?;
            let name = name_of(&tenant, &row)?;
            found.push(BucketFacts {
                id: row.id,
                name,
                created: row.created,
            });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let mut fields = self.fields_of(Kind::List, &who, "ListBuckets");
        fields.rows = Some(found.len() as u64);
        fields.decision = Some("permit".into());
        self.note(self.entry_for(&tenant, &fields)).await?;
        Ok(found)
    }

    /// The bucket, if the caller may know of it.
    pub async fn head_bucket(
        &self,
        caller: Caller,
        name: &BucketName,
    ) -> Result<BucketFacts, VaultError> {
        let secrets = self.secrets()?;
        let Admitted { who, bucket, .. } = self
            .admit(&secrets, caller, Action::HeadBucket, name, Of::Bucket)
            .await?;
        let fields = self.bucket_fields(Kind::List, &who, "HeadBucket", name, bucket.id);
        self.note(self.entry_for(&who.tenant, &fields)).await?;
        Ok(BucketFacts {
            id: bucket.id,
            name: name.clone(),
            created: bucket.created,
        })
    }

    fn bucket_fields(
        &self,
        kind: Kind,
        who: &Who,
        operation: &str,
        name: &BucketName,
        id: BucketId,
    ) -> Fields {
        let mut fields = self.fields_of(kind, who, operation);
        fields.resource = Some(name.as_str().to_owned());
        fields.bucket = Some(id);
        fields.decision = Some("permit".into());
        fields
    }

    /// Takes an empty bucket away. `also` are the mutations with which the store sweeps what is left of it.
    pub async fn delete_bucket(
        &self,
        caller: Caller,
        name: &BucketName,
        also: impl FnOnce(BucketId) -> Vec<Mutation> + Send,
    ) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let Admitted { who, bucket, .. } = self
            .admit(&secrets, caller, Action::DeleteBucket, name, Of::Bucket)
            .await?;
        let objects = [b"O".as_slice(), bucket.id.as_bytes()].concat();
        let fields = self.bucket_fields(Kind::Delete, &who, "DeleteBucket", name, bucket.id);
        let mut mutations = vec![Mutation::Delete {
            key: bucket.row_key.clone(),
        }];
        mutations.push(Mutation::Delete {
            key: policy_key(who.tenant.id, bucket.id),
        });
        mutations.extend(also(bucket.id));
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![
                stands(&bucket),
                Precondition::Empty(KeyRange::prefix(&objects)),
            ],
            mutations,
            entries: vec![self.entry_for(&who.tenant, &fields)],
        };
        let outcome = self.engine.commit(commit).await;
        if !matches!(outcome, Outcome::Conflict { which: 1 }) {
            secrets.buckets.remove(&(who.tenant.id, name.clone()));
        }
        match outcome {
            Outcome::Committed(_) => Ok(()),
            Outcome::Conflict { which: 1 } => {
                let mut fields =
                    self.bucket_fields(Kind::Deny, &who, "DeleteBucket", name, bucket.id);
                fields.decision = Some("BucketNotEmpty".into());
                self.record_later(self.entry_for(&who.tenant, &fields))
                    .await;
                Err(VaultError::NotEmpty)
            }
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

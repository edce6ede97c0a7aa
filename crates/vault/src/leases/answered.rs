//! Taking a lease: signed by the guest's log with both keys, for exactly the request that was made, in time. It is
//! on this cloud's ledger before the key is used.

use super::asked::Pending;
use super::{Lease, lock, millis};
use crate::Vault;
use crate::entries::Who;
use crate::error::VaultError;
use crate::open_rows::{check_bucket, tenant_stands};
use crate::record::WRAPPED_BYTES;
use crate::record::bucket::{self, BucketRow, KeyVersion};
use crate::secrets::{Bucket, Secrets, under_bucket};
use catalog::{Commit, Mutation, Outcome, Precondition};
use charter::envelope;
use ledger::{Entry, Kind, LeasedKey, VerifierKeys};
use seal::{BucketKey, IndexKey, KeyId, NameKey, TenantKey, WrapContext, Wrapped};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use words::limits::BUCKETS_PER_TENANT_MAX;
use words::{BucketId, OpId};

/// The context of a bucket's key on its way from a guest: it is under a key drawn for one request.
pub fn on_its_way(nonce: &[u8; 16], bucket: BucketId, version: u32) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(*nonce),
        parent_version: 1,
        child: bucket.into(),
        child_version: version,
    }
}

/// The context of a bucket's key under that of its loan, which only the guest has.
pub fn under_loan(loan: &[u8; 16], bucket: BucketId, version: u32) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(*loan),
        parent_version: 1,
        child: bucket.into(),
        child_version: version,
    }
}

/// A wrapped key of the length that all have.
pub fn wrapped(key: &LeasedKey) -> Result<[u8; WRAPPED_BYTES], VaultError> {
    let bytes = key.wrapped.as_slice().try_into();
    bytes.map_err(|_| refused("a wrapped key in it is cut"))
}

fn refused(why: impl std::fmt::Display) -> VaultError {
    VaultError::Usage(format!("the lease was not taken: {why}"))
}

/// A lease that was checked.
struct Checked {
    lease: ledger::Lease,
    keys: Vec<(u32, BucketKey)>,
    ends: u64,
}

impl Pending {
    fn check(&self, text: &str, now: u64) -> Result<Checked, VaultError> {
        let lessor = VerifierKeys::parse(&self.lessor.keys).map_err(refused)?;
        let lease = ledger::Lease::open(text.as_bytes(), &lessor).map_err(refused)?;
        let ask = &self.ask;
        if lease.ask != ask.digest() || lease.bucket != ask.bucket || lease.loan != ask.loan {
            return Err(refused("it answers another request"));
        }
        // Counted from the request: what the guest took to answer is not added to what it granted.
        let ends = self.made + u64::from(lease.seconds) * 1000;
        if ends <= now {
            return Err(refused("it was over before it came"));
        }
        let plain = envelope::open(&self.identity, &lease.envelope).map_err(refused)?;
        let bytes: [u8; 32] = (plain.as_slice().try_into())
            .map_err(|_| refused("its envelope holds something else"))?;
        let transport = TenantKey::from_bytes(bytes);
        let asked: Vec<u32> = ask.keys.iter().map(|key| key.version).collect();
        let given: Vec<u32> = lease.keys.iter().map(|key| key.version).collect();
        let made = [1];
        if given
            != if asked.is_empty() {
                made.to_vec()
            } else {
                asked
            }
        {
            return Err(refused("it is not for the keys that were asked for"));
        }
        let mut keys = Vec::with_capacity(lease.keys.len());
        for key in &lease.keys {
            let context = on_its_way(&ask.nonce, ask.bucket, key.version);
            let opened = seal::unwrap(&transport, &Wrapped::from_bytes(wrapped(key)?), &context);
            keys.push((key.version, opened.map_err(refused)?));
        }
        Ok(Checked { lease, keys, ends })
    }
}

impl Vault {
    /// Takes the answer to a request. Gives the seconds for which the key is leased.
    pub(super) async fn take_lease(
        &self,
        secrets: &Secrets,
        who: &Who,
        nonce: &[u8; 16],
        text: &str,
    ) -> Result<u32, VaultError> {
        let pending = secrets.leases.take(nonce);
        let pending = pending.filter(|one| one.ask.tenant == who.tenant.id);
        let Some(pending) = pending else {
            return Err(refused(
                "nothing of the kind is asked for; it may have come too late",
            ));
        };
        let checked = pending.check(text, millis(&self.host))?;
        let seconds = checked.lease.seconds;
        let entry = self.lease_entry(who, &pending, &checked);
        let bucket = if pending.ask.keys.is_empty() {
            self.make_leased(who, &pending, checked, entry).await?
        } else {
            // Durable before a key that came with it is used.
            let receipt = self.record(entry).await?;
            tracing::debug!(entry = receipt.index(), "a key is leased");
            self.renewed(secrets, who, &pending, checked).await?
        };
        Self::changed(secrets, &bucket);
        let cached = (bucket.owner, bucket.name.clone());
        lock(&secrets.leases.held).insert(bucket.id, Arc::clone(&bucket));
        secrets.buckets.insert(cached, bucket);
        secrets.leases.answered.notify_waiters();
        Ok(seconds)
    }

    fn lease_entry(&self, who: &Who, pending: &Pending, checked: &Checked) -> Entry {
        let mut fields = self.fields_of(Kind::Admin, who, "LeaseKey");
        fields.resource = Some(pending.ask.name.as_str().to_owned());
        fields.bucket = Some(pending.ask.bucket);
        fields.reason = Some(pending.ask.reason.clone());
        fields.response_digest = Some(checked.lease.ask);
        let signer = pending.lessor.keys.split('+').next().unwrap_or_default();
        fields.decision = Some(format!(
            "leased for {} s by {signer}, whose ledger has it as entry {}",
            checked.lease.seconds, checked.lease.entry
        ));
        self.entry_for(&who.tenant, &fields)
    }

    fn lease_of(&self, pending: &Pending, keys: Vec<LeasedKey>, checked: &Checked) -> Arc<Lease> {
        Arc::new(Lease {
            host: self.host.clone(),
            ends: AtomicU64::new(checked.ends),
            seconds: AtomicU64::new(u64::from(checked.lease.seconds)),
            uses: AtomicU64::new(0),
            lessor: pending.lessor.clone(),
            keys,
        })
    }

    /// The bucket with the keys that were leased. One whose keys are at hand still keeps them a little longer.
    async fn renewed(
        &self,
        secrets: &Secrets,
        who: &Who,
        pending: &Pending,
        checked: Checked,
    ) -> Result<Arc<Bucket>, VaultError> {
        if let Some(bucket) = secrets.leases.held(pending.ask.bucket)
            && let Some(lease) = &bucket.lease
        {
            lease.extend(checked.ends, checked.lease.seconds);
            if bucket.is_open() {
                return Ok(bucket);
            }
        }
        let tenant = &who.tenant;
        let name = &pending.ask.name;
        let hash = seal::name_hash(&tenant.name_key, name.as_str().as_bytes());
        let row_key = bucket::key(tenant.id, &hash);
        let row = self.engine.get(&row_key).await?;
        let row = row.ok_or(VaultError::NoSuchBucket)?;
        let (version, row) = (row.version, BucketRow::decode(&row.value)?);
        let checked_row = check_bucket(tenant, &row_key, &row);
        self.unless_altered(secrets, &row_key, checked_row).await?;
        if row.id != pending.ask.bucket || row.lessor.as_ref() != Some(&pending.lessor) {
            return Err(refused("the bucket is another one by now"));
        }
        let lease = self.lease_of(pending, super::asked::keys_of(&row), &checked);
        let opened = Bucket::with_keys(tenant.id, name, (row_key, version), &row, checked.keys)?;
        Ok(Arc::new(Bucket {
            lease: Some(lease),
            ..opened
        }))
    }

    /// The row of a bucket that is made: its key as the guest wrapped it.
    fn row_to_make(
        &self,
        who: &Who,
        pending: &Pending,
        bucket: &Bucket,
        checked: &Checked,
    ) -> Result<BucketRow, VaultError> {
        let tenant = &who.tenant;
        let stored = checked.lease.stored.as_ref();
        let stored = stored.ok_or_else(|| refused("the key that is to be kept is not in it"))?;
        let (_, key) = checked.keys.first().ok_or(VaultError::Sealed)?;
        let own = under_bucket(bucket.id, 1, bucket.id.into());
        let mut row = BucketRow {
            id: bucket.id,
            created: bucket.created,
            policy: bucket.policy,
            tenant_version: tenant.newest()?.0,
            newest: KeyVersion {
                version: 1,
                key: wrapped(stored)?,
            },
            older: Vec::new(),
            name_key: *seal::wrap(key, &bucket.name_key, &own, self.host.random()).as_bytes(),
            index_key: *seal::wrap(key, &bucket.index_key, &own, self.host.random()).as_bytes(),
            sealed_name: self.sealed_name(tenant, bucket.id, &bucket.name),
            lessor: Some(pending.lessor.clone()),
            mac: None,
        };
        let signed = row.signed_bytes();
        row.mac = Some(seal::row_mac(&tenant.meta_key, &bucket.row_key, &signed));
        Ok(row)
    }

    /// Makes the bucket whose first key came with the lease.
    async fn make_leased(
        &self,
        who: &Who,
        pending: &Pending,
        checked: Checked,
        entry: Entry,
    ) -> Result<Arc<Bucket>, VaultError> {
        let (tenant, ask) = (&who.tenant, &pending.ask);
        if self.count_buckets(tenant).await? >= BUCKETS_PER_TENANT_MAX {
            return Err(VaultError::Limit(format!(
                "the tenant has {BUCKETS_PER_TENANT_MAX} buckets, the most there may be"
            )));
        }
        let hash = seal::name_hash(&tenant.name_key, ask.name.as_str().as_bytes());
        let mut bucket = Bucket {
            id: ask.bucket,
            owner: tenant.id,
            name: ask.name.clone(),
            created: self.host.now(),
            policy: self.config.site_policy,
            row_key: bucket::key(tenant.id, &hash),
            row_version: 0,
            keys: Vec::new(),
            name_key: NameKey::from_bytes(self.host.random()),
            index_key: IndexKey::from_bytes(self.host.random()),
            lease: None,
        };
        let row = self.row_to_make(who, pending, &bucket, &checked)?;
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![
                Precondition::Absent(bucket.row_key.clone()),
                tenant_stands(tenant),
            ],
            mutations: vec![Mutation::Put {
                key: bucket.row_key.clone(),
                value: row.encode().into(),
            }],
            entries: vec![entry],
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(done) => bucket.row_version = done.version(),
            Outcome::Conflict { which: 0 } => {
                let what = format!("a bucket named {}", bucket.name.as_str());
                return Err(VaultError::Exists(what));
            }
            other => return Err(VaultError::from_outcome(other)),
        }
        bucket.lease = Some(self.lease_of(pending, super::asked::keys_of(&row), &checked));
        bucket.keys = checked.keys;
        Ok(Arc::new(bucket))
    }
}

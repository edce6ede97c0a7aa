//! Buckets whose key a guest keeps at home and lends for minutes at most. The vault asks for the key with a
//! reason, sealed to a recipient that it draws for this one request; the guest's node writes that down in its own
//! ledger, opens the key and answers under its signature. What was lent is forgotten when its time is over, by a
//! clock that is never set back, or at the guest's word.
//!
//! Reading order: [`Lease`], `asked`, `answered`, `forms`.

mod answered;
mod asked;
mod forms;

use crate::Vault;
use crate::error::VaultError;
use crate::record::bucket::{BucketRow, Lessor};
use crate::secrets::{Bucket, Secrets};
pub(crate) use answered::{on_its_way, under_loan, wrapped};
use asked::Pending;
use host::Host;
use ledger::Kind;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use words::{BucketId, TenantId};

/// Who needs a key, and for what: the reason that the guest is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Why<'a> {
    pub actor: &'a str,
    pub operation: &'a str,
}

impl Why<'static> {
    /// The node itself, when nobody waits.
    pub const UPKEEP: Self = Self {
        actor: "the node",
        operation: "Upkeep",
    };
}

/// For how long a bucket's keys may be used.
pub struct Lease {
    host: Host,
    /// In milliseconds of the clock that is never set back; 0 when it was taken back.
    ends: AtomicU64,
    seconds: AtomicU64,
    /// Requests since the last time it was asked for.
    uses: AtomicU64,
    lessor: Lessor,
    /// The keys as the row has them.
    keys: Vec<ledger::LeasedKey>,
}

fn millis(host: &Host) -> u64 {
    u64::try_from(host.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Lease {
    /// Whether the keys may be used now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        millis(&self.host) < self.ends.load(Ordering::Acquire)
    }
    /// Whether it is time to ask for the next one.
    fn is_old(&self) -> bool {
        let left = (self.ends.load(Ordering::Acquire)).saturating_sub(millis(&self.host));
        left < self.seconds.load(Ordering::Relaxed) * 500
    }
    fn end(&self) {
        self.ends.store(0, Ordering::Release);
    }
    /// Puts the end later; one that was taken back stays so.
    fn extend(&self, ends: u64, seconds: u32) {
        self.seconds.store(u64::from(seconds), Ordering::Relaxed);
        let later = |now: u64| (now > 0 && ends > now).then_some(ends);
        let _ = (self.ends).fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
    }
}

/// What is leased and what is asked for.
#[derive(Default)]
pub(crate) struct Leases {
    held: Mutex<BTreeMap<BucketId, Arc<Bucket>>>,
    pending: Mutex<BTreeMap<[u8; 16], Pending>>,
    /// When a tenant's guest last looked for requests.
    polled: Mutex<BTreeMap<TenantId, u64>>,
    /// Something is asked.
    asked: Notify,
    /// Something was answered.
    answered: Notify,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leases {
    /// The bucket with its keys, while they are leased.
    fn held(&self, id: BucketId) -> Option<Arc<Bucket>> {
        let bucket = lock(&self.held).get(&id).cloned();
        bucket.filter(|bucket| bucket.is_open())
    }
    /// Whoever waits looks again.
    pub(crate) fn wake(&self) {
        self.asked.notify_waiters();
        self.answered.notify_waiters();
    }
    /// Takes out what is over.
    fn over(&self) -> Vec<Arc<Bucket>> {
        let mut held = lock(&self.held);
        let over = held.extract_if(.., |_, bucket| !bucket.is_open());
        over.map(|(_, bucket)| bucket).collect()
    }
}

impl Bucket {
    /// Whether its keys may be used now: always, unless they are leased.
    pub fn is_open(&self) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.is_open())
    }
    /// Refuses what would use a key whose lease has ended.
    pub fn check_lease(&self) -> Result<(), VaultError> {
        match self.is_open() {
            true => Ok(()),
            false => Err(VaultError::NotLeased(format!(
                "the lease of the key of bucket {} has ended",
                self.name.as_str()
            ))),
        }
    }
}

impl Vault {
    /// Whether a bucket that is known may be used, and asks for the next lease in time.
    pub(crate) fn lease_stands(&self, secrets: &Secrets, bucket: &Bucket, why: Why<'_>) -> bool {
        let Some(lease) = &bucket.lease else {
            return true;
        };
        if !lease.is_open() {
            return false;
        }
        let uses = 1 + lease.uses.fetch_add(1, Ordering::Relaxed);
        if lease.is_old() {
            let asked = self.ask_for(
                secrets,
                bucket.owner,
                &bucket.name,
                lease.of(bucket.id),
                why,
            );
            match asked {
                Ok(true) => {
                    lease.uses.fetch_sub(uses, Ordering::Relaxed);
                }
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the next lease of a key was not asked for"),
            }
        }
        true
    }

    /// A bucket whose key is leased, if the lease is at hand. Otherwise it is asked for, and nobody waits.
    pub(crate) fn leased_now(
        &self,
        secrets: &Secrets,
        owner: TenantId,
        name: &words::BucketName,
        row: &BucketRow,
    ) -> Result<Arc<Bucket>, VaultError> {
        if let Some(bucket) = secrets.leases.held(row.id) {
            return Ok(bucket);
        }
        self.ask_for(secrets, owner, name, asked::Of::row(row), Why::UPKEEP)?;
        Err(not_leased(name))
    }

    /// Forgets the keys of leases that are over. Called every moment.
    pub async fn end_leases(&self) {
        let Ok(secrets) = self.secrets() else { return };
        for bucket in secrets.leases.over() {
            self.forget_bucket(&secrets, &bucket);
            let mut fields = self.fields(Kind::Close);
            fields.tenant = Some(bucket.owner);
            fields.bucket = Some(bucket.id);
            fields.resource = Some(bucket.name.as_str().to_owned());
            fields.operation = Some("LeaseEnd".into());
            fields.decision = Some("the key is forgotten".into());
            if let Ok(tenant) = self.tenant(&secrets, bucket.owner).await {
                self.record_later(self.entry_for(&tenant, &fields)).await;
            }
        }
    }

    /// Lets a lease go whose bucket's row was written anew; the next request asks for it.
    pub(crate) fn forget_lease(&self, secrets: &Secrets, id: BucketId) {
        let held = lock(&secrets.leases.held).remove(&id);
        if let Some(bucket) = held {
            self.forget_bucket(secrets, &bucket);
        }
    }

    fn forget_bucket(&self, secrets: &Secrets, bucket: &Bucket) {
        secrets.buckets.remove(&(bucket.owner, bucket.name.clone()));
        if let Ok(mut changed) = secrets.changed.lock() {
            changed.remove(&bucket.id);
        }
    }
}

fn not_leased(name: &words::BucketName) -> VaultError {
    VaultError::NotLeased(format!(
        "the key of bucket {} is kept by its owner, who has not leased it to this cloud now",
        name.as_str()
    ))
}

//! Asking for a lease: one request for each bucket at a time, kept for a minute, handed to the guest when it
//! looks.

use super::{Lease, Leases, Why, lock, millis, not_leased};
use crate::Vault;
use crate::error::VaultError;
use crate::record::bucket::{BucketRow, Lessor};
use crate::secrets::{Bucket, Secrets, Tenant};
use charter::envelope::Identity;
use ledger::lease::REASON_BYTES_MAX;
use ledger::{LeaseAsk, LeasedKey};
use std::sync::Arc;
use std::time::Duration;
use words::{BucketId, BucketName, TenantId};

/// How long a request may wait for its answer.
const PENDING_MS: u64 = 60_000;
/// After which a request that was handed out is handed out once more.
const AGAIN_MS: u64 = 2_000;
/// Most requests at one time.
const PENDING_MAX: usize = 1000;
/// How long ago a guest that is thought to be there has looked.
const POLLED_MS: u64 = 30_000;
/// How long a client waits for a lease.
const PATIENCE: Duration = Duration::from_secs(6);

/// One request.
pub struct Pending {
    /// What the answer is sealed to.
    pub identity: Identity,
    pub ask: LeaseAsk,
    /// The request, signed.
    pub text: String,
    pub lessor: Lessor,
    pub made: u64,
    handed: u64,
}

impl Pending {
    fn is_over(&self, now: u64) -> bool {
        now > self.made + PENDING_MS
    }
}

/// What a request is about.
pub struct Of<'a> {
    pub bucket: BucketId,
    pub lessor: &'a Lessor,
    pub keys: Vec<LeasedKey>,
    uses: u64,
}

impl<'a> Of<'a> {
    pub fn row(row: &'a BucketRow) -> Of<'a> {
        const NOBODY: &Lessor = &Lessor {
            loan: [0; 16],
            keys: String::new(),
        };
        let lessor = row.lessor.as_ref();
        Of {
            bucket: row.id,
            lessor: lessor.unwrap_or(NOBODY),
            keys: keys_of(row),
            uses: 0,
        }
    }
    /// A bucket that is to be made.
    pub const fn new(bucket: BucketId, lessor: &'a Lessor) -> Self {
        Self {
            bucket,
            lessor,
            keys: Vec::new(),
            uses: 0,
        }
    }
}

impl Lease {
    pub(super) fn of(&self, bucket: BucketId) -> Of<'_> {
        Of {
            bucket,
            lessor: &self.lessor,
            keys: self.keys.clone(),
            uses: self.uses.load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}

/// A bucket's keys as its row has them.
pub fn keys_of(row: &BucketRow) -> Vec<LeasedKey> {
    row.keys()
        .map(|of| LeasedKey {
            version: of.version,
            wrapped: of.key.to_vec(),
        })
        .collect()
}

/// The reason in one line.
fn reason(why: Why<'_>, uses: u64) -> String {
    let mut text = format!("{} by {}", why.operation, why.actor);
    if uses > 1 {
        text.push_str(&format!(", and {} requests before it", uses - 1));
    }
    text.retain(|c| !c.is_control());
    text.chars().take(REASON_BYTES_MAX / 4).collect()
}

impl Leases {
    pub(super) fn looked(&self, tenant: TenantId, now: u64) {
        lock(&self.polled).insert(tenant, now);
    }
    fn is_looked_after(&self, tenant: TenantId, now: u64) -> bool {
        let last = lock(&self.polled).get(&tenant).copied();
        last.is_some_and(|last| now < last + POLLED_MS)
    }
    /// The requests of a tenant that its guest has not seen, or not lately.
    pub(super) fn unseen(&self, tenant: TenantId, now: u64) -> Vec<String> {
        let mut pending = lock(&self.pending);
        pending.retain(|_, one| !one.is_over(now));
        let of = pending.values_mut().filter(|one| {
            let again = one.handed == 0 || now > one.handed + AGAIN_MS;
            one.ask.tenant == tenant && again && !one.ask.keys.is_empty()
        });
        of.map(|one| {
            one.handed = now.max(1);
            one.text.clone()
        })
        .collect()
    }
    pub(super) fn take(&self, nonce: &[u8; 16]) -> Option<Pending> {
        lock(&self.pending).remove(nonce)
    }
    pub(super) fn forget_asks(&self, bucket: BucketId) {
        lock(&self.pending).retain(|_, one| one.ask.bucket != bucket);
    }
}

impl Vault {
    /// Asks for a lease, unless it is asked for already. Gives whether it was asked now.
    pub(super) fn ask_for(
        &self,
        secrets: &Secrets,
        tenant: TenantId,
        name: &BucketName,
        of: Of<'_>,
        why: Why<'_>,
    ) -> Result<bool, VaultError> {
        let (leases, now) = (&secrets.leases, millis(&self.host));
        {
            let mut pending = lock(&leases.pending);
            pending.retain(|_, one| !one.is_over(now));
            if pending.values().any(|one| one.ask.bucket == of.bucket) {
                return Ok(false);
            }
            if pending.len() >= PENDING_MAX {
                return Err(VaultError::NotLeased(format!(
                    "{PENDING_MAX} leases are asked for already, the most there may be"
                )));
            }
        }
        let one = self.new_ask(secrets, tenant, name, of, why)?;
        lock(&leases.pending).insert(one.ask.nonce, one);
        leases.asked.notify_waiters();
        Ok(true)
    }

    pub(super) fn new_ask(
        &self,
        secrets: &Secrets,
        tenant: TenantId,
        name: &BucketName,
        of: Of<'_>,
        why: Why<'_>,
    ) -> Result<Pending, VaultError> {
        let identity = Identity::generate(&self.host);
        let recipient = identity
            .recipient()
            .map_err(|e| VaultError::Ledger(e.to_string()))?;
        let ask = LeaseAsk {
            tenant,
            bucket: of.bucket,
            name: name.clone(),
            loan: of.lessor.loan,
            nonce: self.host.random(),
            asked: self.host.now(),
            reason: reason(why, of.uses),
            recipient: recipient.to_string(),
            keys: of.keys,
        };
        let text = ask.signed(&secrets.log_keys);
        Ok(Pending {
            identity,
            text: text.map_err(|e| VaultError::Ledger(e.to_string()))?,
            ask,
            lessor: of.lessor.clone(),
            made: millis(&self.host),
            handed: 0,
        })
    }

    /// A bucket whose key is leased. A client waits a moment for a guest that is there.
    pub(crate) async fn leased(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        name: &BucketName,
        row: &BucketRow,
        why: Why<'_>,
    ) -> Result<Arc<Bucket>, VaultError> {
        let patience = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut answered = std::pin::pin!(secrets.leases.answered.notified());
            answered.as_mut().enable();
            if let Some(bucket) = secrets.leases.held(row.id) {
                return Ok(bucket);
            }
            self.ask_for(secrets, tenant.id, name, Of::row(row), why)?;
            if !(secrets.leases).is_looked_after(tenant.id, millis(&self.host)) {
                return Err(not_leased(name));
            }
            if tokio::time::timeout_at(patience, answered).await.is_err() {
                return Err(not_leased(name));
            }
            if self.is_sealed() {
                return Err(VaultError::Sealed);
            }
        }
    }
}

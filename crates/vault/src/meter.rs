//! What each tenant uses, counted in memory and written down now and then, never in the path of a commit; and
//! quotas, which refuse new writes. A crash loses at most what was counted since the last writing.

use crate::Vault;
use crate::admit::{RECORD_IN_OBJECT_ROW, claimed};
use crate::error::VaultError;
use crate::identities::Maker;
use crate::record::identity::{self, Sort};
use crate::record::meter::{Counts, Quota};
use crate::secrets::{Secrets, Tenant};
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition};
use policy::Action;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use words::limits::SCAN_ROWS_MAX;
use words::{OpId, TenantId, TenantName, UnixMillis};

const HOUR_MS: u64 = 3_600_000;

/// One tenant in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterLine {
    /// The tenant's name.
    pub tenant: TenantName,
    /// Its id.
    pub tenant_id: TenantId,
    /// When the hour began.
    pub hour: UnixMillis,
    /// What was used.
    pub counts: Counts,
}

#[derive(Default)]
struct Usage {
    pending: Counts,
    hour: u64,
    requests_this_hour: u64,
    /// The quota, once it is known that there is one or none.
    quota: Option<Quota>,
    /// Bytes kept when they were last added up, and written since.
    stored: Option<u64>,
    written: u64,
}

/// The counters.
#[derive(Default)]
pub struct Meter(Mutex<BTreeMap<TenantId, Usage>>);

impl Meter {
    fn with<T>(&self, tenant: TenantId, f: impl FnOnce(&mut Usage) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f(all.entry(tenant).or_default())
    }
    pub fn request(&self, tenant: TenantId, now: UnixMillis) {
        self.with(tenant, |usage| {
            if usage.hour != now.0 / HOUR_MS {
                usage.hour = now.0 / HOUR_MS;
                usage.requests_this_hour = 0;
            }
            usage.requests_this_hour += 1;
            usage.pending.requests += 1;
        });
    }
    pub fn refused(&self, tenant: TenantId) {
        self.with(tenant, |usage| usage.pending.refused += 1);
    }
    pub fn taken_in(&self, tenant: TenantId, bytes: u64) {
        self.with(tenant, |usage| {
            usage.pending.bytes_in = usage.pending.bytes_in.saturating_add(bytes);
            usage.written = usage.written.saturating_add(bytes);
        });
    }
    pub fn left(&self, tenant: TenantId, bytes: u64) {
        self.with(tenant, |usage| {
            usage.pending.bytes_out = usage.pending.bytes_out.saturating_add(bytes);
        });
    }
    /// Why a tenant may write nothing more, if so.
    fn exceeded(&self, tenant: TenantId) -> Option<String> {
        self.with(tenant, |usage| {
            let quota = usage.quota?;
            let kept = usage.stored.unwrap_or(0).saturating_add(usage.written);
            if quota.stored_bytes > 0 && kept >= quota.stored_bytes {
                return Some(format!(
                    "the tenant keeps {kept} bytes and may keep {}; nothing was written: delete something, or ask the operator for more",
                    quota.stored_bytes
                ));
            }
            (quota.requests_per_hour > 0 && usage.requests_this_hour > quota.requests_per_hour)
                .then(|| {
                    format!(
                        "the tenant has used the {} requests of this hour; nothing was written: try again in the next",
                        quota.requests_per_hour
                    )
                })
        })
    }
}

impl Vault {
    /// Whether a quota stands against an act.
    pub(crate) async fn within_quota(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        action: Action,
    ) -> Result<Option<String>, VaultError> {
        if !matches!(
            action,
            Action::PutObject | Action::CreateUpload | Action::UploadPart
        ) {
            return Ok(None);
        }
        if self.meter.with(tenant.id, |usage| usage.quota.is_none()) {
            let quota = self.quota_row(tenant).await?.unwrap_or_default();
            let stored = match quota.stored_bytes {
                0 => None,
                _ => Some(self.stored_bytes(secrets, tenant).await?),
            };
            self.meter.with(tenant.id, |usage| {
                usage.quota = Some(quota);
                usage.stored = stored;
                usage.written = 0;
            });
        }
        Ok(self.meter.exceeded(tenant.id))
    }

    async fn quota_row(&self, tenant: &Tenant) -> Result<Option<Quota>, VaultError> {
        let key = identity::key(tenant.id, Sort::Quota, &[0; 32]);
        match self.sealed_row(tenant, &key).await? {
            Some((_, plain)) => Ok(Some(Quota::decode(&plain)?)),
            None => Ok(None),
        }
    }

    /// The plain length of every object that a tenant keeps.
    async fn stored_bytes(&self, secrets: &Secrets, tenant: &Tenant) -> Result<u64, VaultError> {
        let mut sum = 0_u64;
        for (_, bucket) in self.bucket_names(secrets, tenant).await? {
            let objects = [b"O".as_slice(), bucket.as_bytes()].concat();
            let mut range = KeyRange::prefix(&objects);
            loop {
                let page = self
                    .engine
                    .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                    .await?;
                let more = page.len() == SCAN_ROWS_MAX;
                for (key, row) in page {
                    let record = claimed(&row.value, RECORD_IN_OBJECT_ROW)?;
                    sum = sum.saturating_add(record.plain_bytes());
                    range = range.after(&key);
                }
                if !more {
                    break;
                }
            }
        }
        Ok(sum)
    }

    /// Sets what a tenant may use.
    pub async fn quota_set(&self, tenant: &TenantName, quota: Quota) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        let what = format!(
            "stored bytes {}, requests per hour {}",
            quota.stored_bytes, quota.requests_per_hour
        );
        let entry = self.made(&tenant, &Maker::Operator(&secrets), "QuotaSet", &what);
        let key = identity::key(tenant.id, Sort::Quota, &[0; 32]);
        let put = self.sealed_put(&tenant, key, &quota.encode());
        let done = self.commit_act(Vec::new(), put, entry).await;
        // What holds now is read, and what is kept added up, at the next write.
        self.meter.with(tenant.id, |usage| usage.quota = None);
        done
    }

    /// Adds up anew what tenants with a quota keep: what they deleted is theirs again.
    pub async fn measure(&self) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let limited: Vec<TenantId> = {
            let all = self.meter.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter()
                .filter(|(_, usage)| usage.quota.is_some_and(|quota| quota.stored_bytes > 0))
                .map(|(tenant, _)| *tenant)
                .collect()
        };
        for id in limited {
            let tenant = self.tenant(&secrets, id).await?;
            let before = self.meter.with(id, |usage| usage.written);
            let stored = self.stored_bytes(&secrets, &tenant).await?;
            self.meter.with(id, |usage| {
                usage.stored = Some(stored);
                usage.written = usage.written.saturating_sub(before);
            });
        }
        Ok(())
    }

    /// Writes down what was counted since the last time.
    pub async fn flush_meter(&self) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let pending: Vec<(TenantId, Counts)> = {
            let mut all = self.meter.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter_mut()
                .map(|(tenant, usage)| (*tenant, std::mem::take(&mut usage.pending)))
                .filter(|(_, counts)| *counts != Counts::default())
                .collect()
        };
        for (id, counts) in pending {
            if let Err(error) = self.add_to_hour(&secrets, id, counts).await {
                self.meter
                    .with(id, |usage| usage.pending = usage.pending.plus(counts));
                return Err(error);
            }
        }
        Ok(())
    }

    async fn add_to_hour(
        &self,
        secrets: &Secrets,
        id: TenantId,
        counts: Counts,
    ) -> Result<(), VaultError> {
        let tenant = self.tenant(secrets, id).await?;
        let mut hour = [0; 32];
        hour[..8].copy_from_slice(&(self.host.now().0 / HOUR_MS).to_be_bytes());
        let key = identity::key(id, Sort::Meter, &hour);
        let (holds, sum) = match self.sealed_row(&tenant, &key).await? {
            None => (Precondition::Absent(key.clone()), counts),
            Some((row, plain)) => (
                Precondition::Version(key.clone(), row.version),
                Counts::decode(&plain)?.plus(counts),
            ),
        };
        let put: Mutation = self.sealed_put(&tenant, key, &sum.encode());
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![holds],
            mutations: vec![put],
            entries: Vec::new(),
        };
        match self.engine.commit(commit).await {
            // An hour that may or may not have been counted is not counted twice.
            Outcome::Committed(_) | Outcome::Unknown(_) => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// What was used, hour by hour, of one tenant or of all.
    pub async fn meter_export(
        &self,
        only: Option<&TenantName>,
    ) -> Result<Vec<MeterLine>, VaultError> {
        self.flush_meter().await?;
        let secrets = self.secrets()?;
        let mut lines = Vec::new();
        for info in self.tenant_list().await? {
            if only.is_some_and(|only| *only != info.name) {
                continue;
            }
            let tenant = self.tenant(&secrets, info.id).await?;
            let prefix = identity::prefix(info.id, Sort::Meter);
            let mut range = KeyRange::prefix(&prefix);
            loop {
                let page = self
                    .engine
                    .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                    .await?;
                let more = page.len() == SCAN_ROWS_MAX;
                for (key, _) in page {
                    let hour = key
                        .get(prefix.len()..prefix.len() + 8)
                        .and_then(|bytes| bytes.try_into().ok())
                        .map(u64::from_be_bytes)
                        .ok_or(words::wire::WireError::Short)?;
                    if let Some((_, plain)) = self.sealed_row(&tenant, &key).await? {
                        lines.push(MeterLine {
                            tenant: info.name.clone(),
                            tenant_id: info.id,
                            hour: UnixMillis(hour.saturating_mul(HOUR_MS)),
                            counts: Counts::decode(&plain)?,
                        });
                    }
                    range = range.after(&key);
                }
                if !more {
                    break;
                }
            }
        }
        Ok(lines)
    }
}

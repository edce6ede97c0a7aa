//! A tenant's key: begun, its buckets' wraps renewed, the older versions dropped. Objects are not touched.

use super::{RACES_MAX, RotationBegun, Step, Under, beginning, next_version, unchanged};
use crate::Vault;
use crate::buckets::name_of;
use crate::error::VaultError;
use crate::open_rows::{bucket_row, check_bucket, tenant_stands};
use crate::record::bucket::{self, BucketRow};
use crate::record::rotation::{self, Target};
use crate::record::tenant::{self, TenantRow};
use crate::secrets::{Secrets, Tenant};
use catalog::{KeyRange, Mutation, Order, Outcome, Precondition};
use seal::TenantKey;
use std::sync::Arc;
use words::{TenantId, TenantName};

/// Buckets that are renewed in one step.
const PAGE_BUCKETS: usize = 100;

impl Vault {
    /// Gives a tenant a new key. Buckets that are made from now on are under it; the others follow in the
    /// background.
    pub async fn rotate_tenant(&self, name: &TenantName) -> Result<RotationBegun, VaultError> {
        let secrets = self.secrets()?;
        let id = self.tenant_named(&secrets, name).await?.id;
        let target = Target::Tenant(id);
        for _ in 0..RACES_MAX {
            let (row_version, old) = self.tenant_row(id).await?;
            let sites = secrets.site_keys.now();
            let opened = sites.open_tenant(id, row_version, &old);
            let mut renewed = self
                .unless_altered(&secrets, &tenant::key(id), opened)
                .await?;
            let (newest, _) = renewed.newest()?;
            let version = next_version(newest, renewed.keys.len())?;
            let fresh = TenantKey::from_bytes(self.host.random());
            renewed.keys.insert(0, (version, fresh));
            let new = sites.tenant_row(&self.host, &renewed, old.name, old.created)?;
            let key = rotation::key(target);
            let before = self.engine.get(&key).await?;
            let of = (id, tenant::key(id), version);
            let rotation = beginning(&self.host, &key, &renewed.meta_key, of);
            let mut fields = self.rotation_fields("RotateBegin", target, version);
            fields.tenant = Some(id);
            let preconditions = vec![
                Precondition::Version(tenant::key(id), row_version),
                sites.stand(),
                unchanged(&key, before.as_ref()),
            ];
            let mutations = vec![
                Mutation::Put {
                    key: tenant::key(id),
                    value: new.encode().into(),
                },
                Mutation::Put {
                    key: key.clone(),
                    value: rotation.encode().into(),
                },
            ];
            let entry = self.entry_for(&renewed, &fields);
            match self
                .commit_rotation(preconditions, mutations, vec![entry])
                .await
            {
                Outcome::Committed(done) => {
                    renewed.row_version = done.version();
                    replace_tenant(&secrets, renewed);
                    return self.begun(&secrets, key, version, done);
                }
                Outcome::Conflict { .. } => secrets.rotations.step_ended().await,
                other => return Err(VaultError::from_outcome(other)),
            }
        }
        Err(VaultError::Conflict)
    }

    pub(super) async fn tenant_row(&self, id: TenantId) -> Result<(u64, TenantRow), VaultError> {
        let row = self.engine.get(&tenant::key(id)).await?;
        let row = row.ok_or_else(|| VaultError::NoSuchTenant(id.to_string()))?;
        Ok((row.version, TenantRow::decode(&row.value)?))
    }

    /// Renews some buckets of a tenant, or ends its rotation.
    pub(super) async fn advance_tenant(
        &self,
        secrets: &Secrets,
        id: TenantId,
        mut under: Under,
    ) -> Result<Step, VaultError> {
        let tenant = self.tenant_again(secrets, id).await?;
        let (newest, _) = tenant.newest()?;
        if under.row.version != newest {
            // An older row was put back: begin the pass again, towards the key that is in use.
            (under.row.version, under.row.found) = (newest, 1);
            under.row.cursor.clear();
        }
        let mut range = KeyRange::prefix(&bucket::prefix(id));
        if !under.row.cursor.is_empty() {
            range = range.after(&under.row.cursor);
        }
        let page = self
            .engine
            .scan(range, PAGE_BUCKETS, Order::Ascending)
            .await?;
        let last = (page.len() == PAGE_BUCKETS)
            .then(|| page.last().map(|(key, _)| key.clone()))
            .flatten();
        for (key, row) in page {
            let (version, row) = (row.version, BucketRow::decode(&row.value)?);
            if row.mac.is_some() && row.tenant_version == newest {
                continue;
            }
            under.row.found += 1;
            under.row.rewrapped += u64::from(
                self.renew_bucket(secrets, &tenant, key, version, row)
                    .await?,
            );
        }
        if let Some(cursor) = last {
            under.row.cursor = cursor;
            self.save(&mut under, &tenant.meta_key).await?;
            return Ok(Step::More);
        }
        if under.row.found > 0 {
            under.row.cursor.clear();
            under.row.found = 0;
            self.save(&mut under, &tenant.meta_key).await?;
            return Ok(Step::More);
        }
        self.drop_older_of_tenant(secrets, &under, id).await
    }

    /// Wraps one bucket's keys under the tenant's newest key. Gives whether it did: not if the row changed at
    /// the same moment.
    async fn renew_bucket(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        row_key: Vec<u8>,
        row_version: u64,
        row: BucketRow,
    ) -> Result<bool, VaultError> {
        let id = row.id;
        let (bucket, new) = if row.lessor.is_some() {
            (None, resigned(tenant, &row_key, row)?)
        } else {
            let name = name_of(tenant, &row)?;
            let bucket = self
                .open_bucket(secrets, tenant, &name, row_key.clone(), row_version, &row)
                .await?;
            let new = bucket_row(&self.host, tenant, &bucket, row.sealed_name)?;
            (Some(bucket), new)
        };
        let preconditions = vec![
            Precondition::Version(row_key.clone(), row_version),
            tenant_stands(tenant),
        ];
        let mutations = vec![Mutation::Put {
            key: row_key,
            value: new.encode().into(),
        }];
        match self
            .commit_rotation(preconditions, mutations, Vec::new())
            .await
        {
            Outcome::Committed(done) => {
                match bucket {
                    Some(mut bucket) => {
                        bucket.row_version = done.version();
                        self.replace_bucket(secrets, bucket);
                    }
                    None => self.forget_lease(secrets, id),
                }
                Ok(true)
            }
            Outcome::Conflict { .. } => Ok(false),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    async fn drop_older_of_tenant(
        &self,
        secrets: &Secrets,
        under: &Under,
        id: TenantId,
    ) -> Result<Step, VaultError> {
        let (row_version, old) = self.tenant_row(id).await?;
        if old.newest.version != under.row.version {
            return Ok(Step::More);
        }
        let sites = secrets.site_keys.now();
        let mut kept = sites.open_tenant(id, row_version, &old)?;
        kept.keys.truncate(1);
        let new = sites.tenant_row(&self.host, &kept, old.name, old.created)?;
        let mut fields = self.rotation_fields("RotateEnd", under.target, under.row.version);
        fields.tenant = Some(id);
        fields.rows = Some(under.row.rewrapped);
        fields.reason = Some("older versions of the key are dropped".into());
        let changes = (
            vec![
                Precondition::Version(tenant::key(id), row_version),
                sites.stand(),
            ],
            vec![Mutation::Put {
                key: tenant::key(id),
                value: new.encode().into(),
            }],
        );
        let entry = self.entry_for(&kept, &fields);
        kept.row_version = self.end_rotation(under, changes, entry).await?;
        replace_tenant(secrets, kept);
        Ok(Step::Ended)
    }
}

/// The row of a bucket whose key is leased, as it was but for the tenant's version: nothing in it is under the
/// tenant's key.
fn resigned(tenant: &Tenant, row_key: &[u8], row: BucketRow) -> Result<BucketRow, VaultError> {
    check_bucket(tenant, row_key, &row)?;
    let mut new = BucketRow {
        tenant_version: tenant.newest()?.0,
        mac: None,
        ..row
    };
    new.mac = Some(seal::row_mac(
        &tenant.meta_key,
        row_key,
        &new.signed_bytes(),
    ));
    Ok(new)
}

fn replace_tenant(secrets: &Secrets, tenant: Tenant) {
    if let Ok(mut all) = secrets.tenants.write() {
        all.insert(tenant.id, Arc::new(tenant));
    }
}

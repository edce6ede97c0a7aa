//! A bucket's key: begun, its objects' wraps renewed, the older versions dropped.

use super::pages::{Groups, Pass, Tally, group_in};
use super::{RACES_MAX, RotationBegun, Step, Under, beginning, next_version, unchanged};
use crate::Vault;
use crate::admit::RECORD_IN_UPLOAD_ROW;
use crate::error::VaultError;
use crate::open_rows::{bucket_row, tenant_stands};
use crate::record::bucket::{self, BucketRow};
use crate::record::rotation::{self, RotationRow, Target};
use crate::secrets::{Bucket, Secrets, Tenant};
use catalog::{KeyRange, Mutation, Order, Outcome, Precondition, Row};
use ledger::Receipt;
use seal::record::RECORD_BYTES;
use seal::{BucketKey, ClaimedRecord};
use std::sync::Arc;
use tokio::task::JoinSet;
use words::limits::SCAN_ROWS_MAX;
use words::{BucketId, BucketName, TenantName};

/// Rows that are renewed in one commit.
const PAGE_ROWS: usize = 256;
/// Pages under way at once.
const IN_FLIGHT: usize = 6;
/// Pages after which the cursor is saved: what a crash repeats at most, looking only.
const WINDOW_PAGES: usize = 64;

impl Vault {
    /// Gives a bucket a new key. Objects that are written from now on are under it; the others follow in the
    /// background.
    pub async fn rotate_bucket(
        &self,
        tenant: &TenantName,
        name: &BucketName,
    ) -> Result<RotationBegun, VaultError> {
        let secrets = self.secrets()?;
        let mut tenant = self.tenant_named(&secrets, tenant).await?;
        for _ in 0..RACES_MAX {
            let hash = seal::name_hash(&tenant.name_key, name.as_str().as_bytes());
            let row_key = bucket::key(tenant.id, &hash);
            let row = self.engine.get(&row_key).await?;
            let row = row.ok_or(VaultError::NoSuchBucket)?;
            let old = BucketRow::decode(&row.value)?;
            if old.lessor.is_some() {
                return Err(VaultError::Rotation(format!(
                    "the key of bucket {} is kept by its owner, who leases it; only the owner could give it another, which this version does not do",
                    name.as_str()
                )));
            }
            let mut bucket = self
                .open_bucket(&secrets, &tenant, name, row_key.clone(), row.version, &old)
                .await?;
            let (newest, _) = bucket.newest()?;
            let version = next_version(newest, bucket.keys.len())?;
            let fresh = BucketKey::from_bytes(self.host.random());
            bucket.keys.insert(0, (version, fresh));
            let new = bucket_row(&self.host, &tenant, &bucket, old.sealed_name)?;
            let target = Target::Bucket(bucket.id);
            let key = rotation::key(target);
            let before = self.engine.get(&key).await?;
            let of = (tenant.id, row_key.clone(), version);
            let rotation = beginning(&self.host, &key, &tenant.meta_key, of);
            let mut fields = self.rotation_fields("RotateBegin", target, version);
            fields.tenant = Some(tenant.id);
            let preconditions = vec![
                Precondition::Version(row_key.clone(), row.version),
                tenant_stands(&tenant),
                unchanged(&key, before.as_ref()),
            ];
            let mutations = vec![
                Mutation::Put {
                    key: row_key,
                    value: new.encode().into(),
                },
                Mutation::Put {
                    key: key.clone(),
                    value: rotation.encode().into(),
                },
            ];
            let entry = self.entry_for(&tenant, &fields);
            match self
                .commit_rotation(preconditions, mutations, vec![entry])
                .await
            {
                Outcome::Committed(done) => {
                    bucket.row_version = done.version();
                    self.replace_bucket(&secrets, bucket);
                    return self.begun(&secrets, key, version, done);
                }
                Outcome::Conflict { .. } => tenant = self.tenant_again(&secrets, tenant.id).await?,
                other => return Err(VaultError::from_outcome(other)),
            }
        }
        Err(VaultError::Conflict)
    }

    pub(super) fn replace_bucket(&self, secrets: &Secrets, bucket: Bucket) {
        let cached = (bucket.owner, bucket.name.clone());
        secrets.buckets.insert(cached, Arc::new(bucket));
    }

    /// The name of the bucket that a rotation is about.
    pub(super) async fn bucket_name(
        &self,
        row: &RotationRow,
    ) -> Result<Option<String>, VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant(&secrets, row.tenant).await?;
        let Some(found) = self.engine.get(&row.row_key).await? else {
            return Ok(None);
        };
        let name = crate::buckets::name_of(&tenant, &BucketRow::decode(&found.value)?)?;
        Ok(Some(name.as_str().to_owned()))
    }

    /// Renews some pages of a bucket, or ends its rotation.
    pub(super) async fn advance_bucket(
        &self,
        secrets: &Secrets,
        id: BucketId,
        mut under: Under,
        receipt: Arc<Receipt>,
    ) -> Result<Step, VaultError> {
        let tenant = self.tenant(secrets, under.row.tenant).await?;
        let row = self.engine.get(&under.row.row_key).await?;
        let old = row
            .map(|row| BucketRow::decode(&row.value).map(|of| (row.version, of)))
            .transpose()?;
        let Some((row_version, old)) = old.filter(|(_, of)| of.id == id) else {
            // The bucket was deleted, and with it everything that was under its key.
            let mut fields =
                self.rotation_fields("RotateEnd", Target::Bucket(id), under.row.version);
            fields.reason = Some("the bucket is gone".into());
            fields.tenant = Some(tenant.id);
            let nothing = (Vec::new(), Vec::new());
            self.end_rotation(&under, nothing, self.entry_for(&tenant, &fields))
                .await?;
            return Ok(Step::Ended);
        };
        let row_key = under.row.row_key.clone();
        let bucket = self
            .open_bucket_row(secrets, &tenant, row_key, row_version, &old)
            .await?;
        if under.row.version != old.newest.version {
            // An older row was put back: begin the pass again, towards the key that is in use.
            under.row.version = old.newest.version;
            (under.row.held, under.row.waiting, under.row.found) = (0, 0, 1);
            under.row.cursor.clear();
        }
        let pass = Arc::new(Pass {
            engine: Arc::clone(&self.engine),
            host: self.host.clone(),
            bucket,
            receipt,
        });
        if under.row.waiting > 0 {
            if under.row.held == 0 {
                // A pass has found nothing, and nothing can have come since: only uploads are looked at again.
                return self
                    .end_pass(secrets, &tenant, under, &pass.bucket, old.sealed_name)
                    .await;
            }
            (under.row.held, under.row.waiting) = (0, 0);
        }
        let (tally, last) = self.renew_window(secrets, &pass, &under).await?;
        under.row.found += tally.renewed + tally.raced;
        under.row.held += tally.held;
        under.row.rewrapped += tally.renewed;
        if let Some(cursor) = last {
            under.row.cursor = cursor;
            self.save(&mut under, &tenant.meta_key).await?;
            return Ok(Step::More);
        }
        self.end_pass(secrets, &tenant, under, &pass.bucket, old.sealed_name)
            .await
    }

    /// Renews the next pages, several at a time. Gives the last row that is done with; none at the end.
    async fn renew_window(
        &self,
        secrets: &Secrets,
        pass: &Arc<Pass>,
        under: &Under,
    ) -> Result<(Tally, Option<Vec<u8>>), VaultError> {
        let prefix = [b"O".as_slice(), pass.bucket.id.as_bytes()].concat();
        let mut range = KeyRange::prefix(&prefix);
        if !under.row.cursor.is_empty() {
            range = range.after(&under.row.cursor);
        }
        let (mut tally, mut jobs) = (Tally::default(), JoinSet::new());
        let ended = |joined: Result<Result<Tally, VaultError>, _>| match joined {
            Ok(done) => done,
            Err(error) => Err(VaultError::Rotation(format!(
                "a page was not done: {error}"
            ))),
        };
        let mut last = None;
        for _ in 0..WINDOW_PAGES {
            let page = self
                .engine
                .scan(range.clone(), PAGE_ROWS, Order::Ascending)
                .await?;
            last = (page.len() == PAGE_ROWS)
                .then(|| page.last().map(|(key, _)| key.clone()))
                .flatten();
            let pass = Arc::clone(pass);
            let groups = self.groups_in(secrets, &page).await?;
            jobs.spawn(async move { pass.page(page, groups).await });
            match &last {
                Some(key) => range = range.after(key),
                None => break,
            }
            if jobs.len() >= IN_FLIGHT
                && let Some(joined) = jobs.join_next().await
            {
                tally.add(ended(joined)?);
            }
        }
        while let Some(joined) = jobs.join_next().await {
            tally.add(ended(joined)?);
        }
        Ok((tally, last))
    }

    /// The groups that objects of a page belong to.
    async fn groups_in(
        &self,
        secrets: &Secrets,
        page: &[(Vec<u8>, Row)],
    ) -> Result<Groups, VaultError> {
        let mut groups = Groups::new();
        for id in page.iter().filter_map(|(_, row)| group_in(row)) {
            if !groups.contains_key(&id)
                && let Some(group) = self.group(secrets, id).await?
            {
                groups.insert(id, group);
            }
        }
        Ok(groups)
    }

    /// A pass that found something is followed by another; one that found nothing ends the rotation, unless
    /// something outside the objects' rows still needs an older version.
    async fn end_pass(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        mut under: Under,
        bucket: &Bucket,
        sealed_name: Vec<u8>,
    ) -> Result<Step, VaultError> {
        under.row.cursor.clear();
        if under.row.found > 0 {
            (under.row.found, under.row.held, under.row.waiting) = (0, 0, 0);
            self.save(&mut under, &tenant.meta_key).await?;
            return Ok(Step::More);
        }
        let waiting = under.row.held + self.uploads_under_older(bucket).await?;
        if waiting > 0 {
            if under.row.waiting != waiting {
                under.row.waiting = waiting;
                self.save(&mut under, &tenant.meta_key).await?;
            }
            return Ok(Step::Rest);
        }
        self.drop_older(secrets, &under, bucket, sealed_name).await
    }

    async fn drop_older(
        &self,
        secrets: &Secrets,
        under: &Under,
        bucket: &Bucket,
        sealed_name: Vec<u8>,
    ) -> Result<Step, VaultError> {
        let tenant = self.tenant(secrets, bucket.owner).await?;
        let row = self.engine.get(&bucket.row_key).await?;
        let row = row.ok_or(VaultError::Conflict)?;
        let decoded = BucketRow::decode(&row.value)?;
        if row.version != bucket.row_version || decoded.newest.version != under.row.version {
            // Somebody began anew, or the tenant's key was renewed: the next pass sees it.
            return Ok(Step::More);
        }
        let key = bucket.row_key.clone();
        let mut kept = self
            .open_bucket(secrets, &tenant, &bucket.name, key, row.version, &decoded)
            .await?;
        kept.keys.truncate(1);
        let new = bucket_row(&self.host, &tenant, &kept, sealed_name)?;
        let mut fields = self.rotation_fields("RotateEnd", under.target, under.row.version);
        fields.tenant = Some(tenant.id);
        fields.rows = Some(under.row.rewrapped);
        fields.reason = Some("older versions of the key are dropped".into());
        let preconditions = vec![
            Precondition::Version(kept.row_key.clone(), row.version),
            tenant_stands(&tenant),
        ];
        let mutations = vec![Mutation::Put {
            key: kept.row_key.clone(),
            value: new.encode().into(),
        }];
        let entry = self.entry_for(&tenant, &fields);
        kept.row_version = self
            .end_rotation(under, (preconditions, mutations), entry)
            .await?;
        self.replace_bucket(secrets, kept);
        Ok(Step::Ended)
    }

    /// How many uploads under way are wrapped under an older version than the newest. Their number only falls.
    async fn uploads_under_older(&self, bucket: &Bucket) -> Result<u64, VaultError> {
        let (newest, _) = bucket.newest()?;
        let prefix = [b"U".as_slice(), bucket.id.as_bytes()].concat();
        let mut range = KeyRange::prefix(&prefix);
        let mut older = 0;
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let more = page.len() == SCAN_ROWS_MAX;
            for (key, row) in page {
                let at = RECORD_IN_UPLOAD_ROW..RECORD_IN_UPLOAD_ROW + RECORD_BYTES;
                let claimed = row.value.get(at).map(ClaimedRecord::read);
                // A row that cannot be read may need any version.
                let current =
                    matches!(claimed, Some(Ok(claimed)) if claimed.kek().version == newest);
                older += u64::from(!current);
                range = range.after(&key);
            }
            if !more {
                return Ok(older);
            }
        }
    }
}

//! The keys of objects under those of their bucket: opened by the version that a record names, wrapped under
//! the newest.

use crate::Vault;
use crate::error::VaultError;
use crate::record::bucket::BucketRow;
use crate::secrets::Bucket;
use crate::shred::Group;
use host::Host;
use ledger::Receipt;
use seal::{ClaimedRecord, Kek, ObjectKey, Wrapped};
use std::sync::Arc;
use words::VersionId;

/// Opens an object's key with the version of its bucket's key that its record names, and with its group's key if it
/// belongs to a group.
pub(crate) fn open(
    bucket: &Bucket,
    claimed: &ClaimedRecord,
    group: Option<&Group>,
    receipt: &Receipt,
) -> Result<ObjectKey, VaultError> {
    let key = bucket.key_of(claimed.kek().version)?;
    let (wrapped, context) = (claimed.wrapped(), claimed.wrap_context());
    Ok(match group {
        None => ObjectKey::open(wrapped, key, &context, receipt)?,
        Some(group) => ObjectKey::open(wrapped, &group.key.within(key), &context, receipt)?,
    })
}

/// Wraps an object's key under the newest key of its bucket, and its group's if it belongs to one.
pub(crate) fn wrap(
    host: &Host,
    bucket: &Bucket,
    group: Option<&Group>,
    key: &ObjectKey,
    version: VersionId,
) -> Result<(Kek, Wrapped), VaultError> {
    let (newest, bucket_key) = bucket.newest()?;
    let kek = Kek {
        id: group.map_or_else(|| bucket.id.into(), |group| group.id),
        version: newest,
    };
    let context = kek.wrap_context(version);
    let wrapped = match group {
        None => seal::wrap(bucket_key, key, &context, host.random()),
        Some(group) => seal::wrap(&group.key.within(bucket_key), key, &context, host.random()),
    };
    Ok((kek, wrapped))
}

impl Vault {
    /// Opens an object's key. A bucket that is known only as it was before its key was renewed is looked at
    /// again.
    pub(crate) async fn object_key(
        &self,
        bucket: &Bucket,
        claimed: &ClaimedRecord,
        group: Option<&Group>,
        receipt: &Receipt,
    ) -> Result<ObjectKey, VaultError> {
        match open(bucket, claimed, group, receipt) {
            Err(missing @ VaultError::KeyVersion { .. }) => {
                let now = self.bucket_again(bucket).await?.ok_or(missing)?;
                open(&now, claimed, group, receipt)
            }
            opened => opened,
        }
    }

    /// Wraps an object's key under the newest key of its bucket, and its group's if it belongs to one.
    pub(crate) fn wrapped(
        &self,
        bucket: &Bucket,
        group: Option<&Group>,
        key: &ObjectKey,
        version: VersionId,
    ) -> Result<(Kek, Wrapped), VaultError> {
        wrap(&self.host, bucket, group, key, version)
    }

    /// The bucket as its row says now; `None` if it is gone, or another one has its name.
    pub(crate) async fn bucket_again(
        &self,
        bucket: &Bucket,
    ) -> Result<Option<Arc<Bucket>>, VaultError> {
        let secrets = self.secrets()?;
        let Some(row) = self.engine.get(&bucket.row_key).await? else {
            return Ok(None);
        };
        let (version, row) = (row.version, BucketRow::decode(&row.value)?);
        if row.id != bucket.id {
            return Ok(None);
        }
        if row.lessor.is_some() {
            return self
                .leased_now(&secrets, bucket.owner, &bucket.name, &row)
                .map(Some);
        }
        let tenant = self.tenant(&secrets, bucket.owner).await?;
        let row_key = bucket.row_key.clone();
        let now = self
            .open_bucket(&secrets, &tenant, &bucket.name, row_key, version, &row)
            .await
            .map(Arc::new)?;
        let cached = (bucket.owner, bucket.name.clone());
        secrets.buckets.insert(cached, Arc::clone(&now));
        Ok(Some(now))
    }
}

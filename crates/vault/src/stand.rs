//! A write that lost its footing: the bucket's row changed while the bytes came in. If it is still the same
//! bucket, the write goes on under what the row says now; a key that was renewed meanwhile wraps it too, so
//! that nothing is ever committed under a version that a rotation is about to take away.

use crate::Vault;
use crate::error::VaultError;
use crate::grant::{DeleteGrant, WriteGrant, stands};
use crate::secrets::Bucket;
use catalog::Precondition;
use seal::ClaimedRecord;
use seal::record::RECORD_BYTES;
use std::sync::Arc;

/// What a write stands on now.
pub struct Standing {
    /// Holds while the bucket is there as it is now.
    pub bucket: Precondition,
    /// The object's record, with its key wrapped under the bucket's newest key.
    pub record: [u8; RECORD_BYTES],
}

impl Vault {
    /// Looks at the bucket of a write again. Gives [`VaultError::NoSuchBucket`] if it is gone.
    pub async fn stand_again(
        &self,
        grant: &WriteGrant,
        record: &[u8; RECORD_BYTES],
    ) -> Result<Standing, VaultError> {
        let bucket = self.still_there(&grant.bucket).await?;
        let (newest, _) = bucket.newest()?;
        let claimed =
            ClaimedRecord::read(record).map_err(|e| VaultError::ObjectRecord(e.to_string()))?;
        let record = if claimed.kek().version == newest {
            *record
        } else {
            let proven = claimed
                .prove(&grant.object_key, &grant.place)
                .map_err(|e| VaultError::ObjectRecord(e.to_string()))?;
            let group = grant.group.as_deref();
            let version = grant.place.version;
            let (kek, wrapped) = self.wrapped(&bucket, group, &grant.object_key, version)?;
            proven.rewrapped(kek, wrapped).to_bytes(&grant.object_key)
        };
        Ok(Standing {
            bucket: stands(&bucket),
            record,
        })
    }

    /// The same for a part of an upload, which has no record of its own.
    pub async fn part_stands_again(&self, grant: &WriteGrant) -> Result<Precondition, VaultError> {
        Ok(stands(&*self.still_there(&grant.bucket).await?))
    }

    /// The same for a deletion.
    pub async fn delete_stands_again(
        &self,
        grant: &DeleteGrant,
    ) -> Result<Precondition, VaultError> {
        Ok(stands(&*self.still_there(&grant.bucket).await?))
    }

    async fn still_there(&self, bucket: &Bucket) -> Result<Arc<Bucket>, VaultError> {
        let now = self.bucket_again(bucket).await?;
        now.ok_or(VaultError::NoSuchBucket)
    }
}

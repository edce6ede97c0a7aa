//! Buckets: the vault keeps their rows, the store sweeps what they held.

use crate::Store;
use crate::api::BucketInfo;
use crate::error::StoreError;
use crate::record::garbage::{self, Garbage};
use authn::Caller;
use catalog::Mutation;
use vault::BucketFacts;
use words::limits::CHUNK_GRACE_MS;
use words::{BucketName, VersionId};

fn info(facts: BucketFacts) -> BucketInfo {
    BucketInfo {
        name: facts.name,
        created: facts.created,
    }
}

impl Store {
    /// The tenant's buckets, by name.
    pub async fn list_buckets(&self, caller: Caller) -> Result<Vec<BucketInfo>, StoreError> {
        Ok(self
            .vault
            .list_buckets(caller)
            .await?
            .into_iter()
            .map(info)
            .collect())
    }

    /// Makes a bucket.
    pub async fn create_bucket(&self, caller: Caller, name: BucketName) -> Result<(), StoreError> {
        self.vault
            .create_bucket(caller, &name)
            .await
            .map_err(|error| match error {
                vault::VaultError::Exists(_) => StoreError::BucketAlreadyOwned,
                vault::VaultError::Limit(_) => StoreError::TooManyBuckets,
                other => other.into(),
            })
    }

    /// The bucket, if the caller may know of it.
    pub async fn head_bucket(
        &self,
        caller: Caller,
        name: &BucketName,
    ) -> Result<BucketInfo, StoreError> {
        Ok(info(self.vault.head_bucket(caller, name).await?))
    }

    /// Reads, sets or takes away a bucket's policy.
    pub async fn bucket_policy(
        &self,
        caller: Caller,
        name: &BucketName,
        act: vault::PolicyAct,
    ) -> Result<Option<String>, StoreError> {
        Ok(self.vault.bucket_policy(caller, name, act).await?)
    }

    /// Takes an empty bucket away; its index and its uploads are swept later.
    pub async fn delete_bucket(&self, caller: Caller, name: &BucketName) -> Result<(), StoreError> {
        let due = self.host.now().plus(CHUNK_GRACE_MS);
        let apart = VersionId::from_bytes(self.host.random());
        let sweep = |bucket| {
            let value = Garbage::Bucket(bucket).encode().into();
            vec![Mutation::Put {
                key: garbage::key(due, apart),
                value,
            }]
        };
        Ok(self.vault.delete_bucket(caller, name, sweep).await?)
    }
}

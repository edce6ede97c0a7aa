//! DELETE and DeleteObjects.

use crate::Store;
use crate::api::Conditions;
use crate::commit::{Sent, unchanged};
use crate::conditions;
use crate::error::StoreError;
use crate::open::etag_of;
use crate::record::object::{self, ObjectRow};
use authn::Caller;
use catalog::{Mutation, Row};
use futures::stream::{self, StreamExt};
use vault::{DeleteGrant, Settled};
use words::BucketName;

const RACES_MAX: usize = 64;
/// Objects of one DeleteObjects request that are deleted at once.
const AT_ONCE: usize = 64;

impl Store {
    /// DELETE. A name that is not there is no error, unless a condition asks for it.
    pub async fn delete_object(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        wanted: Conditions,
    ) -> Result<(), StoreError> {
        let grants = self
            .vault
            .admit_delete(caller, bucket, std::slice::from_ref(key))
            .await?;
        for grant in grants {
            self.delete(&grant?, &wanted).await?;
        }
        Ok(())
    }

    /// DeleteObjects: an answer for each name, in order.
    pub async fn delete_objects(
        &self,
        caller: Caller,
        bucket: &BucketName,
        keys: Vec<words::ObjectKey>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let grants = self.vault.admit_delete(caller, bucket, &keys).await?;
        let wanted = Conditions::default();
        let wanted = &wanted;
        let deletions: Vec<_> = grants
            .into_iter()
            .map(|grant| async move { self.delete(&grant?, wanted).await })
            .collect();
        Ok(stream::iter(deletions).buffered(AT_ONCE).collect().await)
    }

    async fn delete(&self, grant: &DeleteGrant, wanted: &Conditions) -> Result<(), StoreError> {
        let key = object::key(grant.bucket(), grant.name_hash());
        let mut stands = grant.bucket_stands();
        for _ in 0..RACES_MAX {
            let old = self.engine.get(&key).await?;
            self.check_delete(grant, wanted, old.as_ref()).await?;
            let Settled { entry, index } = self.vault.settle_delete(grant, old.is_some())?;
            let preconditions = vec![stands.clone(), unchanged(&key, old.as_ref())];
            let mut mutations: Vec<Mutation> = index.into_iter().collect();
            if old.is_some() {
                mutations.push(Mutation::Delete { key: key.clone() });
            }
            mutations.extend(self.leavings(grant.bucket(), old.as_ref())?);
            match self.send(preconditions, mutations, vec![entry]).await? {
                Sent::Done => return Ok(()),
                Sent::Conflict(0) => stands = self.vault.delete_stands_again(grant).await?,
                Sent::Conflict(_) => {}
            }
        }
        Err(StoreError::ConditionalConflict)
    }

    async fn check_delete(
        &self,
        grant: &DeleteGrant,
        wanted: &Conditions,
        row: Option<&Row>,
    ) -> Result<(), StoreError> {
        if wanted.if_match.is_none() {
            return Ok(());
        }
        let etag = match row {
            None => None,
            Some(row) => {
                let key = self.vault.reveal_for_delete(grant, row).await?;
                Some(etag_of(&key, &ObjectRow::decode(&row.value)?)?)
            }
        };
        let checked = conditions::of_write(wanted, etag.as_deref());
        if let Err(error) = &checked {
            self.vault.delete_refused(grant, &error.to_string()).await;
        }
        checked
    }
}

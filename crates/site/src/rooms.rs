//! The store and the vault behind the S3 door.

use async_trait::async_trait;
use authn::{Caller, RequestHead};
use gate::{Answered, Backend, Element, Identified, Known, ObjectHead, Refusal};
use std::sync::Arc;
use store::api::{
    BodyIn, BucketInfo, CompleteAsked, Conditions, CopyAsked, ListAsked, ListPage, ListedPart,
    ListedUpload, ObjectOut, PartCopyAsked, PutAsked, PutDone, ReadAsked, UploadAsked,
};
use store::{PolicyAct, Store, StoreError};
use vault::Vault;
use words::{BucketName, ObjectKey, VersionId};

/// The one backend of a node.
pub struct Rooms {
    /// Who asks.
    pub vault: Arc<Vault>,
    /// The verbs.
    pub store: Arc<Store>,
}

fn proof(caller: Known) -> Result<Caller, StoreError> {
    let other = || StoreError::Internal("the caller was identified by another backend".into());
    caller.into_proof().ok_or_else(other)
}

fn refused(no: vault::Refusal) -> Refusal {
    Refusal {
        code: no.code.into(),
        status: no.status,
        message: no.message,
        region: no.region,
    }
}

#[async_trait]
impl Backend for Rooms {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Identified, Refusal> {
        match self.vault.identify(head).await {
            Ok(known) => Ok(Identified {
                caller: Known::new(known.caller.tenant(), known.caller),
                payload: known.payload,
                chunks: known.chunks.map(|chain| Box::new(chain) as _),
            }),
            Err(no) => Err(refused(no)),
        }
    }

    async fn query(&self, head: &RequestHead<'_>, form: Vec<u8>) -> Result<Answered, Refusal> {
        fn shown(element: vault::Element) -> Element {
            match element {
                vault::Element::Text(name, text) => Element::Text(name, text),
                vault::Element::Group(name, inside) => {
                    Element::Group(name, inside.into_iter().map(shown).collect())
                }
            }
        }
        match self.vault.query(head, &form).await {
            Ok(done) => Ok(Answered {
                action: done.action,
                service: done.service.to_owned(),
                elements: done.elements.into_iter().map(shown).collect(),
            }),
            Err(no) => Err(refused(no)),
        }
    }

    async fn list_buckets(&self, caller: Known) -> Result<Vec<BucketInfo>, StoreError> {
        self.store.list_buckets(proof(caller)?).await
    }

    async fn create_bucket(&self, caller: Known, bucket: BucketName) -> Result<(), StoreError> {
        self.store.create_bucket(proof(caller)?, bucket).await
    }

    async fn head_bucket(
        &self,
        caller: Known,
        bucket: &BucketName,
    ) -> Result<BucketInfo, StoreError> {
        self.store.head_bucket(proof(caller)?, bucket).await
    }

    async fn bucket_policy(
        &self,
        caller: Known,
        bucket: &BucketName,
        act: PolicyAct,
    ) -> Result<Option<String>, StoreError> {
        self.store.bucket_policy(proof(caller)?, bucket, act).await
    }

    async fn delete_bucket(&self, caller: Known, bucket: &BucketName) -> Result<(), StoreError> {
        self.store.delete_bucket(proof(caller)?, bucket).await
    }

    async fn list_objects(
        &self,
        caller: Known,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<ListPage, StoreError> {
        self.store.list_objects(proof(caller)?, bucket, asked).await
    }

    async fn get_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectOut, StoreError> {
        self.store
            .get_object(proof(caller)?, bucket, key, asked)
            .await
    }

    async fn head_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectHead, StoreError> {
        let head = self
            .store
            .head_object(proof(caller)?, bucket, key, asked)
            .await?;
        Ok(ObjectHead {
            info: head.info,
            range: head.range,
            length: head.length,
        })
    }

    async fn put_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        self.store
            .put_object(proof(caller)?, bucket, key, asked, body)
            .await
    }

    async fn delete_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        conditions: Conditions,
    ) -> Result<(), StoreError> {
        self.store
            .delete_object(proof(caller)?, bucket, key, conditions)
            .await
    }

    async fn delete_objects(
        &self,
        caller: Known,
        bucket: &BucketName,
        keys: Vec<ObjectKey>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        self.store
            .delete_objects(proof(caller)?, bucket, keys)
            .await
    }

    async fn copy_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: CopyAsked,
    ) -> Result<PutDone, StoreError> {
        self.store
            .copy_object(proof(caller)?, bucket, key, asked)
            .await
    }

    async fn create_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: UploadAsked,
    ) -> Result<VersionId, StoreError> {
        self.store
            .create_upload(proof(caller)?, bucket, key, asked)
            .await
    }

    #[allow(clippy::too_many_arguments)] // one per noun of the S3 operation
    async fn upload_part(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        self.store
            .upload_part(proof(caller)?, bucket, key, upload, number, asked, body)
            .await
    }

    async fn upload_part_copy(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PartCopyAsked,
    ) -> Result<PutDone, StoreError> {
        self.store
            .upload_part_copy(proof(caller)?, bucket, key, upload, number, asked)
            .await
    }

    async fn complete_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        asked: CompleteAsked,
    ) -> Result<PutDone, StoreError> {
        self.store
            .complete_upload(proof(caller)?, bucket, key, upload, asked)
            .await
    }

    async fn abort_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
    ) -> Result<(), StoreError> {
        self.store
            .abort_upload(proof(caller)?, bucket, key, upload)
            .await
    }

    async fn list_parts(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        after: u32,
        max: usize,
    ) -> Result<(Vec<ListedPart>, bool), StoreError> {
        self.store
            .list_parts(proof(caller)?, bucket, key, upload, after, max)
            .await
    }

    async fn list_uploads(
        &self,
        caller: Known,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<(Vec<ListedUpload>, bool), StoreError> {
        self.store.list_uploads(proof(caller)?, bucket, asked).await
    }
}

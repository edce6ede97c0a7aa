//! What stands behind the door: the verbs of the store and the vault's check of who asks.

use async_trait::async_trait;
use authn::{ChunkCheck, PayloadHash, RequestHead};
use std::any::Any;
use std::borrow::Cow;
use store::PolicyAct;
use store::api::{
    BodyIn, BucketInfo, CompleteAsked, Conditions, CopyAsked, ListAsked, ListPage, ListedPart,
    ListedUpload, ObjectInfo, ObjectOut, PartCopyAsked, PutAsked, PutDone, ReadAsked, UploadAsked,
};
use store::error::StoreError;
use words::{BucketName, ObjectKey, TenantId, VersionId};

/// Who signed a request, as the door knows them: the tenant, and a proof that only the backend reads. Every
/// verb takes it by value, so one request reaches one verb.
pub struct Known {
    tenant: TenantId,
    proof: Box<dyn Any + Send>,
}

impl Known {
    /// Made by a backend that has checked the signature.
    pub fn new(tenant: TenantId, proof: impl Any + Send) -> Self {
        Self {
            tenant,
            proof: Box::new(proof),
        }
    }
    /// The tenant on whose behalf the request comes.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
    /// The backend's proof; `None` if another backend made it.
    #[must_use]
    pub fn into_proof<T: Any>(self) -> Option<T> {
        self.proof.downcast().ok().map(|proof| *proof)
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({})", self.tenant)
    }
}

/// A request whose signature was checked.
pub struct Identified {
    /// Who asks.
    pub caller: Known,
    /// What the signature says about the body.
    pub payload: PayloadHash,
    /// What checks the chunks of a body in signed framing.
    pub chunks: Option<Box<dyn ChunkCheck>>,
}

/// A request that was not believed; the denial is recorded already.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The S3 error code.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What the client is told; plain text.
    pub message: String,
    /// The region the client should use, where the code calls for it.
    pub region: Option<String>,
}

/// What HEAD answers.
#[derive(Debug, Clone)]
pub struct ObjectHead {
    /// The object.
    pub info: ObjectInfo,
    /// First and last byte (included) if a range or part was asked for.
    pub range: Option<(u64, u64)>,
    /// Length of what GET would send.
    pub length: u64,
}

/// Part of the answer to a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// A name and a text.
    Text(String, String),
    /// A name and what stands in it.
    Group(String, Vec<Element>),
}

/// What a form to STS or IAM, or a certificate that asks for a session, came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The action.
    pub action: String,
    /// `sts`, `iam` or `rolesanywhere`.
    pub service: String,
    /// What it came to.
    pub elements: Vec<Element>,
}

/// The node as the door sees it: [`identify`](Backend::identify) first, then one verb with its caller.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Checks who signed the request; records the denial itself when it refuses.
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Identified, Refusal>;

    /// A form to STS or IAM, or a certificate that asks for a session: who asks is checked, decided and done in one; a denial is recorded.
    async fn query(&self, head: &RequestHead<'_>, form: Vec<u8>) -> Result<Answered, Refusal>;

    /// ListBuckets.
    async fn list_buckets(&self, caller: Known) -> Result<Vec<BucketInfo>, StoreError>;
    /// CreateBucket.
    async fn create_bucket(&self, caller: Known, bucket: BucketName) -> Result<(), StoreError>;
    /// HeadBucket, and the authorisation of every question about a bucket's settings.
    async fn head_bucket(
        &self,
        caller: Known,
        bucket: &BucketName,
    ) -> Result<BucketInfo, StoreError>;
    /// GetBucketPolicy (gives the document), PutBucketPolicy, DeleteBucketPolicy.
    async fn bucket_policy(
        &self,
        caller: Known,
        bucket: &BucketName,
        act: PolicyAct,
    ) -> Result<Option<String>, StoreError>;
    /// DeleteBucket.
    async fn delete_bucket(&self, caller: Known, bucket: &BucketName) -> Result<(), StoreError>;
    /// ListObjects and ListObjectsV2.
    async fn list_objects(
        &self,
        caller: Known,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<ListPage, StoreError>;

    /// GetObject.
    async fn get_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectOut, StoreError>;
    /// HeadObject.
    async fn head_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectHead, StoreError>;
    /// PutObject.
    async fn put_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError>;
    /// DeleteObject.
    async fn delete_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        conditions: Conditions,
    ) -> Result<(), StoreError>;
    /// DeleteObjects; the answers come in the order of the keys.
    async fn delete_objects(
        &self,
        caller: Known,
        bucket: &BucketName,
        keys: Vec<ObjectKey>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError>;
    /// CopyObject.
    async fn copy_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: CopyAsked,
    ) -> Result<PutDone, StoreError>;

    /// CreateMultipartUpload.
    async fn create_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: UploadAsked,
    ) -> Result<VersionId, StoreError>;
    /// UploadPart.
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
    ) -> Result<PutDone, StoreError>;
    /// UploadPartCopy.
    async fn upload_part_copy(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PartCopyAsked,
    ) -> Result<PutDone, StoreError>;
    /// CompleteMultipartUpload.
    async fn complete_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        asked: CompleteAsked,
    ) -> Result<PutDone, StoreError>;
    /// AbortMultipartUpload.
    async fn abort_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
    ) -> Result<(), StoreError>;
    /// ListParts: those after a number, and whether more follow.
    async fn list_parts(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        after: u32,
        max: usize,
    ) -> Result<(Vec<ListedPart>, bool), StoreError>;
    /// ListMultipartUploads, and whether more follow.
    async fn list_uploads(
        &self,
        caller: Known,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<(Vec<ListedUpload>, bool), StoreError>;
}

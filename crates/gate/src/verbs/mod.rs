//! The operations of S3, each asked of one verb of the node. s3s has read the query and the document; what
//! the request says in headers comes from the ticket. An operation that is not here answers 501.

mod answer;
mod buckets;
mod copy;
mod facts;
mod list;
mod multipart;
mod objects;
mod policy;

#[cfg(fuzzing)]
pub(crate) use list::{token, untoken};

pub(crate) use copy::copy_source;

use crate::backend::Backend;
use crate::refuse::No;
use crate::ticket::{Asked, Ticket};
use async_trait::async_trait;
use s3s::dto;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;
use tracing::instrument::WithSubscriber;

/// The operations.
pub(crate) struct Verbs {
    backend: Arc<dyn Backend>,
    region: String,
}

impl Verbs {
    pub(crate) fn new(backend: Arc<dyn Backend>, region: String) -> Self {
        Self { backend, region }
    }
}

/// The request's ticket and what it holds; once.
fn open<T>(request: &S3Request<T>) -> S3Result<(Ticket, Asked)> {
    let ticket = request.extensions.get::<Ticket>().cloned();
    let asked = ticket.as_ref().and_then(Ticket::take);
    ticket
        .zip(asked)
        .ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))
}

/// Leaves a refusal in the ticket, where the door finds it.
fn close<T>(ticket: &Ticket, done: Result<T, No>) -> S3Result<T> {
    done.map_err(|no| {
        ticket.refuse(no);
        S3Error::new(S3ErrorCode::AccessDenied) // never sent; if it were, nothing is allowed
    })
}

macro_rules! operations {
    ($($operation:ident($input:ident) -> $output:ident = $module:ident::$verb:ident;)*) => {
        #[async_trait]
        impl S3 for Verbs {
            $(
                async fn $operation(
                    &self,
                    request: S3Request<dto::$input>,
                ) -> S3Result<S3Response<dto::$output>> {
                    let (ticket, asked) = open(&request)?;
                    let log = asked.log.clone();
                    let verb = $module::$verb(self, &ticket, asked, request.input);
                    let done = verb.with_subscriber(log).await;
                    close(&ticket, done)
                }
            )*
        }

        /// The operations that are offered, by their S3 names in snake case; every other one answers 501.
        pub const IMPLEMENTED: &[&str] = &[$(stringify!($operation)),*];
    };
}

operations! {
    list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets::list;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = buckets::create;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = buckets::head;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = buckets::delete;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = buckets::location;

    list_objects(ListObjectsInput) -> ListObjectsOutput = list::v1;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list::v2;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = list::versions;

    get_object(GetObjectInput) -> GetObjectOutput = objects::get;
    head_object(HeadObjectInput) -> HeadObjectOutput = objects::head;
    put_object(PutObjectInput) -> PutObjectOutput = objects::put;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = objects::delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = objects::delete_many;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput = objects::attributes;
    copy_object(CopyObjectInput) -> CopyObjectOutput = copy::object;

    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart::create;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart::part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = copy::part;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = multipart::complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart::abort;
    list_parts(ListPartsInput) -> ListPartsOutput = multipart::parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = multipart::uploads;

    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = facts::empty_bucket;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput) -> GetBucketAccelerateConfigurationOutput = facts::empty_bucket;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput = facts::empty_bucket;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput = facts::empty_bucket;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput = facts::payment;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput = facts::encryption;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = facts::bucket_acl;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = facts::put_bucket_acl;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = policy::get;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput = policy::put;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput = policy::delete;
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput = policy::status;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput = facts::no_lifecycle;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = facts::no_cors;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = facts::no_tags;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = facts::no_website;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput = facts::no_replication;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput = facts::no_ownership_controls;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput = facts::no_public_access_block;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput = facts::no_object_lock;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = facts::object_acl;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = facts::put_object_acl;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = facts::object_tags;
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput = facts::no_retention;
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput = facts::no_retention;
}

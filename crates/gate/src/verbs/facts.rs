//! Questions about settings that this cloud does not have, answered with the truth that clients can read:
//! never versioned, no policy, owner only. Each is authorised like HeadBucket or HeadObject.

use super::Verbs;
use super::answer;
use crate::refuse::No;
use crate::ticket::{Asked, Ticket};
use s3s::S3Response;
use s3s::dto::{
    GetBucketAclInput, GetBucketAclOutput, GetBucketEncryptionInput, GetBucketEncryptionOutput,
    GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, GetObjectAclInput,
    GetObjectAclOutput, GetObjectTaggingInput, GetObjectTaggingOutput, Grant, Grantee, Payer,
    Permission, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput, PutObjectAclOutput,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, Type,
};
use store::api::ReadAsked;

/// Asks whether the caller may know the bucket; gives the owner.
async fn bucket(verbs: &Verbs, asked: Asked) -> Result<String, No> {
    let owner = asked.owner();
    let bucket = asked.bucket()?;
    verbs.backend.head_bucket(asked.caller, &bucket).await?;
    Ok(owner)
}

/// Asks whether the caller may know the object; gives the owner.
async fn object(verbs: &Verbs, asked: Asked) -> Result<String, No> {
    let owner = asked.owner();
    let (bucket, key) = asked.object()?;
    verbs
        .backend
        .head_object(asked.caller, &bucket, &key, ReadAsked::default())
        .await?;
    Ok(owner)
}

/// A setting that was never made and is an empty document.
pub(super) async fn empty_bucket<I, O: Default>(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: I,
) -> Result<S3Response<O>, No> {
    bucket(verbs, asked).await?;
    Ok(S3Response::new(O::default()))
}

macro_rules! absent {
    ($($name:ident of $whom:ident: $code:literal, $message:literal;)*) => {
        $(
            #[doc = concat!("Answers `", $code, "`.")]
            pub(super) async fn $name<I, O>(
                verbs: &Verbs,
                _ticket: &Ticket,
                asked: Asked,
                _input: I,
            ) -> Result<S3Response<O>, No> {
                $whom(verbs, asked).await?;
                Err(No::new(404, $code, $message))
            }
        )*
    };
}

absent! {
    no_lifecycle of bucket: "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist";
    no_cors of bucket: "NoSuchCORSConfiguration", "The CORS configuration does not exist";
    no_tags of bucket: "NoSuchTagSet", "The TagSet does not exist";
    no_website of bucket: "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration";
    no_replication of bucket: "ReplicationConfigurationNotFoundError", "The replication configuration was not found";
    no_ownership_controls of bucket: "OwnershipControlsNotFoundError", "The bucket ownership controls were not found";
    no_public_access_block of bucket: "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found";
    no_object_lock of bucket: "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket";
    no_retention of object: "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration";
}

/// GetBucketRequestPayment.
pub(super) async fn payment(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: GetBucketRequestPaymentInput,
) -> Result<S3Response<GetBucketRequestPaymentOutput>, No> {
    bucket(verbs, asked).await?;
    let payer = Some(Payer::from_static(Payer::BUCKET_OWNER));
    Ok(S3Response::new(GetBucketRequestPaymentOutput { payer }))
}

/// GetBucketEncryption: everything is encrypted, always.
pub(super) async fn encryption(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: GetBucketEncryptionInput,
) -> Result<S3Response<GetBucketEncryptionOutput>, No> {
    bucket(verbs, asked).await?;
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: None,
            sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
        }),
        bucket_key_enabled: Some(false),
    };
    Ok(S3Response::new(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    }))
}

fn owner_only(owner: &str) -> Option<Vec<Grant>> {
    Some(vec![Grant {
        grantee: Some(Grantee {
            display_name: Some(owner.to_owned()),
            email_address: None,
            id: Some(owner.to_owned()),
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }])
}

/// GetBucketAcl.
pub(super) async fn bucket_acl(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: GetBucketAclInput,
) -> Result<S3Response<GetBucketAclOutput>, No> {
    let owner = bucket(verbs, asked).await?;
    Ok(S3Response::new(GetBucketAclOutput {
        grants: owner_only(&owner),
        owner: answer::owner(&owner),
    }))
}

/// GetObjectAcl.
pub(super) async fn object_acl(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: GetObjectAclInput,
) -> Result<S3Response<GetObjectAclOutput>, No> {
    let owner = object(verbs, asked).await?;
    Ok(S3Response::new(GetObjectAclOutput {
        grants: owner_only(&owner),
        owner: answer::owner(&owner),
        ..GetObjectAclOutput::default()
    }))
}

/// An ACL that says what is so anyway may be set; the door has refused every other canned one.
fn private(asked: &Asked, document: bool) -> Result<(), No> {
    if document || asked.header("x-amz-acl").is_none() {
        return Err(No::lacking("access control lists other than private"));
    }
    Ok(())
}

/// PutBucketAcl.
pub(super) async fn put_bucket_acl(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: PutBucketAclInput,
) -> Result<S3Response<PutBucketAclOutput>, No> {
    private(&asked, input.access_control_policy.is_some())?;
    bucket(verbs, asked).await?;
    Ok(S3Response::new(PutBucketAclOutput::default()))
}

/// PutObjectAcl.
pub(super) async fn put_object_acl(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: PutObjectAclInput,
) -> Result<S3Response<PutObjectAclOutput>, No> {
    private(&asked, input.access_control_policy.is_some())?;
    object(verbs, asked).await?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}

/// GetObjectTagging.
pub(super) async fn object_tags(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: GetObjectTaggingInput,
) -> Result<S3Response<GetObjectTaggingOutput>, No> {
    object(verbs, asked).await?;
    Ok(S3Response::new(GetObjectTaggingOutput::default()))
}

//! CopyObject and UploadPartCopy.

use super::Verbs;
use super::answer;
use super::multipart::upload_id;
use super::objects::part_number;
use crate::conditions::{self, SOURCE, TARGET};
use crate::document::checksum_algorithm;
use crate::metadata;
use crate::refuse::No;
use crate::ticket::{Asked, Ticket};
use s3s::S3Response;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource,
    ServerSideEncryption, UploadPartCopyInput, UploadPartCopyOutput,
};
use store::api::{ChecksumKind, CopyAsked, CopyMetadata, PartCopyAsked};
use words::{BucketName, ObjectKey};

fn source(source: &CopySource) -> Result<(BucketName, ObjectKey), No> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => {
            if version_id
                .as_deref()
                .is_some_and(|version| version != "null")
            {
                return Err(No::lacking("versions in x-amz-copy-source"));
            }
            Ok((BucketName::parse(bucket)?, ObjectKey::parse(key)?))
        }
        _ => Err(No::lacking("access points in x-amz-copy-source")),
    }
}

/// What `x-amz-copy-source` names, read as the verbs read it.
pub(crate) fn copy_source(header: &str) -> Option<(BucketName, ObjectKey)> {
    source(&CopySource::parse(header).ok()?).ok()
}

/// CopyObject.
pub(super) async fn object(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: CopyObjectInput,
) -> Result<S3Response<CopyObjectOutput>, No> {
    let (bucket, key) = asked.object()?;
    let (source_bucket, source_key) = source(&input.copy_source)?;
    if asked.headers.contains_key("x-amz-copy-source-range") {
        return Err(No::argument(
            "x-amz-copy-source-range is for parts of an upload only",
        ));
    }
    let checksum = checksum_algorithm(&asked.headers)?;
    let directive = asked.header("x-amz-metadata-directive").unwrap_or("COPY");
    let replaced = match directive {
        "COPY" => CopyMetadata::Keep,
        "REPLACE" => CopyMetadata::Replace(metadata::read(&asked.headers)?),
        _ => {
            return Err(No::argument(
                "x-amz-metadata-directive must be COPY or REPLACE",
            ));
        }
    };
    let to_itself = source_bucket == bucket && source_key == key;
    if to_itself && matches!(replaced, CopyMetadata::Keep) && checksum.is_none() {
        return Err(No::request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the \
             object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    let copy = CopyAsked {
        source_bucket,
        source_key,
        source_conditions: SOURCE.read(&asked.headers)?,
        metadata: replaced,
        conditions: TARGET.read(&asked.headers)?,
        checksum,
    };
    let done = verbs
        .backend
        .copy_object(asked.caller, &bucket, &key, copy)
        .await
        .map_err(unmet)?;
    let of = |kind| answer::of_kind(&done.checksums, kind);
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            checksum_crc32: of(ChecksumKind::Crc32),
            checksum_crc32c: of(ChecksumKind::Crc32c),
            checksum_crc64nvme: of(ChecksumKind::Crc64Nvme),
            checksum_sha1: of(ChecksumKind::Sha1),
            checksum_sha256: of(ChecksumKind::Sha256),
            checksum_type: answer::checksum_type(&done.checksums),
            e_tag: answer::etag(&done.etag),
            last_modified: answer::timestamp(done.modified),
        }),
        server_side_encryption: Some(ServerSideEncryption::from_static(
            ServerSideEncryption::AES256,
        )),
        ..CopyObjectOutput::default()
    }))
}

/// UploadPartCopy.
pub(super) async fn part(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: UploadPartCopyInput,
) -> Result<S3Response<UploadPartCopyOutput>, No> {
    let (bucket, key) = asked.object()?;
    let (source_bucket, source_key) = source(&input.copy_source)?;
    let number = part_number(asked.query.get("partNumber").unwrap_or_default())?;
    let upload = upload_id(&asked)?;
    let range = asked
        .header("x-amz-copy-source-range")
        .map(conditions::source_range)
        .transpose()?;
    let copy = PartCopyAsked {
        source_bucket,
        source_key,
        source_conditions: SOURCE.read(&asked.headers)?,
        range,
    };
    let done = verbs
        .backend
        .upload_part_copy(asked.caller, &bucket, &key, upload, number, copy)
        .await;
    let done = done.map_err(unmet)?;
    let of = |kind| answer::of_kind(&done.checksums, kind);
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            checksum_crc32: of(ChecksumKind::Crc32),
            checksum_crc32c: of(ChecksumKind::Crc32c),
            checksum_crc64nvme: of(ChecksumKind::Crc64Nvme),
            checksum_sha1: of(ChecksumKind::Sha1),
            checksum_sha256: of(ChecksumKind::Sha256),
            e_tag: answer::etag(&done.etag),
            last_modified: answer::timestamp(done.modified),
        }),
        server_side_encryption: Some(ServerSideEncryption::from_static(
            ServerSideEncryption::AES256,
        )),
        ..UploadPartCopyOutput::default()
    }))
}

/// A copy whose source is unchanged is a failed condition: 304 is for reads.
fn unmet(error: store::error::StoreError) -> No {
    match error {
        store::error::StoreError::NotModified => {
            store::error::StoreError::PreconditionFailed("x-amz-copy-source-If-None-Match").into()
        }
        other => other.into(),
    }
}

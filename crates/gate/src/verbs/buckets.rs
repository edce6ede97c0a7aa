//! Buckets: list, create, head, delete, location.

use super::Verbs;
use super::answer;
use super::list::{token, untoken};
use crate::refuse::No;
use crate::ticket::{Asked, Ticket};
use http::header::LOCATION;
use http::{HeaderMap, HeaderName};
use s3s::S3Response;
use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput,
    HeadBucketOutput, ListBucketsInput, ListBucketsOutput,
};
use words::limits::BUCKETS_PER_TENANT_MAX;

/// ListBuckets.
pub(super) async fn list(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: ListBucketsInput,
) -> Result<S3Response<ListBucketsOutput>, No> {
    let owner = asked.owner();
    let max = match input.max_buckets {
        None => BUCKETS_PER_TENANT_MAX,
        Some(max) => usize::try_from(max)
            .ok()
            .filter(|max| (1..=BUCKETS_PER_TENANT_MAX).contains(max))
            .ok_or_else(|| No::argument("max-buckets must be between 1 and 10000"))?,
    };
    let after = input
        .continuation_token
        .as_deref()
        .map(untoken)
        .transpose()?;
    let here = input
        .bucket_region
        .as_ref()
        .is_none_or(|region| *region == verbs.region);
    let prefix = input.prefix.clone().unwrap_or_default();
    let mut buckets = verbs.backend.list_buckets(asked.caller).await?;
    buckets.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    buckets.retain(|bucket| {
        let name = bucket.name.as_str();
        here && name.starts_with(&prefix) && after.as_deref().is_none_or(|after| name > after)
    });
    let more = buckets.len() > max;
    buckets.truncate(max);
    let next = buckets
        .last()
        .filter(|_| more)
        .map(|bucket| token(bucket.name.as_str()));
    let listed = buckets.into_iter().map(|bucket| Bucket {
        bucket_region: Some(verbs.region.clone()),
        creation_date: answer::timestamp(bucket.created),
        name: Some(bucket.name.as_str().to_owned()),
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(listed.collect()),
        continuation_token: next,
        owner: answer::owner(&owner),
        prefix: input.prefix,
    }))
}

/// CreateBucket.
pub(super) async fn create(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: CreateBucketInput,
) -> Result<S3Response<CreateBucketOutput>, No> {
    let bucket = asked.bucket()?;
    if let Some(configuration) = input.create_bucket_configuration {
        if configuration.bucket.is_some() || configuration.location.is_some() {
            return Err(No::lacking("directory buckets"));
        }
        let place = configuration
            .location_constraint
            .as_ref()
            .map_or("", BucketLocationConstraint::as_str);
        if !place.is_empty() && place != verbs.region {
            return Err(No::new(
                400,
                "InvalidLocationConstraint",
                format!(
                    "The specified location-constraint is not valid; this cloud is in {}",
                    verbs.region
                ),
            ));
        }
    }
    let place = format!("/{}", bucket.as_str());
    verbs.backend.create_bucket(asked.caller, bucket).await?;
    let mut headers = HeaderMap::new();
    crate::metadata::put(&mut headers, LOCATION, &place);
    Ok(S3Response::with_headers(
        CreateBucketOutput::default(),
        headers,
    ))
}

/// HeadBucket.
pub(super) async fn head(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: HeadBucketInput,
) -> Result<S3Response<HeadBucketOutput>, No> {
    let bucket = asked.bucket()?;
    verbs.backend.head_bucket(asked.caller, &bucket).await?;
    let mut headers = HeaderMap::new();
    crate::metadata::put(
        &mut headers,
        HeaderName::from_static("x-amz-bucket-region"),
        &verbs.region,
    );
    Ok(S3Response::with_headers(
        HeadBucketOutput::default(),
        headers,
    ))
}

/// DeleteBucket.
pub(super) async fn delete(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: DeleteBucketInput,
) -> Result<S3Response<DeleteBucketOutput>, No> {
    let bucket = asked.bucket()?;
    verbs.backend.delete_bucket(asked.caller, &bucket).await?;
    Ok(S3Response::new(DeleteBucketOutput::default()))
}

/// GetBucketLocation.
pub(super) async fn location(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: GetBucketLocationInput,
) -> Result<S3Response<GetBucketLocationOutput>, No> {
    let bucket = asked.bucket()?;
    verbs.backend.head_bucket(asked.caller, &bucket).await?;
    let place = BucketLocationConstraint::from(verbs.region.clone());
    Ok(S3Response::new(GetBucketLocationOutput {
        location_constraint: Some(place),
    }))
}

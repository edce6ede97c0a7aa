//! GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy and GetBucketPolicyStatus.

use super::Verbs;
use crate::body::out::Out;
use crate::refuse::No;
use crate::ticket::{Asked, Ticket};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::S3Response;
use s3s::dto::{
    DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
    GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, PolicyStatus, PutBucketPolicyInput,
    PutBucketPolicyOutput,
};
use store::PolicyAct;

async fn ask(verbs: &Verbs, asked: Asked, act: PolicyAct) -> Result<Option<String>, No> {
    let bucket = asked.bucket()?;
    Ok(verbs
        .backend
        .bucket_policy(asked.caller, &bucket, act)
        .await?)
}

/// GetBucketPolicy: the document as it was given.
pub(super) async fn get(
    verbs: &Verbs,
    ticket: &Ticket,
    asked: Asked,
    _input: GetBucketPolicyInput,
) -> Result<S3Response<GetBucketPolicyOutput>, No> {
    let text = ask(verbs, asked, PolicyAct::Get).await?.unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ticket.reply(StatusCode::OK, headers, Out::Once(Bytes::from(text)));
    Ok(S3Response::new(GetBucketPolicyOutput::default()))
}

/// PutBucketPolicy.
pub(super) async fn put(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: PutBucketPolicyInput,
) -> Result<S3Response<PutBucketPolicyOutput>, No> {
    ask(verbs, asked, PolicyAct::Put(input.policy)).await?;
    Ok(S3Response::new(PutBucketPolicyOutput::default()))
}

/// DeleteBucketPolicy.
pub(super) async fn delete(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: DeleteBucketPolicyInput,
) -> Result<S3Response<DeleteBucketPolicyOutput>, No> {
    ask(verbs, asked, PolicyAct::Delete).await?;
    Ok(S3Response::new(DeleteBucketPolicyOutput::default()))
}

/// GetBucketPolicyStatus: no policy here makes a bucket public.
pub(super) async fn status(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: GetBucketPolicyStatusInput,
) -> Result<S3Response<GetBucketPolicyStatusOutput>, No> {
    ask(verbs, asked, PolicyAct::Get).await?;
    Ok(S3Response::new(GetBucketPolicyStatusOutput {
        policy_status: Some(PolicyStatus {
            is_public: Some(false),
        }),
    }))
}

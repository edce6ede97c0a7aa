//! What a signed head asks for. Whoever holds the keys checks with it that the door asks for nothing else: a
//! signature for one object must not open another.

use crate::door::unhoisted;
use crate::query::Query;
use crate::target::Target;
use crate::verb::{Verb, is_selector};
use crate::verbs::copy_source;
use authn::RequestHead;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use words::{BucketName, ObjectKey, VersionId};

/// One verb on its nouns, as the door asks for it.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // each is the method of `Backend` of that name
pub enum Act<'a> {
    ListBuckets,
    CreateBucket(&'a BucketName),
    HeadBucket(&'a BucketName),
    GetPolicy(&'a BucketName),
    PutPolicy(&'a BucketName),
    DeletePolicy(&'a BucketName),
    DeleteBucket(&'a BucketName),
    ListObjects(&'a BucketName),
    GetObject(&'a BucketName, &'a ObjectKey),
    HeadObject(&'a BucketName, &'a ObjectKey),
    PutObject(&'a BucketName, &'a ObjectKey),
    DeleteObject(&'a BucketName, &'a ObjectKey),
    DeleteObjects(&'a BucketName),
    CopyObject(&'a BucketName, &'a ObjectKey, Source<'a>),
    CreateUpload(&'a BucketName, &'a ObjectKey),
    UploadPart(&'a BucketName, &'a ObjectKey, VersionId),
    UploadPartCopy(&'a BucketName, &'a ObjectKey, VersionId, Source<'a>),
    CompleteUpload(&'a BucketName, &'a ObjectKey, VersionId),
    AbortUpload(&'a BucketName, &'a ObjectKey, VersionId),
    ListParts(&'a BucketName, &'a ObjectKey, VersionId),
    ListUploads(&'a BucketName),
}

/// Where a copy comes from.
pub type Source<'a> = (&'a BucketName, &'a ObjectKey);

/// A head whose signature was checked, read the way the door reads it.
pub struct Bound {
    method: Method,
    target: Target,
    query: Query,
    headers: HeaderMap,
    verb: Verb,
}

impl Bound {
    /// Reads the head; nothing for one that the door would have refused.
    #[must_use]
    pub fn of(head: &RequestHead<'_>, domains: &[String]) -> Option<Self> {
        let method = Method::from_bytes(head.method.as_bytes()).ok()?;
        let mut headers = HeaderMap::new();
        let mut host = None;
        for (name, value) in head.headers {
            match name.as_str() {
                "host" => host = host.or(Some(value.as_str())),
                "x-amz-copy-source" => {
                    let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
                    headers.append(HeaderName::from_static("x-amz-copy-source"), value);
                }
                _ => {}
            }
        }
        let query = Query::parse(head.raw_query).ok()?;
        let (query, headers) = unhoisted(query, headers).ok()?;
        let target = Target::parse(head.raw_path, host, domains).ok()?;
        let verb = Verb::of(&method, &target, &query, &headers);
        Some(Self {
            method,
            target,
            query,
            headers,
            verb,
        })
    }

    /// Whether the act is what the head asks for.
    #[must_use]
    pub fn allows(&self, act: Act<'_>) -> bool {
        let get = self.method == Method::GET;
        let reads = get || self.method == Method::HEAD;
        match act {
            Act::ListBuckets => get && matches!(self.target, Target::Root),
            Act::CreateBucket(bucket) => {
                self.method == Method::PUT && self.is_bucket(bucket) && self.is_plain()
            }
            Act::DeleteBucket(bucket) => {
                self.method == Method::DELETE && self.is_bucket(bucket) && self.is_plain()
            }
            Act::GetPolicy(bucket) => get && self.is_policy(bucket),
            Act::PutPolicy(bucket) => self.method == Method::PUT && self.is_policy(bucket),
            Act::DeletePolicy(bucket) => self.method == Method::DELETE && self.is_policy(bucket),
            Act::HeadBucket(bucket) => self.is_bucket(bucket),
            Act::ListObjects(bucket) => self.verb == Verb::ListObjects && self.is_bucket(bucket),
            Act::ListUploads(bucket) => get && self.query.has("uploads") && self.is_bucket(bucket),
            Act::GetObject(bucket, key) => {
                self.verb == Verb::GetObject && self.is_object(bucket, key)
            }
            Act::HeadObject(bucket, key) => reads && self.is_object(bucket, key),
            Act::PutObject(bucket, key) => {
                self.verb == Verb::PutObject && self.is_object(bucket, key)
            }
            Act::DeleteObject(bucket, key) => {
                self.verb == Verb::DeleteObject && self.is_object(bucket, key)
            }
            Act::DeleteObjects(bucket) => {
                self.verb == Verb::DeleteObjects && self.is_bucket(bucket)
            }
            Act::CopyObject(bucket, key, source) => {
                self.verb == Verb::CopyObject
                    && self.is_object(bucket, key)
                    && self.is_source(source)
            }
            Act::CreateUpload(bucket, key) => {
                self.verb == Verb::CreateUpload && self.is_object(bucket, key)
            }
            Act::UploadPart(bucket, key, upload) => {
                self.verb == Verb::UploadPart
                    && self.is_object(bucket, key)
                    && self.is_upload(upload)
            }
            Act::UploadPartCopy(bucket, key, upload, source) => {
                self.verb == Verb::UploadPartCopy
                    && self.is_object(bucket, key)
                    && self.is_upload(upload)
                    && self.is_source(source)
            }
            Act::CompleteUpload(bucket, key, upload) => {
                self.verb == Verb::CompleteUpload
                    && self.is_object(bucket, key)
                    && self.is_upload(upload)
            }
            Act::AbortUpload(bucket, key, upload) => {
                self.method == Method::DELETE
                    && self.is_object(bucket, key)
                    && self.is_upload(upload)
            }
            Act::ListParts(bucket, key, upload) => {
                get && self.is_object(bucket, key) && self.is_upload(upload)
            }
        }
    }

    fn is_bucket(&self, bucket: &BucketName) -> bool {
        matches!(&self.target, Target::Bucket(signed) if signed == bucket)
    }
    /// Without a word that chooses another operation on the same bucket.
    fn is_plain(&self) -> bool {
        !self.query.iter().any(|(name, _)| is_selector(name))
    }
    fn is_policy(&self, bucket: &BucketName) -> bool {
        let asked = self.query.has("policy") || self.query.has("policyStatus");
        asked && self.is_bucket(bucket)
    }
    fn is_object(&self, bucket: &BucketName, key: &ObjectKey) -> bool {
        matches!(&self.target, Target::Object(signed, of) if signed == bucket && of == key)
    }
    fn is_upload(&self, upload: VersionId) -> bool {
        self.query.get("uploadId").and_then(VersionId::parse) == Some(upload)
    }
    fn is_source(&self, source: Source<'_>) -> bool {
        let signed = self.headers.get("x-amz-copy-source");
        let signed = signed.and_then(|value| value.to_str().ok());
        signed
            .and_then(copy_source)
            .is_some_and(|(bucket, key)| (&bucket, &key) == source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, path: &str, query: &str, source: Option<&str>) -> Bound {
        let mut headers = vec![("host".to_owned(), "127.0.0.1:7480".to_owned())];
        if let Some(source) = source {
            headers.push(("x-amz-copy-source".to_owned(), source.to_owned()));
        }
        let head = RequestHead {
            method,
            raw_path: path,
            raw_query: query,
            headers: &headers,
            via: authn::Via::default(),
        };
        Bound::of(&head, &["localhost".to_owned()]).unwrap()
    }

    fn acts<'a>(
        b: &'a BucketName,
        k: &'a ObjectKey,
        source: Source<'a>,
        upload: VersionId,
    ) -> [Act<'a>; 17] {
        [
            Act::ListBuckets,
            Act::CreateBucket(b),
            Act::DeleteBucket(b),
            Act::GetPolicy(b),
            Act::PutPolicy(b),
            Act::DeletePolicy(b),
            Act::ListObjects(b),
            Act::GetObject(b, k),
            Act::PutObject(b, k),
            Act::DeleteObject(b, k),
            Act::DeleteObjects(b),
            Act::CopyObject(b, k, source),
            Act::CreateUpload(b, k),
            Act::UploadPart(b, k, upload),
            Act::UploadPartCopy(b, k, upload, source),
            Act::CompleteUpload(b, k, upload),
            Act::AbortUpload(b, k, upload),
        ]
    }

    #[test]
    fn a_signature_for_one_act_opens_no_other() {
        let (own, other) = (
            BucketName::parse("own").unwrap(),
            BucketName::parse("other").unwrap(),
        );
        let (k, l) = (
            ObjectKey::parse("k").unwrap(),
            ObjectKey::parse("l").unwrap(),
        );
        let upload = VersionId::from_bytes([7; 16]);
        let with_upload = format!("partNumber=1&uploadId={upload}");
        let heads = [
            head("GET", "/", "", None),
            head("PUT", "/own", "", None),
            head("DELETE", "/own", "", None),
            head("GET", "/own", "policy=", None),
            head("PUT", "/own", "policy=", None),
            head("DELETE", "/own", "policy=", None),
            head("GET", "/own", "list-type=2", None),
            head("GET", "/own/k", "", None),
            head("PUT", "/own/k", "", None),
            head("DELETE", "/own/k", "", None),
            head("POST", "/own", "delete=", None),
            head("PUT", "/own/k", "", Some("/other/l")),
            head("POST", "/own/k", "uploads=", None),
            head("PUT", "/own/k", &with_upload, None),
            head("PUT", "/own/k", &with_upload, Some("other/l")),
            head("POST", "/own/k", &format!("uploadId={upload}"), None),
            head("DELETE", "/own/k", &format!("uploadId={upload}"), None),
        ];
        for (at, head) in heads.iter().enumerate() {
            for (of, act) in acts(&own, &k, (&other, &l), upload).into_iter().enumerate() {
                assert_eq!(head.allows(act), at == of, "head {at}, act {of}");
            }
            for act in acts(&other, &k, (&other, &l), upload).into_iter().skip(1) {
                assert!(
                    !head.allows(act),
                    "head {at} opened another bucket by {act:?}"
                );
            }
            for act in acts(&own, &l, (&other, &k), VersionId::from_bytes([8; 16])) {
                let whole_bucket = matches!(
                    act,
                    Act::ListBuckets
                        | Act::CreateBucket(_)
                        | Act::DeleteBucket(_)
                        | Act::ListObjects(_)
                        | Act::GetPolicy(_)
                        | Act::PutPolicy(_)
                        | Act::DeletePolicy(_)
                        | Act::DeleteObjects(_)
                );
                assert!(
                    whole_bucket || !head.allows(act),
                    "head {at} opened {act:?}"
                );
            }
        }
    }
}

//! For the fuzz targets alone, compiled under `--cfg fuzzing` and nowhere else: the room's readers of outside
//! bytes as functions over plain values, so that nothing of the room's inside becomes public.

use crate::conditions::{self, SOURCE, TARGET};
use crate::query::Query;
use crate::refuse::No;
use crate::target::Target;
use crate::verb::Verb;
use crate::{document, expected, metadata, unsupported, verbs};
use authn::PayloadHash;
use http::{HeaderMap, Method};
use store::api::{Checksum, ChecksumKind, Conditions, Expected, Metadata, RangeAsked};
use words::{BucketName, ObjectKey};

/// A refusal as a client sees it.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// S3's code.
    pub code: std::borrow::Cow<'static, str>,
    /// The message in it.
    pub message: String,
    /// The whole error document.
    pub document: String,
}

impl From<No> for Refused {
    fn from(no: No) -> Self {
        let document = no.document("/a&<b>", "1");
        Self {
            status: no.status,
            code: no.code,
            message: no.message,
            document,
        }
    }
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The bucket, if any.
    pub bucket: Option<BucketName>,
    /// The object, if any.
    pub key: Option<ObjectKey>,
    /// The one spelling that s3s is given.
    pub path: String,
}

/// Reads path and host.
pub fn target(path: &str, host: Option<&str>, domains: &[String]) -> Result<About, Refused> {
    let target = Target::parse(path, host, domains)?;
    let path = target.path();
    let (bucket, key) = match target {
        Target::Root => (None, None),
        Target::Bucket(bucket) => (Some(bucket), None),
        Target::Object(bucket, key) => (Some(bucket), Some(key)),
    };
    Ok(About { bucket, key, path })
}

/// Reads a query: its pairs, and the text that s3s is given.
pub fn query(raw: &str) -> Result<(Vec<(String, String)>, String), Refused> {
    let query = Query::parse(raw)?;
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok((query.iter().map(owned).collect(), query.text()))
}

/// Everything that is read of a head before s3s is asked.
#[derive(Debug)]
pub struct Head {
    /// Conditions on the target and on a copy's source.
    pub conditions: [Conditions; 2],
    /// The range of a read.
    pub range: Option<RangeAsked>,
    /// What the body must hash to, and the trailers announced.
    pub expected: (Expected, Vec<String>),
    /// Content headers and user metadata.
    pub metadata: Metadata,
}

/// Reads a head.
pub fn head(
    method: &Method,
    path: &str,
    raw_query: &str,
    headers: &HeaderMap,
    payload: PayloadHash,
) -> Result<Head, Refused> {
    let target = Target::parse(path, None, &[])?;
    let query = Query::parse(raw_query)?;
    let verb = Verb::of(method, &target, &query, headers);
    unsupported::check(method, &target, verb, &query, headers, "owner")?;
    if let Some(range) = headers.get("x-amz-copy-source-range") {
        conditions::source_range(range.to_str().unwrap_or_default())?;
    }
    document::checksum_algorithm(headers)?;
    Ok(Head {
        conditions: [TARGET.read(headers)?, SOURCE.read(headers)?],
        range: conditions::range(headers),
        expected: expected::read(headers, payload)?,
        metadata: metadata::read(headers)?,
    })
}

/// Writes metadata into the headers of an answer.
#[must_use]
pub fn answered(metadata: &Metadata) -> HeaderMap {
    let mut headers = HeaderMap::new();
    metadata::write(metadata, &mut headers);
    headers
}

/// Reads metadata from headers.
pub fn metadata(headers: &HeaderMap) -> Result<Metadata, Refused> {
    Ok(metadata::read(headers)?)
}

/// Reads a checksum's value.
pub fn checksum(kind: ChecksumKind, text: &str, composite: bool) -> Result<Checksum, Refused> {
    Ok(expected::checksum(kind, text, composite)?)
}

/// Writes a checksum's value.
#[must_use]
pub fn checksum_text(checksum: &Checksum) -> String {
    expected::checksum_text(checksum)
}

/// Whether a document holds nothing that s3s would skip in silence.
pub fn plain_document(document: &[u8]) -> Result<(), Refused> {
    Ok(document::plain(document)?)
}

/// Makes a continuation token.
#[must_use]
pub fn token(name: &str) -> String {
    verbs::token(name)
}

/// Reads a continuation token.
pub fn untoken(token: &str) -> Result<String, Refused> {
    Ok(verbs::untoken(token)?)
}

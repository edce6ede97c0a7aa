//! The messages. Both ends are the same program of the same version, started by one launcher, so the layout
//! may change with any version: nothing here reaches a disk.

use authn::{PayloadHash, RequestHead, Via};
use gate::{Element, Readiness, Refusal};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;
use store::api::{
    BodyError, BucketInfo, Checksum, ChecksumKind, CompleteAsked, Conditions, CopyAsked, ListAsked,
    ListPage, ListedPart, ListedUpload, ObjectInfo, PartCopyAsked, PutAsked, PutDone, ReadAsked,
    UploadAsked,
};
use store::{PolicyAct, StoreError};
use words::{BucketName, NameError, ObjectKey, TenantId, VersionId};

/// A request's head as it came over the wire.
#[derive(Debug, Serialize, Deserialize)]
pub struct Head<'a> {
    /// The method.
    pub method: Cow<'a, str>,
    /// The path before `?`.
    pub path: Cow<'a, str>,
    /// What follows `?`.
    pub query: Cow<'a, str>,
    /// All headers, names in lower case.
    pub headers: Cow<'a, [(String, String)]>,
    /// The other end of the connection.
    pub source: Option<IpAddr>,
    /// Whether it came over TLS.
    pub secure: bool,
}

impl<'a> Head<'a> {
    /// What is said of a head.
    #[must_use]
    pub fn of(head: &RequestHead<'a>) -> Self {
        Self {
            method: Cow::Borrowed(head.method),
            path: Cow::Borrowed(head.raw_path),
            query: Cow::Borrowed(head.raw_query),
            headers: Cow::Borrowed(head.headers),
            source: head.via.source,
            secure: head.via.secure,
        }
    }
    /// The head of which this was said.
    #[must_use]
    pub fn head(&self) -> RequestHead<'_> {
        RequestHead {
            method: &self.method,
            raw_path: &self.path,
            raw_query: &self.query,
            headers: &self.headers,
            via: Via {
                source: self.source,
                secure: self.secure,
            },
        }
    }
}

/// A form to STS or IAM, with the head it came with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Form<'a> {
    /// The head.
    pub head: Head<'a>,
    /// The body.
    pub body: Vec<u8>,
}

/// [`gate::Element`].
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // see `gate::Element`
pub enum Part {
    Text(String, String),
    Group(String, Vec<Part>),
}

impl From<Element> for Part {
    fn from(element: Element) -> Self {
        match element {
            Element::Text(name, text) => Self::Text(name, text),
            Element::Group(name, inside) => {
                Self::Group(name, inside.into_iter().map(Self::from).collect())
            }
        }
    }
}

impl From<Part> for Element {
    fn from(part: Part) -> Self {
        match part {
            Part::Text(name, text) => Self::Text(name, text),
            Part::Group(name, inside) => {
                Self::Group(name, inside.into_iter().map(Self::from).collect())
            }
        }
    }
}

/// [`gate::Answered`].
#[derive(Debug, Serialize, Deserialize)]
pub struct FormAnswer {
    /// The action.
    pub action: String,
    /// `sts` or `iam`.
    pub service: String,
    /// What it came to.
    pub elements: Vec<Part>,
}

/// What the signature says about the body.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Payload {
    /// See [`PayloadHash::Hex`].
    Hex([u8; 32]),
    /// See [`PayloadHash::Unsigned`].
    Unsigned,
    /// See [`PayloadHash::SignedChunks`].
    SignedChunks,
    /// See [`PayloadHash::SignedChunksTrailer`].
    SignedChunksTrailer,
    /// See [`PayloadHash::UnsignedTrailer`].
    UnsignedTrailer,
}

impl From<PayloadHash> for Payload {
    fn from(hash: PayloadHash) -> Self {
        match hash {
            PayloadHash::Hex(hash) => Self::Hex(hash),
            PayloadHash::Unsigned => Self::Unsigned,
            PayloadHash::SignedChunks => Self::SignedChunks,
            PayloadHash::SignedChunksTrailer => Self::SignedChunksTrailer,
            PayloadHash::UnsignedTrailer => Self::UnsignedTrailer,
        }
    }
}

impl From<Payload> for PayloadHash {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Hex(hash) => Self::Hex(hash),
            Payload::Unsigned => Self::Unsigned,
            Payload::SignedChunks => Self::SignedChunks,
            Payload::SignedChunksTrailer => Self::SignedChunksTrailer,
            Payload::UnsignedTrailer => Self::UnsignedTrailer,
        }
    }
}

/// A believed request.
#[derive(Debug, Serialize, Deserialize)]
pub struct Believed {
    /// On whose behalf it comes.
    pub tenant: TenantId,
    /// What the signature says about the body.
    pub payload: Payload,
    /// Chunks of the body are signed, and the far side wants to check them.
    pub chunks: bool,
}

/// A request that is not believed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refused {
    code: String,
    status: u16,
    message: String,
    region: Option<String>,
}

impl From<Refusal> for Refused {
    fn from(no: Refusal) -> Self {
        Self {
            code: no.code.into_owned(),
            status: no.status,
            message: no.message,
            region: no.region,
        }
    }
}

impl From<Refused> for Refusal {
    fn from(no: Refused) -> Self {
        Self {
            code: no.code.into(),
            status: no.status,
            message: no.message,
            region: no.region,
        }
    }
}

/// The signature of a chunk, or of the trailers, as it stood in the framing of a body. The bytes follow.
#[derive(Debug, Serialize, Deserialize)]
pub enum Check {
    /// A chunk of so many bytes; the last one has none.
    Chunk {
        /// SHA-256 of its bytes, as the door computed it.
        sha256: [u8; 32],
        /// Its length.
        length: u64,
        /// The hexadecimal signature.
        signature: String,
    },
    /// The trailers.
    Trailer {
        /// Each as `name:value` and a line feed.
        text: Vec<u8>,
        /// The hexadecimal signature.
        signature: String,
    },
}

/// One verb, on the caller whose head came before.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ask {
    /// The verb.
    pub verb: Verb,
    /// Signatures in the framing of a document that the door has read whole.
    pub checks: Vec<Check>,
}

/// The verbs of [`gate::Backend`].
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the method of that name
pub enum Verb {
    ListBuckets,
    CreateBucket(BucketName),
    HeadBucket(BucketName),
    BucketPolicy(BucketName, PolicyAct),
    DeleteBucket(BucketName),
    ListObjects(BucketName, ListAsked),
    GetObject(BucketName, ObjectKey, ReadAsked),
    HeadObject(BucketName, ObjectKey, ReadAsked),
    PutObject(BucketName, ObjectKey, PutAsked),
    DeleteObject(BucketName, ObjectKey, Conditions),
    DeleteObjects(BucketName, Vec<ObjectKey>),
    CopyObject(BucketName, ObjectKey, CopyAsked),
    CreateUpload(BucketName, ObjectKey, UploadAsked),
    UploadPart(BucketName, ObjectKey, VersionId, u32, PutAsked),
    UploadPartCopy(BucketName, ObjectKey, VersionId, u32, PartCopyAsked),
    CompleteUpload(BucketName, ObjectKey, VersionId, CompleteAsked),
    AbortUpload(BucketName, ObjectKey, VersionId),
    ListParts(BucketName, ObjectKey, VersionId, u32, u64),
    ListUploads(BucketName, ListAsked),
}

/// What a verb gives.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the result of the method of that name
pub enum Answer {
    Nothing,
    Policy(Option<String>),
    Buckets(Vec<BucketInfo>),
    Bucket(BucketInfo),
    Page(ListPage),
    /// The bytes follow.
    Object(ObjectSaid),
    /// HEAD has no bytes.
    Head(ObjectSaid),
    Done(PutDone),
    Deleted(Vec<Result<(), Trouble>>),
    Upload(VersionId),
    Parts(Vec<ListedPart>, bool),
    Uploads(Vec<ListedUpload>, bool),
}

/// An object without its bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct ObjectSaid {
    /// The object.
    pub info: ObjectInfo,
    /// First and last byte, if a range or part was asked for.
    pub range: Option<(u64, u64)>,
    /// Length of what follows.
    pub length: u64,
}

/// What the door tells about finished requests.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Verb, status and time of each.
    pub seen: Vec<(String, u16, Duration)>,
    /// TLS handshakes so far: hybrid and classical.
    pub handshakes: Option<(u64, u64)>,
}

/// Whether the node serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // see `gate::Readiness`
pub enum State {
    Ready,
    Sealed,
    NotReady(String),
}

impl From<Readiness> for State {
    fn from(readiness: Readiness) -> Self {
        match readiness {
            Readiness::Ready => Self::Ready,
            Readiness::Sealed => Self::Sealed,
            Readiness::NotReady(why) => Self::NotReady(why),
        }
    }
}

impl From<State> for Readiness {
    fn from(state: State) -> Self {
        match state {
            State::Ready => Self::Ready,
            State::Sealed => Self::Sealed,
            State::NotReady(why) => Self::NotReady(why),
        }
    }
}

/// [`BodyError`].
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // see `BodyError`
pub enum BodyTrouble {
    Incomplete,
    TooLong,
    Signature,
    ChunkSignature,
    Framing(String),
    Connection(String),
}

impl From<BodyError> for BodyTrouble {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Incomplete => Self::Incomplete,
            BodyError::TooLong => Self::TooLong,
            BodyError::Signature => Self::Signature,
            BodyError::ChunkSignature => Self::ChunkSignature,
            BodyError::Framing(why) => Self::Framing(why),
            BodyError::Connection(why) => Self::Connection(why),
        }
    }
}

impl From<BodyTrouble> for BodyError {
    fn from(trouble: BodyTrouble) -> Self {
        match trouble {
            BodyTrouble::Incomplete => Self::Incomplete,
            BodyTrouble::TooLong => Self::TooLong,
            BodyTrouble::Signature => Self::Signature,
            BodyTrouble::ChunkSignature => Self::ChunkSignature,
            BodyTrouble::Framing(why) => Self::Framing(why),
            BodyTrouble::Connection(why) => Self::Connection(why),
        }
    }
}

/// [`StoreError`].
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // see `StoreError`
pub enum Trouble {
    Denied,
    Basis(String),
    NoSuchBucket,
    NoSuchBucketPolicy,
    MalformedPolicy(String),
    QuotaExceeded(String),
    NoSuchKey,
    NoSuchUpload,
    BucketAlreadyOwned,
    BucketNotEmpty,
    TooManyBuckets,
    PreconditionFailed(String),
    NotModified,
    ConditionalConflict,
    RangeNotSatisfiable(u64),
    NoSuchPart,
    BadDigest(String),
    Body(BodyTrouble),
    TooLarge(u64),
    PartTooSmall(u32),
    InvalidPart(u32),
    InvalidPartOrder,
    MetadataTooLarge,
    KeyTooLong(u64),
    KeyEmpty,
    Invalid(String),
    SiteAway(String),
    NotLeased(String),
    Busy,
    Sealed,
    NoSpace,
    Unknown(String),
    Corrupt(String),
    Internal(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        use StoreError as E;
        match error {
            E::Denied => Self::Denied,
            E::Basis(why) => Self::Basis(why),
            E::NoSuchBucket => Self::NoSuchBucket,
            E::NoSuchBucketPolicy => Self::NoSuchBucketPolicy,
            E::MalformedPolicy(why) => Self::MalformedPolicy(why),
            E::QuotaExceeded(why) => Self::QuotaExceeded(why),
            E::NoSuchKey => Self::NoSuchKey,
            E::NoSuchUpload => Self::NoSuchUpload,
            E::BucketAlreadyOwned => Self::BucketAlreadyOwned,
            E::BucketNotEmpty => Self::BucketNotEmpty,
            E::TooManyBuckets => Self::TooManyBuckets,
            E::PreconditionFailed(which) => Self::PreconditionFailed(which.to_owned()),
            E::NotModified => Self::NotModified,
            E::ConditionalConflict => Self::ConditionalConflict,
            E::RangeNotSatisfiable { size } => Self::RangeNotSatisfiable(size),
            E::NoSuchPart => Self::NoSuchPart,
            E::BadDigest(which) => Self::BadDigest(which.to_owned()),
            E::Body(error) => Self::Body(error.into()),
            E::TooLarge { max } => Self::TooLarge(max),
            E::PartTooSmall { number } => Self::PartTooSmall(number),
            E::InvalidPart { number } => Self::InvalidPart(number),
            E::InvalidPartOrder => Self::InvalidPartOrder,
            E::MetadataTooLarge => Self::MetadataTooLarge,
            E::Name(NameError::KeyTooLong { length }) => Self::KeyTooLong(length as u64),
            E::Name(NameError::KeyEmpty) => Self::KeyEmpty,
            E::Name(other) => Self::Invalid(other.to_string()),
            E::Invalid(why) => Self::Invalid(why),
            E::SiteAway(why) => Self::SiteAway(why),
            E::NotLeased(why) => Self::NotLeased(why),
            E::Busy => Self::Busy,
            E::Sealed => Self::Sealed,
            E::NoSpace => Self::NoSpace,
            E::Unknown(why) => Self::Unknown(why),
            E::Corrupt(why) => Self::Corrupt(why),
            E::Internal(why) => Self::Internal(why),
        }
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        use Trouble as T;
        match trouble {
            T::Denied => Self::Denied,
            T::Basis(why) => Self::Basis(why),
            T::NoSuchBucket => Self::NoSuchBucket,
            T::NoSuchBucketPolicy => Self::NoSuchBucketPolicy,
            T::MalformedPolicy(why) => Self::MalformedPolicy(why),
            T::QuotaExceeded(why) => Self::QuotaExceeded(why),
            T::NoSuchKey => Self::NoSuchKey,
            T::NoSuchUpload => Self::NoSuchUpload,
            T::BucketAlreadyOwned => Self::BucketAlreadyOwned,
            T::BucketNotEmpty => Self::BucketNotEmpty,
            T::TooManyBuckets => Self::TooManyBuckets,
            T::PreconditionFailed(which) => Self::PreconditionFailed(condition(&which)),
            T::NotModified => Self::NotModified,
            T::ConditionalConflict => Self::ConditionalConflict,
            T::RangeNotSatisfiable(size) => Self::RangeNotSatisfiable { size },
            T::NoSuchPart => Self::NoSuchPart,
            T::BadDigest(which) => Self::BadDigest(digest(&which)),
            T::Body(trouble) => Self::Body(trouble.into()),
            T::TooLarge(max) => Self::TooLarge { max },
            T::PartTooSmall(number) => Self::PartTooSmall { number },
            T::InvalidPart(number) => Self::InvalidPart { number },
            T::InvalidPartOrder => Self::InvalidPartOrder,
            T::MetadataTooLarge => Self::MetadataTooLarge,
            T::KeyTooLong(length) => Self::Name(NameError::KeyTooLong {
                length: usize::try_from(length).unwrap_or(usize::MAX),
            }),
            T::KeyEmpty => Self::Name(NameError::KeyEmpty),
            T::Invalid(why) => Self::Invalid(why),
            T::SiteAway(why) => Self::SiteAway(why),
            T::NotLeased(why) => Self::NotLeased(why),
            T::Busy => Self::Busy,
            T::Sealed => Self::Sealed,
            T::NoSpace => Self::NoSpace,
            T::Unknown(why) => Self::Unknown(why),
            T::Corrupt(why) => Self::Corrupt(why),
            T::Internal(why) => Self::Internal(why),
        }
    }
}

/// Names of conditions, as the store spells them.
const CONDITIONS: [&str; 8] = [
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "If-Modified-Since",
    "x-amz-copy-source-if",
    "x-amz-copy-source-If-Match",
    "x-amz-copy-source-If-None-Match",
    "x-amz-copy-source-If-Unmodified-Since",
];

fn condition(name: &str) -> &'static str {
    let known = CONDITIONS.into_iter().find(|known| *known == name);
    known.unwrap_or("a condition")
}

fn digest(name: &str) -> &'static str {
    let known = ChecksumKind::ALL.into_iter().map(ChecksumKind::name);
    let known = known.chain(["Content-MD5"]).find(|known| *known == name);
    known.unwrap_or("checksum")
}

/// The end of a body: the checksums that came behind it.
#[derive(Debug, Serialize, Deserialize)]
pub struct BodyEnd {
    /// The checksums.
    pub trailer: Vec<Checksum>,
}

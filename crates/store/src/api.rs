//! What the doors say to the store and what they get back. Plain values; no key, no record layout.

use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use words::{BucketName, ObjectKey, UnixMillis, VersionId};

/// A family of checksums that a client may send or ask for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// CRC-32 (ISO-HDLC).
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumKind {
    /// Every family, in the order of their stored numbers.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// The header that carries it.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }
    /// How S3 names the family in XML and in `x-amz-checksum-algorithm`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }
}

/// One checksum: the raw bytes (the doors write them as base64). A composite one is the checksum of the
/// parts' checksums, which S3 shows with `-N` behind it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checksum {
    /// Its family.
    pub kind: ChecksumKind,
    /// Its bytes, most significant first.
    pub value: Vec<u8>,
    /// The number of parts if it is composite.
    pub parts: Option<u32>,
}

/// Where the decoder of a body puts the checksums that arrive behind it.
#[derive(Clone, Default, Debug)]
pub struct TrailerSlot(Arc<OnceLock<Vec<Checksum>>>);

impl TrailerSlot {
    /// Keeps what arrived; only the first call counts.
    pub fn fill(&self, checksums: Vec<Checksum>) {
        let _ = self.0.set(checksums);
    }
    /// What arrived; nothing before the body's end.
    #[must_use]
    pub fn get(&self) -> &[Checksum] {
        self.0.get().map_or(&[], Vec::as_slice)
    }
}

/// Why a body could not be read to its end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    /// The client went away or sent less than it announced.
    #[error("the body ended before its announced length")]
    Incomplete,
    /// The body is longer than announced.
    #[error("the body is longer than announced")]
    TooLong,
    /// The payload's own signature or hash is wrong; nothing of it was kept.
    #[error("the body does not match its signature or its SHA-256")]
    Signature,
    /// A chunk's own signature does not follow from the one before it; nothing of the body was kept.
    #[error("the signature of a chunk of the body is wrong")]
    ChunkSignature,
    /// The framing of the body is broken.
    #[error("the body's framing is broken: {0}")]
    Framing(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Connection(String),
}

/// A body on its way in: plaintext pieces of any size. An error ends it.
pub type BodyIn = BoxStream<'static, Result<Bytes, BodyError>>;

/// A body on its way out: plaintext pieces whose tags were verified. An error must break the connection.
pub type BodyOut = BoxStream<'static, Result<Bytes, std::io::Error>>;

/// What the client said about the content and wants back on every read.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding` (without `aws-chunked`).
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`, as it was sent.
    pub expires: Option<String>,
}

/// Headers and user metadata of an object. User metadata names are lower-case, without `x-amz-meta-`.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Metadata {
    /// The content headers.
    pub headers: ContentHeaders,
    /// Pairs of name and value, at most `USER_METADATA_BYTES_MAX` together.
    pub user: Vec<(String, String)>,
}

/// What the client expects the body to hash to.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Expected {
    /// `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// `x-amz-checksum-*` headers.
    pub checksums: Vec<Checksum>,
    /// The family announced by `x-amz-trailer` or `x-amz-sdk-checksum-algorithm`; its value comes through `trailer`.
    pub announced: Option<ChecksumKind>,
    /// Filled by the decoder at the end of the body.
    #[serde(skip)]
    pub trailer: TrailerSlot,
    /// SHA-256 of the payload from `x-amz-content-sha256`, checked over the plaintext.
    pub payload_sha256: Option<[u8; 32]>,
}

/// An ETag condition: `*` or a list of ETags without quotes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EtagMatch {
    /// Any existing object.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

/// Conditions of a request (RFC 9110 section 13, with S3's answers).
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Conditions {
    /// `If-Match`.
    pub if_match: Option<EtagMatch>,
    /// `If-None-Match`.
    pub if_none_match: Option<EtagMatch>,
    /// `If-Modified-Since`; reads only.
    pub if_modified_since: Option<UnixMillis>,
    /// `If-Unmodified-Since`; reads only.
    pub if_unmodified_since: Option<UnixMillis>,
}

/// The part of an object that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RangeAsked {
    /// From a first byte to a last byte (included), or to the end.
    From {
        /// First byte.
        first: u64,
        /// Last byte, included.
        last: Option<u64>,
    },
    /// The last so many bytes.
    Last(u64),
}

/// What is asked of a read.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct ReadAsked {
    /// The range, if not everything.
    pub range: Option<RangeAsked>,
    /// The part number, if one part is asked for.
    pub part: Option<u32>,
    /// The conditions.
    pub conditions: Conditions,
}

/// One object as it is known to its readers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// Plaintext length in bytes.
    pub size: u64,
    /// The ETag without quotes.
    pub etag: String,
    /// When it was committed.
    pub modified: UnixMillis,
    /// Headers and user metadata.
    pub metadata: Metadata,
    /// The checksums kept with it.
    pub checksums: Vec<Checksum>,
    /// Number of parts if it came by multipart upload.
    pub parts: Option<u32>,
    /// The version (internal; not shown to S3 clients while versioning is not offered).
    pub version: VersionId,
}

/// An object on its way out.
pub struct ObjectOut {
    /// The object.
    pub info: ObjectInfo,
    /// First and last byte (included) of what `body` carries, if a range or part was asked for.
    pub range: Option<(u64, u64)>,
    /// Length of what `body` carries.
    pub length: u64,
    /// The bytes.
    pub body: BodyOut,
}

/// Everything of a PUT but its body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutAsked {
    /// Headers and user metadata.
    pub metadata: Metadata,
    /// The exact plaintext length.
    pub length: u64,
    /// The hashes it must have.
    pub expected: Expected,
    /// Conditions (`If-Match`, `If-None-Match`).
    pub conditions: Conditions,
}

/// A PUT, a part or a copy that is durable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PutDone {
    /// The ETag without quotes.
    pub etag: String,
    /// The checksums kept with it.
    pub checksums: Vec<Checksum>,
    /// When it was committed.
    pub modified: UnixMillis,
    /// Where the bytes are.
    pub version: VersionId,
}

/// A bucket in a listing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BucketInfo {
    /// Its name.
    pub name: BucketName,
    /// When it was made.
    pub created: UnixMillis,
}

/// What is asked of a listing of names.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct ListAsked {
    /// Only names that begin with this.
    pub prefix: String,
    /// Names that share the part up to this, after the prefix, are given as one.
    pub delimiter: Option<String>,
    /// Only names after this one.
    pub after: Option<String>,
    /// At most so many names and common prefixes together (0 to 1000).
    pub max: usize,
}

/// One object in a listing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// Plaintext length in bytes.
    pub size: u64,
    /// The ETag without quotes.
    pub etag: String,
    /// When it was committed.
    pub modified: UnixMillis,
}

/// One page of a listing.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListPage {
    /// Objects in byte order.
    pub objects: Vec<ListedObject>,
    /// Common prefixes in byte order.
    pub prefixes: Vec<String>,
    /// More follow.
    pub truncated: bool,
    /// The last name or common prefix given, if more follow.
    pub next: Option<String>,
}

/// How a copy treats headers and user metadata.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum CopyMetadata {
    /// Those of the source.
    Keep,
    /// These.
    Replace(Metadata),
}

/// A copy within one cloud.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CopyAsked {
    /// Bucket copied from.
    pub source_bucket: BucketName,
    /// Key copied from.
    pub source_key: ObjectKey,
    /// Conditions on the source (`x-amz-copy-source-if-*`).
    pub source_conditions: Conditions,
    /// Headers and user metadata of the copy.
    pub metadata: CopyMetadata,
    /// Conditions on the target.
    pub conditions: Conditions,
    /// A checksum family to compute for the copy.
    pub checksum: Option<ChecksumKind>,
}

/// A part copied from another object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartCopyAsked {
    /// Bucket copied from.
    pub source_bucket: BucketName,
    /// Key copied from.
    pub source_key: ObjectKey,
    /// Conditions on the source.
    pub source_conditions: Conditions,
    /// First and last byte, included.
    pub range: Option<(u64, u64)>,
}

/// What a multipart upload is begun with.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct UploadAsked {
    /// Headers and user metadata of the object to be.
    pub metadata: Metadata,
    /// `x-amz-checksum-algorithm`.
    pub checksum: Option<ChecksumKind>,
    /// `x-amz-checksum-type: FULL_OBJECT` instead of the default of the family.
    pub full_object: bool,
}

/// One part that a client names in CompleteMultipartUpload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartNamed {
    /// 1 to 10,000, ascending.
    pub number: u32,
    /// The ETag without quotes.
    pub etag: String,
    /// Checksums the client repeats.
    pub checksums: Vec<Checksum>,
}

/// CompleteMultipartUpload.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct CompleteAsked {
    /// The parts.
    pub parts: Vec<PartNamed>,
    /// Conditions on the key.
    pub conditions: Conditions,
    /// The whole object's checksum, if the client sends one.
    pub checksums: Vec<Checksum>,
    /// The whole object's length, if the client sends it.
    pub length: Option<u64>,
}

/// One part in a listing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListedPart {
    /// Its number.
    pub number: u32,
    /// Plaintext length in bytes.
    pub size: u64,
    /// The ETag without quotes.
    pub etag: String,
    /// When it arrived.
    pub modified: UnixMillis,
    /// Its checksums.
    pub checksums: Vec<Checksum>,
}

/// One upload in a listing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListedUpload {
    /// The object's key.
    pub key: String,
    /// The upload id, 32 hexadecimal digits.
    pub upload: VersionId,
    /// When it was begun.
    pub begun: UnixMillis,
}

//! A request's document (XML), read whole and checked before s3s reads it: its length, its hashes, and that
//! it holds nothing that s3s would skip in silence.

use crate::body::{Wire, incoming};
use crate::expected;
use crate::refuse::No;
use crate::verb::Verb;
use authn::{ChunkCheck, PayloadHash};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::HeaderMap;
use std::time::Duration;
use store::checksum::BodyHashes;
use words::limits::XML_BODY_BYTES_MAX;

/// SHA-256 of nothing.
const EMPTY_SHA256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Reads the document of a request that carries no object.
pub(crate) async fn read(
    verb: Verb,
    headers: &HeaderMap,
    body: &mut Wire,
    payload: PayloadHash,
    chunks: Option<Box<dyn ChunkCheck>>,
    idle: Duration,
) -> Result<Bytes, No> {
    if body.is_empty() && verb != Verb::DeleteObjects {
        return match payload {
            PayloadHash::Hex(hash) if hash != EMPTY_SHA256 => {
                Err(store::api::BodyError::Signature.into())
            }
            _ => Ok(Bytes::new()),
        };
    }
    // These name a family or give the hash of an object, not of the document.
    let mut about_document = headers.clone();
    if matches!(
        verb,
        Verb::CompleteUpload | Verb::CreateUpload | Verb::CopyObject
    ) {
        for kind in store::api::ChecksumKind::ALL {
            about_document.remove(kind.header());
        }
        about_document.remove("x-amz-checksum-algorithm");
        about_document.remove("x-amz-sdk-checksum-algorithm");
    }
    let mut taken = incoming::take(&about_document, body, payload, chunks, idle)?;
    let expected = taken.expected;
    if verb == Verb::DeleteObjects
        && expected.md5.is_none()
        && expected.checksums.is_empty()
        && expected.announced.is_none()
        && expected.payload_sha256.is_none()
    {
        return Err(No::request(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        ));
    }
    if taken.length > XML_BODY_BYTES_MAX as u64 {
        return Err(No::new(
            400,
            "MaxMessageLengthExceeded",
            "Your request was too big.",
        ));
    }
    let mut hashes = BodyHashes::new(&expected, None);
    let mut document = BytesMut::new();
    while let Some(piece) = taken.stream.next().await {
        let piece = piece.map_err(|error| taken.fault.take().unwrap_or_else(|| error.into()))?;
        hashes.update(&piece);
        document.extend_from_slice(&piece);
    }
    hashes.finish().check(&expected)?;
    plain(&document)?;
    Ok(document.freeze())
}

/// s3s leaves CDATA out of a text and does not look into a DOCTYPE: a key written in CDATA would become
/// another key. No S3 client writes either.
pub(crate) fn plain(document: &[u8]) -> Result<(), No> {
    let mut rest = document;
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if rest.starts_with(b"!") && !rest.starts_with(b"!--") {
            return Err(No::malformed_xml());
        }
    }
    Ok(())
}

/// The family that `x-amz-checksum-algorithm` names.
pub(crate) fn checksum_algorithm(
    headers: &HeaderMap,
) -> Result<Option<store::api::ChecksumKind>, No> {
    let Some(name) = headers.get("x-amz-checksum-algorithm") else {
        return Ok(None);
    };
    expected::kind_named(name.to_str().unwrap_or_default()).map(Some)
}

//! Pieces that several answers share.

use crate::conditions::http_date;
use crate::expected::checksum_text;
use crate::metadata::{self, put};
use http::header::{ACCEPT_RANGES, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::dto::{ChecksumType, ETag, Owner, Timestamp};
use std::time::{Duration, UNIX_EPOCH};
use store::api::{Checksum, ChecksumKind, ObjectInfo};
use words::UnixMillis;

/// The header that says how an object is encrypted at rest; all are.
pub(super) fn encrypted(headers: &mut HeaderMap) {
    headers.insert(
        "x-amz-server-side-encryption",
        HeaderValue::from_static("AES256"),
    );
}

/// An ETag in quotes.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// An ETag in XML.
pub(super) fn etag(etag: &str) -> Option<ETag> {
    Some(ETag::Strong(etag.to_owned()))
}

/// A time in XML.
pub(super) fn timestamp(time: UnixMillis) -> Option<Timestamp> {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(time.0.min(253_402_300_799_999)))
        .map(Timestamp::from)
}

/// A tenant as the owner.
pub(super) fn owner(id: &str) -> Option<Owner> {
    Some(Owner {
        display_name: Some(id.to_owned()),
        id: Some(id.to_owned()),
    })
}

/// Checksums as headers.
pub(super) fn checksum_headers(checksums: &[Checksum], headers: &mut HeaderMap) {
    for checksum in checksums {
        put(
            headers,
            HeaderName::from_static(checksum.kind.header()),
            &checksum_text(checksum),
        );
    }
    if let Some(first) = checksums.first() {
        put(
            headers,
            HeaderName::from_static("x-amz-checksum-type"),
            type_name(first.parts.is_some()),
        );
    }
}

const fn type_name(composite: bool) -> &'static str {
    if composite {
        ChecksumType::COMPOSITE
    } else {
        ChecksumType::FULL_OBJECT
    }
}

/// How the checksums cover the object, in XML.
pub(super) fn checksum_type(checksums: &[Checksum]) -> Option<ChecksumType> {
    checksums
        .first()
        .map(|first| ChecksumType::from_static(type_name(first.parts.is_some())))
}

/// The value of one family.
pub(super) fn of_kind(checksums: &[Checksum], kind: ChecksumKind) -> Option<String> {
    checksums
        .iter()
        .find(|checksum| checksum.kind == kind)
        .map(checksum_text)
}

/// What GET and HEAD say about an object.
pub(super) fn object(info: &ObjectInfo, with_checksums: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    metadata::write(&info.metadata, &mut headers);
    put(&mut headers, ETAG, &quoted(&info.etag));
    put(&mut headers, LAST_MODIFIED, &http_date(info.modified));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    encrypted(&mut headers);
    if with_checksums {
        checksum_headers(&info.checksums, &mut headers);
    }
    headers
}

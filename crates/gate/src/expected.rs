//! What the client says the body hashes to: `Content-MD5`, one `x-amz-checksum-*` header or trailer, and
//! what the signature says.

use crate::refuse::No;
use authn::PayloadHash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use store::api::{Checksum, ChecksumKind, Expected};

/// Length of a family's value in bytes.
const fn width(kind: ChecksumKind) -> usize {
    match kind {
        ChecksumKind::Crc32 | ChecksumKind::Crc32c => 4,
        ChecksumKind::Crc64Nvme => 8,
        ChecksumKind::Sha1 => 20,
        ChecksumKind::Sha256 => 32,
    }
}

/// The family of a header's or trailer's name.
pub(crate) fn kind_of(name: &str) -> Option<ChecksumKind> {
    ChecksumKind::ALL
        .into_iter()
        .find(|kind| kind.header().eq_ignore_ascii_case(name))
}

/// The family of a name such as `CRC32C`; `None` if there is no such family here.
pub(crate) fn kind_named(name: &str) -> Result<ChecksumKind, No> {
    ChecksumKind::ALL
        .into_iter()
        .find(|kind| kind.name().eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            No::lacking("this checksum algorithm; use CRC32, CRC32C, CRC64NVME, SHA1 or SHA256")
        })
}

/// Reads a checksum's value; `-N` behind it where a composite one may stand.
pub(crate) fn checksum(kind: ChecksumKind, text: &str, composite: bool) -> Result<Checksum, No> {
    let invalid = || No::request(format!("Value for {} header is invalid.", kind.header()));
    let (text, parts) = match text.trim().rsplit_once('-') {
        Some((value, parts)) if composite => (value, Some(parts.parse().map_err(|_| invalid())?)),
        _ => (text.trim(), None),
    };
    let value = STANDARD.decode(text).map_err(|_| invalid())?;
    if value.len() != width(kind) {
        return Err(invalid());
    }
    Ok(Checksum { kind, value, parts })
}

/// Writes a checksum's value.
pub(crate) fn checksum_text(checksum: &Checksum) -> String {
    let text = STANDARD.encode(&checksum.value);
    match checksum.parts {
        None => text,
        Some(parts) => format!("{text}-{parts}"),
    }
}

/// The checksum headers of a request, at most one.
pub(crate) fn header_checksum(
    headers: &HeaderMap,
    composite: bool,
) -> Result<Option<Checksum>, No> {
    let mut found = None;
    for name in headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-amz-checksum-"))
    {
        if matches!(
            name.as_str(),
            "x-amz-checksum-mode" | "x-amz-checksum-type" | "x-amz-checksum-algorithm"
        ) {
            continue;
        }
        let kind =
            kind_of(name.as_str()).ok_or_else(|| No::lacking(format!("the header {name}")))?;
        let mut values = headers.get_all(name).iter();
        let (Some(value), None, None) = (values.next(), values.next(), found.as_ref()) else {
            return Err(No::request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        };
        let text = value.to_str().unwrap_or_default();
        found = Some(checksum(kind, text, composite)?);
    }
    Ok(found)
}

/// The names in `x-amz-trailer`.
pub(crate) fn announced(headers: &HeaderMap) -> Result<Vec<String>, No> {
    let mut names = Vec::new();
    for value in headers.get_all("x-amz-trailer") {
        let text = value.to_str().unwrap_or_default();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let name = name.to_ascii_lowercase();
            if kind_of(&name).is_none() {
                return Err(match name.starts_with("x-amz-checksum-") {
                    true => No::lacking(format!("the trailer {name}")),
                    false => No::request(
                        "The value specified in the x-amz-trailer header is not supported",
                    ),
                });
            }
            names.push(name);
        }
    }
    Ok(names)
}

/// Reads everything the client says about the body, and the trailers it announces.
pub(crate) fn read(
    headers: &HeaderMap,
    payload: PayloadHash,
) -> Result<(Expected, Vec<String>), No> {
    let trailers = announced(headers)?;
    let in_header = header_checksum(headers, false)?;
    if trailers.len() + usize::from(in_header.is_some()) > 1 {
        return Err(No::request(
            "Expecting a single x-amz-checksum- header or trailer. Multiple checksum Types are not allowed.",
        ));
    }
    let with_trailer = matches!(
        payload,
        PayloadHash::SignedChunksTrailer | PayloadHash::UnsignedTrailer
    );
    if !trailers.is_empty() && !with_trailer {
        return Err(No::request(
            "x-amz-trailer was sent with an x-amz-content-sha256 that announces no trailer",
        ));
    }
    let in_trailer = trailers.first().and_then(|name| kind_of(name));
    agrees(headers, in_header.as_ref().map(|c| c.kind).or(in_trailer))?;
    let expected = Expected {
        md5: md5(headers)?,
        checksums: in_header.into_iter().collect(),
        announced: in_trailer,
        payload_sha256: match payload {
            PayloadHash::Hex(hash) => Some(hash),
            _ => None,
        },
        ..Expected::default()
    };
    Ok((expected, trailers))
}

/// `x-amz-sdk-checksum-algorithm` must name what was sent.
fn agrees(headers: &HeaderMap, sent: Option<ChecksumKind>) -> Result<(), No> {
    for header in ["x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm"] {
        let Some(name) = headers.get(header) else {
            continue;
        };
        let named = kind_named(name.to_str().unwrap_or_default())?;
        match sent {
            Some(sent) if sent == named => {}
            Some(_) => {
                return Err(No::request(format!(
                    "Value for {header} header is invalid."
                )));
            }
            None => {
                return Err(No::request(format!(
                    "{header} specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
                )));
            }
        }
    }
    Ok(())
}

fn md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, No> {
    let Some(text) = headers.get("content-md5") else {
        return Ok(None);
    };
    let value = STANDARD
        .decode(text.to_str().unwrap_or_default().trim())
        .unwrap_or_default();
    match <[u8; 16]>::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(No::new(
            400,
            "InvalidDigest",
            "The Content-MD5 you specified is not valid.",
        )),
    }
}

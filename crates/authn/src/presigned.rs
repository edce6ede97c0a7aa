//! The signature in the query: presigned URLs.

use crate::canonical::{Canonical, Query, signed_headers};
use crate::error::{AuthnError, Place};
use crate::request::{PayloadHash, Presented, RequestHead};
use crate::scope::{Scope, Service};
use crate::time::SigningTime;
use words::hex;
use words::limits::PRESIGN_SECONDS_MAX;

/// Whether the query holds any part of a Version 4 signature.
pub(crate) fn is_presigned(query: &Query) -> bool {
    ["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Algorithm"]
        .iter()
        .any(|name| query.has(name))
}

/// Whether the query holds a Version 2 signature.
pub(crate) fn is_version_2(query: &Query) -> bool {
    query.has("AWSAccessKeyId") || (query.has("Signature") && query.has("Expires"))
}

/// Reads the query and reduces the request to its digest.
pub(crate) fn present(request: &RequestHead<'_>, query: &Query) -> Result<Presented, AuthnError> {
    if required(query, "X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
        return Err(AuthnError::malformed(
            Place::Query,
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
        ));
    }
    // In a link the token stands in the query, where it is signed with the rest.
    if request.values("x-amz-security-token").next().is_some() {
        return Err(AuthnError::SessionToken);
    }
    let token = match query.has("X-Amz-Security-Token") {
        true => Some(required(query, "X-Amz-Security-Token")?.to_owned()),
        false => None,
    };
    let time = SigningTime::basic(required(query, "X-Amz-Date")?).ok_or_else(|| {
        AuthnError::malformed(
            Place::Query,
            "X-Amz-Date must be in the format yyyyMMddTHHmmssZ",
        )
    })?;
    let scope = Scope::parse(
        required(query, "X-Amz-Credential")?,
        Place::Query,
        &time,
        &[Service::S3],
    )?;
    let expires = lifetime(required(query, "X-Amz-Expires")?)?;
    let names = signed_headers(
        required(query, "X-Amz-SignedHeaders")?,
        request,
        Place::Query,
    )?;
    let signature =
        hex::decode_array(required(query, "X-Amz-Signature")?).ok_or(AuthnError::Mismatch)?;
    let payload = payload_word(request, query)?;
    let kind = PayloadHash::parse(payload)?;
    if kind.is_chunked() {
        // No client frames the body of a link. Refusing it keeps one less road to a body that no
        // signature covers.
        return Err(AuthnError::PayloadUnsupported);
    }
    let canonical = Canonical {
        request,
        query,
        signed_headers: &names,
        payload,
        presigned: true,
    };
    Ok(Presented {
        place: Place::Query,
        scope,
        time,
        expires_seconds: Some(expires),
        signature,
        payload: kind,
        digests: canonical.digests()?,
        method: request.method.to_owned(),
        raw_path: request.raw_path.to_owned(),
        via: request.via,
        token,
    })
}

fn lifetime(text: &str) -> Result<u64, AuthnError> {
    let plain = text.bytes().all(|c| c.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|s| plain && (1..=PRESIGN_SECONDS_MAX).contains(s))
        .ok_or_else(AuthnError::expires)
}

/// The payload word that was signed: the query's, else the header's, else that nothing is said. Two that
/// differ are refused, because whoever reads the body could look at the other one.
fn payload_word<'a>(request: &'a RequestHead<'_>, query: &'a Query) -> Result<&'a str, AuthnError> {
    const NAME: &str = "X-Amz-Content-Sha256";
    let in_header = request.single("x-amz-content-sha256", Place::Query)?;
    if !query.has(NAME) {
        return Ok(in_header.unwrap_or("UNSIGNED-PAYLOAD"));
    }
    let in_query = required(query, NAME)?;
    match in_header {
        Some(other) if other != in_query => Err(AuthnError::PayloadInvalid),
        _ => Ok(in_query),
    }
}

/// The value of a parameter that must stand exactly once.
fn required<'a>(query: &'a Query, name: &'a str) -> Result<&'a str, AuthnError> {
    let mut values = query.values(name);
    match (values.next(), values.next()) {
        (Some(value), None) => std::str::from_utf8(value)
            .map_err(|_| AuthnError::malformed(Place::Query, format!("{name} is not text"))),
        (None, _) => Err(AuthnError::malformed(
            Place::Query,
            format!("{name} is missing"),
        )),
        (Some(_), Some(_)) => Err(AuthnError::malformed(
            Place::Query,
            format!("{name} is repeated"),
        )),
    }
}

//! Requests to STS and IAM: a form in a POST to `/`, signed in the header for the service `sts` or `iam`. The
//! body is read before it is checked, so what is signed is its hash, whether the client sent it or not.

use crate::canonical::{Canonical, Query, signed_headers};
use crate::error::{AuthnError, Place};
use crate::header::{Fields, shared, signing_time};
use crate::request::{PayloadHash, Presented, RequestHead};
use crate::scope::{Scope, Service};
use aws_lc_rs::digest;
use words::hex;

/// Reads the authorization of a form. `None` if there is none: web identities are not signed.
pub fn present_form(
    request: &RequestHead<'_>,
    body: &[u8],
) -> Result<Option<Presented>, AuthnError> {
    let query = Query::parse(request.raw_query)?;
    let Some(value) = request.single("authorization", Place::Header)? else {
        return Ok(None);
    };
    let fields = Fields::parse(shared(value)?)?;
    let time = signing_time(request)?;
    let scope = Scope::parse(
        fields.credential,
        Place::Header,
        &time,
        &[Service::Sts, Service::Iam],
    )?;
    let names = signed_headers(fields.signed_headers, request, Place::Header)?;
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
    let payload = hex::encode(&hash);
    if request
        .single("x-amz-content-sha256", Place::Header)?
        .is_some_and(|sent| sent != payload)
    {
        return Err(AuthnError::PayloadInvalid);
    }
    let canonical = Canonical {
        request,
        query: &query,
        signed_headers: &names,
        payload: &payload,
        presigned: false,
    };
    Ok(Some(Presented {
        place: Place::Header,
        scope,
        time,
        expires_seconds: None,
        signature: fields.digest()?,
        payload: PayloadHash::Hex(hash),
        digests: canonical.digests()?,
        method: request.method.to_owned(),
        raw_path: request.raw_path.to_owned(),
        via: request.via,
        token: crate::header::session_token(request)?,
    }))
}

/// The names and values of a form, decoded, in the order they came.
pub fn form_fields(body: &[u8]) -> Result<Vec<(String, String)>, AuthnError> {
    let text = std::str::from_utf8(body).map_err(|_| AuthnError::Uri)?;
    text.trim_end_matches(['\r', '\n'])
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let plain = |text: &str| {
                String::from_utf8(crate::encoding::decode(text, true)?).map_err(|_| AuthnError::Uri)
            };
            Ok((plain(name)?, plain(value)?))
        })
        .collect()
}

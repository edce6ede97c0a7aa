//! The signature in the `Authorization` header.

use crate::canonical::{Canonical, Query, signed_headers};
use crate::error::{AuthnError, Place};
use crate::request::{PayloadHash, Presented, RequestHead};
use crate::scope::{Scope, Service};
use crate::time::SigningTime;
use words::hex;

/// The one algorithm by which requests are signed, as it stands in them.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Reads the header and reduces the request to its digest.
pub(crate) fn present(request: &RequestHead<'_>, query: &Query) -> Result<Presented, AuthnError> {
    let value = request
        .single("authorization", Place::Header)?
        .unwrap_or_default();
    let fields = Fields::parse(shared(value)?)?;
    let token = session_token(request)?;
    let time = signing_time(request)?;
    let scope = Scope::parse(fields.credential, Place::Header, &time, &[Service::S3])?;
    let names = signed_headers(fields.signed_headers, request, Place::Header)?;
    let payload = request
        .single("x-amz-content-sha256", Place::Header)?
        .ok_or(AuthnError::PayloadMissing)?;
    let kind = PayloadHash::parse(payload)?;
    let canonical = Canonical {
        request,
        query,
        signed_headers: &names,
        payload,
        presigned: false,
    };
    Ok(Presented {
        place: Place::Header,
        scope,
        time,
        expires_seconds: None,
        signature: fields.digest()?,
        payload: kind,
        digests: canonical.digests()?,
        method: request.method.to_owned(),
        raw_path: request.raw_path.to_owned(),
        via: request.via,
        token,
    })
}

/// The token of a session. Like every `x-amz-` header it has to be signed.
pub(crate) fn session_token(request: &RequestHead<'_>) -> Result<Option<String>, AuthnError> {
    let token = request.single("x-amz-security-token", Place::Header)?;
    Ok(token.map(str::to_owned))
}

/// `x-amz-date` counts before `Date`.
pub(crate) fn signing_time(request: &RequestHead<'_>) -> Result<SigningTime, AuthnError> {
    match request.single("x-amz-date", Place::Header)? {
        Some(text) => SigningTime::basic(text),
        None => request
            .single("date", Place::Header)?
            .and_then(SigningTime::header),
    }
    .ok_or(AuthnError::NoDate)
}

pub(crate) struct Fields<'a> {
    pub credential: &'a str,
    pub signed_headers: &'a str,
    pub signature: &'a str,
}

/// What follows the algorithm of an authorization that is signed with a shared secret.
pub(crate) fn shared(value: &str) -> Result<&str, AuthnError> {
    let (algorithm, rest) = value.split_once(' ').unwrap_or((value, ""));
    match algorithm {
        ALGORITHM => Ok(rest),
        "AWS" => Err(AuthnError::SignatureV2),
        _ => Err(AuthnError::Mechanism),
    }
}

impl<'a> Fields<'a> {
    /// `Credential=…, SignedHeaders=…, Signature=…`, each field exactly once.
    pub fn parse(rest: &'a str) -> Result<Self, AuthnError> {
        let malformed = |why: &str| AuthnError::malformed(Place::Header, why);
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in rest.split(',') {
            let (name, value) = field
                .trim()
                .split_once('=')
                .ok_or_else(|| malformed("a field has no '='"))?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(malformed("it has an unknown field")),
            };
            if slot.replace(value).is_some() {
                return Err(malformed("a field is repeated"));
            }
        }
        Ok(Self {
            credential: credential.ok_or_else(|| malformed("Credential is missing"))?,
            signed_headers: signed_headers.ok_or_else(|| malformed("SignedHeaders is missing"))?,
            signature: signature.ok_or_else(|| malformed("Signature is missing"))?,
        })
    }

    /// The signature of a shared secret.
    pub fn digest(&self) -> Result<[u8; 32], AuthnError> {
        hex::decode_array(self.signature).ok_or(AuthnError::Mismatch)
    }
}

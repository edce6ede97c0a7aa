//! What a request presents: who it says it is, and everything its signature must cover, reduced to one
//! digest. Nothing here is believed yet.

use crate::error::{AuthnError, Place};
use crate::scope::{DateStamp, Scope, Service};
use crate::time::SigningTime;
use crate::{canonical, header, presigned};
use std::net::IpAddr;
use words::limits::CLOCK_SKEW_MS_MAX;
use words::{AccessKeyId, UnixMillis, hex};

/// How a request came here, as the door saw it. Nothing of it is taken from what the client says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Via {
    /// The other end of the connection; `None` if the door does not know.
    pub source: Option<IpAddr>,
    /// Whether it came over TLS.
    pub secure: bool,
}

/// The head of an HTTP request as it came over the wire.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// `GET`, `PUT`, …
    pub method: &'a str,
    /// The path before `?`, percent escapes as they were sent.
    pub raw_path: &'a str,
    /// What follows `?`, percent escapes as they were sent; empty if there is none.
    pub raw_query: &'a str,
    /// All headers in the order they were sent, names in lower case, repeated ones repeated.
    pub headers: &'a [(String, String)],
    /// How it came here.
    pub via: Via,
}

impl RequestHead<'_> {
    /// All values of one header.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
    /// The value of a header that may stand once at most.
    pub(crate) fn single(&self, name: &str, place: Place) -> Result<Option<&str>, AuthnError> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(AuthnError::malformed(
                place,
                format!("the header {name} is repeated"),
            )),
            (first, None) => Ok(first.map(str::trim)),
        }
    }
}

/// What the signature says about the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadHash {
    /// SHA-256 of the whole body; whoever reads the body must compare it.
    Hex([u8; 32]),
    /// `UNSIGNED-PAYLOAD`, also every presigned URL that says nothing else.
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: chunks, each signed.
    SignedChunks,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: chunks and trailers, each signed.
    SignedChunksTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: chunks and trailers, not signed.
    UnsignedTrailer,
}

impl PayloadHash {
    /// Reads the value of `x-amz-content-sha256`.
    pub(crate) fn parse(value: &str) -> Result<Self, AuthnError> {
        match value {
            "UNSIGNED-PAYLOAD" => Ok(Self::Unsigned),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Self::SignedChunks),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(Self::SignedChunksTrailer),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::UnsignedTrailer),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                Err(AuthnError::PayloadUnsupported)
            }
            other => hex::decode_array(other)
                .map(Self::Hex)
                .ok_or(AuthnError::PayloadInvalid),
        }
    }
    /// Whether the body comes in `aws-chunked` framing.
    #[must_use]
    pub const fn is_chunked(&self) -> bool {
        matches!(
            self,
            Self::SignedChunks | Self::SignedChunksTrailer | Self::UnsignedTrailer
        )
    }
}

/// A request that says who it is from. Its words are well formed; its signature is not checked yet.
pub struct Presented {
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    pub(crate) time: SigningTime,
    /// Life of a presigned URL in seconds.
    pub(crate) expires_seconds: Option<u64>,
    pub(crate) signature: [u8; 32],
    pub(crate) payload: PayloadHash,
    /// SHA-256 of the canonical request; the second one if the path was sent in another spelling than
    /// the canonical one and may have been signed as it was sent.
    pub(crate) digests: [Option<[u8; 32]>; 2],
    pub(crate) method: String,
    pub(crate) raw_path: String,
    pub(crate) via: Via,
    pub(crate) token: Option<String>,
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither path nor signature: one can be personal data, the other opens a presigned URL.
        write!(
            f,
            "Presented({}, {}, {:?})",
            self.scope.access_key, self.time.stamp, self.payload
        )
    }
}

/// Reads the authorization of a request, from its header or its query, and reduces what it signs to a
/// digest. An unsigned request is [`AuthnError::Anonymous`], one with Signature Version 2 is
/// [`AuthnError::SignatureV2`].
pub fn present(request: &RequestHead<'_>) -> Result<Presented, AuthnError> {
    let query = canonical::Query::parse(request.raw_query)?;
    let headers = request.values("authorization").count();
    let signed_query = presigned::is_presigned(&query);
    let old_query = presigned::is_version_2(&query);
    match (headers, signed_query, old_query) {
        (0, false, false) => Err(AuthnError::Anonymous),
        (0, false, true) => Err(AuthnError::SignatureV2),
        (0, true, false) => presigned::present(request, &query),
        (1, false, false) => header::present(request, &query),
        _ => Err(AuthnError::MoreThanOne),
    }
}

impl Presented {
    /// Who it says it is.
    #[must_use]
    pub const fn access_key(&self) -> &AccessKeyId {
        &self.scope.access_key
    }
    /// The day of the credential scope, for a cache of signing keys.
    #[must_use]
    pub const fn date(&self) -> DateStamp {
        self.scope.date
    }
    /// The token of a session that it carries.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.token.as_deref()
    }
    /// The service that it is signed for.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.scope.service
    }
    /// What the signature says about the body.
    #[must_use]
    pub const fn payload(&self) -> &PayloadHash {
        &self.payload
    }
    /// When a presigned URL ends; `None` for a request signed in its header.
    #[must_use]
    pub fn expires(&self) -> Option<UnixMillis> {
        self.expires_seconds
            .map(|seconds| self.time.at.plus(seconds.saturating_mul(1000)))
    }
    /// Whether the signature stands in the query.
    #[must_use]
    pub const fn is_presigned(&self) -> bool {
        self.expires_seconds.is_some()
    }

    /// Checks region and time, for which no secret is needed. Call it before looking up the key, so that
    /// a stranger cannot fill a cache of signing keys with days of his choice; `verify` checks it again.
    pub fn admit(&self, now: UnixMillis, region: &str) -> Result<(), AuthnError> {
        let (signed, end) = (self.time.at, self.expires());
        admitted(self.place, &self.scope.region, signed, end, now, region)
    }
}

/// Whether a signature for `given` at `signed`, which ends at `end` if it says so, counts here and now.
pub(crate) fn admitted(
    place: Place,
    given: &str,
    signed: UnixMillis,
    end: Option<UnixMillis>,
    now: UnixMillis,
    region: &str,
) -> Result<(), AuthnError> {
    if given != region {
        return Err(AuthnError::Region {
            place,
            given: crate::error::quotable(given),
            expected: region.to_owned(),
        });
    }
    match end {
        None if signed.0.abs_diff(now.0) > CLOCK_SKEW_MS_MAX => Err(AuthnError::Skewed {
            apart_ms: signed.0.abs_diff(now.0),
            max_ms: CLOCK_SKEW_MS_MAX,
        }),
        Some(_) if signed > now.plus(CLOCK_SKEW_MS_MAX) => Err(AuthnError::NotYetValid),
        Some(end) if now >= end => Err(AuthnError::Expired),
        _ => Ok(()),
    }
}

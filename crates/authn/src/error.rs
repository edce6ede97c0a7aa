//! Why a request was not believed, and what its sender is told. Messages never hold a secret, a
//! signature we computed, or a whole header as it came.

use words::limits::PRESIGN_SECONDS_MAX;

/// Where the signature stood, which decides the name S3 gives to a malformed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned URL.
    Query,
}

/// Why a request was not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthnError {
    /// No credential at all.
    #[error("the request is not signed; anonymous access is not offered here")]
    Anonymous,
    /// Signature Version 2, in a header or in a link.
    #[error("the request is signed with Signature Version 2, which is not supported")]
    SignatureV2,
    /// An `Authorization` of another kind, or an algorithm other than AWS4-HMAC-SHA256.
    #[error("the authorization mechanism is not supported; use AWS4-HMAC-SHA256")]
    Mechanism,
    /// Credentials in the header and in the query, or twice in one of them.
    #[error("only one authorization is allowed in a request")]
    MoreThanOne,
    /// A field of the authorization is missing, repeated or not as it must be.
    #[error("the authorization is malformed: {why}")]
    Malformed {
        /// Header or query.
        place: Place,
        /// What is wrong with it.
        why: String,
    },
    /// The scope names another region than ours.
    #[error("the region {given:?} is wrong; expecting {expected:?}")]
    Region {
        /// Header or query.
        place: Place,
        /// The region in the scope, shortened.
        given: String,
        /// Our region.
        expected: String,
    },
    /// Neither `x-amz-date` nor `Date` could be read.
    #[error("the request has no valid x-amz-date or Date header")]
    NoDate,
    /// The signing time is too far from ours.
    #[error(
        "the request was signed {apart_ms} ms from our time; the two clocks must be within {max_ms} ms"
    )]
    Skewed {
        /// Distance between the two clocks.
        apart_ms: u64,
        /// How far they may be apart.
        max_ms: u64,
    },
    /// A presigned URL past its life.
    #[error("Request has expired")]
    Expired,
    /// A presigned URL from the future.
    #[error("Request is not valid yet")]
    NotYetValid,
    /// `host` is not among the signed headers.
    #[error("the host header must be signed")]
    HostUnsigned,
    /// An `x-amz-` header that was sent is not among the signed ones.
    #[error("the request has the header {0}, which was not signed")]
    HeaderUnsigned(String),
    /// A signed header was not sent.
    #[error("the header {0} is signed but was not sent")]
    HeaderMissing(String),
    /// `x-amz-content-sha256` was not sent.
    #[error("the header x-amz-content-sha256 is missing")]
    PayloadMissing,
    /// `x-amz-content-sha256` is none of the known words nor a SHA-256.
    #[error("the value of x-amz-content-sha256 is not valid")]
    PayloadInvalid,
    /// A payload word that is known and not offered.
    #[error("this form of x-amz-content-sha256 is not supported here")]
    PayloadUnsupported,
    /// A session token that is none of ours, or not this access key's.
    #[error("the session token is not valid")]
    SessionToken,
    /// The session is over.
    #[error("the session has expired")]
    TokenExpired,
    /// Path or query cannot be decoded.
    #[error("the path or the query has an invalid percent escape")]
    Uri,
    /// The key is unknown. The vault says so; nothing in this room knows keys.
    #[error("the access key is not known")]
    UnknownAccessKey,
    /// The signature is not the one we compute.
    #[error("the signature does not match")]
    Mismatch,
    /// The signing key handed in is of another day or region than the request.
    #[error("the signing key is of another day or region than the request")]
    WrongSigningKey,
}

/// What S3 answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The `<Code>` of the error document.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The `<Message>`; plain text, to be escaped for XML.
    pub message: String,
    /// `<Region>`, which makes SDKs try again with ours.
    pub region: Option<String>,
}

impl AuthnError {
    /// The S3 error code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Anonymous
            | Self::NoDate
            | Self::Expired
            | Self::NotYetValid
            | Self::HostUnsigned
            | Self::HeaderUnsigned(_) => "AccessDenied",
            Self::SignatureV2 | Self::PayloadMissing => "InvalidRequest",
            Self::Mechanism | Self::MoreThanOne | Self::PayloadInvalid => "InvalidArgument",
            Self::Malformed { place, .. } | Self::Region { place, .. } => match place {
                Place::Header => "AuthorizationHeaderMalformed",
                Place::Query => "AuthorizationQueryParametersError",
            },
            Self::Skewed { .. } => "RequestTimeTooSkewed",
            Self::PayloadUnsupported => "NotImplemented",
            Self::SessionToken => "InvalidToken",
            Self::TokenExpired => "ExpiredToken",
            Self::Uri => "InvalidURI",
            Self::UnknownAccessKey | Self::Mismatch | Self::HeaderMissing(_) => {
                "SignatureDoesNotMatch"
            }
            Self::WrongSigningKey => "InternalError",
        }
    }

    /// The HTTP status that goes with the code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Anonymous
            | Self::NoDate
            | Self::Expired
            | Self::NotYetValid
            | Self::HostUnsigned
            | Self::HeaderUnsigned(_)
            | Self::HeaderMissing(_)
            | Self::Skewed { .. }
            | Self::UnknownAccessKey
            | Self::Mismatch => 403,
            Self::SignatureV2
            | Self::Mechanism
            | Self::MoreThanOne
            | Self::Malformed { .. }
            | Self::Region { .. }
            | Self::PayloadMissing
            | Self::PayloadInvalid
            | Self::SessionToken
            | Self::TokenExpired
            | Self::Uri => 400,
            Self::PayloadUnsupported => 501,
            Self::WrongSigningKey => 500,
        }
    }

    /// The whole answer. `region` is ours; clients that sign in an old way are told to set it.
    #[must_use]
    pub fn answer(&self, region: &str) -> Answer {
        Answer {
            code: self.code(),
            status: self.status(),
            message: self.message(region),
            region: match self {
                Self::Region { expected, .. } => Some(expected.clone()),
                _ => None,
            },
        }
    }

    fn message(&self, region: &str) -> String {
        match self {
            Self::SignatureV2 => format!(
                "The request is signed with Signature Version 2, which is not supported. Use Signature \
                 Version 4 (AWS4-HMAC-SHA256): set region {region} in the client. With the region \
                 us-east-1 some clients fall back to Version 2 for links."
            ),
            Self::Mechanism => "The authorization mechanism you have provided is not supported. Please use \
                 AWS4-HMAC-SHA256."
                .to_owned(),
            Self::Malformed { place: Place::Header, why } => {
                format!("The authorization header is malformed; {why}")
            }
            Self::Malformed { place: Place::Query, why } => {
                format!("The authorization query parameters are malformed; {why}")
            }
            Self::Region { place: Place::Header, given, expected } => format!(
                "The authorization header is malformed; the region '{given}' is wrong; expecting '{expected}'"
            ),
            Self::Region { place: Place::Query, given, expected } => format!(
                "Error parsing the X-Amz-Credential parameter; the region '{given}' is wrong; expecting \
                 '{expected}'"
            ),
            Self::Skewed { .. } => {
                "The difference between the request time and the current time is too large. Set the clock \
                 of the client; nothing was changed."
                    .to_owned()
            }
            // One answer for both: whoever guesses keys does not learn which there are.
            Self::Mismatch | Self::UnknownAccessKey => "The request signature we calculated does not match \
                 the signature you provided, or there is no such access key. Check your key and signing method."
                .to_owned(),
            Self::SessionToken => {
                "The provided token is malformed or otherwise invalid.".to_owned()
            }
            Self::TokenExpired => "The provided token has expired.".to_owned(),
            Self::PayloadInvalid => "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
                 STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
                 STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
                .to_owned(),
            Self::PayloadMissing => {
                "Missing required header for this request: x-amz-content-sha256".to_owned()
            }
            Self::HeaderUnsigned(name) => {
                format!("There were headers present in the request which were not signed: {name}")
            }
            Self::NoDate => "AWS authentication requires a valid Date or x-amz-date header".to_owned(),
            other => other.to_string(),
        }
    }

    /// A malformed authorization in `place`.
    pub(crate) fn malformed(place: Place, why: impl Into<String>) -> Self {
        Self::Malformed {
            place,
            why: why.into(),
        }
    }

    /// The complaint about `X-Amz-Expires`.
    pub(crate) fn expires() -> Self {
        Self::malformed(
            Place::Query,
            format!("X-Amz-Expires must be a number of seconds from 1 to {PRESIGN_SECONDS_MAX}"),
        )
    }
}

/// A foreign word made fit for a message: printable ASCII, at most 64 characters.
pub(crate) fn quotable(word: &str) -> String {
    word.chars()
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .take(64)
        .collect()
}

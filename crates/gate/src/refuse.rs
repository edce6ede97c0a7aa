//! The one place where a reason becomes an S3 error: its code, status, message and XML.

use crate::backend::Refusal;
use authn::Answer;
use http::header::{CONTENT_RANGE, RETRY_AFTER};
use http::{HeaderName, HeaderValue};
use std::borrow::Cow;
use std::fmt::Write as _;
use store::api::BodyError;
use store::error::StoreError;
use words::NameError;

/// An answer that is not success. `status` 304 has no body.
#[derive(Debug, Clone)]
pub(crate) struct No {
    pub code: Cow<'static, str>,
    pub status: u16,
    pub message: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Further elements of the document: name and text.
    pub details: Vec<(&'static str, String)>,
}

impl No {
    pub(crate) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            status,
            message: message.into(),
            headers: Vec::new(),
            details: Vec::new(),
        }
    }
    /// Something we lack. Never ignored, so that a client does not believe it has it.
    pub(crate) fn lacking(what: impl std::fmt::Display) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!(
                "This request asks for something that is not offered here: {what}. Nothing was changed."
            ),
        )
    }
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidArgument", message)
    }
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidRequest", message)
    }
    pub(crate) fn malformed_xml() -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
    fn with_detail(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.details.push((name, text.into()));
        self
    }
    fn later(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, &seconds.to_string())
    }

    /// The error document. `resource` is the path as it was sent.
    pub(crate) fn document(&self, resource: &str, request_id: &str) -> String {
        let mut xml = String::with_capacity(320);
        xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        element(&mut xml, "Code", &self.code);
        element(&mut xml, "Message", &self.message);
        for (name, text) in &self.details {
            element(&mut xml, name, text);
        }
        element(&mut xml, "Resource", resource);
        element(&mut xml, "RequestId", request_id);
        element(&mut xml, "HostId", "clarence");
        xml.push_str("</Error>");
        xml
    }
}

pub(crate) fn element(xml: &mut String, name: &str, text: &str) {
    let _ = write!(xml, "<{name}>");
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            c if c < ' ' && !matches!(c, '\t' | '\n') => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
    let _ = write!(xml, "</{name}>");
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        let no = Self::new(refusal.status, refusal.code, refusal.message);
        match refusal.region {
            Some(region) => no.with_detail("Region", region),
            None => no,
        }
    }
}

impl From<Answer> for No {
    fn from(answer: Answer) -> Self {
        Self::new(answer.status, answer.code, answer.message)
    }
}

impl From<NameError> for No {
    fn from(error: NameError) -> Self {
        let code = match error {
            NameError::Bucket { .. } => "InvalidBucketName",
            NameError::KeyTooLong { .. } => "KeyTooLongError",
            NameError::KeyEmpty | NameError::Plain { .. } => "InvalidArgument",
        };
        Self::new(400, code, error.to_string())
    }
}

impl From<BodyError> for No {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Incomplete | BodyError::TooLong => Self::new(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header; nothing \
                 of it was kept",
            ),
            BodyError::Signature => Self::new(
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed; nothing of the \
                 body was kept",
            ),
            BodyError::ChunkSignature => Self::new(
                403,
                "SignatureDoesNotMatch",
                "The signature of a chunk of the body does not match its bytes and the chunk before it; nothing \
                 of the body was kept",
            ),
            BodyError::Framing(why) => {
                Self::request(format!("The body's framing is broken: {why}"))
            }
            BodyError::Connection(why) => Self::new(
                400,
                "RequestTimeout",
                format!(
                    "Your socket connection to the server was not read from or written to in time: {why}"
                ),
            ),
        }
    }
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let (status, code) = match error {
            StoreError::Body(body) => return body.into(),
            StoreError::Name(name) => return name.into(),
            StoreError::Internal(_) | StoreError::Unknown(_) | StoreError::Corrupt(_) => {
                return internal(&error);
            }
            StoreError::Denied | StoreError::Basis(_) => (403, "AccessDenied"),
            StoreError::NoSuchBucket => (404, "NoSuchBucket"),
            StoreError::NoSuchKey => (404, "NoSuchKey"),
            StoreError::NoSuchUpload => (404, "NoSuchUpload"),
            StoreError::BucketAlreadyOwned => (409, "BucketAlreadyOwnedByYou"),
            StoreError::BucketNotEmpty => (409, "BucketNotEmpty"),
            StoreError::TooManyBuckets => (400, "TooManyBuckets"),
            StoreError::PreconditionFailed(condition) => {
                return Self::new(412, "PreconditionFailed", message)
                    .with_detail("Condition", condition);
            }
            StoreError::NotModified => (304, "NotModified"),
            StoreError::ConditionalConflict => (409, "ConditionalRequestConflict"),
            StoreError::RangeNotSatisfiable { size } => {
                return Self::new(416, "InvalidRange", message)
                    .with_header(CONTENT_RANGE, &format!("bytes */{size}"))
                    .with_detail("ActualObjectSize", size.to_string());
            }
            StoreError::NoSuchPart => (416, "InvalidPartNumber"),
            StoreError::BadDigest(_) => (400, "BadDigest"),
            StoreError::TooLarge { max } => {
                return Self::new(400, "EntityTooLarge", message)
                    .with_detail("MaxSizeAllowed", max.to_string());
            }
            StoreError::PartTooSmall { .. } => (400, "EntityTooSmall"),
            StoreError::InvalidPart { .. } => (400, "InvalidPart"),
            StoreError::InvalidPartOrder => (400, "InvalidPartOrder"),
            StoreError::MetadataTooLarge => (400, "MetadataTooLarge"),
            StoreError::Invalid(_) => (400, "InvalidRequest"),
            StoreError::MalformedPolicy(_) => (400, "MalformedPolicy"),
            StoreError::NoSuchBucketPolicy => (404, "NoSuchBucketPolicy"),
            StoreError::QuotaExceeded(_) => (403, "QuotaExceeded"),
            StoreError::SiteAway(_) | StoreError::NotLeased(_) => {
                return Self::new(503, "ServiceUnavailable", message).later(5);
            }
            StoreError::Busy => return Self::new(503, "SlowDown", message).later(1),
            StoreError::Sealed => return Self::new(503, "ServiceUnavailable", message).later(10),
            StoreError::NoSpace => (507, "InsufficientStorage"),
        };
        Self::new(status, code, message)
    }
}

/// A fault of the node: the operator reads the whole of it in the log, the client what it may do.
fn internal(error: &StoreError) -> No {
    tracing::error!(%error, "a request failed inside the node");
    let message = match error {
        StoreError::Unknown(_) => {
            "It is not known whether the change took effect. Read it back before you try again."
        }
        StoreError::Corrupt(_) => {
            "Stored bytes failed verification at both sites; nothing wrong was served. Tell the operator."
        }
        _ => "We encountered an internal error. Please try again.",
    };
    No::new(500, "InternalError", message)
}

//! Which operation a request asks for, as far as the door must know it before s3s: what its body is, which
//! conditions it honours, and what it is called in metrics.

use crate::query::Query;
use crate::target::Target;
use http::{HeaderMap, Method};

/// The operations whose bodies or conditions are special; the rest are `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    DeleteObjects,
    CreateUpload,
    UploadPart,
    UploadPartCopy,
    CompleteUpload,
    ListObjects,
    Other,
}

impl Verb {
    pub(crate) fn of(method: &Method, target: &Target, query: &Query, headers: &HeaderMap) -> Self {
        let has = |name| query.has(name);
        let aside = [
            "acl",
            "tagging",
            "legal-hold",
            "retention",
            "attributes",
            "torrent",
        ]
        .iter()
        .any(|n| has(n));
        let copy = headers.contains_key("x-amz-copy-source");
        match (method, target) {
            (&Method::GET, Target::Object(..)) if !aside && !has("uploadId") => Self::GetObject,
            (&Method::HEAD, Target::Object(..)) => Self::HeadObject,
            (&Method::PUT, Target::Object(..)) if !aside => match (has("uploadId"), copy) {
                (true, true) => Self::UploadPartCopy,
                (true, false) => Self::UploadPart,
                (false, true) => Self::CopyObject,
                (false, false) => Self::PutObject,
            },
            (&Method::DELETE, Target::Object(..)) if !aside && !has("uploadId") => {
                Self::DeleteObject
            }
            (&Method::POST, Target::Object(..)) if has("uploads") => Self::CreateUpload,
            (&Method::POST, Target::Object(..)) if has("uploadId") => Self::CompleteUpload,
            (&Method::POST, Target::Bucket(_)) if has("delete") => Self::DeleteObjects,
            (&Method::GET, Target::Bucket(_))
                if !query.iter().any(|(name, _)| is_selector(name)) =>
            {
                Self::ListObjects
            }
            _ => Self::Other,
        }
    }

    /// What it is called in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::PutObject => "PutObject",
            Self::CopyObject => "CopyObject",
            Self::DeleteObject => "DeleteObject",
            Self::DeleteObjects => "DeleteObjects",
            Self::CreateUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::UploadPartCopy => "UploadPartCopy",
            Self::CompleteUpload => "CompleteMultipartUpload",
            Self::ListObjects => "ListObjects",
            Self::Other => "Other",
        }
    }

    /// The name among these that is spelled like this; `Other` if there is none.
    pub(crate) fn named(name: &str) -> &'static str {
        const ALL: [Verb; 11] = [
            Verb::GetObject,
            Verb::HeadObject,
            Verb::PutObject,
            Verb::CopyObject,
            Verb::DeleteObject,
            Verb::DeleteObjects,
            Verb::CreateUpload,
            Verb::UploadPart,
            Verb::UploadPartCopy,
            Verb::CompleteUpload,
            Verb::ListObjects,
        ];
        let known = ALL.into_iter().map(Self::name).find(|known| *known == name);
        known.unwrap_or(Self::Other.name())
    }

    /// Whether the body is the bytes of an object or part rather than a document.
    pub(crate) const fn carries_object(self) -> bool {
        matches!(self, Self::PutObject | Self::UploadPart)
    }

    /// Whether it honours a condition header. On reads the others may be left aside (RFC 9110, 13.1).
    pub(crate) fn honours(self, condition: &str) -> bool {
        match self {
            Self::GetObject | Self::HeadObject => !condition.starts_with("x-amz-"),
            Self::PutObject | Self::CompleteUpload => {
                matches!(condition, "if-match" | "if-none-match")
            }
            Self::DeleteObject => condition == "if-match",
            Self::CopyObject => {
                matches!(condition, "if-match" | "if-none-match") || condition.starts_with("x-amz-")
            }
            Self::UploadPartCopy => condition.starts_with("x-amz-"),
            _ => false,
        }
    }
}

/// Sub-resources and the parameters that choose an operation. One that an operation does not know is
/// refused: `DELETE /bucket?versioning` must never delete the bucket.
pub(crate) const SELECTORS: [&str; 46] = [
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "append",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "events",
    "id",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
    "xml",
];

pub(crate) fn is_selector(name: &str) -> bool {
    SELECTORS.contains(&name)
}

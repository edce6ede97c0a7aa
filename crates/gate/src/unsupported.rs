//! What we do not offer is refused here, before the verb: a safety header that is ignored is worse than
//! one that is refused.

use crate::query::Query;
use crate::refuse::No;
use crate::target::Target;
use crate::verb::{Verb, is_selector};
use http::{HeaderMap, Method};

/// Headers that no operation here honours.
const NEVER: [&str; 11] = [
    "content-range",
    "x-amz-bypass-governance-retention",
    "x-amz-confirm-remove-self-bucket-access",
    "x-amz-fwd-status",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
    "x-amz-mfa",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-amz-create-session-mode",
];

/// Families of such headers.
const NEVER_PREFIXES: [&str; 6] = [
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-rename-",
    "x-amz-server-side-encryption-",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-transition-default",
];

/// Headers of S3 that are honoured, checked elsewhere, or say nothing that could be lost.
const KNOWN: [&str; 29] = [
    "x-amz-security-token",
    "x-amz-acl",
    "x-amz-api-version",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-copy-source-range",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-max-parts",
    "x-amz-metadata-directive",
    "x-amz-mp-object-size",
    "x-amz-object-attributes",
    "x-amz-object-ownership",
    "x-amz-optional-object-attributes",
    "x-amz-part-number-marker",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption",
    "x-amz-source-expected-bucket-owner",
    "x-amz-storage-class",
    "x-amz-tagging-directive",
    "x-amz-trailer",
    "x-amz-user-agent",
];

const CONDITIONS: [&str; 8] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
];

/// Refuses what the request asks for and we lack. `owner` is the tenant that asks.
pub(crate) fn check(
    method: &Method,
    target: &Target,
    verb: Verb,
    query: &Query,
    headers: &HeaderMap,
    owner: &str,
) -> Result<(), No> {
    for (name, value) in headers {
        let value = value.to_str().unwrap_or("?").trim();
        header(method, verb, name.as_str(), value, owner)?;
    }
    parameters(method, target, query)
}

fn header(method: &Method, verb: Verb, name: &str, value: &str, owner: &str) -> Result<(), No> {
    let lacking = || Err(No::lacking(format!("the header {name}")));
    let valued = || Err(No::lacking(format!("the header {name} with this value")));
    if CONDITIONS.contains(&name) {
        let read = matches!(*method, Method::GET | Method::HEAD);
        let harmless = read && matches!(name, "if-none-match" | "if-modified-since");
        return if verb.honours(name) || harmless {
            Ok(())
        } else {
            lacking()
        };
    }
    if NEVER.contains(&name) || NEVER_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return lacking();
    }
    match (name, value) {
        ("x-amz-acl", "private" | "bucket-owner-full-control")
        | ("x-amz-bucket-object-lock-enabled", "false" | "False" | "FALSE")
        | ("x-amz-object-ownership", "BucketOwnerEnforced")
        | ("x-amz-server-side-encryption", "AES256")
        | ("x-amz-storage-class", "STANDARD") => Ok(()),
        (
            "x-amz-acl"
            | "x-amz-bucket-object-lock-enabled"
            | "x-amz-object-ownership"
            | "x-amz-server-side-encryption"
            | "x-amz-storage-class",
            _,
        ) => valued(),
        ("x-amz-expected-bucket-owner" | "x-amz-source-expected-bucket-owner", value)
            if value != owner =>
        {
            // Whatever a caller may touch belongs to its own tenant.
            Err(No::new(
                403,
                "AccessDenied",
                "Access Denied: the bucket belongs to another owner",
            ))
        }
        _ if KNOWN.contains(&name) || !name.starts_with("x-amz-") => Ok(()),
        _ if name.starts_with("x-amz-meta-") || name.starts_with("x-amz-checksum-") => Ok(()),
        _ if matches!(*method, Method::GET | Method::HEAD) => Ok(()),
        _ => lacking(),
    }
}

fn parameters(method: &Method, target: &Target, query: &Query) -> Result<(), No> {
    let write = !matches!(*method, Method::GET | Method::HEAD);
    let mut chosen = 0;
    for (name, value) in query.iter() {
        if name == "versionId" && matches!(target, Target::Object(..)) && value == "null" {
            continue; // what was never versioned has the version "null"
        }
        let known = allowed(method, target).contains(&name);
        let noise = name.eq_ignore_ascii_case("x-id") || (!write && !is_selector(name));
        if !known && !noise {
            return Err(No::lacking(format!(
                "the query parameter {:?} here",
                shortened(name)
            )));
        }
        let part_of_upload = matches!(name, "partNumber" | "uploadId");
        chosen += usize::from(known && is_selector(name) && !part_of_upload);
    }
    if chosen > 1 {
        return Err(No::request("The request names more than one sub-resource"));
    }
    if query.has("partNumber") != query.has("uploadId") && *method == Method::PUT {
        return Err(No::argument(
            "partNumber and uploadId must be sent together",
        ));
    }
    match query.get("list-type") {
        Some(kind) if kind != "2" => Err(No::argument("list-type must be 2")),
        _ => Ok(()),
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

/// The parameters that an operation on such a target knows. Those of operations that are not offered are
/// left out, so that they answer 501 before their document is read.
fn allowed(method: &Method, target: &Target) -> &'static [&'static str] {
    const BUCKET_GET: &[&str] = &[
        "accelerate",
        "acl",
        "cors",
        "encryption",
        "lifecycle",
        "location",
        "logging",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "tagging",
        "uploads",
        "versioning",
        "versions",
        "website",
    ];
    const OBJECT_GET: &[&str] = &[
        "acl",
        "attributes",
        "legal-hold",
        "partNumber",
        "retention",
        "tagging",
        "uploadId",
    ];
    match (target, method) {
        (Target::Bucket(_), &Method::GET) => BUCKET_GET,
        (Target::Bucket(_), &Method::PUT) => &["acl", "policy"],
        (Target::Bucket(_), &Method::DELETE) => &["policy"],
        (Target::Bucket(_), &Method::POST) => &["delete"],
        (Target::Object(..), &Method::GET) => OBJECT_GET,
        (Target::Object(..), &Method::HEAD) => &["partNumber"],
        (Target::Object(..), &Method::PUT) => &["acl", "partNumber", "uploadId"],
        (Target::Object(..), &Method::POST) => &["uploadId", "uploads"],
        (Target::Object(..), &Method::DELETE) => &["uploadId"],
        _ => &[],
    }
}

//! Content headers and user metadata, as they were sent and as they are given back: byte for byte, without
//! the re-encoding that s3s does.

use crate::refuse::No;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use store::api::{ContentHeaders, Metadata};
use words::limits::USER_METADATA_BYTES_MAX;

const USER: &str = "x-amz-meta-";

/// Reads them from a request.
pub(crate) fn read(headers: &HeaderMap) -> Result<Metadata, No> {
    let one = |name: HeaderName| -> Result<Option<String>, No> {
        let text = joined(headers, &name)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    };
    let content = ContentHeaders {
        content_type: one(CONTENT_TYPE)?,
        content_encoding: one(CONTENT_ENCODING)?.and_then(|text| without_framing(&text)),
        content_disposition: one(CONTENT_DISPOSITION)?,
        content_language: one(CONTENT_LANGUAGE)?,
        cache_control: one(CACHE_CONTROL)?,
        expires: one(EXPIRES)?,
    };
    let mut user = Vec::new();
    let mut bytes = 0;
    for name in headers.keys() {
        let Some(short) = name
            .as_str()
            .strip_prefix(USER)
            .filter(|short| !short.is_empty())
        else {
            continue;
        };
        let value = joined(headers, name)?;
        bytes += short.len() + value.len();
        user.push((short.to_owned(), value));
    }
    if bytes > USER_METADATA_BYTES_MAX {
        return Err(store::error::StoreError::MetadataTooLarge.into());
    }
    user.sort_unstable();
    Ok(Metadata {
        headers: content,
        user,
    })
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<String, No> {
    let mut text = String::new();
    for value in headers.get_all(name) {
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| No::argument(format!("The header {name} is not UTF-8")))?;
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(value.trim());
    }
    Ok(text)
}

/// `aws-chunked` says how the body travels, not what it is.
fn without_framing(text: &str) -> Option<String> {
    let kept: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// Writes them into an answer.
pub(crate) fn write(metadata: &Metadata, headers: &mut HeaderMap) {
    let content = &metadata.headers;
    let kind = content
        .content_type
        .as_deref()
        .unwrap_or("binary/octet-stream");
    put(headers, CONTENT_TYPE, kind);
    for (name, value) in [
        (CONTENT_ENCODING, &content.content_encoding),
        (CONTENT_DISPOSITION, &content.content_disposition),
        (CONTENT_LANGUAGE, &content.content_language),
        (CACHE_CONTROL, &content.cache_control),
        (EXPIRES, &content.expires),
    ] {
        if let Some(value) = value {
            put(headers, name, value);
        }
    }
    for (name, value) in &metadata.user {
        if let Ok(name) = HeaderName::try_from(format!("{USER}{name}")) {
            put(headers, name, value);
        }
    }
}

/// Sets a header; a value that no header can carry is left out.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

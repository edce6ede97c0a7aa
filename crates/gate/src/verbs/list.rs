//! Listings of names: ListObjects, ListObjectsV2, and ListObjectVersions of what has one version each.

use super::Verbs;
use super::answer;
use crate::query::encode;
use crate::refuse::No;
use crate::ticket::{Asked, Ticket};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::S3Response;
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    ObjectStorageClass, ObjectVersion, ObjectVersionStorageClass, Owner,
};
use store::api::{ListAsked, ListPage, ListedObject};
use words::limits::KEYS_PER_REQUEST_MAX;

/// Begins every token, so that another text is not taken for one.
const TOKEN: &[u8] = b"c1:";

/// Makes a name into a token that means nothing to clients.
pub(crate) fn token(name: &str) -> String {
    URL_SAFE_NO_PAD.encode([TOKEN, name.as_bytes()].concat())
}

/// Reads such a token.
pub(crate) fn untoken(token: &str) -> Result<String, No> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes.strip_prefix(TOKEN)?.to_vec()).ok())
        .ok_or_else(|| No::argument("The continuation token provided is incorrect"))
}

/// How names are spelled in an answer.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    url: bool,
}

impl Spelling {
    pub(super) fn of(asked: Option<&EncodingType>) -> Result<Self, No> {
        match asked.map(EncodingType::as_str) {
            None | Some("") => Ok(Self { url: false }),
            Some("url") => Ok(Self { url: true }),
            Some(_) => Err(No::argument("Invalid Encoding Method specified in Request")),
        }
    }
    pub(super) fn name(self, name: &str) -> String {
        if self.url {
            encode(name)
        } else {
            name.to_owned()
        }
    }
    pub(super) fn some(self, name: Option<&str>) -> Option<String> {
        name.map(|name| self.name(name))
    }
    pub(super) fn kind(self) -> Option<EncodingType> {
        self.url
            .then(|| EncodingType::from_static(EncodingType::URL))
    }
    pub(super) fn prefixes(self, prefixes: &[String]) -> Vec<CommonPrefix> {
        prefixes
            .iter()
            .map(|prefix| CommonPrefix {
                prefix: Some(self.name(prefix)),
            })
            .collect()
    }
}

/// The number of names asked for, at most what a page holds.
pub(super) fn page_size(asked: Option<i32>) -> Result<usize, No> {
    match asked {
        None => Ok(KEYS_PER_REQUEST_MAX),
        Some(max) => usize::try_from(max)
            .map(|max| max.min(KEYS_PER_REQUEST_MAX))
            .map_err(|_| {
                No::argument("Argument max-keys must be an integer between 0 and 2147483647")
            }),
    }
}

async fn page(verbs: &Verbs, asked: Asked, list: ListAsked) -> Result<ListPage, No> {
    let bucket = asked.bucket()?;
    let none_asked = list.max == 0;
    let mut page = verbs
        .backend
        .list_objects(asked.caller, &bucket, list)
        .await?;
    if none_asked {
        page = ListPage::default();
    }
    Ok(page)
}

fn number(count: usize) -> Option<i32> {
    i32::try_from(count).ok()
}

fn object(listed: &ListedObject, spelling: Spelling, owner: Option<Owner>) -> Object {
    Object {
        e_tag: answer::etag(&listed.etag),
        key: Some(spelling.name(&listed.key)),
        last_modified: answer::timestamp(listed.modified),
        owner,
        size: i64::try_from(listed.size).ok(),
        storage_class: Some(ObjectStorageClass::from_static(
            ObjectStorageClass::STANDARD,
        )),
        ..Object::default()
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// ListObjects.
pub(super) async fn v1(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: ListObjectsInput,
) -> Result<S3Response<ListObjectsOutput>, No> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys)?;
    let owner = answer::owner(&asked.owner());
    let delimiter = filled(input.delimiter);
    let prefix = input.prefix.unwrap_or_default();
    let list = ListAsked {
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        after: filled(input.marker.clone()),
        max,
    };
    let page = page(verbs, asked, list).await?;
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(spelling.name(&prefix)),
        marker: Some(spelling.name(input.marker.as_deref().unwrap_or_default())),
        max_keys: number(max),
        is_truncated: Some(page.truncated),
        contents: Some(
            page.objects
                .iter()
                .map(|o| object(o, spelling, owner.clone()))
                .collect(),
        ),
        common_prefixes: Some(spelling.prefixes(&page.prefixes)),
        delimiter: spelling.some(delimiter.as_deref()),
        next_marker: spelling.some(page.next.as_deref().filter(|_| page.truncated)),
        encoding_type: spelling.kind(),
        ..ListObjectsOutput::default()
    }))
}

/// ListObjectsV2.
pub(super) async fn v2(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: ListObjectsV2Input,
) -> Result<S3Response<ListObjectsV2Output>, No> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys)?;
    let owner = answer::owner(&asked.owner()).filter(|_| input.fetch_owner.unwrap_or(false));
    let delimiter = filled(input.delimiter);
    let prefix = input.prefix.unwrap_or_default();
    let after = match input.continuation_token.as_deref() {
        Some(token) => Some(untoken(token)?),
        None => filled(input.start_after.clone()),
    };
    let list = ListAsked {
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        after,
        max,
    };
    let page = page(verbs, asked, list).await?;
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(spelling.name(&prefix)),
        max_keys: number(max),
        key_count: number(page.objects.len() + page.prefixes.len()),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.truncated),
        next_continuation_token: page.next.as_deref().filter(|_| page.truncated).map(token),
        contents: Some(
            page.objects
                .iter()
                .map(|o| object(o, spelling, owner.clone()))
                .collect(),
        ),
        common_prefixes: Some(spelling.prefixes(&page.prefixes)),
        delimiter: spelling.some(delimiter.as_deref()),
        encoding_type: spelling.kind(),
        start_after: spelling.some(input.start_after.as_deref()),
        ..ListObjectsV2Output::default()
    }))
}

/// ListObjectVersions: nothing here was ever versioned, so each object is its own latest version `null`.
pub(super) async fn versions(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: ListObjectVersionsInput,
) -> Result<S3Response<ListObjectVersionsOutput>, No> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys)?;
    let owner = answer::owner(&asked.owner());
    let delimiter = filled(input.delimiter);
    let prefix = input.prefix.unwrap_or_default();
    let list = ListAsked {
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        after: filled(input.key_marker.clone()),
        max,
    };
    let page = page(verbs, asked, list).await?;
    let next = page.next.as_deref().filter(|_| page.truncated);
    let version = |listed: &ListedObject| ObjectVersion {
        e_tag: answer::etag(&listed.etag),
        is_latest: Some(true),
        key: Some(spelling.name(&listed.key)),
        last_modified: answer::timestamp(listed.modified),
        owner: owner.clone(),
        size: i64::try_from(listed.size).ok(),
        storage_class: Some(ObjectVersionStorageClass::from_static(
            ObjectVersionStorageClass::STANDARD,
        )),
        version_id: Some("null".to_owned()),
        ..ObjectVersion::default()
    };
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: Some(spelling.prefixes(&page.prefixes)),
        delimiter: spelling.some(delimiter.as_deref()),
        encoding_type: spelling.kind(),
        is_truncated: Some(page.truncated),
        key_marker: Some(spelling.name(input.key_marker.as_deref().unwrap_or_default())),
        max_keys: number(max),
        name: Some(input.bucket),
        next_key_marker: spelling.some(next),
        next_version_id_marker: next.map(|_| "null".to_owned()),
        prefix: Some(spelling.name(&prefix)),
        version_id_marker: input.version_id_marker,
        versions: Some(page.objects.iter().map(version).collect()),
        ..ListObjectVersionsOutput::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        for name in ["", "a", "ä/ö ?&", "\u{10ffff}"] {
            assert_eq!(untoken(&token(name)).unwrap(), name);
        }
        for other in ["", "a", "YWJj", "!", "c1:a"] {
            assert_eq!(untoken(other).unwrap_err().code, "InvalidArgument");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(page_size(None).unwrap(), 1000);
        assert_eq!(page_size(Some(0)).unwrap(), 0);
        assert_eq!(page_size(Some(i32::MAX)).unwrap(), 1000);
        assert!(page_size(Some(-1)).is_err());
    }
}

//! Multipart uploads.

use super::Verbs;
use super::answer;
use super::list::{Spelling, page_size};
use super::objects::{exact, part_number, put_body, stored};
use crate::body::out::Out;
use crate::conditions::TARGET;
use crate::document::checksum_algorithm;
use crate::expected;
use crate::metadata;
use crate::query::encode;
use crate::refuse::No;
use crate::ticket::{Asked, Ticket};
use http::StatusCode;
use s3s::S3Response;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, Initiator, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, Part,
    ServerSideEncryption, StorageClass, UploadPartInput, UploadPartOutput,
};
use store::api::{
    Checksum, ChecksumKind, CompleteAsked, ListAsked, ListedPart, ListedUpload, PartNamed,
    UploadAsked,
};
use store::error::StoreError;
use words::VersionId;
use words::limits::{KEYS_PER_REQUEST_MAX, PARTS_MAX};

/// Reads the upload's id; one that is none names no upload.
pub(super) fn upload_id(asked: &Asked) -> Result<VersionId, No> {
    asked
        .query
        .get("uploadId")
        .and_then(VersionId::parse)
        .ok_or_else(|| StoreError::NoSuchUpload.into())
}

fn encrypted() -> Option<ServerSideEncryption> {
    Some(ServerSideEncryption::from_static(
        ServerSideEncryption::AES256,
    ))
}

fn standard() -> Option<StorageClass> {
    Some(StorageClass::from_static(StorageClass::STANDARD))
}

fn algorithm(kind: ChecksumKind) -> ChecksumAlgorithm {
    ChecksumAlgorithm::from_static(kind.name())
}

/// CreateMultipartUpload.
pub(super) async fn create(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: CreateMultipartUploadInput,
) -> Result<S3Response<CreateMultipartUploadOutput>, No> {
    let (bucket, key) = asked.object()?;
    let checksum = checksum_algorithm(&asked.headers)?;
    let full_object = full_object(checksum, asked.header("x-amz-checksum-type"))?;
    let upload = UploadAsked {
        metadata: metadata::read(&asked.headers)?,
        checksum,
        full_object,
    };
    let id = verbs
        .backend
        .create_upload(asked.caller, &bucket, &key, upload)
        .await?;
    let kind = if full_object {
        ChecksumType::FULL_OBJECT
    } else {
        ChecksumType::COMPOSITE
    };
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: checksum.map(algorithm),
        checksum_type: checksum.map(|_| ChecksumType::from_static(kind)),
        key: Some(input.key),
        server_side_encryption: encrypted(),
        upload_id: Some(id.to_string()),
        ..CreateMultipartUploadOutput::default()
    }))
}

/// Whether the checksum is to cover the whole object, and whether the family can do that.
fn full_object(checksum: Option<ChecksumKind>, asked: Option<&str>) -> Result<bool, No> {
    let (can_whole, can_composite) = match checksum {
        Some(ChecksumKind::Sha1 | ChecksumKind::Sha256) => (false, true),
        Some(ChecksumKind::Crc64Nvme) => (true, false),
        Some(ChecksumKind::Crc32 | ChecksumKind::Crc32c) => (true, true),
        None if asked.is_some() => {
            return Err(No::request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            ));
        }
        None => return Ok(false),
    };
    match asked {
        None => Ok(!can_composite),
        Some("FULL_OBJECT") if can_whole => Ok(true),
        Some("COMPOSITE") if can_composite => Ok(false),
        Some("FULL_OBJECT" | "COMPOSITE") => Err(No::request(
            "The checksum type cannot be used with this checksum algorithm.",
        )),
        Some(_) => Err(No::request(
            "Value for x-amz-checksum-type header is invalid.",
        )),
    }
}

/// UploadPart.
pub(super) async fn part(
    verbs: &Verbs,
    ticket: &Ticket,
    mut asked: Asked,
    _input: UploadPartInput,
) -> Result<S3Response<UploadPartOutput>, No> {
    let (bucket, key) = asked.object()?;
    let upload = upload_id(&asked)?;
    let number = part_number(asked.query.get("partNumber").unwrap_or_default())?;
    let (put, body, fault) = put_body(&mut asked).await?;
    let done = verbs
        .backend
        .upload_part(asked.caller, &bucket, &key, upload, number, put, body)
        .await;
    let done = done.map_err(|error| exact(error, &fault))?;
    let mut headers = stored(&done);
    headers.remove("x-amz-checksum-type"); // parts have none
    ticket.reply(StatusCode::OK, headers, Out::Empty);
    Ok(S3Response::new(UploadPartOutput::default()))
}

/// CompleteMultipartUpload.
pub(super) async fn complete(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: CompleteMultipartUploadInput,
) -> Result<S3Response<CompleteMultipartUploadOutput>, No> {
    let (bucket, key) = asked.object()?;
    let upload = upload_id(&asked)?;
    let named = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .unwrap_or_default();
    let complete = CompleteAsked {
        parts: parts_named(named)?,
        conditions: TARGET.read(&asked.headers)?,
        checksums: expected::header_checksum(&asked.headers, true)?
            .into_iter()
            .collect(),
        length: asked
            .header("x-amz-mp-object-size")
            .map(object_size)
            .transpose()?,
    };
    let location = format!("/{}/{}", bucket.as_str(), encode(key.as_str()));
    let done = verbs
        .backend
        .complete_upload(asked.caller, &bucket, &key, upload, complete)
        .await?;
    let of = |kind| answer::of_kind(&done.checksums, kind);
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_crc32: of(ChecksumKind::Crc32),
        checksum_crc32c: of(ChecksumKind::Crc32c),
        checksum_crc64nvme: of(ChecksumKind::Crc64Nvme),
        checksum_sha1: of(ChecksumKind::Sha1),
        checksum_sha256: of(ChecksumKind::Sha256),
        checksum_type: answer::checksum_type(&done.checksums),
        e_tag: answer::etag(&done.etag),
        key: Some(input.key),
        location: Some(location),
        server_side_encryption: encrypted(),
        ..CompleteMultipartUploadOutput::default()
    }))
}

fn object_size(text: &str) -> Result<u64, No> {
    text.parse()
        .map_err(|_| No::request("Value for x-amz-mp-object-size header is invalid."))
}

fn parts_named(parts: Vec<CompletedPart>) -> Result<Vec<PartNamed>, No> {
    if parts.is_empty() {
        return Err(No::malformed_xml());
    }
    if parts.len() > PARTS_MAX as usize {
        return Err(No::argument(format!(
            "An upload has at most {PARTS_MAX} parts"
        )));
    }
    let mut named: Vec<PartNamed> = Vec::with_capacity(parts.len());
    for part in parts {
        let number = part.part_number.ok_or_else(No::malformed_xml)?;
        let number = part_number(&number.to_string())?;
        if named.last().is_some_and(|last| last.number >= number) {
            return Err(StoreError::InvalidPartOrder.into());
        }
        let checksums = checksums_of(&part)?;
        let etag = part.e_tag.ok_or_else(No::malformed_xml)?.into_value();
        named.push(PartNamed {
            number,
            etag,
            checksums,
        });
    }
    Ok(named)
}

fn checksums_of(part: &CompletedPart) -> Result<Vec<Checksum>, No> {
    let fields = [
        (ChecksumKind::Crc32, &part.checksum_crc32),
        (ChecksumKind::Crc32c, &part.checksum_crc32c),
        (ChecksumKind::Crc64Nvme, &part.checksum_crc64nvme),
        (ChecksumKind::Sha1, &part.checksum_sha1),
        (ChecksumKind::Sha256, &part.checksum_sha256),
    ];
    fields
        .into_iter()
        .filter_map(|(kind, text)| {
            text.as_deref()
                .map(|text| expected::checksum(kind, text, false))
        })
        .collect()
}

/// AbortMultipartUpload.
pub(super) async fn abort(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: AbortMultipartUploadInput,
) -> Result<S3Response<AbortMultipartUploadOutput>, No> {
    let (bucket, key) = asked.object()?;
    let upload = upload_id(&asked)?;
    verbs
        .backend
        .abort_upload(asked.caller, &bucket, &key, upload)
        .await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

/// ListParts.
pub(super) async fn parts(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: ListPartsInput,
) -> Result<S3Response<ListPartsOutput>, No> {
    let (bucket, key) = asked.object()?;
    let upload = upload_id(&asked)?;
    let owner = asked.owner();
    // s3s takes the limit from a header of that name as well, which is not S3.
    let max = page_size(number_in(&asked, "max-parts")?)?;
    let after = number_in(&asked, "part-number-marker")?.unwrap_or(0);
    let after = u32::try_from(after)
        .map_err(|_| No::argument("part-number-marker must not be negative"))?;
    let (mut listed, more) = match max {
        0 => {
            verbs
                .backend
                .list_parts(asked.caller, &bucket, &key, upload, after, 1)
                .await?
        }
        max => {
            verbs
                .backend
                .list_parts(asked.caller, &bucket, &key, upload, after, max)
                .await?
        }
    };
    listed.truncate(max);
    let kind = listed
        .first()
        .and_then(|part| part.checksums.first())
        .map(|checksum| checksum.kind);
    let next = listed.last().map_or(after, |part| part.number);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: kind.map(algorithm),
        initiator: Some(Initiator {
            display_name: Some(owner.clone()),
            id: Some(owner.clone()),
        }),
        is_truncated: Some(more && max > 0),
        key: Some(input.key),
        max_parts: i32::try_from(max).ok(),
        next_part_number_marker: i32::try_from(next).ok(),
        owner: answer::owner(&owner),
        part_number_marker: i32::try_from(after).ok(),
        parts: Some(listed.iter().map(listed_part).collect()),
        storage_class: standard(),
        upload_id: Some(upload.to_string()),
        ..ListPartsOutput::default()
    }))
}

fn number_in(asked: &Asked, name: &str) -> Result<Option<i32>, No> {
    let number = |text: &str| {
        text.parse()
            .map_err(|_| No::argument(format!("Provided {name} not an integer")))
    };
    asked
        .query
        .get(name)
        .filter(|text| !text.is_empty())
        .map(number)
        .transpose()
}

fn listed_part(part: &ListedPart) -> Part {
    let of = |kind| answer::of_kind(&part.checksums, kind);
    Part {
        checksum_crc32: of(ChecksumKind::Crc32),
        checksum_crc32c: of(ChecksumKind::Crc32c),
        checksum_crc64nvme: of(ChecksumKind::Crc64Nvme),
        checksum_sha1: of(ChecksumKind::Sha1),
        checksum_sha256: of(ChecksumKind::Sha256),
        e_tag: answer::etag(&part.etag),
        last_modified: answer::timestamp(part.modified),
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.size).ok(),
    }
}

/// ListMultipartUploads.
pub(super) async fn uploads(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: ListMultipartUploadsInput,
) -> Result<S3Response<ListMultipartUploadsOutput>, No> {
    let bucket = asked.bucket()?;
    let owner = asked.owner();
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let max = page_size(input.max_uploads)?;
    let prefix = input.prefix.unwrap_or_default();
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let list = ListAsked {
        prefix: prefix.clone(),
        delimiter: None, // prefixes are gathered below
        after: input.key_marker.clone().filter(|marker| !marker.is_empty()),
        max: if max == 0 { 1 } else { KEYS_PER_REQUEST_MAX },
    };
    let (listed, more) = verbs
        .backend
        .list_uploads(asked.caller, &bucket, list)
        .await?;
    let page = Page::gather(listed, more, &prefix, delimiter.as_deref(), max);
    let shown = |upload: &ListedUpload| MultipartUpload {
        initiated: answer::timestamp(upload.begun),
        initiator: Some(Initiator {
            display_name: Some(owner.clone()),
            id: Some(owner.clone()),
        }),
        key: Some(spelling.name(&upload.key)),
        owner: answer::owner(&owner),
        storage_class: standard(),
        upload_id: Some(upload.upload.to_string()),
        ..MultipartUpload::default()
    };
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: Some(spelling.prefixes(&page.prefixes)),
        delimiter: spelling.some(delimiter.as_deref()),
        encoding_type: spelling.kind(),
        is_truncated: Some(page.truncated),
        key_marker: Some(spelling.name(input.key_marker.as_deref().unwrap_or_default())),
        max_uploads: i32::try_from(max).ok(),
        next_key_marker: spelling.some(page.next.as_deref()),
        next_upload_id_marker: page
            .next
            .as_ref()
            .and(page.uploads.last())
            .map(|upload| upload.upload.to_string()),
        prefix: Some(spelling.name(&prefix)),
        upload_id_marker: input.upload_id_marker,
        uploads: Some(page.uploads.iter().map(shown).collect()),
        ..ListMultipartUploadsOutput::default()
    }))
}

/// One page of uploads. A page ends between two keys, never within one, so that the key alone is a marker;
/// it may hold more than was asked for if one key has more uploads than that.
#[derive(Default)]
struct Page {
    uploads: Vec<ListedUpload>,
    prefixes: Vec<String>,
    truncated: bool,
    /// The last key looked at, if more follow.
    next: Option<String>,
}

impl Page {
    fn gather(
        listed: Vec<ListedUpload>,
        more: bool,
        prefix: &str,
        delimiter: Option<&str>,
        max: usize,
    ) -> Self {
        let mut page = Self::default();
        if max == 0 {
            return page;
        }
        let last_key = listed.last().map(|upload| upload.key.clone());
        let one_key = listed.first().map(|upload| &upload.key) == last_key.as_ref();
        let mut seen: Option<String> = None;
        for upload in listed {
            let again = seen.as_ref() == Some(&upload.key);
            let cut = more && !one_key && Some(&upload.key) == last_key.as_ref();
            let group = delimiter.and_then(|delimiter| {
                let rest = upload.key.strip_prefix(prefix)?;
                let at = rest.find(delimiter)? + delimiter.len();
                upload.key.get(..prefix.len() + at).map(str::to_owned)
            });
            let grouped = group.is_some() && group.as_ref() == page.prefixes.last();
            let full = page.uploads.len() + page.prefixes.len() >= max && !again && !grouped;
            if cut || full {
                page.truncated = true;
                break;
            }
            seen = Some(upload.key.clone());
            match group {
                Some(_) if grouped => {}
                Some(group) => page.prefixes.push(group),
                None => page.uploads.push(upload),
            }
        }
        page.truncated |= more;
        page.next = seen.filter(|_| page.truncated);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(key: &str, n: u8) -> ListedUpload {
        ListedUpload {
            key: key.to_owned(),
            upload: VersionId::from_bytes([n; 16]),
            begun: words::UnixMillis(0),
        }
    }

    #[test]
    fn pages_end_between_keys() {
        let all = || {
            vec![
                upload("a", 1),
                upload("a", 2),
                upload("b/1", 3),
                upload("b/2", 4),
                upload("c", 5),
            ]
        };
        let page = Page::gather(all(), false, "", None, 1);
        assert_eq!((page.uploads.len(), page.next.as_deref()), (2, Some("a")));
        let page = Page::gather(all(), false, "", Some("/"), 3);
        assert_eq!(
            (page.uploads.len(), page.prefixes.as_slice()),
            (2, &["b/".to_owned()][..])
        );
        assert_eq!(page.next.as_deref(), Some("b/2"));
        let page = Page::gather(all(), true, "", None, 1000);
        assert_eq!((page.uploads.len(), page.next.as_deref()), (4, Some("b/2")));
        let page = Page::gather(all(), false, "", None, 1000);
        assert_eq!(
            (page.uploads.len(), page.truncated, page.next),
            (5, false, None)
        );
    }

    #[test]
    fn checksum_types() {
        use ChecksumKind::{Crc32, Crc64Nvme, Sha256};
        for (kind, asked, expected) in [
            (None, None, Some(false)),
            (None, Some("COMPOSITE"), None),
            (Some(Crc32), None, Some(false)),
            (Some(Crc32), Some("FULL_OBJECT"), Some(true)),
            (Some(Crc64Nvme), None, Some(true)),
            (Some(Crc64Nvme), Some("COMPOSITE"), None),
            (Some(Sha256), None, Some(false)),
            (Some(Sha256), Some("FULL_OBJECT"), None),
            (Some(Sha256), Some("HALF"), None),
        ] {
            assert_eq!(
                full_object(kind, asked).ok(),
                expected,
                "{kind:?} {asked:?}"
            );
        }
    }
}

//! GET, HEAD, PUT and DELETE of objects.

use super::Verbs;
use super::answer;
use crate::body::out::Out;
use crate::conditions::{self, TARGET};
use crate::metadata;
use crate::refuse::No;
use crate::ticket::{Asked, Ticket};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::S3Response;
use s3s::dto::{
    Checksum, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    DeletedObject, Error, GetObjectAttributesInput, GetObjectAttributesOutput,
    GetObjectAttributesParts, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    PutObjectInput, PutObjectOutput, StorageClass,
};
use store::api::{ChecksumKind, EtagMatch, ObjectInfo, PutAsked, ReadAsked};
use store::error::StoreError;
use words::ObjectKey;
use words::limits::{KEYS_PER_REQUEST_MAX, PARTS_MAX};

/// GetObject.
pub(super) async fn get(
    verbs: &Verbs,
    ticket: &Ticket,
    asked: Asked,
    _input: GetObjectInput,
) -> Result<S3Response<GetObjectOutput>, No> {
    let (bucket, key) = asked.object()?;
    let read = read_asked(&asked)?;
    let part = read.part;
    let wish = Wish::of(&asked);
    let not_modified = not_modified(&read);
    let found = verbs
        .backend
        .get_object(asked.caller, &bucket, &key, read)
        .await;
    let out = found.map_err(|error| unchanged(error, not_modified))?;
    let (status, headers) = wish.head(&out.info, out.range, part)?;
    let body = Out::begin(out.body, out.length).await.map_err(|error| {
        // What is known but lies at a site that is away is served again when the site is back.
        No::from(if error.kind() == std::io::ErrorKind::NotConnected {
            StoreError::SiteAway(error.to_string())
        } else {
            StoreError::Internal(format!("an object could not be read: {error}"))
        })
    })?;
    ticket.reply(status, headers, body);
    Ok(S3Response::new(GetObjectOutput::default()))
}

/// HeadObject.
pub(super) async fn head(
    verbs: &Verbs,
    ticket: &Ticket,
    asked: Asked,
    _input: HeadObjectInput,
) -> Result<S3Response<HeadObjectOutput>, No> {
    let (bucket, key) = asked.object()?;
    let read = read_asked(&asked)?;
    let part = read.part;
    let wish = Wish::of(&asked);
    let not_modified = not_modified(&read);
    let found = verbs
        .backend
        .head_object(asked.caller, &bucket, &key, read)
        .await;
    let out = found.map_err(|error| unchanged(error, not_modified))?;
    let (status, mut headers) = wish.head(&out.info, out.range, part)?;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(out.length));
    ticket.reply(status, headers, Out::Empty);
    Ok(S3Response::new(HeadObjectOutput::default()))
}

/// What a read asks for beside the bytes.
struct Wish {
    checksums: bool,
    overrides: Vec<(HeaderName, String)>,
}

impl Wish {
    fn of(asked: &Asked) -> Self {
        let mode = asked.header("x-amz-checksum-mode").unwrap_or_default();
        let overrides = [
            ("response-content-type", CONTENT_TYPE),
            ("response-content-language", CONTENT_LANGUAGE),
            ("response-expires", EXPIRES),
            ("response-cache-control", CACHE_CONTROL),
            ("response-content-disposition", CONTENT_DISPOSITION),
            ("response-content-encoding", CONTENT_ENCODING),
        ];
        Self {
            checksums: mode.eq_ignore_ascii_case("ENABLED"),
            overrides: overrides
                .into_iter()
                .filter_map(|(name, header)| Some((header, asked.query.get(name)?.to_owned())))
                .collect(),
        }
    }

    fn head(
        &self,
        info: &ObjectInfo,
        range: Option<(u64, u64)>,
        part: Option<u32>,
    ) -> Result<(StatusCode, HeaderMap), No> {
        // The checksums are those of the whole: a client would compare them with the piece it got.
        let mut headers = answer::object(info, self.checksums && range.is_none());
        for (name, value) in &self.overrides {
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
                No::argument(format!(
                    "The value for the {name} of the response is not valid"
                ))
            })?;
            headers.insert(name, value);
        }
        if let (Some(_), Some(parts)) = (part, info.parts) {
            headers.insert("x-amz-mp-parts-count", HeaderValue::from(parts));
        }
        let Some((first, last)) = range else {
            return Ok((StatusCode::OK, headers));
        };
        metadata::put(
            &mut headers,
            CONTENT_RANGE,
            &format!("bytes {first}-{last}/{}", info.size),
        );
        Ok((StatusCode::PARTIAL_CONTENT, headers))
    }
}

fn read_asked(asked: &Asked) -> Result<ReadAsked, No> {
    let range = conditions::range(&asked.headers);
    let part = asked.query.get("partNumber").map(part_number).transpose()?;
    if range.is_some() && part.is_some() {
        return Err(No::request(
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    Ok(ReadAsked {
        range,
        part,
        conditions: TARGET.read(&asked.headers)?,
    })
}

/// Reads a part's number.
pub(super) fn part_number(text: &str) -> Result<u32, No> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=PARTS_MAX).contains(number));
    number.ok_or_else(|| {
        No::argument(format!(
            "Part number must be an integer between 1 and {PARTS_MAX}, inclusive"
        ))
    })
}

/// The ETag that a 304 names: the one the client has.
fn not_modified(read: &ReadAsked) -> Option<String> {
    match &read.conditions.if_none_match {
        Some(EtagMatch::OneOf(etags)) => match etags.as_slice() {
            [etag] => Some(answer::quoted(etag)),
            _ => None,
        },
        _ => None,
    }
}

fn unchanged(error: StoreError, etag: Option<String>) -> No {
    let no = No::from(error);
    match etag {
        Some(etag) if no.status == 304 => no.with_header(ETAG, &etag),
        _ => no,
    }
}

/// PutObject.
pub(super) async fn put_body(
    asked: &mut Asked,
) -> Result<(PutAsked, store::api::BodyIn, crate::body::Fault), No> {
    let taken = asked
        .body
        .take()
        .ok_or_else(|| No::request("The request has no body"))?;
    let put = PutAsked {
        metadata: metadata::read(&asked.headers)?,
        length: taken.length,
        expected: taken.expected,
        conditions: TARGET.read(&asked.headers)?,
    };
    Ok((put, taken.stream, taken.fault))
}

/// PutObject.
pub(super) async fn put(
    verbs: &Verbs,
    ticket: &Ticket,
    mut asked: Asked,
    _input: PutObjectInput,
) -> Result<S3Response<PutObjectOutput>, No> {
    let (bucket, key) = asked.object()?;
    let (put, body, fault) = put_body(&mut asked).await?;
    let done = verbs
        .backend
        .put_object(asked.caller, &bucket, &key, put, body)
        .await;
    let done = done.map_err(|error| exact(error, &fault))?;
    ticket.reply(StatusCode::OK, stored(&done), Out::Empty);
    Ok(S3Response::new(PutObjectOutput::default()))
}

/// The headers of an answer to a PUT or a part.
pub(super) fn stored(done: &store::api::PutDone) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    metadata::put(&mut headers, ETAG, &answer::quoted(&done.etag));
    answer::checksum_headers(&done.checksums, &mut headers);
    answer::encrypted(&mut headers);
    headers
}

/// The exact reason if the body was at fault.
pub(super) fn exact(error: StoreError, fault: &crate::body::Fault) -> No {
    match (&error, fault.take()) {
        (StoreError::Body(_), Some(no)) => no,
        _ => error.into(),
    }
}

/// DeleteObject.
pub(super) async fn delete(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    _input: DeleteObjectInput,
) -> Result<S3Response<DeleteObjectOutput>, No> {
    let (bucket, key) = asked.object()?;
    let conditions = TARGET.read(&asked.headers)?;
    let conditional = conditions.if_match.is_some();
    match verbs
        .backend
        .delete_object(asked.caller, &bucket, &key, conditions)
        .await
    {
        Err(StoreError::NoSuchKey) if !conditional => {} // what is not there is deleted
        done => done?,
    }
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

/// DeleteObjects.
pub(super) async fn delete_many(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: DeleteObjectsInput,
) -> Result<S3Response<DeleteObjectsOutput>, No> {
    let bucket = asked.bucket()?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > KEYS_PER_REQUEST_MAX {
        return Err(No::malformed_xml());
    }
    let (mut names, mut keys, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for object in objects {
        if object.e_tag.is_some() || object.last_modified_time.is_some() || object.size.is_some() {
            return Err(No::lacking("conditions within DeleteObjects"));
        }
        if object
            .version_id
            .as_deref()
            .is_some_and(|version| version != "null")
        {
            return Err(No::lacking("versions in DeleteObjects"));
        }
        match ObjectKey::parse(&object.key) {
            Ok(key) => {
                names.push((object.key, object.version_id));
                keys.push(key);
            }
            Err(error) => errors.push(failed(object.key, object.version_id, No::from(error))),
        }
    }
    let done = verbs
        .backend
        .delete_objects(asked.caller, &bucket, keys)
        .await?;
    let quiet = input.delete.quiet.unwrap_or(false);
    let mut deleted = Vec::new();
    for ((key, version_id), done) in names.into_iter().zip(done) {
        match done {
            Err(error) if !matches!(error, StoreError::NoSuchKey) => {
                errors.push(failed(key, version_id, error.into()))
            }
            _ if quiet => {}
            _ => deleted.push(DeletedObject {
                key: Some(key),
                version_id,
                ..DeletedObject::default()
            }),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

fn failed(key: String, version_id: Option<String>, no: No) -> Error {
    Error {
        code: Some(no.code.clone().into_owned()),
        key: Some(key),
        message: Some(no.message),
        version_id,
    }
}

/// GetObjectAttributes.
pub(super) async fn attributes(
    verbs: &Verbs,
    _ticket: &Ticket,
    asked: Asked,
    input: GetObjectAttributesInput,
) -> Result<S3Response<GetObjectAttributesOutput>, No> {
    let (bucket, key) = asked.object()?;
    let found = verbs
        .backend
        .head_object(asked.caller, &bucket, &key, ReadAsked::default())
        .await?;
    let info = found.info;
    let wanted: Vec<&str> = input
        .object_attributes
        .iter()
        .flat_map(|word| word.as_str().split(','))
        .map(str::trim)
        .collect();
    let wants = |name: &str| wanted.contains(&name);
    let of = |kind| answer::of_kind(&info.checksums, kind);
    let checksum = (wants("Checksum") && !info.checksums.is_empty()).then(|| Checksum {
        checksum_crc32: of(ChecksumKind::Crc32),
        checksum_crc32c: of(ChecksumKind::Crc32c),
        checksum_crc64nvme: of(ChecksumKind::Crc64Nvme),
        checksum_sha1: of(ChecksumKind::Sha1),
        checksum_sha256: of(ChecksumKind::Sha256),
        checksum_type: answer::checksum_type(&info.checksums),
    });
    let parts = info
        .parts
        .filter(|_| wants("ObjectParts"))
        .map(|parts| GetObjectAttributesParts {
            total_parts_count: i32::try_from(parts).ok(),
            ..GetObjectAttributesParts::default()
        });
    Ok(S3Response::new(GetObjectAttributesOutput {
        checksum,
        e_tag: wants("ETag").then(|| answer::etag(&info.etag)).flatten(),
        last_modified: answer::timestamp(info.modified),
        object_parts: parts,
        object_size: i64::try_from(info.size)
            .ok()
            .filter(|_| wants("ObjectSize")),
        storage_class: wants("StorageClass")
            .then(|| StorageClass::from_static(StorageClass::STANDARD)),
        ..GetObjectAttributesOutput::default()
    }))
}

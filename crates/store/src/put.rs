//! PUT: grant, receive, commit.

use crate::Store;
use crate::api::{BodyIn, ContentHeaders, Metadata, PutAsked, PutDone};
use crate::checksum::etag_text;
use crate::error::StoreError;
use crate::open::meta_context;
use crate::receive::{Intake, Kept, Received};
use crate::record::meta::Meta;
use crate::record::object::{Body, ObjectRow};
use authn::Caller;
use names::NameFacts;
use seal::{NewRecord, ObjectRecord, Segment};
use vault::{Action, WriteFacts, WriteGrant};
use words::limits::USER_METADATA_BYTES_MAX;
use words::{BucketName, Subject, UnixMillis};

/// The user metadata that names the person or case whom an object is about.
pub const SUBJECT: &str = "clarence-subject";
/// All content headers together.
const HEADERS_BYTES_MAX: usize = 8 * 1024;

impl Store {
    /// PUT.
    pub async fn put_object(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        check_metadata(&asked.metadata)?;
        let grant = self
            .vault
            .admit_write(caller, Action::PutObject, bucket, key)
            .await?;
        let grant = self.about(grant, &asked.metadata).await?;
        self.room_in_index(&grant).await?;
        if asked.conditions != crate::api::Conditions::default() {
            // Early, so that a body that cannot be kept is not received; the commit checks once more.
            let row = self
                .engine
                .get(&crate::record::object::key(
                    grant.place().bucket,
                    &grant.place().name,
                ))
                .await?;
            self.check_write(&grant, "PutObject", &asked.conditions, row.as_ref())
                .await?;
        }
        let intake = Intake {
            grant: &grant,
            segment_no: 0,
            length: asked.length,
            expected: &asked.expected,
            also: None,
            inline: true,
        };
        let received = self.receive(&intake, body).await?;
        self.keep(&grant, "PutObject", asked, received).await
    }

    /// Commits what was received as the object's new version.
    pub(crate) async fn keep(
        &self,
        grant: &WriteGrant,
        operation: &str,
        asked: PutAsked,
        mut received: Received,
    ) -> Result<PutDone, StoreError> {
        self.pay_at_once(&mut received).await;
        let chunks = received.chunks();
        let modified = self.host.now();
        let checksums = received.digests.checksums.clone();
        let meta = Meta {
            md5: grant.etag(received.digests.md5),
            parts: None,
            key: grant.name().as_str().to_owned(),
            metadata: asked.metadata,
            checksums: checksums.clone(),
        };
        let segment = received.segment();
        let body = match received.kept {
            Kept::Inline(_, bytes) => Body::Inline(bytes),
            Kept::Chunks(place) => Body::Single(place),
        };
        let row = self.object_row(grant, &[segment], &meta, modified, body)?;
        let facts = write_facts(&meta, received.plain, modified, grant, received.sites);
        let extra = (Vec::new(), received.debts);
        match self
            .commit_object(grant, operation, &row, &facts, &asked.conditions, extra)
            .await
        {
            Ok(()) => Ok(PutDone {
                etag: etag_text(&meta.md5, None),
                checksums,
                modified,
                version: grant.place().version,
            }),
            Err(error) => {
                if !matches!(error, StoreError::Unknown(_)) {
                    self.discard(chunks).await;
                }
                Err(error)
            }
        }
    }

    /// The row of a new version.
    pub(crate) fn object_row(
        &self,
        grant: &WriteGrant,
        segments: &[Segment],
        meta: &Meta,
        modified: UnixMillis,
        body: Body,
    ) -> Result<ObjectRow, StoreError> {
        let new = NewRecord {
            place: *grant.place(),
            kek: grant.kek(),
            wrapped: grant.wrapped(),
            guest_encrypted: false,
            shred_group: grant.group_id().is_some(),
            segments,
        };
        let record = ObjectRecord::new(&new).map_err(|e| StoreError::Internal(e.to_string()))?;
        let sealed_meta = seal::seal_value(
            grant.object_key(),
            &meta_context(grant.place().version),
            self.host.random(),
            &meta.encode(),
        );
        Ok(ObjectRow {
            record: record.to_bytes(grant.object_key()),
            modified,
            sealed_meta,
            body,
        })
    }

    /// Puts what will be written into the group of the subject that its metadata names, if it names one.
    pub(crate) async fn about(
        &self,
        grant: WriteGrant,
        metadata: &Metadata,
    ) -> Result<WriteGrant, StoreError> {
        match subject_of(metadata)? {
            Some(subject) => Ok(self.vault.for_subject(grant, &subject).await?),
            None => Ok(grant),
        }
    }

    /// Refuses a write whose change of the index could not be taken in time.
    pub(crate) async fn room_in_index(&self, grant: &WriteGrant) -> Result<(), StoreError> {
        let pending = self
            .index
            .pending(grant.index_key(), grant.place().bucket)
            .await?;
        if pending.full {
            Err(StoreError::Busy)
        } else {
            Ok(())
        }
    }
}

/// What the ledger and the index are told of a write.
pub fn write_facts(
    meta: &Meta,
    size: u64,
    modified: UnixMillis,
    grant: &WriteGrant,
    sites: Vec<words::SiteId>,
) -> WriteFacts {
    let name = NameFacts {
        size,
        modified,
        etag: meta.md5,
        parts: meta.parts.unwrap_or(0),
        version: grant.place().version,
    };
    WriteFacts {
        name,
        sites,
        digest: None,
    }
}

/// The subject that an object's metadata names: the header `x-amz-meta-clarence-subject`.
pub fn subject_of(metadata: &Metadata) -> Result<Option<Subject>, StoreError> {
    let named = metadata.user.iter().find(|(name, _)| name == SUBJECT);
    named
        .map(|(_, text)| {
            Subject::parse(text)
                .map_err(|e| StoreError::Invalid(format!("x-amz-meta-{SUBJECT}: {e}")))
        })
        .transpose()
}

/// Refuses headers and user metadata that are too long.
pub fn check_metadata(metadata: &Metadata) -> Result<(), StoreError> {
    let user: usize = metadata
        .user
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let ContentHeaders {
        content_type,
        content_encoding,
        content_disposition,
        content_language,
        cache_control,
        expires,
    } = &metadata.headers;
    let headers: usize = [
        content_type,
        content_encoding,
        content_disposition,
        content_language,
        cache_control,
        expires,
    ]
    .into_iter()
    .flatten()
    .map(String::len)
    .sum();
    if user > USER_METADATA_BYTES_MAX || headers > HEADERS_BYTES_MAX {
        Err(StoreError::MetadataTooLarge)
    } else {
        Ok(())
    }
}

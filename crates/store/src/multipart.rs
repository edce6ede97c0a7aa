//! Multipart uploads: begun with a key of their own, parts sealed under it as they arrive, completed by a
//! manifest that names each part. No byte is rewritten at completion.

use crate::Store;
use crate::api::{
    BodyIn, Checksum, ChecksumKind, CompleteAsked, PartCopyAsked, PartNamed, PutAsked, PutDone,
    UploadAsked,
};
use crate::checksum::{composite, etag_text, full_object, multipart_etag};
use crate::commit::{RACES_MAX, Sent, unchanged};
use crate::error::StoreError;
use crate::open::{meta_context, open_meta, part_context};
use crate::put::{check_metadata, write_facts};
use crate::receive::{Intake, Kept, Received};
use crate::record::garbage::{self, Garbage};
use crate::record::manifest::{self, Line, PAGE_SEGMENTS};
use crate::record::meta::{Meta, kind_from, kind_to};
use crate::record::object::Body;
use crate::record::part::{self, PartRow};
use crate::record::upload::{self, UploadRow};
use authn::Caller;
use catalog::{Mutation, Precondition, Row};
use seal::{ClaimedRecord, Segment};
use std::collections::BTreeMap;
use vault::{Action, PartGrant, ReadOutcome, Settled, WriteGrant};
use words::limits::{CHUNK_GRACE_MS, PART_BYTES_MIN, PARTS_MAX, SCAN_ROWS_MAX};
use words::{BucketName, VersionId};

pub fn name_context(upload: VersionId) -> Vec<u8> {
    [b"upload name\0".as_slice(), upload.as_bytes()].concat()
}

/// A part that the client names, found and opened.
struct Chosen {
    number: u32,
    segment: Segment,
    meta: Meta,
}

impl Store {
    /// CreateMultipartUpload.
    pub async fn create_upload(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        asked: UploadAsked,
    ) -> Result<VersionId, StoreError> {
        check_metadata(&asked.metadata)?;
        let grant = self
            .vault
            .admit_write(caller, Action::CreateUpload, bucket, key)
            .await?;
        let grant = self.about(grant, &asked.metadata).await?;
        let place = *grant.place();
        let version = place.version;
        let meta = Meta {
            key: key.as_str().to_owned(),
            metadata: asked.metadata,
            ..Meta::default()
        };
        // The record is only a carrier of the wrapped key until completion fills in lengths and digests.
        let row = self.object_row(
            &grant,
            &[empty_segment()],
            &meta,
            self.host.now(),
            Body::Inline(bytes::Bytes::new()),
        )?;
        let mut row = UploadRow {
            begun: row.modified,
            name_hash: place.name,
            record: row.record,
            sealed_name: seal::seal_value(
                grant.index_key(),
                &name_context(version),
                self.host.random(),
                key.as_bytes(),
            ),
            sealed_meta: row.sealed_meta,
            checksum: kind_to(asked.checksum),
            full_object: asked.full_object,
        };
        let mut stands = grant.bucket_stands();
        for _ in 0..RACES_MAX {
            let Settled { entry, .. } =
                self.vault
                    .settle_step(&grant, "CreateMultipartUpload", 0, &[])?;
            let mut mutations = vec![Mutation::Put {
                key: upload::key(place.bucket, version),
                value: row.encode().into(),
            }];
            mutations.extend(self.vault.member_row(&grant));
            let mut preconditions = vec![stands];
            preconditions.extend(grant.group_stands());
            match self.send(preconditions, mutations, vec![entry]).await? {
                Sent::Done => return Ok(version),
                Sent::Conflict(0) => {
                    let again = self.vault.stand_again(&grant, &row.record).await?;
                    (stands, row.record) = (again.bucket, again.record);
                }
                Sent::Conflict(_) => return Err(StoreError::ConditionalConflict),
            }
        }
        Err(StoreError::ConditionalConflict)
    }

    /// UploadPart.
    #[allow(clippy::too_many_arguments)]
    pub async fn upload_part(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        check_number(number)?;
        let grant = self
            .vault
            .admit_part(caller, Action::UploadPart, bucket, key, upload)
            .await?;
        self.take_part(&grant, number, asked, body).await
    }

    /// UploadPartCopy.
    pub async fn upload_part_copy(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PartCopyAsked,
    ) -> Result<PutDone, StoreError> {
        check_number(number)?;
        let source = (&asked.source_bucket, &asked.source_key);
        let (read, grant) = self
            .vault
            .admit_part_copy(caller, source, (bucket, key), upload)
            .await?;
        if let ReadOutcome::Found(source) = &read
            && source.object().group_id().is_some()
            && source.object().group_id() != grant.write().group_id()
        {
            return Err(StoreError::Invalid(
                "the source is about a subject; begin the upload with the same x-amz-meta-clarence-subject"
                    .into(),
            ));
        }
        let (length, body) = self
            .copied(read, &asked.source_conditions, asked.range)
            .await?;
        let put = PutAsked {
            metadata: Default::default(),
            length,
            expected: Default::default(),
            conditions: Default::default(),
        };
        self.take_part(&grant, number, put, body).await
    }

    async fn take_part(
        &self,
        grant: &PartGrant,
        number: u32,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        let upload_row = UploadRow::decode(&grant.row().value)?;
        let also = match upload_row.checksum {
            0 => None,
            number => Some(kind_from(number)?),
        };
        let write = grant.write();
        let intake = Intake {
            grant: write,
            segment_no: number,
            length: asked.length,
            expected: &asked.expected,
            also,
            inline: false,
        };
        let received = self.receive(&intake, body).await?;
        let chunks = received.chunks();
        let kept = self.keep_part(grant, number, received).await;
        if kept
            .as_ref()
            .is_err_and(|error| !matches!(error, StoreError::Unknown(_)))
        {
            self.discard(chunks).await;
        }
        kept
    }

    async fn keep_part(
        &self,
        grant: &PartGrant,
        number: u32,
        mut received: Received,
    ) -> Result<PutDone, StoreError> {
        self.pay_at_once(&mut received).await;
        let Kept::Chunks(segment) = received.kept else {
            return Err(StoreError::Internal("a part was kept in a row".into()));
        };
        let (write, modified) = (grant.write(), self.host.now());
        let checksums = received.digests.checksums.clone();
        let meta = Meta {
            md5: write.etag(received.digests.md5),
            checksums: checksums.clone(),
            ..Meta::default()
        };
        let context = part_context(grant.upload(), number);
        let sealed_meta = seal::seal_value(
            write.object_key(),
            &context,
            self.host.random(),
            &meta.encode(),
        );
        let row = PartRow {
            modified,
            sealed_meta,
            segment,
        };
        let key = part::key(grant.upload(), number);
        let mut stands = write.bucket_stands();
        loop {
            let old = self.engine.get(&key).await?;
            let Settled { entry, .. } =
                self.vault
                    .settle_step(write, "UploadPart", received.plain, &received.sites)?;
            let preconditions = vec![
                Precondition::Present(grant.row_key().to_vec()),
                unchanged(&key, old.as_ref()),
                stands.clone(),
            ];
            let mut mutations = vec![Mutation::Put {
                key: key.clone(),
                value: row.encode().into(),
            }];
            // The upload's row gets a new version, so that a completion that chose its parts before this one
            // arrived is told to look again.
            mutations.push(Mutation::Put {
                key: grant.row_key().to_vec(),
                value: grant.row().value.clone(),
            });
            mutations.extend(received.debts.iter().cloned());
            mutations.extend(self.replaced(old.as_ref())?);
            match self.send(preconditions, mutations, vec![entry]).await? {
                Sent::Done => {
                    return Ok(PutDone {
                        etag: etag_text(&meta.md5, None),
                        checksums,
                        modified,
                        version: grant.upload(),
                    });
                }
                Sent::Conflict(0) => return Err(StoreError::NoSuchUpload),
                Sent::Conflict(2) => stands = self.vault.part_stands_again(write).await?,
                Sent::Conflict(_) => {}
            }
        }
    }

    /// The chunks of the part that was there under this number are garbage when the new one is committed.
    fn replaced(&self, old: Option<&Row>) -> Result<Option<Mutation>, StoreError> {
        let Some(old) = old else { return Ok(None) };
        let segment = PartRow::decode(&old.value)?.segment;
        let chunks = segment.chunks.iter().map(|chunk| chunk.id).collect();
        Ok(Some(self.garbage(&Garbage::Chunks(chunks))))
    }

    fn garbage(&self, garbage: &Garbage) -> Mutation {
        let due = self.host.now().plus(CHUNK_GRACE_MS);
        let apart = VersionId::from_bytes(self.host.random());
        Mutation::Put {
            key: garbage::key(due, apart),
            value: garbage.encode().into(),
        }
    }

    /// CompleteMultipartUpload.
    pub async fn complete_upload(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        upload: VersionId,
        asked: CompleteAsked,
    ) -> Result<PutDone, StoreError> {
        let grant = self
            .vault
            .admit_part(caller, Action::CompleteUpload, bucket, key, upload)
            .await?;
        self.room_in_index(grant.write()).await?;
        let row = UploadRow::decode(&grant.row().value)?;
        let mut stored: BTreeMap<u32, PartRow> =
            self.all_part_rows(upload).await?.into_iter().collect();
        let chosen = choose(grant.write(), upload, &asked.parts, &stored)?;
        let size = chosen
            .iter()
            .map(|part| part.segment.plain_bytes)
            .sum::<u64>();
        if asked.length.is_some_and(|length| length != size) {
            return Err(StoreError::Invalid(
                "x-amz-mp-object-size differs from the length of the parts".into(),
            ));
        }
        let begun = open_meta(
            grant.write().object_key(),
            &meta_context(upload),
            &row.sealed_meta,
        )?;
        let md5s: Vec<[u8; 16]> = chosen.iter().map(|part| part.meta.md5).collect();
        let (md5, parts) = multipart_etag(&md5s);
        let checksums = whole_checksum(&row, &chosen, &asked.checksums)?;
        let meta = Meta {
            md5,
            parts: Some(parts),
            checksums: checksums.clone(),
            ..begun
        };
        for part in &chosen {
            stored.remove(&part.number);
        }
        self.commit_complete(&grant, &chosen, &meta, size, &asked, stored)
            .await
    }

    async fn commit_complete(
        &self,
        grant: &PartGrant,
        chosen: &[Chosen],
        meta: &Meta,
        size: u64,
        asked: &CompleteAsked,
        unused: BTreeMap<u32, PartRow>,
    ) -> Result<PutDone, StoreError> {
        let (write, upload, modified) = (grant.write(), grant.upload(), self.host.now());
        let lines: Vec<Line> = chosen
            .iter()
            .map(|part| Line {
                number: part.number,
                segment: part.segment,
            })
            .collect();
        let table: Vec<Segment> = lines.iter().map(|line| line.segment).collect();
        let mut mutations = vec![Mutation::Delete {
            key: grant.row_key().to_vec(),
        }];
        let mut pages = 0;
        for page in lines.chunks(PAGE_SEGMENTS) {
            mutations.push(Mutation::Put {
                key: manifest::key(upload, pages),
                value: manifest::encode(page).into(),
            });
            pages += 1;
        }
        for (number, row) in unused.into_iter().take(SCAN_ROWS_MAX / 4) {
            let chunks = row.segment.chunks.iter().map(|chunk| chunk.id).collect();
            mutations.push(self.garbage(&Garbage::Chunks(chunks)));
            mutations.push(Mutation::Delete {
                key: part::key(upload, number),
            });
        }
        let body = Body::Parts {
            parts: u32::try_from(lines.len()).unwrap_or(u32::MAX),
            pages,
        };
        let row = self.object_row(write, &table, meta, modified, body)?;
        let facts = write_facts(meta, size, modified, write, Vec::new());
        let extra = (
            vec![Precondition::Version(
                grant.row_key().to_vec(),
                grant.row().version,
            )],
            mutations,
        );
        self.commit_object(
            write,
            "CompleteMultipartUpload",
            &row,
            &facts,
            &asked.conditions,
            extra,
        )
        .await?;
        Ok(PutDone {
            etag: etag_text(&meta.md5, meta.parts),
            checksums: meta.checksums.clone(),
            modified,
            version: upload,
        })
    }

    /// AbortMultipartUpload.
    pub async fn abort_upload(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        upload: VersionId,
    ) -> Result<(), StoreError> {
        let grant = self
            .vault
            .admit_part(caller, Action::AbortUpload, bucket, key, upload)
            .await?;
        let Settled { entry, .. } =
            self.vault
                .settle_step(grant.write(), "AbortMultipartUpload", 0, &[])?;
        let mut mutations = vec![
            Mutation::Delete {
                key: grant.row_key().to_vec(),
            },
            self.garbage(&Garbage::Parts(upload)),
        ];
        let record = UploadRow::decode(&grant.row().value)?.record;
        let claimed =
            ClaimedRecord::read(&record).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        mutations.extend(vault::member_gone(&claimed, grant.write().place().bucket));
        match self
            .send(
                vec![Precondition::Present(grant.row_key().to_vec())],
                mutations,
                vec![entry],
            )
            .await?
        {
            Sent::Done => Ok(()),
            Sent::Conflict(_) => Err(StoreError::NoSuchUpload),
        }
    }
}

const fn empty_segment() -> Segment {
    Segment {
        salt: [0; 24],
        plain_bytes: 0,
        sealed_bytes: seal::cobblestone::sealed_len(0),
        blake3: [0; 32],
    }
}

fn check_number(number: u32) -> Result<(), StoreError> {
    if (1..=PARTS_MAX).contains(&number) {
        Ok(())
    } else {
        Err(StoreError::Invalid(format!(
            "part number {number} is not between 1 and {PARTS_MAX}"
        )))
    }
}

/// Finds the parts that the client names and checks everything it says about them.
fn choose(
    grant: &WriteGrant,
    upload: VersionId,
    named: &[PartNamed],
    stored: &BTreeMap<u32, PartRow>,
) -> Result<Vec<Chosen>, StoreError> {
    if named.is_empty() {
        return Err(StoreError::Invalid(
            "a multipart upload needs at least one part".into(),
        ));
    }
    if named.len() > PARTS_MAX as usize {
        return Err(StoreError::Invalid(format!(
            "{} parts were named; at most {PARTS_MAX} are allowed",
            named.len()
        )));
    }
    if !named.is_sorted_by(|a, b| a.number < b.number) {
        return Err(StoreError::InvalidPartOrder);
    }
    let last = named.last().map(|part| part.number);
    let mut chosen = Vec::with_capacity(named.len());
    for part in named {
        let invalid = StoreError::InvalidPart {
            number: part.number,
        };
        let Some(row) = stored.get(&part.number) else {
            return Err(invalid);
        };
        let meta = open_meta(
            grant.object_key(),
            &part_context(upload, part.number),
            &row.sealed_meta,
        )?;
        let same = |want: &Checksum| {
            meta.checksums
                .iter()
                .any(|have| have.kind == want.kind && have.value == want.value)
        };
        if etag_text(&meta.md5, None) != part.etag || !part.checksums.iter().all(same) {
            return Err(invalid);
        }
        if row.segment.segment.plain_bytes < PART_BYTES_MIN && Some(part.number) != last {
            return Err(StoreError::PartTooSmall {
                number: part.number,
            });
        }
        chosen.push(Chosen {
            number: part.number,
            segment: row.segment.segment,
            meta,
        });
    }
    Ok(chosen)
}

/// The checksum of the whole object, if the upload has one, compared with what the client sent.
fn whole_checksum(
    row: &UploadRow,
    chosen: &[Chosen],
    sent: &[Checksum],
) -> Result<Vec<Checksum>, StoreError> {
    if row.checksum == 0 {
        return match sent.first() {
            None => Ok(Vec::new()),
            Some(sent) => Err(StoreError::BadDigest(sent.kind.name())),
        };
    }
    let kind = kind_from(row.checksum)?;
    let of = |part: &Chosen| {
        part.meta
            .checksums
            .iter()
            .find(|c| c.kind == kind)
            .map(|c| c.value.clone())
    };
    let Some(values) = chosen.iter().map(of).collect::<Option<Vec<_>>>() else {
        return Err(StoreError::Internal(
            "a part has no checksum of the upload's family".into(),
        ));
    };
    // CRC64NVME exists for whole objects only.
    let whole = if row.full_object || kind == ChecksumKind::Crc64Nvme {
        let pairs: Vec<(Vec<u8>, u64)> = values
            .into_iter()
            .zip(chosen.iter().map(|part| part.segment.plain_bytes))
            .collect();
        full_object(kind, &pairs).ok_or_else(|| {
            StoreError::Invalid("this checksum cannot be of the whole object".into())
        })?
    } else {
        composite(kind, &values)
    };
    match sent.iter().find(|sent| sent.kind == kind) {
        Some(sent) if sent.value != whole.value => Err(StoreError::BadDigest(kind.name())),
        _ => Ok(vec![whole]),
    }
}

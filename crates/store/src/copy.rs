//! CopyObject: the source is opened and sealed anew under the copy's own key, piece by piece. Copies share
//! nothing, so that erasing one never touches the other.

use crate::Store;
use crate::api::{BodyError, BodyIn, Conditions, CopyAsked, CopyMetadata, PutAsked, PutDone};
use crate::conditions;
use crate::error::StoreError;
use crate::open::open;
use crate::put::{SUBJECT, check_metadata, subject_of};
use crate::receive::Intake;
use authn::Caller;
use futures::StreamExt;
use vault::{Close, ReadOutcome};
use words::BucketName;
use words::limits::PART_BYTES_MAX;

impl Store {
    /// CopyObject.
    pub async fn copy_object(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        asked: CopyAsked,
    ) -> Result<PutDone, StoreError> {
        let same = asked.source_bucket == *bucket && asked.source_key == *key;
        if same && matches!(asked.metadata, CopyMetadata::Keep) {
            return Err(StoreError::Invalid(
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, \
                 storage class, website redirect location or encryption attributes."
                    .into(),
            ));
        }
        let source = (&asked.source_bucket, &asked.source_key);
        let (read, grant) = self.vault.admit_copy(caller, source, (bucket, key)).await?;
        self.room_in_index(&grant).await?;
        let ReadOutcome::Found(read) = read else {
            return Err(StoreError::NoSuchKey);
        };
        let opened = open(read.object())?;
        let mut metadata = match asked.metadata {
            CopyMetadata::Keep => opened.info.metadata.clone(),
            CopyMetadata::Replace(metadata) => metadata,
        };
        let grant = match (subject_of(&metadata)?, read.object().subject()) {
            (None, Some(subject)) => {
                let named = (SUBJECT.to_owned(), subject.as_str().to_owned());
                metadata.user.push(named);
                metadata.user.sort_unstable();
                self.vault.as_source(grant, &read)?
            }
            _ => self.about(grant, &metadata).await?,
        };
        check_metadata(&metadata)?;
        let also = asked
            .checksum
            .or_else(|| opened.info.checksums.first().map(|checksum| checksum.kind));
        let (length, body) = self
            .copied(ReadOutcome::Found(read), &asked.source_conditions, None)
            .await?;
        let put = PutAsked {
            metadata,
            length,
            expected: Default::default(),
            conditions: asked.conditions,
        };
        let intake = Intake {
            grant: &grant,
            segment_no: 0,
            length,
            expected: &put.expected,
            also,
            inline: true,
        };
        let received = self.receive(&intake, body).await?;
        self.keep(&grant, "CopyObject", put, received).await
    }

    /// The bytes of a granted source, as a body that comes in.
    pub(crate) async fn copied(
        &self,
        read: ReadOutcome,
        wanted: &Conditions,
        range: Option<(u64, u64)>,
    ) -> Result<(u64, BodyIn), StoreError> {
        let ReadOutcome::Found(grant) = read else {
            return Err(StoreError::NoSuchKey);
        };
        let opened = open(grant.object())?;
        let checked = conditions::of_source(wanted, &opened.info.etag, opened.info.modified);
        let size = opened.info.size;
        let window = match range {
            None => Ok((0, size)),
            Some((first, last)) if first <= last && last < size => Ok((first, last + 1)),
            Some(_) => Err(StoreError::Invalid(
                "The x-amz-copy-source-range does not lie inside the source object".into(),
            )),
        };
        let window = checked.and(window).and_then(|(first, end)| {
            if end - first > PART_BYTES_MAX {
                Err(StoreError::TooLarge {
                    max: PART_BYTES_MAX,
                })
            } else {
                Ok((first, end))
            }
        });
        let (first, end) = match window {
            Ok(window) => window,
            Err(error) => {
                self.vault
                    .close(
                        &grant,
                        Close {
                            ranges: Vec::new(),
                            broken: Some(error.to_string()),
                        },
                    )
                    .await;
                return Err(error);
            }
        };
        let segments = self.segments(grant.object(), &opened).await?;
        let body = self.body(grant, segments, first, end);
        Ok((
            end - first,
            body.map(|piece| piece.map_err(|e| BodyError::Connection(e.to_string())))
                .boxed(),
        ))
    }
}

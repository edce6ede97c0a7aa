//! Listing parts and uploads that are under way.

use crate::Store;
use crate::api::{ListAsked, ListedPart, ListedUpload};
use crate::checksum::etag_text;
use crate::error::StoreError;
use crate::multipart::name_context;
use crate::open::{open_meta, part_context};
use crate::record::upload::{self, UploadRow};
use authn::Caller;
use catalog::{KeyRange, Order};
use vault::Action;
use words::limits::SCAN_ROWS_MAX;
use words::{BucketName, VersionId};

impl Store {
    /// ListParts: the parts after a number, and whether more follow.
    pub async fn list_parts(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        upload: VersionId,
        after: u32,
        max: usize,
    ) -> Result<(Vec<ListedPart>, bool), StoreError> {
        let grant = self
            .vault
            .admit_part(caller, Action::ListParts, bucket, key, upload)
            .await?;
        let mut rows = self.part_rows(upload, after, max.saturating_add(1)).await?;
        let truncated = rows.len() > max;
        rows.truncate(max);
        let mut parts = Vec::with_capacity(rows.len());
        for (number, row) in rows {
            let meta = open_meta(
                grant.write().object_key(),
                &part_context(upload, number),
                &row.sealed_meta,
            )?;
            parts.push(ListedPart {
                number,
                size: row.segment.segment.plain_bytes,
                etag: etag_text(&meta.md5, None),
                modified: row.modified,
                checksums: meta.checksums,
            });
        }
        Ok((parts, truncated))
    }

    /// ListMultipartUploads: in order of key and of the time they were begun; no delimiter.
    pub async fn list_uploads(
        &self,
        caller: Caller,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<(Vec<ListedUpload>, bool), StoreError> {
        let grant = self
            .vault
            .admit_list(caller, Action::ListUploads, bucket, &asked.prefix)
            .await?;
        let mut range = KeyRange::prefix(&upload::prefix(grant.bucket()));
        let mut found = Vec::new();
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            if page.is_empty() {
                break;
            }
            for (key, row) in page {
                range = range.after(&key);
                let (upload, row) = (upload::version_in(&key)?, UploadRow::decode(&row.value)?);
                let name =
                    seal::open_value(grant.index_key(), &name_context(upload), &row.sealed_name);
                let name = name.map_err(|e| StoreError::Corrupt(e.to_string()))?;
                let key = String::from_utf8(name.to_vec())
                    .map_err(|e| StoreError::Corrupt(e.to_string()))?;
                if key.starts_with(&asked.prefix)
                    && asked.after.as_ref().is_none_or(|after| key > *after)
                {
                    found.push(ListedUpload {
                        key,
                        upload,
                        begun: row.begun,
                    });
                }
            }
        }
        found.sort_by(|a, b| (&a.key, a.begun, a.upload).cmp(&(&b.key, b.begun, b.upload)));
        let truncated = found.len() > asked.max;
        found.truncate(asked.max);
        Ok((found, truncated))
    }
}

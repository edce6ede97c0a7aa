//! Part rows and manifest pages: from a multipart object's rows to its segments.

use crate::Store;
use crate::error::StoreError;
use crate::get::{Located, Place};
use crate::record::manifest::{self, Line};
use crate::record::part::{self, PartRow};
use catalog::{Engine, KeyRange, Order};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::sync::Arc;
use words::VersionId;
use words::limits::SCAN_ROWS_MAX;

/// Rows that are read at once.
const READS_AT_ONCE: usize = 16;

async fn locate_part(
    engine: &dyn Engine,
    version: VersionId,
    line: Line,
) -> Result<Located, StoreError> {
    let row = engine.get(&part::key(version, line.number)).await?;
    let row = row.ok_or_else(|| StoreError::Corrupt("a part of the object is missing".into()))?;
    let row = PartRow::decode(&row.value)?;
    if row.segment.segment != line.segment || !row.segment.is_whole() {
        return Err(StoreError::Corrupt(
            "a part is not the one that the object was completed with".into(),
        ));
    }
    let plain = row.segment.segment.plain_bytes;
    Ok(Located {
        number: line.number,
        place: Place::Chunks(Arc::new(row.segment)),
        plain,
    })
}

impl Store {
    /// All lines of a version's manifest, in order.
    pub(crate) async fn manifest_lines(
        &self,
        version: VersionId,
        pages: u32,
    ) -> Result<Vec<Line>, StoreError> {
        let mut lines = Vec::new();
        for page in 0..pages {
            let row = self.engine.get(&manifest::key(version, page)).await?;
            let row = row.ok_or_else(|| {
                StoreError::Corrupt("a page of the object's manifest is missing".into())
            })?;
            lines.extend(manifest::decode(&row.value)?);
        }
        Ok(lines)
    }

    /// Where the segments of a manifest are.
    pub(crate) async fn locate_parts(
        &self,
        version: VersionId,
        lines: &[Line],
    ) -> Result<Vec<Located>, StoreError> {
        let located = lines.iter().copied().map(|line| {
            let engine = Arc::clone(&self.engine);
            async move { locate_part(&*engine, version, line).await }
        });
        let located: Vec<_> = located.collect();
        stream::iter(located)
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await
    }

    /// The part rows of a version from number `after` on, at most `limit`.
    pub(crate) async fn part_rows(
        &self,
        version: VersionId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<(u32, PartRow)>, StoreError> {
        let range = KeyRange::prefix(&part::prefix(version)).after(&part::key(version, after));
        let mut found = Vec::new();
        for (key, row) in self
            .engine
            .scan(range, limit.min(SCAN_ROWS_MAX), Order::Ascending)
            .await?
        {
            found.push((part::number_in(&key)?, PartRow::decode(&row.value)?));
        }
        Ok(found)
    }

    /// All part rows of a version.
    pub(crate) async fn all_part_rows(
        &self,
        version: VersionId,
    ) -> Result<Vec<(u32, PartRow)>, StoreError> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map_or(0, |(number, _)| *number);
            let page = self.part_rows(version, after, SCAN_ROWS_MAX).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

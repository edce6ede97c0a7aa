//! LIST: a consistent sight of manifest, runs and deltas, walked in name order.

use crate::api::{ListPage, ListQuery};
use crate::error::NamesError;
use crate::index::Index;
use crate::merge::Merge;
use crate::record::{DeltaRecord, Manifest};
use crate::rows;
use crate::run::Opener;
use crate::sealing::{self, Place};
use crate::view::{Delta, View};
use crate::walk::{Next, Walk};
use catalog::{KeyRange, Order, Row};
use seal::IndexKey;
use std::sync::Arc;
use words::BucketId;
use words::limits::SCAN_ROWS_MAX;

/// How often a listing begins anew when a fold removed pages under it. Pages are removed only after a
/// grace that is far longer than a listing takes, so that even one new start is rare.
const STARTS_MAX: usize = 8;

/// A manifest and the row version it was read at; a bucket that was never folded has neither.
#[derive(Clone, Default)]
pub(crate) struct Read {
    pub manifest: Manifest,
    pub version: Option<u64>,
}

impl Index {
    /// One page of a bucket's listing: a consistent sight of it, not older than the moment of the call.
    pub async fn list(
        &self,
        key: &IndexKey,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<ListPage, NamesError> {
        let mut starts = 1;
        loop {
            let (read, view) = self.sight(key, bucket).await?;
            match self
                .list_at(key, bucket, query, &read.manifest, &view)
                .await
            {
                Err(NamesError::Missing { .. })
                    if starts < STARTS_MAX && self.moved(key, bucket, &read).await? =>
                {
                    starts += 1;
                }
                done => return done,
            }
        }
    }

    /// Whether the bucket has no object, as far as its listing goes. The commit that deletes a bucket must
    /// guard itself by the emptiness of the range of object records.
    pub async fn is_empty(&self, key: &IndexKey, bucket: BucketId) -> Result<bool, NamesError> {
        let one = ListQuery {
            max: 1,
            ..ListQuery::default()
        };
        Ok(self.list(key, bucket, &one).await?.items.is_empty())
    }

    async fn list_at(
        &self,
        key: &IndexKey,
        bucket: BucketId,
        query: &ListQuery,
        manifest: &Manifest,
        view: &View,
    ) -> Result<ListPage, NamesError> {
        let mut walk = Walk::new(query);
        let Some(start) = walk.start() else {
            return Ok(walk.finish());
        };
        let opener = self.opener(key, bucket, true);
        let mut merge = Merge::new(opener, view.layers(), &manifest.runs);
        merge.seek(&start).await?;
        while merge.step().await? {
            let next = walk
                .offer(merge.name(), merge.facts())
                .map_err(|why| opener.damaged("page", why.to_string()))?;
            match next {
                Next::Step => {}
                Next::Seek(target) => merge.seek(&target).await?,
                Next::Done => break,
            }
        }
        Ok(walk.finish())
    }

    async fn moved(
        &self,
        key: &IndexKey,
        bucket: BucketId,
        read: &Read,
    ) -> Result<bool, NamesError> {
        Ok(self.read_manifest(key, bucket).await?.version != read.version)
    }

    /// A manifest with all deltas that it does not cover.
    ///
    /// The manifest is read before the deltas to know where they begin, and again after them: deltas that
    /// a sweep removed in between are covered by the manifest of the second reading, because a sweep only
    /// removes what an earlier manifest covers. So the sight is whole without any clock or lock.
    async fn sight(
        &self,
        key: &IndexKey,
        bucket: BucketId,
    ) -> Result<(Read, Arc<View>), NamesError> {
        let before = self.read_manifest(key, bucket).await?;
        let kept = self.caches.view(bucket);
        let mut view = match &kept {
            Some(kept) => View::clone(kept),
            None => View::after(before.manifest.watermark),
        };
        let mut changed = view.settle(before.manifest.watermark) || kept.is_none();
        if self.extend(key, bucket, &mut view).await? {
            changed = true;
        }
        let row = self.engine.get(&rows::manifest(bucket)).await?;
        let after = if row.as_ref().map(|row| row.version) == before.version {
            before
        } else {
            let after = self.open_manifest(key, bucket, row)?;
            changed |= view.settle(after.manifest.watermark);
            after
        };
        let view = match kept {
            Some(kept) if !changed => kept,
            _ => Arc::new(view),
        };
        if changed {
            self.caches.keep_view(bucket, Arc::clone(&view));
        }
        Ok((after, view))
    }

    /// Reads the deltas that are newer than the view knows; says whether there were any. A long tail is
    /// read by one listing while others of the bucket wait for what it finds.
    async fn extend(
        &self,
        key: &IndexKey,
        bucket: BucketId,
        view: &mut View,
    ) -> Result<bool, NamesError> {
        let first = self
            .scan_deltas(key, bucket, view.last(), SCAN_ROWS_MAX)
            .await?;
        if first.len() < SCAN_ROWS_MAX {
            let any = !first.is_empty();
            view.push(first);
            return Ok(any);
        }
        let _one = self.stripe(&self.extending, bucket).lock().await;
        if let Some(kept) = self
            .caches
            .view(bucket)
            .filter(|kept| kept.last() > view.last())
        {
            *view = View::clone(&kept);
        }
        loop {
            let found = self
                .scan_deltas(key, bucket, view.last(), SCAN_ROWS_MAX)
                .await?;
            let full = found.len() == SCAN_ROWS_MAX;
            view.push(found);
            if !full {
                break;
            }
        }
        self.caches.keep_view(bucket, Arc::new(view.clone()));
        Ok(true)
    }

    /// Up to `limit` deltas after a position, opened, in the order of their positions.
    pub(crate) async fn scan_deltas(
        &self,
        key: &IndexKey,
        bucket: BucketId,
        after: Option<crate::Position>,
        limit: usize,
    ) -> Result<Vec<Delta>, NamesError> {
        let found = self
            .engine
            .scan(deltas_after(bucket, after), limit, Order::Ascending)
            .await?;
        let opener = self.opener(key, bucket, false);
        found
            .iter()
            .map(|(row_key, row)| open_delta(&opener, row_key, row))
            .collect()
    }

    pub(crate) fn opener<'a>(
        &'a self,
        key: &'a IndexKey,
        bucket: BucketId,
        keep: bool,
    ) -> Opener<'a> {
        Opener {
            engine: &*self.engine,
            caches: &self.caches,
            key,
            bucket,
            keep,
        }
    }

    /// The manifest as it is now.
    pub(crate) async fn read_manifest(
        &self,
        key: &IndexKey,
        bucket: BucketId,
    ) -> Result<Read, NamesError> {
        let row = self.engine.get(&rows::manifest(bucket)).await?;
        self.open_manifest(key, bucket, row)
    }

    /// Opened on every listing although it could be kept: whoever cannot open it has no business with the
    /// pages that lie opened in memory.
    fn open_manifest(
        &self,
        key: &IndexKey,
        bucket: BucketId,
        row: Option<Row>,
    ) -> Result<Read, NamesError> {
        let Some(row) = row else {
            return Ok(Read::default());
        };
        let damaged = |why| NamesError::Damaged {
            bucket,
            what: Place::Manifest.what(),
            why,
        };
        let plain = sealing::open(key, bucket, Place::Manifest, &row.value).map_err(damaged)?;
        let manifest = Manifest::decode(&plain).map_err(|why| damaged(why.to_string()))?;
        Ok(Read {
            manifest,
            version: Some(row.version),
        })
    }
}

/// The range of a bucket's deltas after a position.
pub(crate) fn deltas_after(bucket: BucketId, after: Option<crate::Position>) -> KeyRange {
    let range = KeyRange::prefix(&rows::deltas(bucket));
    match after {
        Some(position) => range.after(&rows::delta(bucket, &position)),
        None => range,
    }
}

fn open_delta(opener: &Opener<'_>, row_key: &[u8], row: &Row) -> Result<Delta, NamesError> {
    let what = Place::Delta.what();
    let position = rows::delta_position(row_key)
        .ok_or_else(|| opener.damaged(what, "its key has no position".to_owned()))?;
    let plain = sealing::open(opener.key, opener.bucket, Place::Delta, &row.value)
        .map_err(|why| opener.damaged(what, why))?;
    let record =
        DeltaRecord::decode(&plain).map_err(|why| opener.damaged(what, why.to_string()))?;
    Ok(Delta {
        name: record.name,
        position,
        facts: record.facts,
    })
}

//! What is done when nobody waits: chunk files without an owner are removed once no reader can be on them.

use crate::Store;
use crate::error::StoreError;
use crate::record::garbage::{self, Garbage};
use crate::record::object::{Body, ObjectRow};
use crate::record::part::{self, PartRow};
use crate::record::{manifest, upload};
use bytes::Bytes;
use catalog::{KeyRange, Mutation, Order};
use mirror::ChunkRef;
use words::limits::SCAN_ROWS_MAX;
use words::wire::WireError;
use words::{BucketId, ChunkId, SiteId, VersionId};

/// Mutations of one sweeping commit.
const SLICE: usize = 500;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Garbage rows that were worked off.
    pub rows: u64,
    /// Chunk files removed.
    pub chunks: u64,
}

/// The chunks that were in use when a sweep for orphans began. What came later is too young for it. Kept as
/// the first eight bytes of each random id, so that ten million chunks take 80 MB; two ids that share them
/// let an orphan stay, and never take a chunk that is in use.
pub struct KnownChunks(Vec<u64>);

impl KnownChunks {
    fn of(id: &ChunkId) -> u64 {
        id.as_bytes()
            .first_chunk()
            .map_or(0, |b| u64::from_be_bytes(*b))
    }
}

#[async_trait::async_trait]
impl mirror::References for KnownChunks {
    async fn referenced(&self, chunks: &[ChunkId]) -> Result<Vec<bool>, String> {
        let known = |id: &ChunkId| self.0.binary_search(&Self::of(id)).is_ok();
        Ok(chunks.iter().map(known).collect())
    }
}

/// The chunks that a row of the catalog names; none for rows of other kinds. No key is needed.
pub fn chunks_of(key: &[u8], value: &Bytes) -> Result<Vec<ChunkRef>, WireError> {
    let place = match key.first() {
        Some(b'P') => Some(PartRow::decode(value)?.segment),
        Some(b'O') => match ObjectRow::decode(value)?.body {
            Body::Single(place) => Some(place),
            Body::Inline(_) | Body::Parts { .. } => None,
        },
        _ => None,
    };
    Ok(place.map(|place| place.chunks).unwrap_or_default())
}

impl Store {
    /// Works off garbage that is due, at most a page of rows.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let now = self.host.now();
        let due = KeyRange {
            start: vec![b'G'],
            end: Some(garbage::key(now, VersionId::from_bytes([0; 16]))),
        };
        for (key, row) in self
            .engine
            .scan(due, SCAN_ROWS_MAX, Order::Ascending)
            .await?
        {
            match Garbage::decode(&row.value)? {
                Garbage::Chunks(ids) => swept.chunks += self.remove(&ids).await?,
                Garbage::Parts(version) => swept.chunks += self.sweep_version(version).await?,
                Garbage::Bucket(bucket) => swept.chunks += self.sweep_bucket(bucket).await?,
            }
            self.send(Vec::new(), vec![Mutation::Delete { key }], Vec::new())
                .await?;
            swept.rows += 1;
        }
        Ok(swept)
    }

    async fn remove(&self, ids: &[ChunkId]) -> Result<u64, StoreError> {
        for slice in ids.chunks(SLICE / 2) {
            let mut mutations = Vec::with_capacity(slice.len() * 2);
            for id in slice {
                self.mirror.delete(*id).await?;
                // A site that lacked the chunk no longer owes it.
                let debts = SiteId::BOTH.map(|site| mirror::debt_key(site, *id));
                mutations.extend(debts.map(|key| Mutation::Delete { key }));
            }
            self.send(Vec::new(), mutations, Vec::new()).await?;
        }
        Ok(ids.len() as u64)
    }

    /// All parts and manifest pages of a version: chunk files first, then the rows that name them.
    async fn sweep_version(&self, version: VersionId) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let range = KeyRange::prefix(&part::prefix(version));
            let page = self.engine.scan(range, SLICE, Order::Ascending).await?;
            if page.is_empty() {
                break;
            }
            let mut mutations = Vec::with_capacity(page.len());
            for (key, row) in page {
                let ids: Vec<ChunkId> = PartRow::decode(&row.value)?
                    .segment
                    .chunks
                    .iter()
                    .map(|chunk| chunk.id)
                    .collect();
                removed += self.remove(&ids).await?;
                mutations.push(Mutation::Delete { key });
            }
            self.send(Vec::new(), mutations, Vec::new()).await?;
        }
        self.delete_rows(KeyRange::prefix(&manifest::prefix(version)))
            .await?;
        Ok(removed)
    }

    async fn sweep_bucket(&self, bucket: BucketId) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let range = KeyRange::prefix(&upload::prefix(bucket));
            let page = self.engine.scan(range, SLICE, Order::Ascending).await?;
            if page.is_empty() {
                break;
            }
            for (key, _) in page {
                removed += self.sweep_version(upload::version_in(&key)?).await?;
                self.send(Vec::new(), vec![Mutation::Delete { key }], Vec::new())
                    .await?;
            }
        }
        loop {
            let mutations = self.index.erase_bucket(bucket).await?;
            if mutations.is_empty() {
                return Ok(removed);
            }
            self.send(Vec::new(), mutations, Vec::new()).await?;
        }
    }

    async fn delete_rows(&self, range: KeyRange) -> Result<(), StoreError> {
        loop {
            let page = self
                .engine
                .scan(range.clone(), SLICE, Order::Ascending)
                .await?;
            if page.is_empty() {
                return Ok(());
            }
            let mutations = page
                .into_iter()
                .map(|(key, _)| Mutation::Delete { key })
                .collect();
            self.send(Vec::new(), mutations, Vec::new()).await?;
        }
    }

    /// A page of the chunks that objects and parts name, for scrubbing: no key is needed. Begin with `None`
    /// and go on with what is returned until it is `None`.
    pub async fn chunk_refs(
        &self,
        after: Option<Vec<u8>>,
    ) -> Result<(Vec<ChunkRef>, Option<Vec<u8>>), StoreError> {
        let mut range = KeyRange {
            start: vec![b'O'],
            end: Some(vec![b'Q']),
        };
        if let Some(after) = after {
            range = range.after(&after);
        }
        let page = self
            .engine
            .scan(range, SCAN_ROWS_MAX, Order::Ascending)
            .await?;
        let next = page.last().map(|(key, _)| key.clone());
        let mut found = Vec::new();
        for (key, row) in page {
            found.extend(chunks_of(&key, &row.value)?);
        }
        Ok((found, next))
    }

    /// Every chunk that a row names, or that garbage will remove: what is in no such row and old enough is an
    /// orphan of a crash.
    pub async fn known_chunks(&self) -> Result<KnownChunks, StoreError> {
        let mut known = Vec::new();
        let mut after = None;
        loop {
            let (page, next) = self.chunk_refs(after).await?;
            known.extend(page.iter().map(|chunk| KnownChunks::of(&chunk.id)));
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut range = KeyRange::prefix(b"G");
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            if page.is_empty() {
                known.sort_unstable();
                return Ok(KnownChunks(known));
            }
            for (key, row) in page {
                if let Garbage::Chunks(ids) = Garbage::decode(&row.value)? {
                    known.extend(ids.iter().map(KnownChunks::of));
                }
                range = range.after(&key);
            }
        }
    }
}

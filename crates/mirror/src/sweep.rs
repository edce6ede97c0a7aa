//! Removes chunks that belong to nothing: what a crash or a broken-off upload left. Only those older than
//! the longest upload, and only after asking whether anything refers to them.

use crate::error::SweepError;
use crate::mirror::Mirror;
use async_trait::async_trait;
use serde::Serialize;
use words::limits::ORPHAN_AGE_MS;
use words::{ChunkId, SiteId};

/// Chunks that are asked about together.
const PAGE: usize = 256;

/// Tells which chunks are in use. Whoever owns the records implements it.
#[async_trait]
pub trait References: Send + Sync {
    /// For each chunk whether any record refers to it, uploads under way and garbage not yet due included.
    /// If that cannot be told for certain it is an error.
    async fn referenced(&self, chunks: &[ChunkId]) -> Result<Vec<bool>, String>;
}

/// What a sweep found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SweepReport {
    /// Chunks looked at.
    pub chunks: u64,
    /// Chunks too young to be judged.
    pub young: u64,
    /// Chunks removed.
    pub removed: u64,
    /// Sealed bytes of these.
    pub bytes: u64,
}

/// Goes through all chunks of a site.
pub async fn sweep(
    mirror: &Mirror,
    site: SiteId,
    references: &dyn References,
) -> Result<SweepReport, SweepError> {
    let shared = &*mirror.shared;
    let store = shared.store(site);
    let failed = |source| SweepError::Site { site, source };
    let mut report = SweepReport::default();
    let mut after = None;
    loop {
        let page = store.list(after, PAGE).await.map_err(failed)?;
        let Some((last, _)) = page.last() else {
            return Ok(report);
        };
        after = Some(*last);
        report.chunks += page.len() as u64;
        let now = shared.host.now().0;
        let old: Vec<(ChunkId, u64)> = page
            .iter()
            // A time ahead of ours makes a chunk young, never old.
            .filter(|(_, stat)| now.saturating_sub(stat.modified.0) >= ORPHAN_AGE_MS)
            .map(|(id, stat)| (*id, stat.bytes))
            .collect();
        report.young += (page.len() - old.len()) as u64;
        if old.is_empty() {
            continue;
        }
        let ids: Vec<ChunkId> = old.iter().map(|(id, _)| *id).collect();
        let referenced = references
            .referenced(&ids)
            .await
            .map_err(SweepError::References)?;
        if referenced.len() != ids.len() {
            return Err(SweepError::References(
                "the answer does not fit the question".into(),
            ));
        }
        for ((id, bytes), referenced) in old.into_iter().zip(referenced) {
            if !referenced {
                store.delete(id).await.map_err(failed)?;
                report.removed += 1;
                report.bytes += bytes;
            }
        }
    }
}

//! Looks whether a site has every chunk that the records name, and copies what it lacks: debts tell only
//! what was missed while the site was away, not what its folder has lost meanwhile or never had.

use crate::heal::Pace;
use crate::lane::deadline;
use crate::mirror::Mirror;
use crate::repair::restore;
use chunks::ChunkRef;
use futures::{Stream, StreamExt};
use serde::Serialize;
use words::SiteId;

/// Failed chunks that are named in a report.
const NAMED_MAX: usize = 100;

/// What a look through a site's chunks came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct InventoryReport {
    /// Chunks that were looked for.
    pub chunks: u64,
    /// Chunks that were missing, or not as long as recorded, and are there now, durably.
    pub copied: u64,
    /// Sealed bytes of these.
    pub bytes: u64,
    /// Chunks that are still missing.
    pub left: u64,
    /// Why, for the first of them.
    pub failures: Vec<String>,
}

/// Goes through `chunks` and makes sure that `site` has each of them with the recorded length. Their bytes
/// are not compared; a scrub does that. The site has to be reachable, and need not be current.
pub async fn inventory<E>(
    mirror: &Mirror,
    site: SiteId,
    chunks: impl Stream<Item = Result<ChunkRef, E>> + Send,
    pace: Pace,
    progress: &mut (dyn FnMut(&InventoryReport) + Send),
) -> Result<InventoryReport, E> {
    let mut report = InventoryReport::default();
    let began = mirror.shared.host.elapsed();
    let mut looks = std::pin::pin!(
        chunks
            .map(|chunk| async move {
                match chunk {
                    Ok(chunk) => Ok((look(mirror, site, &chunk).await, chunk)),
                    Err(error) => Err(error),
                }
            })
            .buffer_unordered(pace.in_flight.max(1))
    );
    while let Some(found) = looks.next().await {
        let (found, chunk) = found?;
        report.chunks += 1;
        match found {
            Ok(false) => {}
            Ok(true) => {
                report.copied += 1;
                report.bytes += u64::from(chunk.bytes);
            }
            Err(why) => {
                report.left += 1;
                tracing::warn!(%site, chunk = %chunk.id, why, "a chunk is still missing");
                if report.failures.len() < NAMED_MAX {
                    report.failures.push(why);
                }
            }
        }
        progress(&report);
        pace.keep(mirror.shared.host.elapsed(), began, report.bytes)
            .await;
    }
    Ok(report)
}

/// Whether the chunk had to be copied.
async fn look(mirror: &Mirror, site: SiteId, chunk: &ChunkRef) -> Result<bool, String> {
    let shared = &*mirror.shared;
    let found = deadline("looking for a chunk", shared.store(site).stat(chunk.id))
        .await
        .map_err(|miss| miss.why)?;
    if found.is_some_and(|stat| stat.bytes == u64::from(chunk.bytes)) {
        return Ok(false);
    }
    let copied = restore(shared, site, chunk).await;
    copied.map(|()| true).map_err(|error| error.to_string())
}

//! Checks every copy of every chunk against its recorded hash, without any key, and repairs what is bad
//! from the other site.

use crate::heal::Pace;
use crate::mirror::Mirror;
use crate::repair::CheckResult;
use crate::standing::Stance;
use chunks::ChunkRef;
use futures::{Stream, StreamExt};
use serde::Serialize;
use words::SiteId;

/// Chunks without a whole copy that are named in a report.
const NAMED_MAX: usize = 1000;

/// What a scrub found, and how far it is while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ScrubReport {
    /// Chunks looked at.
    pub chunks: u64,
    /// Copies whose every byte was compared.
    pub checked: u64,
    /// Sealed bytes read for that.
    pub bytes: u64,
    /// Copies that were missing or damaged.
    pub bad: u64,
    /// Bad copies that are whole again.
    pub repaired: u64,
    /// Bad copies that could not be repaired.
    pub unrepairable: u64,
    /// Copies that could not be looked at, because their site does not answer.
    pub unreachable: u64,
    /// The chunks of copies that could not be repaired, in hexadecimal; the first thousand.
    pub unrepairable_chunks: Vec<String>,
}

/// Checks the copies of `chunks` at `sites`. Ends early only if the chunks cannot be named any more.
pub async fn scrub<E>(
    mirror: &Mirror,
    sites: &[SiteId],
    chunks: impl Stream<Item = Result<ChunkRef, E>> + Send,
    pace: Pace,
    progress: &mut (dyn FnMut(&ScrubReport) + Send),
) -> Result<ScrubReport, E> {
    let mut report = ScrubReport::default();
    let began = mirror.shared.host.elapsed();
    let mut checks = std::pin::pin!(
        chunks
            .map(|chunk| async move {
                match chunk {
                    Ok(chunk) => Ok(look(mirror, sites, &chunk).await),
                    Err(error) => Err(error),
                }
            })
            .buffer_unordered(pace.in_flight.max(1))
    );
    while let Some(found) = checks.next().await {
        report.add(found?);
        progress(&report);
        pace.keep(mirror.shared.host.elapsed(), began, report.bytes)
            .await;
    }
    Ok(report)
}

impl ScrubReport {
    fn add(&mut self, found: Self) {
        self.chunks += found.chunks;
        self.checked += found.checked;
        self.bytes += found.bytes;
        self.bad += found.bad;
        self.repaired += found.repaired;
        self.unrepairable += found.unrepairable;
        self.unreachable += found.unreachable;
        let room = NAMED_MAX.saturating_sub(self.unrepairable_chunks.len());
        self.unrepairable_chunks
            .extend(found.unrepairable_chunks.into_iter().take(room));
    }
}

/// Checks and repairs one chunk.
async fn look(mirror: &Mirror, sites: &[SiteId], chunk: &ChunkRef) -> ScrubReport {
    let mut report = ScrubReport {
        chunks: 1,
        ..ScrubReport::default()
    };
    for site in sites {
        if mirror.shared.stance(*site) == Stance::Away {
            report.unreachable += 1;
            continue;
        }
        match mirror.check(*site, chunk).await {
            CheckResult::Whole => {
                report.checked += 1;
                report.bytes += u64::from(chunk.bytes);
            }
            CheckResult::Unreachable(why) => {
                tracing::warn!(%site, chunk = %chunk.id, why, "a copy could not be looked at");
                report.unreachable += 1;
            }
            CheckResult::Missing | CheckResult::Damaged => {
                report.checked += 1;
                report.bytes += u64::from(chunk.bytes);
                report.bad += 1;
                if mirror.repair(chunk, *site).await.is_ok() {
                    report.repaired += 1;
                } else {
                    report.unrepairable += 1;
                    report.unrepairable_chunks = vec![chunk.id.to_string()];
                }
            }
        }
    }
    report
}

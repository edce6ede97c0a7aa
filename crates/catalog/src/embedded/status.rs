//! How the engine stands, for `status` and the metrics.

use super::shared::Shared;
use epoch::Standing;
use std::sync::atomic::Ordering;
use words::SiteId;

/// What a probe of a site's folder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whether the site serves.
    pub serving: bool,
    /// Bytes free on its disk.
    pub free_bytes: u64,
}

/// How one site stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteStatus {
    /// Which.
    pub site: SiteId,
    /// Whether it serves.
    pub serving: bool,
    /// Whether its database has to be rebuilt.
    pub damaged: bool,
    /// Batches it is behind, if it is; as far as the standing's record tells.
    pub behind: Option<u64>,
    /// Bytes of its database on disk, if it serves.
    pub disk_bytes: Option<u64>,
}

/// How the engine stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Who is current.
    pub standing: Standing,
    /// The epoch of that.
    pub epoch: u64,
    /// The last batch.
    pub head: u64,
    /// Why no commits are taken, if none are.
    pub blocked: Option<String>,
    /// Site A, site B.
    pub sites: [SiteStatus; 2],
    /// Commits asked for since the start.
    pub requests: u64,
    /// Batches since the start.
    pub batches: u64,
    /// Syncs since the start, both sites together.
    pub syncs: u64,
    /// Bytes written since the start, both sites together.
    pub bytes: u64,
    /// Commits whose precondition did not hold.
    pub conflicts: u64,
    /// Commits that were refused.
    pub refused: u64,
    /// Commits whose outcome was not known.
    pub unknown: u64,
    /// Commits per batch.
    pub batch_requests_mean: f64,
}

impl Status {
    pub(super) fn of(shared: &Shared) -> Self {
        let record = shared.tenure.record();
        let published = shared.published().ok();
        let head = published.as_ref().map_or(record.head, |p| p.seq);
        let site = |site| {
            let view = published.as_ref().and_then(|p| p.of(site));
            SiteStatus {
                site,
                serving: view.is_some(),
                damaged: shared.is_damaged(site),
                behind: (record.standing.behind() == Some(site))
                    .then(|| head.saturating_sub(record.head)),
                disk_bytes: view.map(|v| v.db().disk_bytes()),
            }
        };
        let figures = &shared.figures;
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (requests, batches) = (load(&figures.requests), load(&figures.batches));
        Self {
            standing: record.standing,
            epoch: record.epoch,
            head,
            blocked: shared.blocked(),
            sites: [site(SiteId::A), site(SiteId::B)],
            requests,
            batches,
            syncs: load(&figures.syncs),
            bytes: load(&figures.bytes),
            conflicts: load(&figures.conflicts),
            refused: load(&figures.refused),
            unknown: load(&figures.unknown),
            #[allow(clippy::cast_precision_loss)] // a mean for people
            batch_requests_mean: if batches == 0 { 0.0 } else { requests as f64 / batches as f64 },
        }
    }
}

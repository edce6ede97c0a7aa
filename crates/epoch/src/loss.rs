//! The parties' consent to go on without what only a lost site knew.

use crate::record::EpochRecord;
use words::SiteId;

/// Consent of the quorum to serve from a site that is behind, and so to lose what only the other knew.
/// It speaks of one site and of one state of the witnesses; if they have moved on, it is void.
#[derive(Debug)]
#[must_use = "consent does nothing until it is handed to `Places::accept_loss`"]
pub struct LossAccepted {
    site: SiteId,
    seen: Option<EpochRecord>,
}

impl LossAccepted {
    /// Only `site` may call this (a house rule checks who calls), and only after as many parties as the
    /// charter's threshold have put in their shares for this very act, having been shown `seen`, the
    /// record that says what `site` lacks (`None` if no witness could be read).
    pub const fn by_quorum(site: SiteId, seen: Option<EpochRecord>) -> Self {
        Self { site, seen }
    }
    /// The site that is to serve.
    #[must_use]
    pub const fn site(&self) -> SiteId {
        self.site
    }
    /// What the parties were shown.
    #[must_use]
    pub const fn seen(&self) -> Option<&EpochRecord> {
        self.seen.as_ref()
    }
}

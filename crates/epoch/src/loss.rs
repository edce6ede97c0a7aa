//! The parties' consent to go on without what only a lost site knew, or without what came after a backup.

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

/// Consent of the quorum to go on from a backup, in folders that are made from it, and so to lose what came after it.
#[derive(Debug)]
#[must_use = "consent does nothing until it is handed to `Places::begin_anew`"]
pub struct RestoreAccepted {
    epoch: u64,
    head: u64,
}

impl RestoreAccepted {
    /// Only `site` may call this (a house rule checks who calls), and only after a quorum has put in its shares for this
    /// very act. `epoch` is the one in which the backup was taken, `head` the last batch of the catalog that was made.
    pub const fn by_quorum(epoch: u64, head: u64) -> Self {
        Self { epoch, head }
    }
    /// The epoch in which the backup was taken.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
    /// The last batch of the catalog that was made from it.
    #[must_use]
    pub const fn head(&self) -> u64 {
        self.head
    }
}

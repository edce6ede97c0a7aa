//! What the mirror asks about the sites' standing. Which site is current is decided elsewhere, with an epoch
//! and witnesses; the mirror only reports what it sees and asks before it goes on with one site.

use async_trait::async_trait;
use epoch::{SiteView, Tenure, Trouble};
use words::SiteId;

/// How a site stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// Current: it is written to and read from.
    Serving,
    /// Behind, but reachable and being healed: new chunks are written to it, and it is read from last.
    Healing,
    /// Away: it is left alone, and what it misses becomes debt.
    Away,
}

/// Tells how the sites stand. Asked for every chunk, so it answers from memory.
pub trait Standing: Send + Sync + 'static {
    /// How the site stands now.
    fn stance(&self, site: SiteId) -> Stance;
    /// Notes trouble at a site, or that it was put right, for `status` and the operator's log.
    fn note(&self, site: SiteId, trouble: Trouble);
}

impl Standing for Tenure {
    fn stance(&self, site: SiteId) -> Stance {
        if self.serving(site) {
            return Stance::Serving;
        }
        let [a, b] = self.view().sites;
        match if site == SiteId::A { a } else { b } {
            SiteView::Healing { .. } => Stance::Healing,
            // Between two looks it may have been readmitted.
            SiteView::Serving => Stance::Serving,
            SiteView::Away { .. } => Stance::Away,
        }
    }
    fn note(&self, site: SiteId, trouble: Trouble) {
        self.report(site, trouble);
    }
}

/// A site could not be recorded as lost, so nothing may be acknowledged without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LossRefused(pub String);

/// The owner of site standing, as the mirror needs it. The site assembly implements it over the catalog
/// and the tenure.
#[async_trait]
pub trait SiteLoss: Send + Sync + 'static {
    /// A site did not take a chunk that the other one took, and the mirror is about to acknowledge with one
    /// copy. Returns `Ok` only when it is recorded, with an epoch and at enough witnesses, that `site` is
    /// behind. Called again for a site that is recorded already it returns `Ok` at once.
    async fn lost(&self, site: SiteId, why: String) -> Result<(), LossRefused>;
}

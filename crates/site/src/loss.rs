//! A site that the mirror cannot write to: it is given up by the catalog's writer, which knows the head and
//! asks the tenure, so that chunks and facts never disagree about who is current.

use crate::keeping::Keeping;
use async_trait::async_trait;
use mirror::{LossRefused, SiteLoss};
use words::SiteId;

/// Gives a site up when the mirror asks for it.
pub struct Loss {
    pub engine: Keeping,
}

#[async_trait]
impl SiteLoss for Loss {
    async fn lost(&self, site: SiteId, why: String) -> Result<(), LossRefused> {
        self.engine.give_up(site, &why).await.map_err(LossRefused)
    }
}

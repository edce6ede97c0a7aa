//! A site that the mirror cannot write to: it is given up by the catalog's writer, which knows the head and
//! asks the tenure, so that chunks and facts never disagree about who is current.

use async_trait::async_trait;
use catalog::embedded::Embedded;
use mirror::{LossRefused, SiteLoss};
use std::sync::Arc;
use words::SiteId;

/// Gives a site up when the mirror asks for it.
pub struct Loss {
    pub engine: Arc<Embedded>,
}

#[async_trait]
impl SiteLoss for Loss {
    async fn lost(&self, site: SiteId, why: String) -> Result<(), LossRefused> {
        self.engine
            .give_up(site, &why)
            .await
            .map_err(|error| LossRefused(error.to_string()))
    }
}

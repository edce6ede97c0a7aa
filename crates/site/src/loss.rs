//! A site that the mirror cannot write to: the decision to go on without it is the tenure's, with the
//! catalog's head as it is now.

use async_trait::async_trait;
use catalog::embedded::Embedded;
use epoch::Tenure;
use mirror::{LossRefused, SiteLoss};
use std::sync::Arc;
use words::SiteId;

/// Gives a site up when the mirror asks for it.
pub struct Loss {
    pub tenure: Arc<Tenure>,
    pub engine: Arc<Embedded>,
}

#[async_trait]
impl SiteLoss for Loss {
    async fn lost(&self, site: SiteId, why: String) -> Result<(), LossRefused> {
        let (tenure, head) = (Arc::clone(&self.tenure), self.engine.head());
        let dropped = tokio::task::spawn_blocking(move || tenure.drop_site(site, head, &why)).await;
        match dropped {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(LossRefused(error.to_string())),
            Err(error) => Err(LossRefused(error.to_string())),
        }
    }
}

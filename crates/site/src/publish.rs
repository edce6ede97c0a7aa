//! The published log: what the catalog holds as rows becomes tiles, bundles and a signed checkpoint in each
//! serving site's folder.

use crate::node::Node;
use ledger::publish::{PublishError, Publisher};
use std::sync::Arc;
use vault::VaultError;
use words::SiteId;

/// Why the log could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishingError {
    /// The vault or the catalog.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The log's folder.
    #[error("{site}: {error}")]
    Folder {
        /// Which site.
        site: SiteId,
        /// What happened.
        #[source]
        error: PublishError,
    },
    /// The task that writes the files stopped.
    #[error("the task that writes the log stopped")]
    Task,
}

impl Node {
    /// Publishes everything at every serving site and gives the size of the log.
    pub(crate) async fn publish_all(&self) -> Result<u64, PublishingError> {
        let mut size = 0;
        for site in SiteId::BOTH {
            if self.opened.tenure.serving(site) {
                let publisher = self
                    .rooms
                    .vault
                    .publisher(&self.config.layout.ledger(site))?;
                let (publisher, _) = self.publish(site, publisher).await?;
                size = publisher.signed_size();
            }
        }
        self.published.send_replace(size);
        Ok(size)
    }

    /// Writes what is new and signs it. Gives the publisher back, and how many entries were new.
    pub(crate) async fn publish(
        &self,
        site: SiteId,
        mut publisher: Publisher,
    ) -> Result<(Publisher, u64), PublishingError> {
        let vault = Arc::clone(&self.rooms.vault);
        let begun = publisher.next_index();
        loop {
            let first = publisher.next_index();
            let leaves = vault.leaves(first).await?;
            if leaves.is_empty() {
                break;
            }
            let written = tokio::task::spawn_blocking(move || {
                publisher.publish(first, &leaves).map(|_| publisher)
            });
            publisher = written
                .await
                .map_err(|_| PublishingError::Task)?
                .map_err(|error| PublishingError::Folder { site, error })?;
        }
        let new = publisher.next_index() - begun;
        if new == 0 && publisher.signed_size() == publisher.next_index() {
            return Ok((publisher, 0));
        }
        let now = self.host.now();
        let signed =
            tokio::task::spawn_blocking(move || publisher.checkpoint(now).map(|_| publisher));
        let publisher = signed
            .await
            .map_err(|_| PublishingError::Task)?
            .map_err(|error| PublishingError::Folder { site, error })?;
        Ok((publisher, new))
    }
}

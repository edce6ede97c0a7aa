//! The published log: what the catalog holds as rows becomes tiles, bundles and a signed checkpoint in each
//! serving site's folder.

use crate::node::Node;
use ledger::publish::{PublishError, Publisher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
use vault::VaultError;
use words::SiteId;

/// Between two publications of the log.
const PUBLISH: Duration = Duration::from_secs(1);

/// Why the log could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishingError {
    /// The vault or the catalog.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The catalog does not say that the newest entries are durable.
    #[error("the newest entries are not confirmed by the catalog: {0}")]
    NotConfirmed(String),
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

/// The writers of the published logs, one for each site. Whoever publishes holds the site's lock, also while
/// a thread writes for somebody who no longer waits: two writers in one folder would undo each other's files.
#[derive(Default)]
pub struct Publishers([Arc<Mutex<Option<Publisher>>>; 2]);

type Held = OwnedMutexGuard<Option<Publisher>>;

impl Publishers {
    async fn hold(&self, site: SiteId) -> Held {
        Arc::clone(&self.0[site.index()]).lock_owned().await
    }
    /// The site's folder is read anew before it is written again.
    async fn forget(&self, site: SiteId) {
        *self.hold(site).await = None;
    }
}

impl Node {
    /// Publishes everything at every serving site and gives the size of the log.
    pub(crate) async fn publish_all(&self) -> Result<u64, PublishingError> {
        let mut size = 0;
        for site in SiteId::BOTH {
            if self.opened.tenure.serving(site) {
                size = self.publish_at(site).await?;
            }
        }
        self.published.send_replace(size);
        Ok(size)
    }

    /// Publishes now and then, for as long as the node runs.
    pub(crate) async fn publish_forever(&self) {
        loop {
            tokio::time::sleep(PUBLISH).await;
            let sealed = self.rooms.vault.is_sealed();
            for site in SiteId::BOTH {
                if sealed || !self.opened.tenure.serving(site) {
                    self.publishers.forget(site).await;
                    continue;
                }
                match self.publish_at(site).await {
                    Ok(size) => {
                        self.published.send_replace(size);
                    }
                    Err(error) => {
                        tracing::warn!(%site, %error, "the log could not be published; the entries are safe in the catalog")
                    }
                }
            }
        }
    }

    /// Writes what is new at a site and signs it; gives the size that is signed.
    async fn publish_at(&self, site: SiteId) -> Result<u64, PublishingError> {
        let vault = &self.rooms.vault;
        let mut held = self.publishers.hold(site).await;
        if held.is_none() {
            *held = Some(vault.publisher(&self.config.layout.ledger(site))?);
        }
        loop {
            let first = held.as_ref().map_or(0, Publisher::next_index);
            let leaves = vault.leaves(first).await?;
            if leaves.is_empty() {
                break;
            }
            let write = move |to: &mut Publisher| to.publish(first, &leaves).map(drop);
            held = on_thread(site, held, write).await?;
        }
        let signed = |held: &Held| {
            held.as_ref()
                .map_or((0, 0), |p| (p.signed_size(), p.next_index()))
        };
        let (size, next) = signed(&held);
        if size == next {
            return Ok(size);
        }
        // What is signed is durable wherever the catalog is kept, and not only seen there.
        let confirmed = self.opened.engine.confirm(&self.host).await;
        confirmed.map_err(PublishingError::NotConfirmed)?;
        let now = self.host.now();
        let held = on_thread(site, held, move |to| to.checkpoint(now).map(drop)).await?;
        Ok(signed(&held).0)
    }
}

/// Does blocking work on a publisher. One that failed is opened again before its next use.
async fn on_thread(
    site: SiteId,
    mut held: Held,
    work: impl FnOnce(&mut Publisher) -> Result<(), PublishError> + Send + 'static,
) -> Result<Held, PublishingError> {
    let done = tokio::task::spawn_blocking(move || {
        let outcome = held.as_mut().map_or(Ok(()), work);
        if outcome.is_err() {
            *held = None;
        }
        outcome.map(|()| held)
    });
    done.await
        .map_err(|_| PublishingError::Task)?
        .map_err(|error| PublishingError::Folder { site, error })
}

//! The sites' keys are renewed: the vault's part of it, with a root that nobody's shares give.

use crate::disks::SimError;
use crate::world::{Node, World};
use charter::RootSecret;
use vault::record::site_header::SiteHeader;
use vault::shred::Sites;
use words::PartyName;

/// A root that has taken over, and the header of site a under it.
pub struct Renewed {
    root: [u8; 32],
    /// The header.
    pub header: SiteHeader,
}

impl World {
    /// Draws new keys for the sites and takes them into use; `before` is what took over last. What lies under the old ones is for the node to move.
    pub async fn renew_sites(
        &self,
        node: &Node,
        before: Option<&Renewed>,
    ) -> Result<Renewed, SimError> {
        let root: [u8; 32] = node.host.random();
        let secret = RootSecret::from_bytes(&root);
        let [founded, _] = &self.disks.headers;
        let header = before.map_or(founded, |renewed| &renewed.header);
        let vault = &node.vault;
        let mut next = vault
            .next_root(&secret, [9; 16], header, Sites::Renewed)
            .await
            .map_err(SimError::of)?;
        vault.copy_sites(&mut next).await.map_err(SimError::of)?;
        vault
            .copy_groups(&next, |_| {})
            .await
            .map_err(SimError::of)?;
        let [header, _] = next.headers().clone();
        vault.adopt_root(next).map_err(SimError::of)?;
        vault.finish_move("a test").await.map_err(SimError::of)?;
        Ok(Renewed { root, header })
    }

    /// Opens a sealed node with that root.
    pub async fn unseal_renewed(&self, node: &Node, renewed: &Renewed) -> Result<(), SimError> {
        let parties: Vec<PartyName> = self
            .disks
            .custody
            .holders()
            .iter()
            .map(|h| h.party.clone())
            .collect();
        let root = RootSecret::from_bytes(&renewed.root);
        let opened = node.vault.unseal(root, &renewed.header, &parties).await;
        opened.map_err(SimError::of)?;
        node.vault.all_changed().await.map_err(SimError::of)
    }
}

//! From the root, for less than a second, to the sites' keys; then the root is wiped.

use crate::Vault;
use crate::error::VaultError;
use crate::held_keys::HeldKeys;
use crate::record::site_header::SiteHeader;
use charter::RootSecret;
use words::PartyName;

/// How far unsealing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsealStep {
    /// More shares are needed.
    Waiting {
        /// Shares that were accepted.
        have: u8,
        /// Shares that are needed.
        need: u8,
    },
    /// The node is open.
    Open,
}

impl Vault {
    /// Opens the vault with the root and the header of any site folder, and writes down which parties gave
    /// their shares. The root is wiped when this returns.
    pub async fn unseal(
        &self,
        root: RootSecret,
        header: &SiteHeader,
        parties: &[PartyName],
    ) -> Result<(), VaultError> {
        let keys = HeldKeys::open(root, header, parties)?;
        self.open_with(keys, "Unseal", None).await
    }

    /// The same for a cloud that was just brought back from a backup: its first entry says from which.
    pub async fn unseal_restored(
        &self,
        root: RootSecret,
        header: &SiteHeader,
        parties: &[PartyName],
        from: String,
    ) -> Result<(), VaultError> {
        let keys = HeldKeys::open(root, header, parties)?;
        self.open_with(keys, "Restore", Some(from)).await
    }
}

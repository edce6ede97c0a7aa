//! From the root, for less than a second, to the sites' keys; then the root is wiped.

use crate::Vault;
use crate::error::VaultError;
use crate::found::{ledger_key_row, log_keys_context, log_keys_row, site_ledger};
use crate::held_keys::HeldKeys;
use crate::record::site_header::SiteHeader;
use crate::secrets::Secrets;
use crate::site_keys::{SiteKeyVersion, SiteKeys};
use charter::RootSecret;
use ledger::LogKeys;
use seal::{Derives, MetaKey, SiteKey, Wrapped};
use words::{PartyName, SiteId};

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

    pub(crate) async fn load(
        &self,
        site_keys: [Option<SiteKey>; 2],
        version: u32,
    ) -> Result<Secrets, VaultError> {
        let missing =
            || VaultError::Ledger("the catalog holds no ledger keys for this cloud".into());
        let mut loaded = None;
        for site in SiteId::BOTH {
            let Some(key) = &site_keys[site.index()] else {
                continue;
            };
            let (Some(log), Some(wrapped)) = (
                self.engine.get(&log_keys_row(site)).await?,
                self.engine.get(&ledger_key_row(site)).await?,
            ) else {
                continue;
            };
            let meta: MetaKey = key.derive();
            let seeds = seal::open_value(&meta, &log_keys_context(site), &log.value)?;
            let log_keys =
                LogKeys::from_bytes(&seeds).map_err(|e| VaultError::Ledger(e.to_string()))?;
            let wrapped: [u8; 104] = wrapped
                .value
                .as_ref()
                .try_into()
                .map_err(|_| words::wire::WireError::Short)?;
            let ledger_key = seal::unwrap(key, &Wrapped::from_bytes(wrapped), &site_ledger(site))?;
            loaded = Some((log_keys, ledger_key));
            break;
        }
        let (log_keys, ledger_key) = loaded.ok_or_else(missing)?;
        let site_keys = SiteKeys::new(vec![SiteKeyVersion {
            version,
            by_site: site_keys,
        }]);
        Ok(Secrets::new(site_keys, log_keys, ledger_key))
    }
}

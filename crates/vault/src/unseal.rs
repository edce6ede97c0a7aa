//! From the root, for less than a second, to the sites' keys; then the root is wiped.

use crate::Vault;
use crate::error::VaultError;
use crate::found::{ledger_key_row, log_keys_context, log_keys_row, root_site, site_ledger};
use crate::record::site_header::SiteHeader;
use crate::secrets::Secrets;
use crate::site_keys::{SiteKeyVersion, SiteKeys};
use charter::RootSecret;
use ledger::{Kind, LogKeys};
use seal::{Derives, MetaKey, RootKey, SiteKey, Wrapped};
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
        self.open_with(root, header, parties, None).await
    }

    /// The same for a cloud that was just brought back from a backup: its first entry says from which.
    pub async fn unseal_restored(
        &self,
        root: RootSecret,
        header: &SiteHeader,
        parties: &[PartyName],
        from: String,
    ) -> Result<(), VaultError> {
        self.open_with(root, header, parties, Some(from)).await
    }

    async fn open_with(
        &self,
        root: RootSecret,
        header: &SiteHeader,
        parties: &[PartyName],
        restored: Option<String>,
    ) -> Result<(), VaultError> {
        let root_key = RootKey::from_bytes(*root.expose());
        drop(root);
        let mut site_keys: [Option<SiteKey>; 2] = [None, None];
        for (site, wrapped) in [
            (header.site, header.key),
            (header.site.other(), header.other_key),
        ] {
            let root = header.root_version();
            let context = root_site(header.cloud, root, site, header.key_version);
            site_keys[site.index()] = Some(seal::unwrap(
                &root_key,
                &Wrapped::from_bytes(wrapped),
                &context,
            )?);
        }
        let erase = crate::shred::Erase::of_header(&root_key, header)?;
        drop(root_key);
        let secrets = self.load(site_keys, header.key_version).await?;
        secrets.shred.hold(erase);
        let mut fields = self.fields(Kind::Unseal);
        let operation = if restored.is_some() {
            "Restore"
        } else {
            "Unseal"
        };
        fields.operation = Some(operation.into());
        fields.reason = restored;
        fields.actor = Some(
            parties
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        );
        let entry = self.entry_of_cloud(&secrets, &fields);
        self.note(entry).await?;
        self.load_glass(&secrets).await?;
        self.install(secrets);
        Ok(())
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

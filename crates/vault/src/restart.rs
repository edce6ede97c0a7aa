//! The sites' keys under a restart key: what a node opens itself with after a restart, while a quorum's lease lasts.
//! The vault neither keeps the restart key nor knows where its halves lie.

use crate::Vault;
use crate::error::VaultError;
use crate::record::WRAPPED_BYTES;
use ledger::Kind;
use seal::{KeyId, RootKey, SiteKey, WrapContext, Wrapped};
use words::SiteId;

/// Both sites' keys, wrapped under a restart key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RestartKeys {
    /// Version of the sites' keys.
    pub key_version: u32,
    /// Site a's and site b's.
    pub wraps: [[u8; WRAPPED_BYTES]; 2],
}

impl std::fmt::Debug for RestartKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RestartKeys(version {})", self.key_version)
    }
}

/// The restart key stands where the root stands; the lease's id keeps their wraps apart.
const fn context(lease: [u8; 16], site: SiteId, version: u32) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(lease),
        parent_version: 1,
        child: KeyId::site(site),
        child_version: version,
    }
}

impl Vault {
    /// Wraps the sites' keys of the open vault under a restart key.
    pub fn keys_for_restart(
        &self,
        key: &[u8; 32],
        lease: [u8; 16],
    ) -> Result<RestartKeys, VaultError> {
        let secrets = self.secrets()?;
        let key = RootKey::from_bytes(*key);
        let sites = secrets.site_keys.now();
        let version = sites.newest()?.version;
        let mut wraps = [[0; WRAPPED_BYTES]; 2];
        for site in SiteId::BOTH {
            let site_key = sites.of(site, version)?;
            let site_key = site_key.ok_or(VaultError::Sealed)?;
            let context = context(lease, site, version);
            let wrapped = seal::wrap(&key, site_key, &context, self.host.random());
            wraps[site.index()] = *wrapped.as_bytes();
        }
        Ok(RestartKeys {
            key_version: version,
            wraps,
        })
    }

    /// Opens the vault with a restart key and writes that down, with the lease it happened under.
    pub async fn open_by_restart(
        &self,
        key: &[u8; 32],
        lease: [u8; 16],
        keys: &RestartKeys,
        under: String,
    ) -> Result<(), VaultError> {
        let key = RootKey::from_bytes(*key);
        let mut site_keys: [Option<SiteKey>; 2] = [None, None];
        for site in SiteId::BOTH {
            let wrapped = Wrapped::from_bytes(keys.wraps[site.index()]);
            let context = context(lease, site, keys.key_version);
            site_keys[site.index()] = Some(seal::unwrap(&key, &wrapped, &context)?);
        }
        drop(key);
        let secrets = self.load(site_keys, keys.key_version).await?;
        let mut fields = self.fields(Kind::Unseal);
        fields.operation = Some("Restart".into());
        fields.reason = Some(under);
        let entry = self.entry_of_cloud(&secrets, &fields);
        self.note(entry).await?;
        self.install(secrets);
        Ok(())
    }
}

//! The key of the catalog's twin at a host: derived from site a's key, so that the root opens it and no key
//! of one tenant does.

use crate::Vault;
use crate::error::VaultError;
use crate::found::root_site;
use charter::RootSecret;
use seal::{Derives, RootKey, SiteKey, TwinKey, Wrapped};
use words::{CloudId, SiteId};

impl Vault {
    /// The key with which the twin is sealed.
    pub fn twin_key(&self) -> Result<TwinKey, VaultError> {
        let secrets = self.secrets()?;
        let sites = secrets.site_keys.now();
        let key = sites.newest()?.by_site[SiteId::A.index()].as_ref();
        Ok(key.ok_or(VaultError::Sealed)?.derive())
    }
}

/// A guest stays with the root it was founded with: its twin is bound to it.
const FIRST_ROOT: u32 = 1;

/// The same from the root, without a catalog: for bringing a cloud back from its twin.
pub fn twin_key(
    root: &RootSecret,
    cloud: CloudId,
    site_key_version: u32,
    site_key: [u8; 104],
) -> Result<TwinKey, VaultError> {
    let root = RootKey::from_bytes(*root.expose());
    let context = root_site(cloud, FIRST_ROOT, SiteId::A, site_key_version);
    let key: SiteKey = seal::unwrap(&root, &Wrapped::from_bytes(site_key), &context)?;
    Ok(key.derive())
}

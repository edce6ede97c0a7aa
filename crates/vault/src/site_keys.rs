//! The sites' keys while the vault is open, in their versions.

use crate::error::VaultError;
use catalog::Precondition;
use seal::SiteKey;
use std::sync::{Arc, RwLock};
use words::SiteId;

/// One version of the two sites' keys; a site's is absent if it did not open.
pub struct SiteKeyVersion {
    pub version: u32,
    pub by_site: [Option<SiteKey>; 2],
}

/// The sites' keys as they are used now. They are exchanged whole, when new ones are taken into use and when the older ones
/// are destroyed.
pub struct SiteKeysHeld(RwLock<Arc<SiteKeys>>);

impl SiteKeysHeld {
    pub fn new(keys: SiteKeys) -> Self {
        Self(RwLock::new(Arc::new(keys)))
    }

    /// Those of this moment. Whoever writes a row under them commits it with [`SiteKeys::stand`].
    pub fn now(&self) -> Arc<SiteKeys> {
        match self.0.read() {
            Ok(keys) => Arc::clone(&keys),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    /// Takes others into use.
    pub fn exchange(&self, keys: SiteKeys) {
        match self.0.write() {
            Ok(mut held) => *held = Arc::new(keys),
            Err(poisoned) => *poisoned.into_inner() = Arc::new(keys),
        }
    }
}

/// The sites' keys, newest version first.
pub struct SiteKeys {
    versions: Vec<Arc<SiteKeyVersion>>,
    stand: Precondition,
}

impl SiteKeys {
    /// Takes the versions in any order. `stand` holds as long as rows may be written under the newest.
    pub fn new(mut versions: Vec<Arc<SiteKeyVersion>>, stand: Precondition) -> Self {
        versions.sort_by_key(|of| std::cmp::Reverse(of.version));
        Self { versions, stand }
    }

    /// The version under which new rows are made.
    pub fn newest(&self) -> Result<&SiteKeyVersion, VaultError> {
        self.versions
            .first()
            .map(|of| &**of)
            .ok_or(VaultError::Sealed)
    }

    /// The version that is being replaced, if one is.
    pub fn older(&self) -> Option<&SiteKeyVersion> {
        self.versions.get(1).map(|of| &**of)
    }

    /// These versions and one more.
    pub fn with(&self, one: Arc<SiteKeyVersion>) -> Vec<Arc<SiteKeyVersion>> {
        self.versions.iter().cloned().chain([one]).collect()
    }

    /// The newest version without the others.
    pub fn newest_alone(&self) -> Vec<Arc<SiteKeyVersion>> {
        self.versions.first().cloned().into_iter().collect()
    }

    /// Goes into every commit that writes a row under the newest version: it fails if that version was replaced
    /// since, so that nothing arrives under keys that are about to be destroyed.
    pub fn stand(&self) -> Precondition {
        self.stand.clone()
    }

    /// One site's key of a version; absent if it did not open.
    pub fn of(&self, site: SiteId, version: u32) -> Result<Option<&SiteKey>, VaultError> {
        let of = self.versions.iter().find(|of| of.version == version);
        let of = of.ok_or(VaultError::KeyVersion {
            what: "a tenant's key",
            version,
        })?;
        Ok(of.by_site[site.index()].as_ref())
    }

    /// Any site's key of a version, with its site: both open the same tenants.
    pub fn any(&self, version: u32) -> Result<(SiteId, &SiteKey), VaultError> {
        for site in SiteId::BOTH {
            if let Some(key) = self.of(site, version)? {
                return Ok((site, key));
            }
        }
        Err(VaultError::Sealed)
    }
}

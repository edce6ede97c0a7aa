//! The sites' keys while the vault is open, in their versions.

use crate::error::VaultError;
use seal::SiteKey;
use words::SiteId;

/// One version of the two sites' keys; a site's is absent if it did not open.
pub struct SiteKeyVersion {
    pub version: u32,
    pub by_site: [Option<SiteKey>; 2],
}

/// The sites' keys, newest version first.
pub struct SiteKeys(Vec<SiteKeyVersion>);

impl SiteKeys {
    /// Takes the versions in any order.
    pub fn new(mut versions: Vec<SiteKeyVersion>) -> Self {
        versions.sort_by_key(|of| std::cmp::Reverse(of.version));
        Self(versions)
    }

    /// The version under which new rows are made.
    pub fn newest(&self) -> Result<&SiteKeyVersion, VaultError> {
        self.0.first().ok_or(VaultError::Sealed)
    }

    /// One site's key of a version; absent if it did not open.
    pub fn of(&self, site: SiteId, version: u32) -> Result<Option<&SiteKey>, VaultError> {
        let of = self.0.iter().find(|of| of.version == version);
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

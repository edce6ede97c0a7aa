//! What lies under the sites' keys besides tenants: the log's signing keys, the key of the cloud's own entries, and, while
//! the sites' keys are being renewed, the ones before.

use crate::Vault;
use crate::error::VaultError;
use crate::found::{SITE_KEY_VERSION, ledger_key_row, log_keys_context, log_keys_row, site_ledger};
use crate::record::sites::{self, Older, SitesRow};
use crate::record::{MAC_BYTES, WRAPPED_BYTES};
use crate::secrets::Secrets;
use crate::site_keys::{SiteKeyVersion, SiteKeys};
use catalog::Precondition;
use host::Host;
use ledger::LogKeys;
use seal::{Derives, KeyId, LedgerKey, MetaKey, SiteKey, WrapContext, Wrapped};
use std::sync::Arc;
use words::{SiteId, UnixMillis};

/// The context of a site's key under the one that replaces it.
const fn site_older(site: SiteId, newer: u32, older: u32) -> WrapContext {
    WrapContext {
        parent: KeyId::site(site),
        parent_version: newer,
        child: KeyId::site(site),
        child_version: older,
    }
}

/// Both sites' keys of a version.
pub fn both(of: &SiteKeyVersion) -> Result<[&SiteKey; 2], VaultError> {
    match &of.by_site {
        [Some(a), Some(b)] => Ok([a, b]),
        _ => Err(VaultError::Sealed),
    }
}

/// The row of the keys `new`, which replace `older`, signed.
pub fn sites_row(
    host: &Host,
    made: UnixMillis,
    new: &SiteKeyVersion,
    older: &SiteKeyVersion,
    secrets: &Secrets,
) -> Result<SitesRow, VaultError> {
    let (keys, before) = (both(new)?, both(older)?);
    let mut row = SitesRow {
        made,
        ledger_keys: [[0; WRAPPED_BYTES]; 2],
        log_keys: [Vec::new(), Vec::new()],
        older: None,
        macs: [[0; MAC_BYTES]; 2],
    };
    let mut wrapped = [[0; WRAPPED_BYTES]; 2];
    for site in SiteId::BOTH {
        let (at, key) = (site.index(), keys[site.index()]);
        let context = site_ledger(site, new.version);
        row.ledger_keys[at] =
            *seal::wrap(key, &secrets.cloud_ledger_key, &context, host.random()).as_bytes();
        let meta: MetaKey = key.derive();
        let plain = secrets.log_keys.to_bytes();
        row.log_keys[at] = seal::seal_value(&meta, &log_keys_context(site), host.random(), &plain);
        let context = site_older(site, new.version, older.version);
        wrapped[at] = *seal::wrap(key, before[at], &context, host.random()).as_bytes();
    }
    row.older = Some(Older {
        version: older.version,
        keys: wrapped,
    });
    sign_sites(&mut row, new)?;
    Ok(row)
}

/// Signs the row of these keys.
pub fn sign_sites(row: &mut SitesRow, of: &SiteKeyVersion) -> Result<(), VaultError> {
    let (at, signed) = (sites::key(of.version), row.signed_bytes());
    row.macs = both(of)?.map(|key| {
        let meta: MetaKey = key.derive();
        seal::row_mac(&meta, &at, &signed)
    });
    Ok(())
}

/// Checks the MACs of the row of these keys.
pub fn check_sites(row: &SitesRow, of: &SiteKeyVersion) -> Result<(), VaultError> {
    let (at, signed) = (sites::key(of.version), row.signed_bytes());
    for (key, mac) in both(of)?.into_iter().zip(&row.macs) {
        let meta: MetaKey = key.derive();
        if !seal::row_is_genuine(&meta, &at, &signed, mac) {
            return Err(VaultError::RowAltered("the sites' keys".into()));
        }
    }
    Ok(())
}

/// The rows that lie under the sites' keys of a version and go with them.
pub fn rows_of(version: u32) -> Vec<Vec<u8>> {
    match version {
        SITE_KEY_VERSION => SiteId::BOTH
            .into_iter()
            .flat_map(|site| [ledger_key_row(site), log_keys_row(site)])
            .collect(),
        later => vec![sites::key(later)],
    }
}

fn read_log_keys(key: &SiteKey, site: SiteId, sealed: &[u8]) -> Result<LogKeys, VaultError> {
    let meta: MetaKey = key.derive();
    let seeds = seal::open_value(&meta, &log_keys_context(site), sealed)?;
    LogKeys::from_bytes(&seeds).map_err(|e| VaultError::Ledger(e.to_string()))
}

impl Vault {
    /// From the sites' keys to everything that an open vault holds from its opening on.
    pub(crate) async fn load(
        &self,
        by_site: [Option<SiteKey>; 2],
        version: u32,
    ) -> Result<Secrets, VaultError> {
        let top = SiteKeyVersion { version, by_site };
        match version {
            SITE_KEY_VERSION => self.load_first(top).await,
            _ => self.load_later(top).await,
        }
    }

    async fn load_first(&self, top: SiteKeyVersion) -> Result<Secrets, VaultError> {
        for site in SiteId::BOTH {
            let Some(key) = &top.by_site[site.index()] else {
                continue;
            };
            let at = ledger_key_row(site);
            let (Some(log), Some(row)) = (
                self.engine.get(&log_keys_row(site)).await?,
                self.engine.get(&at).await?,
            ) else {
                continue;
            };
            let log_keys = read_log_keys(key, site, &log.value)?;
            let wrapped: [u8; WRAPPED_BYTES] = row
                .value
                .as_ref()
                .try_into()
                .map_err(|_| words::wire::WireError::Short)?;
            let context = site_ledger(site, SITE_KEY_VERSION);
            let ledger_key: LedgerKey = seal::unwrap(key, &Wrapped::from_bytes(wrapped), &context)?;
            let stand = Precondition::Version(at, row.version);
            let keys = SiteKeys::new(vec![Arc::new(top)], stand);
            return Ok(Secrets::new(keys, log_keys, ledger_key));
        }
        Err(VaultError::Ledger(
            "the catalog holds no ledger keys for this cloud".into(),
        ))
    }

    async fn load_later(&self, top: SiteKeyVersion) -> Result<Secrets, VaultError> {
        let at = sites::key(top.version);
        let Some(found) = self.engine.get(&at).await? else {
            return Err(VaultError::Ledger(format!(
                "the catalog has no row for version {} of the sites' keys: it is of another time than site.clr; put both back from the same time",
                top.version
            )));
        };
        let row = SitesRow::decode(&found.value)?;
        check_sites(&row, &top)?;
        let [a, b] = both(&top)?;
        let log_keys = read_log_keys(a, SiteId::A, &row.log_keys[0])?;
        let context = site_ledger(SiteId::A, top.version);
        let ledger_key: LedgerKey =
            seal::unwrap(a, &Wrapped::from_bytes(row.ledger_keys[0]), &context)?;
        let older = match &row.older {
            None => None,
            Some(older) => {
                let open = |site: SiteId, key| {
                    let context = site_older(site, top.version, older.version);
                    let wrapped = Wrapped::from_bytes(older.keys[site.index()]);
                    seal::unwrap::<SiteKey, SiteKey>(key, &wrapped, &context)
                };
                Some(SiteKeyVersion {
                    version: older.version,
                    by_site: [Some(open(SiteId::A, a)?), Some(open(SiteId::B, b)?)],
                })
            }
        };
        let versions = std::iter::once(top).chain(older).map(Arc::new).collect();
        let stand = Precondition::Version(at, found.version);
        let keys = SiteKeys::new(versions, stand);
        Ok(Secrets::new(keys, log_keys, ledger_key))
    }
}

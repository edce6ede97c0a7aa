//! The sites' keys: drawn while the root moves, tenants' wraps renewed, the older ones destroyed. Both sites' are renewed
//! together, since both open the same tenants. Buckets and objects are not touched.
//!
//! The header that is replaced with the root's move is the one moment. Before it the new keys are in a row that nothing
//! opens; from it on the older ones lie under the new ones, in that same row, until nothing is left under them.

use super::{RotationBegun, Step, Under, beginning, next_version, unchanged};
use crate::Vault;
use crate::error::VaultError;
use crate::record::rotation::{self, RotationRow, Target};
use crate::record::sites::{self, SitesRow};
use crate::record::tenant::{self, TenantRow};
use crate::secrets::Secrets;
use crate::site_keys::{SiteKeyVersion, SiteKeys};
use crate::under_sites::{both, check_sites, rows_of, sign_sites, sites_row};
use catalog::{KeyRange, Mutation, Order, Outcome, Precondition};
use seal::{Derives, MetaKey, SiteKey};
use std::sync::Arc;
use words::limits::SCAN_ROWS_MAX;
use words::{SiteId, TenantId};

/// Tenants that are renewed in one commit.
const PAGE_TENANTS: usize = 100;

/// The sites' keys that are about to replace those in use.
pub(crate) struct NextSites {
    pub keys: Arc<SiteKeyVersion>,
    stand: Option<Precondition>,
}

/// A tenant's row with its wraps renewed.
struct Renewed {
    id: TenantId,
    version: u64,
    row: TenantRow,
}

impl Vault {
    /// Whether something may still lie under older keys of the sites.
    #[must_use]
    pub fn renews_sites(&self) -> bool {
        let secrets = self.secrets();
        secrets.is_ok_and(|secrets| secrets.site_keys.now().older().is_some())
    }

    /// Draws new keys for both sites.
    pub(crate) fn draw_sites(&self, secrets: &Secrets) -> Result<NextSites, VaultError> {
        let keys = secrets.site_keys.now();
        if keys.older().is_some() {
            return Err(VaultError::Rotation(
                "the sites' keys are being renewed already, and something still lies under the ones before; nothing was changed: `clarence rotate status` says how far it is".into(),
            ));
        }
        let version = next_version(keys.newest()?.version, 1)?;
        let by_site = SiteId::BOTH.map(|_| Some(SiteKey::from_bytes(self.host.random())));
        Ok(NextSites {
            keys: Arc::new(SiteKeyVersion { version, by_site }),
            stand: None,
        })
    }

    /// Writes the row of the next keys, over whatever an attempt before this one left there.
    pub(crate) async fn write_next_sites(
        &self,
        secrets: &Secrets,
        next: &mut NextSites,
    ) -> Result<(), VaultError> {
        let current = secrets.site_keys.now();
        let (now, older) = (self.host.now(), current.newest()?);
        let row = sites_row(&self.host, now, &next.keys, older, secrets)?;
        let at = sites::key(next.keys.version);
        let mutations = vec![Mutation::Put {
            key: at.clone(),
            value: row.encode().into(),
        }];
        match self
            .commit_rotation(Vec::new(), mutations, Vec::new())
            .await
        {
            Outcome::Committed(done) => {
                next.stand = Some(Precondition::Version(at, done.version()));
                Ok(())
            }
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// Takes the next keys into use, beside the ones before.
    pub(crate) fn adopt_sites(secrets: &Secrets, next: NextSites) -> Result<(), VaultError> {
        let stand = next.stand.ok_or(VaultError::Conflict)?;
        let versions = secrets.site_keys.now().with(next.keys);
        secrets.site_keys.exchange(SiteKeys::new(versions, stand));
        Ok(())
    }

    /// Begins to renew what lies under the older of the sites' keys, if there are older ones and nobody has begun.
    pub async fn begin_sites(&self) -> Result<Option<RotationBegun>, VaultError> {
        let secrets = self.secrets()?;
        let _one = secrets.rotations.one.lock().await;
        self.sites_begun(&secrets).await
    }

    pub(super) async fn sites_begun(
        &self,
        secrets: &Secrets,
    ) -> Result<Option<RotationBegun>, VaultError> {
        let keys = secrets.site_keys.now();
        let Some(older) = keys.older() else {
            return Ok(None);
        };
        let (newest, target) = (keys.newest()?, Target::Sites);
        let key = rotation::key(target);
        let before = self.engine.get(&key).await?;
        if let Some(row) = &before
            && RotationRow::decode(&row.value).is_ok_and(|row| row.version == newest.version)
        {
            return Ok(None);
        }
        let tenant = TenantId::from_bytes([0; 16]);
        let of = (tenant, Vec::new(), newest.version);
        let row = beginning(&self.host, &key, &meta_of(newest)?, of);
        let mut preconditions = vec![unchanged(&key, before.as_ref())];
        let mut mutations = vec![Mutation::Put {
            key: key.clone(),
            value: row.encode().into(),
        }];
        // Written again as they are: a commit that still stands on the older keys fails from now on.
        for at in rows_of(older.version) {
            if let Some(row) = self.engine.get(&at).await? {
                preconditions.push(Precondition::Version(at.clone(), row.version));
                let value = row.value;
                mutations.push(Mutation::Put { key: at, value });
            }
        }
        let fields = self.rotation_fields("RotateBegin", target, newest.version);
        let entry = self.entry_of_cloud(secrets, &fields);
        match self
            .commit_rotation(preconditions, mutations, vec![entry])
            .await
        {
            Outcome::Committed(done) => self.begun(secrets, key, newest.version, done).map(Some),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// Renews some tenants, or ends the rotation.
    pub(super) async fn advance_sites(
        &self,
        secrets: &Secrets,
        mut under: Under,
    ) -> Result<Step, VaultError> {
        let keys = secrets.site_keys.now();
        let newest = keys.newest()?;
        let meta = meta_of(newest)?;
        if under.row.version != newest.version {
            (under.row.version, under.row.found) = (newest.version, 1);
            under.row.cursor.clear();
        }
        if under.row.cursor.is_empty() {
            under.row.held = 0;
        }
        let mut range = KeyRange::prefix(tenant::PREFIX);
        if !under.row.cursor.is_empty() {
            range = range.after(&under.row.cursor);
        }
        let page = self
            .engine
            .scan(range, PAGE_TENANTS, Order::Ascending)
            .await?;
        let last = (page.len() == PAGE_TENANTS)
            .then(|| page.last().map(|(key, _)| key.clone()))
            .flatten();
        let mut renewed = Vec::new();
        for (key, row) in page {
            match self.renew_tenant(&keys, &key, row.version, &row.value) {
                Ok(None) => {}
                Ok(Some(one)) => renewed.push(one),
                Err(error) => {
                    let error = self
                        .unless_altered(secrets, &key, Err::<(), _>(error))
                        .await;
                    tracing::warn!(
                        ?error,
                        row = words::hex::encode(&key),
                        "the wrap of a tenant's key cannot be renewed"
                    );
                    under.row.held += 1;
                }
            }
        }
        under.row.found += renewed.len() as u64;
        under.row.rewrapped += self.write_tenants(secrets, &keys, renewed).await?;
        if let Some(cursor) = last {
            under.row.cursor = cursor;
            self.save(&mut under, &meta).await?;
            return Ok(Step::More);
        }
        under.row.cursor.clear();
        if under.row.found > 0 {
            (under.row.found, under.row.waiting) = (0, 0);
            self.save(&mut under, &meta).await?;
            return Ok(Step::More);
        }
        if under.row.held > 0 {
            if under.row.waiting != under.row.held {
                under.row.waiting = under.row.held;
                self.save(&mut under, &meta).await?;
            }
            return Ok(Step::Rest);
        }
        self.drop_older_of_sites(secrets, &under, &keys).await
    }

    /// One tenant's row under the newest keys; none if it is already.
    fn renew_tenant(
        &self,
        keys: &SiteKeys,
        at: &[u8],
        version: u64,
        value: &[u8],
    ) -> Result<Option<Renewed>, VaultError> {
        let (id, old) = (tenant::tenant_in(at)?, TenantRow::decode(value)?);
        if old.signed.is_some() && old.site_version == keys.newest()?.version {
            return Ok(None);
        }
        let opened = keys.open_tenant(id, version, &old)?;
        let row = keys.tenant_row(&self.host, &opened, old.name, old.created)?;
        Ok(Some(Renewed { id, version, row }))
    }

    /// Writes renewed rows together, each only while it is the one that was read. If one changed at the same moment, all
    /// are left for the next pass.
    async fn write_tenants(
        &self,
        secrets: &Secrets,
        keys: &SiteKeys,
        rows: Vec<Renewed>,
    ) -> Result<u64, VaultError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let mut preconditions = vec![keys.stand()];
        let mut mutations = Vec::with_capacity(rows.len());
        for one in &rows {
            preconditions.push(Precondition::Version(tenant::key(one.id), one.version));
            mutations.push(Mutation::Put {
                key: tenant::key(one.id),
                value: one.row.encode().into(),
            });
        }
        match self
            .commit_rotation(preconditions, mutations, Vec::new())
            .await
        {
            Outcome::Committed(_) => {
                // Read again at their next use, with the version that they have now.
                if let Ok(mut all) = secrets.tenants.write() {
                    all.retain(|id, _| rows.iter().all(|one| one.id != *id));
                }
                Ok(rows.len() as u64)
            }
            Outcome::Conflict { .. } => Ok(0),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// The older keys' last copy goes, with what lay under them besides tenants.
    async fn drop_older_of_sites(
        &self,
        secrets: &Secrets,
        under: &Under,
        keys: &SiteKeys,
    ) -> Result<Step, VaultError> {
        let newest = keys.newest()?;
        let at = sites::key(newest.version);
        let row = self.engine.get(&at).await?.ok_or(VaultError::Conflict)?;
        let mut kept = SitesRow::decode(&row.value)?;
        check_sites(&kept, newest)?;
        kept.older = None;
        sign_sites(&mut kept, newest)?;
        let mut mutations = vec![Mutation::Put {
            key: at.clone(),
            value: kept.encode().into(),
        }];
        let older = keys.older().map(|of| of.version);
        let mut gone: Vec<Vec<u8>> = older.into_iter().flat_map(rows_of).collect();
        // Rows that an attempt to renew left behind, which nothing opens.
        let all = KeyRange::prefix(sites::PREFIX);
        let found = self
            .engine
            .scan(all, SCAN_ROWS_MAX, Order::Ascending)
            .await?;
        gone.extend(
            found
                .into_iter()
                .map(|(key, _)| key)
                .filter(|key| *key != at),
        );
        gone.sort_unstable();
        gone.dedup();
        mutations.extend(gone.into_iter().map(|key| Mutation::Delete { key }));
        let mut fields = self.rotation_fields("RotateEnd", under.target, under.row.version);
        fields.rows = Some(under.row.rewrapped);
        fields.reason = Some("the older keys of the sites are destroyed".into());
        let changes = (
            vec![Precondition::Version(at.clone(), row.version)],
            mutations,
        );
        let entry = self.entry_of_cloud(secrets, &fields);
        let version = self.end_rotation(under, changes, entry).await?;
        let stand = Precondition::Version(at, version);
        secrets
            .site_keys
            .exchange(SiteKeys::new(keys.newest_alone(), stand));
        Ok(Step::Ended)
    }
}

/// The key that signs the row of this rotation: site a's meta key.
pub(super) fn meta_of(of: &SiteKeyVersion) -> Result<MetaKey, VaultError> {
    let [a, _] = both(of)?;
    Ok(a.derive())
}

//! Tenants and their credentials. Each act is an entry in the same commit as the fact.

use crate::Vault;
use crate::error::VaultError;
use crate::identities::{KeyAsked, Maker};
use crate::record::{access_key, tenant};
use crate::secrets::{Secrets, Tenant};
use crate::site_keys::SiteKeys;
use access_key::{AccessKeyRow, Body};
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition};
use ledger::Kind;
use seal::{LedgerKey, MetaKey, NameKey, TenantKey};
use tenant::TenantRow;
use words::limits::SCAN_ROWS_MAX;
use words::{AccessKeyId, OpId, TenantId, TenantName, UnixMillis};
use zeroize::Zeroizing;

/// Most tenants of one cloud.
pub(crate) const TENANTS_MAX: usize = 10_000;

/// Characters of an S3 secret, and the bits that are drawn for them.
const SECRET_CHARACTERS: usize = 40;
pub(crate) const SECRET_BITS: u16 = SECRET_CHARACTERS as u16 * MIXED.len().ilog2() as u16;

/// A tenant as operators see it.
#[derive(Clone, Debug)]
pub struct TenantInfo {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: TenantName,
    /// When it was added.
    pub created: UnixMillis,
    /// Whether it is suspended.
    pub suspended: bool,
}

/// A credential that was just made. The secret is shown once.
pub struct NewAccessKey {
    /// The public half.
    pub id: AccessKeyId,
    /// The secret half.
    pub secret: Zeroizing<String>,
    /// The tenant it acts for.
    pub tenant: TenantId,
}

impl Vault {
    /// Adds a tenant with keys of its own.
    pub async fn tenant_add(&self, name: TenantName) -> Result<TenantInfo, VaultError> {
        self.refuse_plain("tenant-add")?;
        let secrets = self.secrets()?;
        let all = self.tenant_list().await?;
        if all.iter().any(|tenant| tenant.name == name) {
            return Err(VaultError::Exists(format!("a tenant named {name}")));
        }
        if all.len() >= TENANTS_MAX {
            return Err(VaultError::Limit(format!(
                "the cloud has {TENANTS_MAX} tenants, the most there may be"
            )));
        }
        loop {
            let id = TenantId::from_bytes(self.host.random());
            let sites = secrets.site_keys.now();
            let row = self.new_tenant(&sites, id, name.clone())?;
            let mut fields = self.fields(Kind::Admin);
            fields.operation = Some("TenantAdd".into());
            fields.tenant = Some(id);
            fields.resource = Some(row.name.to_string());
            let commit = Commit {
                op: OpId::from_bytes(self.host.random()),
                preconditions: vec![sites.stand(), Precondition::Absent(tenant::key(id))],
                mutations: vec![Mutation::Put {
                    key: tenant::key(id),
                    value: row.encode().into(),
                }],
                entries: vec![self.entry_of_cloud(&secrets, &fields)],
            };
            match self.engine.commit(commit).await {
                Outcome::Committed(_) => {
                    return Ok(TenantInfo {
                        id,
                        name: row.name,
                        created: row.created,
                        suspended: false,
                    });
                }
                Outcome::Conflict { which: 0 } => {
                    // The sites' keys are exchanged at this moment.
                    secrets.rotations.step_ended().await;
                    if secrets.site_keys.now().stand() == sites.stand() {
                        return Err(VaultError::Conflict);
                    }
                }
                other => return Err(VaultError::from_outcome(other)),
            }
        }
    }

    pub(crate) fn new_tenant(
        &self,
        sites: &SiteKeys,
        id: TenantId,
        name: TenantName,
    ) -> Result<TenantRow, VaultError> {
        let tenant = Tenant {
            id,
            suspended: false,
            row_version: 0,
            keys: vec![(1, TenantKey::from_bytes(self.host.random()))],
            name_key: NameKey::from_bytes(self.host.random()),
            meta_key: MetaKey::from_bytes(self.host.random()),
            ledger_key: LedgerKey::from_bytes(self.host.random()),
        };
        sites.tenant_row(&self.host, &tenant, name, self.host.now())
    }

    /// All tenants, by name.
    pub async fn tenant_list(&self) -> Result<Vec<TenantInfo>, VaultError> {
        let secrets = self.secrets().ok();
        let mut found = Vec::new();
        let mut range = KeyRange::prefix(tenant::PREFIX);
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let more = page.len() == SCAN_ROWS_MAX;
            for (key, row) in page {
                let id = tenant::tenant_in(&key)?;
                let row = TenantRow::decode(&row.value)?;
                if let Some(secrets) = &secrets {
                    let checked = secrets.site_keys.now().check_tenant(id, &row);
                    match self.unless_altered(secrets, &key, checked).await {
                        // The sites' keys were exchanged since the page was read.
                        Err(VaultError::KeyVersion { .. }) => {
                            self.tenant_again(secrets, id).await?;
                        }
                        checked => checked?,
                    }
                }
                found.push(TenantInfo {
                    id,
                    name: row.name,
                    created: row.created,
                    suspended: row.suspended,
                });
                range = range.after(&key);
            }
            if !more {
                found.sort_by(|a, b| a.name.cmp(&b.name));
                return Ok(found);
            }
        }
    }

    /// Makes a credential that speaks for a whole tenant.
    pub async fn key_add(
        &self,
        tenant_name: &TenantName,
        expires: Option<UnixMillis>,
    ) -> Result<NewAccessKey, VaultError> {
        self.refuse_plain("key-add")?;
        let asked = KeyAsked {
            expires,
            ..KeyAsked::default()
        };
        self.key_make(tenant_name, asked).await
    }

    /// A fresh credential's two halves.
    pub(crate) fn draw_key(
        &self,
        prefix: &str,
    ) -> Result<(AccessKeyId, Zeroizing<String>), VaultError> {
        let id = AccessKeyId::parse(&format!(
            "{prefix}{}",
            text::<17>(self.host.random(), UPPER)
        ))
        .map_err(|e| VaultError::Limit(e.to_string()))?;
        let secret = Zeroizing::new(text::<SECRET_CHARACTERS>(self.host.random(), MIXED));
        Ok((id, secret))
    }

    /// Whether there is a credential of that name that is not stopped.
    pub async fn key_known(&self, id: &AccessKeyId) -> Result<bool, VaultError> {
        let secrets = self.secrets()?;
        let known = self.known(&secrets, id).await?;
        Ok(known.is_some_and(|known| !known.credential.suspended))
    }

    /// Stops a credential. Requests that are being answered end as they were granted; writes that are not
    /// committed yet are refused.
    pub async fn key_suspend(&self, id: &AccessKeyId) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        self.stop(id, &Maker::Operator(&secrets)).await
    }

    /// Forgets what was known of a credential, and of the sessions that came of it.
    pub(crate) fn forget_key(secrets: &Secrets, id: &AccessKeyId, tenant: TenantId) {
        secrets.judged.changed(|| {
            secrets.known.remove(id);
            let came_of_it: Vec<_> = secrets
                .known
                .iter()
                .filter(|(_, known)| known.parent.as_ref() == Some(id))
                .map(|(_, known)| *known.holder.standing.digest())
                .collect();
            for standing in came_of_it {
                secrets.judged.revoke(standing);
            }
            secrets.forget_sessions(tenant);
        });
    }

    pub(crate) async fn stop(&self, id: &AccessKeyId, maker: &Maker<'_>) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let key = access_key::key(id);
        let row = self
            .engine
            .get(&key)
            .await?
            .ok_or_else(|| VaultError::NoSuchAccessKey(id.to_string()))?;
        let old = AccessKeyRow::decode(&row.value)?;
        let tenant = self.tenant(&secrets, old.tenant).await?;
        // Closing must not fail because the row was damaged: then what is stopped has no secret any more.
        let body = Self::open_key(&tenant, id, &old).unwrap_or_else(|_| Body {
            secret: Zeroizing::default(),
            identity: String::new(),
            maker: String::new(),
            documents: Vec::new(),
        });
        let stopped = self.seal_key(
            &tenant,
            id,
            AccessKeyRow::new(old.tenant, old.created, old.expires, true),
            &body,
        );
        let entry = self.made(&tenant, maker, "KeySuspend", id.as_str());
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![Precondition::Version(key.clone(), row.version)],
            mutations: vec![Mutation::Put {
                key,
                value: stopped.encode().into(),
            }],
            entries: vec![entry],
        };
        let outcome = self.engine.commit(commit).await;
        Self::forget_key(&secrets, id, tenant.id);
        match outcome {
            Outcome::Committed(_) => {
                // Load the stopped row, so that writes under way find it when they settle.
                self.known(&secrets, id).await?;
                Ok(())
            }
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

const UPPER: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const MIXED: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// `N` characters drawn evenly from an alphabet whose length is a power of two.
fn text<const N: usize>(random: [u8; N], alphabet: &[u8]) -> String {
    let mask = alphabet.len() - 1;
    random
        .iter()
        .filter_map(|byte| alphabet.get(usize::from(*byte) & mask))
        .map(|c| *c as char)
        .collect()
}

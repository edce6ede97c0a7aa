//! Trust anchors of a tenant: whose certificates may ask for sessions, and what was revoked. Both come as files that
//! somebody carried here; no distribution point and no responder is ever asked.

use crate::Vault;
use crate::error::VaultError;
use crate::identities::{Maker, checked_name};
use crate::record::anchor::{ANCHOR_BYTES_MAX, AnchorPart, AnchorRow, PART_BYTES_MAX, PARTS_MAX};
use crate::record::identity::{self, Sort};
use crate::secrets::{Secrets, Tenant};
use crate::sessions::Bearing;
use crate::standing::hashed;
use authn::x509::{self, Anchor, AnchorError, Authority, List};
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition};
use ledger::Entry;
use words::limits::SCAN_ROWS_MAX;
use words::wire::WireError;
use words::{OpId, TenantName, UnixMillis};

/// Most anchors of one tenant.
const ANCHORS_MAX: usize = 32;
/// Bytes of a part's key that name the anchor; the number of the part follows.
const NAME_HASH_BYTES: usize = 30;

/// A trust anchor as administrators see it.
#[derive(Debug, Clone)]
pub struct AnchorInfo {
    /// Its name.
    pub name: String,
    /// How requests name it.
    pub arn: String,
    /// When it was made.
    pub created: UnixMillis,
    /// Its authorities.
    pub authorities: Vec<Authority>,
    /// Its revocation lists.
    pub lists: Vec<List>,
}

impl From<AnchorError> for VaultError {
    fn from(error: AnchorError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl Vault {
    /// Adds a trust anchor: certificates of authorities in PEM, and their revocation lists.
    pub async fn anchor_add(
        &self,
        tenant: &TenantName,
        name: String,
        certificates: &[u8],
        lists: &[Vec<u8>],
    ) -> Result<AnchorInfo, VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        checked_name(&name)?;
        if self.anchor_rows(&tenant).await?.len() >= ANCHORS_MAX {
            return Err(VaultError::Limit(format!(
                "a tenant has at most {ANCHORS_MAX} trust anchors; remove one first"
            )));
        }
        let mut row = AnchorRow {
            name,
            created: self.host.now(),
            certificates: x509::certificates(certificates)?,
            lists: Vec::new(),
        };
        for file in lists {
            row.lists.push(self.current(file)?.der);
        }
        let info = self.anchor_info(&tenant, &row)?;
        let entry = self.made(
            &tenant,
            &Maker::Operator(&secrets),
            "TrustAnchorAdd",
            &row.name,
        );
        match self.put_anchor(&tenant, None, &row, entry).await {
            Err(VaultError::Conflict) => Err(VaultError::Exists(format!("{:?}", row.name))),
            done => done.map(|()| info),
        }
    }

    /// Puts a newer revocation list in the place of the one that its issuer gave before. What it revokes signs in
    /// no more, and sessions that were given for it end.
    pub async fn anchor_list(
        &self,
        tenant: &TenantName,
        name: &str,
        file: &[u8],
    ) -> Result<AnchorInfo, VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        let Some((version, mut row)) = self.anchor(&tenant, name).await? else {
            return Err(none(name));
        };
        let new = self.current(file)?;
        let mut kept = Vec::new();
        for der in std::mem::take(&mut row.lists) {
            let old = x509::list(&der)?;
            if old.issuer_digest != new.issuer_digest {
                kept.push(der);
            } else if (old.number.len(), &old.number) >= (new.number.len(), &new.number) {
                return Err(VaultError::Usage(format!(
                    "the list has the number {} and the one that is here has {}: only a newer one is taken",
                    words::hex::encode(&new.number),
                    words::hex::encode(&old.number)
                )));
            }
        }
        kept.push(new.der);
        row.lists = kept;
        let info = self.anchor_info(&tenant, &row)?;
        let entry = self.made(&tenant, &Maker::Operator(&secrets), "TrustAnchorList", name);
        let done = self.put_anchor(&tenant, Some(version), &row, entry).await;
        Self::forget_bearers(&secrets, &tenant);
        done.map(|()| info)
    }

    /// Takes an anchor away. Sessions that were given for its certificates end.
    pub async fn anchor_remove(&self, tenant: &TenantName, name: &str) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        let Some((version, row)) = self.anchor(&tenant, name).await? else {
            return Err(none(name));
        };
        let first = part_key(&tenant, name, 0);
        let parts = row.encode().len().div_ceil(PART_BYTES_MAX);
        let mutations = (0..parts)
            .map(|part| Mutation::Delete {
                key: part_key(&tenant, name, part),
            })
            .collect();
        let entry = self.made(
            &tenant,
            &Maker::Operator(&secrets),
            "TrustAnchorRemove",
            name,
        );
        let holds = vec![Precondition::Version(first, version)];
        let done = self.commit_rows(holds, mutations, entry).await;
        Self::forget_bearers(&secrets, &tenant);
        done
    }

    /// The anchors of a tenant, by name.
    pub async fn anchors(&self, tenant: &TenantName) -> Result<Vec<AnchorInfo>, VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        let mut all = Vec::new();
        for row in self.anchor_rows(&tenant).await? {
            all.push(self.anchor_info(&tenant, &row)?);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// How requests name an anchor.
    pub(crate) fn anchor_arn(&self, tenant: &Tenant, name: &str) -> String {
        format!(
            "arn:aws:rolesanywhere:{}:{}:trust-anchor/{name}",
            self.config.region, tenant.id
        )
    }

    /// An anchor by its name, with the version of its first row.
    pub(crate) async fn anchor(
        &self,
        tenant: &Tenant,
        name: &str,
    ) -> Result<Option<(u64, AnchorRow)>, VaultError> {
        let Some((row, plain)) = self.sealed_row(tenant, &part_key(tenant, name, 0)).await? else {
            return Ok(None);
        };
        let first = AnchorPart::decode(&plain)?;
        let mut parts = vec![first.clone()];
        for number in 1..usize::from(first.count) {
            let key = part_key(tenant, name, number);
            let Some((_, plain)) = self.sealed_row(tenant, &key).await? else {
                return Err(VaultError::Conflict);
            };
            parts.push(AnchorPart::decode(&plain)?);
        }
        Ok(Some((row.version, joined(&parts)?)))
    }

    /// Whether the certificate that a session was given for still stands: its anchor is there, and no list of it
    /// names the certificate.
    pub(crate) async fn still_bears(
        &self,
        tenant: &Tenant,
        of: &Bearing,
    ) -> Result<bool, VaultError> {
        let Some((_, row)) = self.anchor(tenant, &of.anchor).await? else {
            return Ok(false);
        };
        let anchor = Anchor::read(&row.certificates, &row.lists)?;
        Ok(row.created == of.made && !anchor.revokes(&of.issuer, &of.serial))
    }

    async fn anchor_rows(&self, tenant: &Tenant) -> Result<Vec<AnchorRow>, VaultError> {
        let range = KeyRange::prefix(&identity::prefix(tenant.id, Sort::Anchor));
        let rows = self
            .engine
            .scan(range, SCAN_ROWS_MAX, Order::Ascending)
            .await?;
        let mut all: Vec<AnchorRow> = Vec::new();
        let mut parts: Vec<AnchorPart> = Vec::new();
        for (key, _) in rows {
            let Some((_, plain)) = self.sealed_row(tenant, &key).await? else {
                return Err(VaultError::Conflict);
            };
            parts.push(AnchorPart::decode(&plain)?);
            let whole = parts
                .first()
                .is_some_and(|p| usize::from(p.count) == parts.len());
            if whole {
                all.push(joined(&parts)?);
                parts.clear();
            }
        }
        Ok(all)
    }

    /// A list that is in force now.
    fn current(&self, file: &[u8]) -> Result<List, VaultError> {
        let list = x509::list(file)?;
        if list.next_update <= self.host.now() {
            return Err(VaultError::Usage(format!(
                "the revocation list of {} is past its next update: with it nobody could sign in",
                list.issuer
            )));
        }
        Ok(list)
    }

    /// What there is to see of an anchor, which is also the check that its parts fit together.
    fn anchor_info(&self, tenant: &Tenant, row: &AnchorRow) -> Result<AnchorInfo, VaultError> {
        let anchor = Anchor::read(&row.certificates, &row.lists)?;
        let lists = row.lists.iter().map(|der| x509::list(der));
        Ok(AnchorInfo {
            name: row.name.clone(),
            arn: self.anchor_arn(tenant, &row.name),
            created: row.created,
            authorities: anchor.authorities().cloned().collect(),
            lists: lists.collect::<Result<_, _>>()?,
        })
    }

    async fn put_anchor(
        &self,
        tenant: &Tenant,
        version: Option<u64>,
        row: &AnchorRow,
        entry: Entry,
    ) -> Result<(), VaultError> {
        let bytes = row.encode();
        if bytes.len() > ANCHOR_BYTES_MAX {
            return Err(VaultError::Limit(format!(
                "the certificates and lists of one anchor have at most {ANCHOR_BYTES_MAX} bytes together"
            )));
        }
        let whole = digest(&bytes);
        let pieces: Vec<&[u8]> = bytes.chunks(PART_BYTES_MAX).collect();
        let count = u16::try_from(pieces.len()).unwrap_or(u16::MAX);
        let mut mutations = Vec::new();
        for (number, piece) in pieces.iter().enumerate() {
            let part = AnchorPart {
                whole,
                count,
                bytes: piece.to_vec(),
            };
            let key = part_key(tenant, &row.name, number);
            mutations.push(self.sealed_put(tenant, key, &part.encode()));
        }
        // What a longer one left behind.
        for number in pieces.len()..PARTS_MAX {
            let key = part_key(tenant, &row.name, number);
            if version.is_some() && self.engine.get(&key).await?.is_some() {
                mutations.push(Mutation::Delete { key });
            }
        }
        let first = part_key(tenant, &row.name, 0);
        let holds = match version {
            Some(version) => Precondition::Version(first, version),
            None => Precondition::Absent(first),
        };
        self.commit_rows(vec![holds], mutations, entry).await
    }

    /// Commits several rows with their entry.
    async fn commit_rows(
        &self,
        preconditions: Vec<Precondition>,
        mutations: Vec<Mutation>,
        entry: Entry,
    ) -> Result<(), VaultError> {
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions,
            mutations,
            entries: vec![entry],
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// Loaded sessions are looked at anew.
    fn forget_bearers(secrets: &Secrets, tenant: &Tenant) {
        secrets
            .judged
            .changed(|| secrets.forget_sessions(tenant.id));
    }
}

fn none(name: &str) -> VaultError {
    let name: String = name.chars().take(64).collect();
    VaultError::NoSuchIdentity(format!("trust anchor {name}"))
}

fn part_key(tenant: &Tenant, name: &str, part: usize) -> Vec<u8> {
    let mut what = hashed(tenant, Sort::Anchor, name);
    let number = u16::try_from(part).unwrap_or(u16::MAX).to_be_bytes();
    what[NAME_HASH_BYTES..].copy_from_slice(&number);
    identity::key(tenant.id, Sort::Anchor, &what)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    ledger::tree::leaf_hash(bytes)
}

/// The whole that parts make; parts of different wholes make none.
fn joined(parts: &[AnchorPart]) -> Result<AnchorRow, VaultError> {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.bytes.clone()).collect();
    let whole = digest(&bytes);
    let same = |part: &AnchorPart| part.whole == whole && usize::from(part.count) == parts.len();
    if !parts.iter().all(same) {
        return Err(WireError::Field("parts of a trust anchor").into());
    }
    Ok(AnchorRow::decode(&bytes)?)
}

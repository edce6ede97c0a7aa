//! Keys are renewed while everything goes on. A new version serves new data at once; what lies under older
//! versions is wrapped anew in the background, a page at a time, and no data is rewritten. When nothing is left
//! under an older version, it is dropped.
//!
//! Three things make this safe at any point at which the node may end:
//! - the row that holds the keys changes before anything is wrapped under the new one, and every commit that
//!   brings something under these keys demands that row as it was read: nothing new arrives under an old
//!   version after the beginning;
//! - a wrap is replaced only while its row is the one that was read;
//! - an old version is dropped only after one whole pass has found nothing under it.

mod bucket;
mod pages;
mod sites;
mod tenant;

use crate::Vault;
use crate::entries::only_receipt;
use crate::error::VaultError;
use crate::record::MAC_BYTES;
use crate::record::rotation::{self, RotationRow, Target};
use crate::secrets::Secrets;
use catalog::{Commit, Committed, KeyRange, Mutation, Order, Outcome, Precondition, Row};
use host::Host;
use ledger::{Entry, Fields, Kind, Receipt};
use seal::MetaKey;
pub(crate) use sites::NextSites;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use words::limits::SCAN_ROWS_MAX;
use words::{OpId, TenantId, UnixMillis};

/// How often a beginning is tried against rows that change at the same moment.
const RACES_MAX: usize = 8;
/// A rotation that waits for something looks again after this long.
const REST: Duration = Duration::from_secs(60);

/// What an open vault remembers of rotations besides their rows.
#[derive(Default)]
pub struct Rotations {
    /// Only one is advanced at a time.
    one: tokio::sync::Mutex<()>,
    /// The receipt of each one's beginning, or of its resumption after a start.
    receipts: Mutex<BTreeMap<Vec<u8>, Arc<Receipt>>>,
    /// Those that wait for something, and until when.
    resting: Mutex<BTreeMap<Vec<u8>, Duration>>,
}

impl Rotations {
    /// Waits until the step under way has ended: what it committed is then in use.
    pub async fn step_ended(&self) {
        drop(self.one.lock().await);
    }
}

/// A rotation that was just begun.
#[derive(Clone, Debug)]
pub struct RotationBegun {
    /// The version that new data is under from now on.
    pub version: u32,
    /// The index of the entry in the ledger.
    pub ledger_index: u64,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationState {
    /// Wraps are being renewed.
    Renewing,
    /// Everything else is done; uploads under way, or rows that cannot be read, still need an older version.
    Waiting,
}

/// A rotation as operators see it.
#[derive(Clone, Debug)]
pub struct RotationShown {
    /// Whose key.
    pub target: Target,
    /// The bucket's or tenant's name, if the vault is open.
    pub name: Option<String>,
    /// The tenant concerned.
    pub tenant: TenantId,
    /// The version that everything will be under.
    pub version: u32,
    /// When it was begun.
    pub begun: UnixMillis,
    /// How far it is.
    pub state: RotationState,
    /// Wraps renewed.
    pub rewrapped: u64,
    /// What still needs an older version, as far as it is known.
    pub waiting: u64,
}

/// A rotation's row as it was read.
struct Under {
    key: Vec<u8>,
    target: Target,
    version: u64,
    row: RotationRow,
}

/// What a step came to.
#[derive(PartialEq, Eq)]
enum Step {
    /// More can be done at once.
    More,
    /// Nothing can be done for a while.
    Rest,
    /// The rotation has ended.
    Ended,
}

impl Vault {
    /// Renews what rotations under way still have to renew, for a while. Gives whether more can be done at once.
    pub async fn advance_rotations(&self) -> Result<bool, VaultError> {
        let secrets = self.secrets()?;
        let Ok(_one) = secrets.rotations.one.try_lock() else {
            return Ok(false);
        };
        if let Err(error) = self.sites_begun(&secrets).await {
            tracing::warn!(%error, "the renewal of the sites' keys does not begin now; it is tried again");
        }
        let mut more = false;
        for under in self.rotations_under_way().await? {
            if self.rests(&secrets, &under.key) {
                continue;
            }
            let key = under.key.clone();
            if let Err(error) = self.check_rotation(&secrets, &under).await {
                tracing::error!(%error, "a rotation does not go on");
                self.note_step(&secrets, key, &Step::Rest);
                continue;
            }
            let receipt = self.receipt_of(&secrets, &under).await?;
            let step = match under.target {
                Target::Bucket(id) => self.advance_bucket(&secrets, id, under, receipt).await,
                Target::Tenant(id) => self.advance_tenant(&secrets, id, under).await,
                Target::Sites => self.advance_sites(&secrets, under).await,
            };
            let step = match step {
                Ok(step) => step,
                Err(VaultError::Conflict) => Step::More,
                Err(error) => {
                    tracing::warn!(%error, "a rotation does not go on now; nothing is lost, it is tried again");
                    Step::Rest
                }
            };
            more |= step == Step::More;
            self.note_step(&secrets, key, &step);
        }
        Ok(more)
    }

    /// Whoever could change how far a rotation is could have a key dropped that is still needed.
    async fn check_rotation(&self, secrets: &Secrets, under: &Under) -> Result<(), VaultError> {
        let (signed, mac) = (under.row.signed_bytes(), &under.row.mac);
        let genuine = |meta: &MetaKey| seal::row_is_genuine(meta, &under.key, &signed, mac);
        let genuine = match under.target {
            Target::Sites => {
                let keys = secrets.site_keys.now();
                genuine(&sites::meta_of(keys.newest()?)?)
            }
            _ => genuine(&self.tenant(secrets, under.row.tenant).await?.meta_key),
        };
        let checked = match genuine {
            true => Ok(()),
            false => Err(VaultError::RowAltered("a rotation".into())),
        };
        self.unless_altered(secrets, &under.key, checked).await
    }

    fn rests(&self, secrets: &Secrets, key: &[u8]) -> bool {
        let resting = secrets.rotations.resting.lock();
        resting.is_ok_and(|all| {
            all.get(key)
                .is_some_and(|until| *until > self.host.elapsed())
        })
    }

    fn note_step(&self, secrets: &Secrets, key: Vec<u8>, step: &Step) {
        let Ok(mut resting) = secrets.rotations.resting.lock() else {
            return;
        };
        match step {
            Step::More => {}
            Step::Rest => {
                resting.insert(key, self.host.elapsed() + REST);
            }
            Step::Ended => {
                resting.remove(&key);
                if let Ok(mut receipts) = secrets.rotations.receipts.lock() {
                    receipts.remove(&key);
                }
            }
        }
    }

    /// A beginning is on the ledger; so is every resumption by a node that started again.
    async fn receipt_of(
        &self,
        secrets: &Secrets,
        under: &Under,
    ) -> Result<Arc<Receipt>, VaultError> {
        let known = secrets
            .rotations
            .receipts
            .lock()
            .ok()
            .and_then(|all| all.get(&under.key).cloned());
        if let Some(receipt) = known {
            return Ok(receipt);
        }
        let mut fields = self.rotation_fields("RotateResume", under.target, under.row.version);
        fields.tenant = Some(under.row.tenant).filter(|_| under.target != Target::Sites);
        fields.rows = Some(under.row.rewrapped);
        let receipt = Arc::new(self.record(self.entry_of_cloud(secrets, &fields)).await?);
        self.keep_receipt(secrets, under.key.clone(), Arc::clone(&receipt));
        Ok(receipt)
    }

    /// Keeps the receipt of a beginning that was committed: wraps are renewed against it.
    fn begun(
        &self,
        secrets: &Secrets,
        key: Vec<u8>,
        version: u32,
        done: Committed,
    ) -> Result<RotationBegun, VaultError> {
        let receipt = only_receipt(done)?;
        let ledger_index = receipt.index();
        self.keep_receipt(secrets, key, Arc::new(receipt));
        Ok(RotationBegun {
            version,
            ledger_index,
        })
    }

    fn keep_receipt(&self, secrets: &Secrets, key: Vec<u8>, receipt: Arc<Receipt>) {
        if let Ok(mut all) = secrets.rotations.receipts.lock() {
            all.insert(key.clone(), receipt);
        }
        if let Ok(mut resting) = secrets.rotations.resting.lock() {
            resting.remove(&key);
        }
    }

    fn rotation_fields(&self, operation: &str, target: Target, version: u32) -> Fields {
        let mut fields = self.fields(Kind::Admin);
        fields.operation = Some(operation.to_owned());
        fields.resource = Some(match target {
            Target::Bucket(id) => format!("key of bucket {id}, version {version}"),
            Target::Tenant(id) => format!("key of tenant {id}, version {version}"),
            Target::Sites => format!("keys of both sites, version {version}"),
        });
        if let Target::Bucket(id) = target {
            fields.bucket = Some(id);
        }
        fields
    }

    async fn rotations_under_way(&self) -> Result<Vec<Under>, VaultError> {
        let rows = self
            .engine
            .scan(
                KeyRange::prefix(rotation::PREFIX),
                SCAN_ROWS_MAX,
                Order::Ascending,
            )
            .await?;
        rows.into_iter()
            .map(|(key, row)| {
                Ok(Under {
                    target: rotation::target_in(&key)?,
                    key,
                    version: row.version,
                    row: RotationRow::decode(&row.value)?,
                })
            })
            .collect()
    }

    /// The rotations under way. Needs no key, but for names.
    pub async fn rotation_list(&self) -> Result<Vec<RotationShown>, VaultError> {
        // How far a rotation is has to be seen where a tenant's row cannot be read, too.
        let tenants = self.tenant_list().await.unwrap_or_default();
        let mut shown = Vec::new();
        for Under { target, row, .. } in self.rotations_under_way().await? {
            let name = match target {
                Target::Bucket(_) => self.bucket_name(&row).await.ok().flatten(),
                Target::Tenant(id) => tenants
                    .iter()
                    .find(|of| of.id == id)
                    .map(|of| of.name.to_string()),
                Target::Sites => None,
            };
            shown.push(RotationShown {
                target,
                name,
                tenant: row.tenant,
                version: row.version,
                begun: row.begun,
                state: if row.waiting > 0 {
                    RotationState::Waiting
                } else {
                    RotationState::Renewing
                },
                rewrapped: row.rewrapped,
                waiting: row.waiting,
            });
        }
        Ok(shown)
    }

    /// Changes the rows of a rotation and its keys together.
    async fn commit_rotation(
        &self,
        preconditions: Vec<Precondition>,
        mutations: Vec<Mutation>,
        entries: Vec<Entry>,
    ) -> Outcome {
        self.engine
            .commit(Commit {
                op: OpId::from_bytes(self.host.random()),
                preconditions,
                mutations,
                entries,
            })
            .await
    }

    /// Writes down how far a rotation is. Where somebody began it anew meanwhile, theirs stands.
    async fn save(&self, under: &mut Under, meta: &MetaKey) -> Result<u64, VaultError> {
        sign(&mut under.row, &under.key, meta);
        let outcome = self
            .commit_rotation(
                vec![Precondition::Version(under.key.clone(), under.version)],
                vec![Mutation::Put {
                    key: under.key.clone(),
                    value: under.row.encode().into(),
                }],
                Vec::new(),
            )
            .await;
        match outcome {
            Outcome::Committed(done) => Ok(done.version()),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// Takes a rotation's row away with its entry, and whatever goes with its end.
    async fn end_rotation(
        &self,
        under: &Under,
        (mut preconditions, mut mutations): (Vec<Precondition>, Vec<Mutation>),
        entry: Entry,
    ) -> Result<u64, VaultError> {
        preconditions.push(Precondition::Version(under.key.clone(), under.version));
        mutations.push(Mutation::Delete {
            key: under.key.clone(),
        });
        match self
            .commit_rotation(preconditions, mutations, vec![entry])
            .await
        {
            Outcome::Committed(done) => Ok(done.version()),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

/// Signs a rotation's row.
fn sign(row: &mut RotationRow, key: &[u8], meta: &MetaKey) {
    row.mac = seal::row_mac(meta, key, &row.signed_bytes());
}

/// A rotation that begins: of whose key, which row holds it, and towards which version.
fn beginning(
    host: &Host,
    key: &[u8],
    meta: &MetaKey,
    (tenant, row_key, version): (TenantId, Vec<u8>, u32),
) -> RotationRow {
    let mut row = RotationRow {
        begun: host.now(),
        version,
        tenant,
        row_key,
        cursor: Vec::new(),
        found: 0,
        held: 0,
        rewrapped: 0,
        waiting: 0,
        mac: [0; MAC_BYTES],
    };
    sign(&mut row, key, meta);
    row
}

/// Holds while the row is what was read.
fn unchanged(key: &[u8], row: Option<&Row>) -> Precondition {
    match row {
        None => Precondition::Absent(key.to_vec()),
        Some(row) => Precondition::Version(key.to_vec(), row.version),
    }
}

/// The next version of a key.
fn next_version(newest: u32, versions: usize) -> Result<u32, VaultError> {
    if versions >= crate::record::KEY_VERSIONS_MAX {
        return Err(VaultError::Rotation(format!(
            "the key has {versions} versions that are still needed, the most there may be; nothing was changed: \
             `clarence rotate status` says what needs them"
        )));
    }
    Ok(newest.saturating_add(1))
}

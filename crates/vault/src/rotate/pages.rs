//! Wrapping the keys of a page of objects anew: each key is opened, wrapped under the newest version of its
//! bucket's key, and its record signed again. The key is gone before the row is written; the sealed bytes stay
//! as they are.

use crate::admit::RECORD_IN_OBJECT_ROW;
use crate::error::VaultError;
use crate::object_keys;
use crate::secrets::Bucket;
use crate::shred::Group;
use catalog::{Commit, Engine, Mutation, Outcome, Precondition, Row};
use host::Host;
use ledger::Receipt;
use seal::record::RECORD_BYTES;
use seal::{ClaimedRecord, KeyId, ObjectPlace};
use std::collections::BTreeMap;
use std::sync::Arc;
use words::OpId;
use words::limits::COMMIT_BYTES_MAX;

/// Records between two moments at which other work may run: about a millisecond.
const BREATH: usize = 64;
/// Bytes of rows in one commit; the rest is room for keys.
const SLICE_BYTES_MAX: usize = COMMIT_BYTES_MAX / 2;

/// What became of a page.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Wraps renewed.
    pub renewed: u64,
    /// Rows that changed at the same moment, to be looked at in the next pass.
    pub raced: u64,
    /// Rows that keep the older versions alive: they cannot be read.
    pub held: u64,
}

impl Tally {
    pub const fn add(&mut self, other: Self) {
        self.renewed += other.renewed;
        self.raced += other.raced;
        self.held += other.held;
    }
}

/// The groups that objects of a page belong to; one that was erased is not among them.
pub type Groups = BTreeMap<KeyId, Arc<Group>>;

/// The group that a row names.
pub fn group_in(row: &Row) -> Option<KeyId> {
    let at = RECORD_IN_OBJECT_ROW..RECORD_IN_OBJECT_ROW + RECORD_BYTES;
    let claimed = ClaimedRecord::read(row.value.get(at)?).ok()?;
    claimed.shred_group().then(|| claimed.kek().id)
}

/// What the pages of one pass have in common.
pub struct Pass {
    pub engine: Arc<dyn Engine>,
    pub host: Host,
    pub bucket: Arc<Bucket>,
    pub receipt: Arc<Receipt>,
}

/// A row with its wrap renewed.
struct Renewed {
    key: Vec<u8>,
    version: u64,
    value: Vec<u8>,
}

impl Pass {
    /// Renews the wraps of a page that are under an older version.
    pub async fn page(
        &self,
        rows: Vec<(Vec<u8>, Row)>,
        groups: Groups,
    ) -> Result<Tally, VaultError> {
        let mut tally = Tally::default();
        let mut slice = Vec::new();
        let mut bytes = 0;
        for (place, (key, row)) in rows.into_iter().enumerate() {
            if place % BREATH == BREATH - 1 {
                tokio::task::yield_now().await;
            }
            match self.renew(&key, &row, &groups) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    bytes += key.len() + value.len();
                    slice.push(Renewed {
                        key,
                        version: row.version,
                        value,
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, row = words::hex::encode(&key), "the wrap of an object cannot be renewed");
                    tally.held += 1;
                }
            }
            if bytes > SLICE_BYTES_MAX {
                tally.add(self.write(std::mem::take(&mut slice)).await?);
                bytes = 0;
            }
        }
        tally.add(self.write(slice).await?);
        Ok(tally)
    }

    /// The row's value with its key wrapped under the newest version; `None` if it is already.
    fn renew(&self, key: &[u8], row: &Row, groups: &Groups) -> Result<Option<Vec<u8>>, VaultError> {
        let of_object = |e: seal::RecordError| VaultError::ObjectRecord(e.to_string());
        let at = RECORD_IN_OBJECT_ROW..RECORD_IN_OBJECT_ROW + RECORD_BYTES;
        let short = || VaultError::Record(words::wire::WireError::Short);
        let claimed =
            ClaimedRecord::read(row.value.get(at.clone()).ok_or_else(short)?).map_err(of_object)?;
        let (newest, _) = self.bucket.newest()?;
        let own: KeyId = self.bucket.id.into();
        if claimed.kek().version == newest {
            return Ok(None);
        }
        let group = match claimed.shred_group() {
            false if claimed.kek().id != own => {
                return Err(VaultError::ObjectRecord(
                    "it lies under another key than its bucket's".into(),
                ));
            }
            false => None,
            true => match groups.get(&claimed.kek().id) {
                Some(group) => Some(&**group),
                // Its group was erased: nothing opens it any more, and it is swept.
                None => return Ok(None),
            },
        };
        let object_key = object_keys::open(&self.bucket, &claimed, group, &self.receipt)?;
        let name = key.last_chunk::<32>().ok_or_else(short)?;
        let place = ObjectPlace {
            tenant: self.bucket.owner,
            bucket: self.bucket.id,
            version: claimed.version(),
            name: *name,
        };
        let proven = claimed.prove(&object_key, &place).map_err(of_object)?;
        let (kek, wrapped) =
            object_keys::wrap(&self.host, &self.bucket, group, &object_key, place.version)?;
        let record = proven.rewrapped(kek, wrapped).to_bytes(&object_key);
        let mut value = row.value.to_vec();
        value
            .get_mut(at)
            .ok_or_else(short)?
            .copy_from_slice(&record);
        Ok(Some(value))
    }

    /// Writes renewed rows together, each only while it is the one that was read. One that was written or
    /// deleted by somebody else meanwhile is left out.
    async fn write(&self, mut rows: Vec<Renewed>) -> Result<Tally, VaultError> {
        let mut tally = Tally::default();
        while !rows.is_empty() {
            let commit = Commit {
                op: OpId::from_bytes(self.host.random()),
                preconditions: rows
                    .iter()
                    .map(|row| Precondition::Version(row.key.clone(), row.version))
                    .collect(),
                mutations: rows
                    .iter()
                    .map(|row| Mutation::Put {
                        key: row.key.clone(),
                        value: row.value.clone().into(),
                    })
                    .collect(),
                entries: Vec::new(),
            };
            match self.engine.commit(commit).await {
                Outcome::Committed(_) => {
                    tally.renewed += rows.len() as u64;
                    return Ok(tally);
                }
                Outcome::Conflict { which } if which < rows.len() => {
                    rows.swap_remove(which);
                    tally.raced += 1;
                }
                other => return Err(VaultError::from_outcome(other)),
            }
        }
        Ok(tally)
    }
}

//! Erasing one subject: from the order on nothing opens with its group's key; its objects are taken away one
//! commit at a time; then the key goes. Each step can be repeated after a crash.

use super::grants::member_context;
use super::groups::{open, subject_hash};
use super::{Erase, Group};
use crate::Vault;
use crate::entries::only_receipt;
use crate::error::VaultError;
use crate::record::bucket::{self, BucketRow};
use crate::record::shred::erasure::{self, ErasureRow, Stage};
use crate::record::shred::group::{self, GroupRow};
use crate::record::shred::member::{self, MemberRow};
use crate::record::shred::subject;
use crate::secrets::{Bucket, Secrets, Tenant};
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition, Row};
use ledger::{Entry, Kind};
use seal::{Derives, KeyId, MetaKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use words::limits::SCAN_ROWS_MAX;
use words::{BucketId, ObjectKey, OpId, Subject, TenantName, UnixMillis, VersionId, hex};

/// Members that are taken away in one commit.
const MEMBERS_AT_ONCE: usize = 100;

/// An erasure that was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureBegun {
    /// Its id.
    pub id: [u8; 16],
    /// With the subject this gives the commitment that the receipt carries. It is kept nowhere: whoever has
    /// it can show that a receipt is about that subject, and nobody else can find out.
    pub opening: [u8; 32],
}

/// One erasure, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: [u8; 16],
    /// How it stands.
    pub row: ErasureRow,
    pub(crate) version: u64,
}

/// One object version or upload of a group that is being erased.
pub struct Member {
    key: Vec<u8>,
    bucket: Option<Arc<Bucket>>,
    name: Option<ObjectKey>,
    /// The bucket it is in.
    pub bucket_id: BucketId,
    /// The version, or the upload.
    pub version: VersionId,
    /// The keyed hash of the object's name.
    pub name_hash: [u8; 32],
}

/// The commitment of a receipt to its subject.
#[must_use]
pub fn commitment(opening: &[u8; 32], subject: &Subject) -> [u8; 32] {
    ledger::erasure::subject_commitment(opening, subject.as_str())
}

impl Vault {
    /// Orders the erasure of all that a tenant keeps about one subject. When this returns, nothing of it is
    /// read or written any more; what is left to do is [`Vault::members`] and [`Vault::close_sweep`], and
    /// then a move of the root.
    pub async fn erase_subject(
        &self,
        tenant: &TenantName,
        subject: &Subject,
        reason: &str,
    ) -> Result<ErasureBegun, VaultError> {
        let secrets = self.secrets()?;
        let all = self.tenant_list().await?;
        let info = all.into_iter().find(|info| info.name == *tenant);
        let info = info.ok_or_else(|| VaultError::NoSuchTenant(tenant.to_string()))?;
        let tenant = self.tenant(&secrets, info.id).await?;
        let _shared = secrets.shred.gate.read().await;
        let erase = secrets.shred.erase()?;
        let at = subject::key(tenant.id, &subject_hash(&tenant, subject));
        let there = self.engine.get(&at).await?;
        let there = there.ok_or(VaultError::NoSuchSubject)?;
        let group = subject::decode(&there.value)?;
        let group_at = group::key(erase.version, &group);
        let row = self.engine.get(&group_at).await?;
        let row = row.ok_or(VaultError::NoSuchSubject)?;
        let begun = ErasureBegun {
            id: self.host.random(),
            opening: self.host.random(),
        };
        let found = Found {
            at,
            version: there.version,
            group,
            group_at,
            row,
        };
        let commit = self.order(
            &erase,
            &tenant,
            (&begun, &commitment(&begun.opening, subject)),
            reason,
            found,
        )?;
        match self.engine.commit(commit).await {
            Outcome::Committed(committed) => {
                secrets.shred.groups.remove(&KeyId::from_bytes(group));
                let index = only_receipt(committed)?.index();
                self.note_entry(&begun.id, index).await?;
                Ok(begun)
            }
            other => Err(VaultError::from_outcome(other)),
        }
    }

    fn order(
        &self,
        erase: &Erase,
        tenant: &Tenant,
        (begun, commitment): (&ErasureBegun, &[u8; 32]),
        reason: &str,
        found: Found,
    ) -> Result<Commit, VaultError> {
        let group_row = GroupRow::decode(&found.row.value)?;
        let row = ErasureRow {
            stage: Stage::Sweeping,
            tenant: tenant.id,
            group: found.group,
            commitment: *commitment,
            ordered: self.host.now(),
            born: group_row.born,
            last: erase.version,
            objects: 0,
            uploads: 0,
            entry: 0,
            moved: UnixMillis(0),
            moved_to: 0,
        };
        let mut fields = self.fields(Kind::Destroy);
        fields.operation = Some(ledger::erasure::OPERATION.into());
        fields.tenant = Some(tenant.id);
        fields.resource = Some(hex::encode(commitment));
        fields.reason = Some(reason.to_owned());
        let erasing = GroupRow {
            erasing: true,
            ..group_row
        };
        Ok(Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![
                Precondition::Version(found.at.clone(), found.version),
                Precondition::Version(found.group_at.clone(), found.row.version),
            ],
            mutations: vec![
                Mutation::Delete { key: found.at },
                put(found.group_at, erasing.encode()),
                put(erasure::key(&begun.id), row.encode()),
            ],
            entries: vec![self.entry_for(tenant, &fields)],
        })
    }

    /// Where the order stands in the ledger is known only when it stands there.
    async fn note_entry(&self, id: &[u8; 16], index: u64) -> Result<(), VaultError> {
        self.change_erasure(id, |row| row.entry = index)
            .await
            .map(drop)
    }

    async fn change_erasure(
        &self,
        id: &[u8; 16],
        change: impl Fn(&mut ErasureRow) + Send + Sync,
    ) -> Result<ErasureRow, VaultError> {
        loop {
            let erasure = self.erasure(id).await?;
            let mut row = erasure.row.clone();
            change(&mut row);
            if row == erasure.row {
                return Ok(row);
            }
            let commit = Commit {
                op: OpId::from_bytes(self.host.random()),
                preconditions: vec![erasure.unchanged()],
                mutations: vec![put(erasure::key(id), row.encode())],
                entries: Vec::new(),
            };
            match self.engine.commit(commit).await {
                Outcome::Committed(_) => return Ok(row),
                Outcome::Conflict { .. } => {}
                other => return Err(VaultError::from_outcome(other)),
            }
        }
    }

    /// One erasure.
    pub async fn erasure(&self, id: &[u8; 16]) -> Result<Erasure, VaultError> {
        let row = self.engine.get(&erasure::key(id)).await?;
        let row = row.ok_or_else(|| VaultError::NoSuchErasure(hex::encode(id)))?;
        Erasure::of(*id, &row)
    }

    /// All erasures, oldest first. Needs no key.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, VaultError> {
        let mut all = Vec::new();
        for (key, row) in self.all_rows(erasure::PREFIX).await? {
            all.push(Erasure::of(erasure::id_in(&key)?, &row)?);
        }
        all.sort_by_key(|erasure| erasure.row.ordered);
        Ok(all)
    }

    pub(super) async fn all_rows(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Row)>, VaultError> {
        let mut range = KeyRange::prefix(prefix);
        let mut all = Vec::new();
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let Some((last, _)) = page.last() else {
                return Ok(all);
            };
            range = range.after(last);
            all.extend(page);
        }
    }

    /// The next members of a group that is being erased; none when all are taken away.
    pub async fn members(&self, erasure: &Erasure) -> Result<Vec<Member>, VaultError> {
        let secrets = self.secrets()?;
        let range = KeyRange::prefix(&member::prefix(&erasure.row.group));
        let page = self
            .engine
            .scan(range, MEMBERS_AT_ONCE, Order::Ascending)
            .await?;
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let group = self.erased_group(&secrets, erasure).await?;
        let meta: MetaKey = group.key.derive();
        let of = |(key, _): &(Vec<u8>, Row)| member::ids_in(key).map(|(bucket, _)| bucket);
        let wanted = page.iter().map(of).collect::<Result<_, _>>()?;
        let buckets = self.buckets_by_id(&secrets, erasure, &wanted).await?;
        let mut members = Vec::with_capacity(page.len());
        for (key, row) in page {
            let (bucket_id, version) = member::ids_in(&key)?;
            let row = MemberRow::decode(&row.value)?;
            let name = seal::open_value(&meta, &member_context(&key), &row.sealed_name)?;
            let name = std::str::from_utf8(&name).ok();
            members.push(Member {
                bucket: buckets.get(&bucket_id).cloned(),
                name: name.and_then(|name| ObjectKey::parse(name).ok()),
                key,
                bucket_id,
                version,
                name_hash: row.name_hash,
            });
        }
        Ok(members)
    }

    /// The group of an erasure whose key is still there.
    async fn erased_group(
        &self,
        secrets: &Secrets,
        erasure: &Erasure,
    ) -> Result<Group, VaultError> {
        let erase = secrets.shred.erase()?;
        let key = group::key(erase.version, &erasure.row.group);
        let row = self.engine.get(&key).await?.ok_or(VaultError::Erased)?;
        let id = KeyId::from_bytes(erasure.row.group);
        let row = GroupRow::decode(&row.value)?;
        open(&erase, id, &row, Precondition::Present(key))
    }

    /// Those of the tenant's buckets that are wanted. One whose key is not leased now is waited for: names in it
    /// could not leave its listing.
    async fn buckets_by_id(
        &self,
        secrets: &Secrets,
        erasure: &Erasure,
        wanted: &BTreeSet<BucketId>,
    ) -> Result<BTreeMap<BucketId, Arc<Bucket>>, VaultError> {
        let tenant = self.tenant(secrets, erasure.row.tenant).await?;
        let mut found = BTreeMap::new();
        for (key, row) in self.all_rows(&bucket::prefix(tenant.id)).await? {
            let decoded = BucketRow::decode(&row.value)?;
            if !wanted.contains(&decoded.id) {
                continue;
            }
            let bucket = self
                .open_bucket_row(secrets, &tenant, key, row.version, &decoded)
                .await?;
            found.insert(bucket.id, bucket);
        }
        Ok(found)
    }

    /// The change of the index with which a member's name leaves the listings.
    #[must_use]
    pub fn unlist(&self, member: &Member) -> Option<Mutation> {
        let (bucket, name) = (member.bucket.as_ref()?, member.name.as_ref()?);
        if let Ok(secrets) = self.secrets() {
            Self::changed(&secrets, bucket);
        }
        let salt = self.host.random();
        Some(names::delete_delta(
            &bucket.index_key,
            bucket.id,
            name,
            salt,
        ))
    }

    /// Takes the group's key away, once it has no members any more.
    pub async fn close_sweep(&self, id: &[u8; 16]) -> Result<ErasureRow, VaultError> {
        let secrets = self.secrets()?;
        let _shared = secrets.shred.gate.read().await;
        let erase = secrets.shred.erase()?;
        let erasure = self.erasure(id).await?;
        if erasure.row.stage != Stage::Sweeping {
            return Ok(erasure.row);
        }
        let row = ErasureRow {
            stage: Stage::Swept,
            // The root may have moved since the order, with the group's key.
            last: erase.version,
            ..erasure.row.clone()
        };
        let members = KeyRange::prefix(&member::prefix(&row.group));
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![erasure.unchanged(), Precondition::Empty(members)],
            mutations: vec![
                Mutation::Delete {
                    key: group::key(erase.version, &row.group),
                },
                put(erasure::key(id), row.encode()),
            ],
            entries: Vec::new(),
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => {
                secrets.shred.groups.remove(&KeyId::from_bytes(row.group));
                Ok(row)
            }
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// Writes down that the root has moved to `version` for every erasure that waited for it, and makes the
    /// entry about it.
    pub(super) async fn close_erasures(
        &self,
        version: u32,
        entry: Entry,
    ) -> Result<u64, VaultError> {
        self.note(entry).await?;
        let now = self.host.now();
        let mut closed = 0;
        for erasure in self.erasures().await? {
            if erasure.row.stage == Stage::Swept && erasure.row.last < version {
                self.change_erasure(&erasure.id, |row| {
                    row.stage = Stage::Moved;
                    row.moved = now;
                    row.moved_to = version;
                })
                .await?;
                closed += 1;
            }
        }
        Ok(closed)
    }
}

/// What an order found.
struct Found {
    at: Vec<u8>,
    version: u64,
    group: [u8; 16],
    group_at: Vec<u8>,
    row: Row,
}

impl Erasure {
    fn of(id: [u8; 16], row: &Row) -> Result<Self, VaultError> {
        Ok(Self {
            id,
            row: ErasureRow::decode(&row.value)?,
            version: row.version,
        })
    }
    /// Holds as long as nobody changed it.
    #[must_use]
    pub fn unchanged(&self) -> Precondition {
        Precondition::Version(erasure::key(&self.id), self.version)
    }
    /// It with so many more objects and uploads taken away: goes into the commit that takes them away.
    #[must_use]
    pub fn counted(&self, objects: u64, uploads: u64) -> Mutation {
        let row = ErasureRow {
            objects: self.row.objects + objects,
            uploads: self.row.uploads + uploads,
            ..self.row.clone()
        };
        put(erasure::key(&self.id), row.encode())
    }
}

impl Member {
    /// The member is listed no more.
    #[must_use]
    pub fn gone(&self) -> Mutation {
        Mutation::Delete {
            key: self.key.clone(),
        }
    }
}

pub(super) fn put(key: Vec<u8>, value: Vec<u8>) -> Mutation {
    Mutation::Put {
        key,
        value: value.into(),
    }
}

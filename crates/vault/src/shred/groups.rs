//! Finding a group's key, by the subject when something is written and by the group's id when it is read.

use super::{Erase, Group};
use crate::Vault;
use crate::error::VaultError;
use crate::record::shred::group::{self, GroupRow};
use crate::record::shred::subject;
use crate::secrets::{Secrets, Tenant};
use catalog::{Commit, Mutation, Outcome, Precondition};
use seal::{Derives, GroupKey, KeyId, MetaKey, Wrapped};
use std::sync::Arc;
use words::{OpId, Subject, TenantId};

/// How often a group that is made twice at once is looked for again.
const RACES_MAX: usize = 16;

/// The keyed hash of a subject. The label holds a byte that no bucket's name has, because the same key hashes
/// those.
pub(crate) fn subject_hash(tenant: &Tenant, subject: &Subject) -> [u8; 32] {
    let labelled = [b"subject\0".as_slice(), subject.as_str().as_bytes()].concat();
    seal::name_hash(&tenant.name_key, &labelled)
}

fn subject_context(group: KeyId) -> Vec<u8> {
    [b"subject\0".as_slice(), group.as_bytes()].concat()
}

impl Vault {
    /// The group of this id; `None` if it was erased.
    pub(crate) async fn group(
        &self,
        secrets: &Secrets,
        id: KeyId,
    ) -> Result<Option<Arc<Group>>, VaultError> {
        if let Some(group) = secrets.shred.groups.get(&id) {
            return Ok(Some(group));
        }
        loop {
            let erase = secrets.shred.erase()?;
            let key = group::key(erase.version, id.as_bytes());
            let Some(row) = self.engine.get(&key).await? else {
                if secrets.shred.erase()?.version == erase.version {
                    return Ok(None);
                }
                // The root moved on while the row was looked for.
                continue;
            };
            let row = GroupRow::decode(&row.value)?;
            if row.erasing {
                return Ok(None);
            }
            let at = subject::key(row.tenant, &row.subject);
            let Some(subject) = self.engine.get(&at).await? else {
                return Ok(None);
            };
            if subject::decode(&subject.value)? != *id.as_bytes() {
                return Ok(None);
            }
            let group = Arc::new(open(
                &erase,
                id,
                &row,
                Precondition::Version(at, subject.version),
            )?);
            secrets.shred.groups.insert(id, Arc::clone(&group));
            return Ok(Some(group));
        }
    }

    /// The group of this subject, made if there is none.
    pub(crate) async fn group_of(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        of: &Subject,
    ) -> Result<Arc<Group>, VaultError> {
        let hash = subject_hash(tenant, of);
        let at = subject::key(tenant.id, &hash);
        for _ in 0..RACES_MAX {
            if let Some(row) = self.engine.get(&at).await? {
                let id = KeyId::from_bytes(subject::decode(&row.value)?);
                if let Some(group) = self.group(secrets, id).await? {
                    return Ok(group);
                }
            } else {
                self.make_group(secrets, tenant.id, hash, of).await?;
            }
        }
        Err(VaultError::Conflict)
    }

    async fn make_group(
        &self,
        secrets: &Secrets,
        tenant: TenantId,
        hash: [u8; 32],
        of: &Subject,
    ) -> Result<(), VaultError> {
        // A move of the root copies every group: none may be made behind its back.
        let _shared = secrets.shred.gate.read().await;
        let erase = secrets.shred.erase()?;
        let id = KeyId::from_bytes(self.host.random());
        let key = GroupKey::from_bytes(self.host.random());
        let meta: MetaKey = key.derive();
        let context = erase.wrap_context(id);
        let row = GroupRow {
            erasing: false,
            tenant,
            subject: hash,
            created: self.host.now(),
            born: erase.version,
            key: *seal::wrap(&erase.key, &key, &context, self.host.random()).as_bytes(),
            sealed_subject: seal::seal_value(
                &meta,
                &subject_context(id),
                self.host.random(),
                of.as_str().as_bytes(),
            ),
        };
        let at = subject::key(tenant, &hash);
        let put = |key, value: Vec<u8>| Mutation::Put {
            key,
            value: value.into(),
        };
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![Precondition::Absent(at.clone())],
            mutations: vec![
                put(at, subject::encode(id.as_bytes())),
                put(group::key(erase.version, id.as_bytes()), row.encode()),
            ],
            entries: Vec::new(),
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) | Outcome::Conflict { .. } => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

/// Opens a group from its row.
pub(super) fn open(
    erase: &Erase,
    id: KeyId,
    row: &GroupRow,
    stands: Precondition,
) -> Result<Group, VaultError> {
    let wrapped = Wrapped::from_bytes(row.key);
    let key: GroupKey = seal::unwrap(&erase.key, &wrapped, &erase.wrap_context(id))?;
    let meta: MetaKey = key.derive();
    let text = seal::open_value(&meta, &subject_context(id), &row.sealed_subject)?;
    let subject = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| Subject::parse(text).ok())
        .ok_or(words::wire::WireError::Field("subject"))?;
    Ok(Group {
        id,
        key,
        subject,
        stands,
    })
}

//! A person's keys. One hangs under the tenant's name key; where the tenant keeps objects about the person, another
//! hangs under the key of their shred group, and what is written from then on lies under that one and is erased with it.

use crate::Vault;
use crate::error::VaultError;
use crate::record::shred::subject;
use crate::secrets::{Secrets, Tenant};
use crate::shred::{Group, subject_hash};
use ::people::chain::{Chain, Label};
use ::people::record::line::{self, LineRow};
use catalog::{Mutation, Precondition};
use seal::{Derives, KeyId, NameKey};
use std::sync::Arc;
use words::Subject;
use zeroize::Zeroizing;

/// Lines that an order defers lie in chains of their own: a gap in the other would tell of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Plain,
    Deferred,
}

/// How far behind a chain's end is looked for lines that only a gap can have cut off.
const BEHIND: u64 = 16;

fn of_key(key: &NameKey, subject: &Subject, sort: Sort) -> Chain {
    let sort = match sort {
        Sort::Plain => b"person\0plain\0".as_slice(),
        Sort::Deferred => b"person\0deferred\0",
    };
    // The label holds a byte that no bucket's name has, because a tenant's name key hashes those.
    let said = Zeroizing::new([sort, subject.as_str().as_bytes()].concat());
    Chain::of(&Zeroizing::new(seal::name_hash(key, &said)))
}

/// The chain that is there for everybody.
pub(super) fn of_tenant(tenant: &Tenant, subject: &Subject, sort: Sort) -> Chain {
    of_key(&tenant.name_key, subject, sort)
}

/// The chain that is erased with the group.
pub(super) fn of_group(group: &Group, sort: Sort) -> Chain {
    let key: NameKey = group.key.derive();
    of_key(&key, &group.subject, sort)
}

/// A line that is about to be written.
pub(super) fn put(chain: &Chain, label: &Label, row: &LineRow, salt: [u8; 24]) -> Mutation {
    Mutation::Put {
        key: line::key(label),
        value: row.seal(chain, label, salt).into(),
    }
}

/// Holds as long as nothing lies under a label.
pub(super) fn free(label: &Label) -> Precondition {
    Precondition::Absent(line::key(label))
}

impl Vault {
    /// The person's group, if the tenant keeps objects about them.
    pub(super) async fn group_if_any(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        of: &Subject,
    ) -> Result<Option<Arc<Group>>, VaultError> {
        let at = subject::key(tenant.id, &subject_hash(tenant, of));
        let Some(row) = self.engine.get(&at).await? else {
            return Ok(None);
        };
        let id = KeyId::from_bytes(subject::decode(&row.value)?);
        self.group(secrets, id).await
    }

    /// The chain to which a person's next line is added.
    pub(super) async fn chain_of(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        of: &Subject,
        sort: Sort,
    ) -> Result<Chain, VaultError> {
        let group = self.group_if_any(secrets, tenant, of).await?;
        Ok(match group {
            Some(group) => of_group(&group, sort),
            None => of_tenant(tenant, of, sort),
        })
    }

    async fn is_there(&self, chain: &Chain, counter: u64) -> Result<bool, VaultError> {
        let key = line::key(&chain.label(counter));
        Ok(self.engine.get(&key).await?.is_some())
    }

    /// The first counter of a chain under which nothing lies. The caller holds the chain's lock until it has written.
    pub(super) async fn next_counter(
        &self,
        secrets: &Secrets,
        chain: &Chain,
    ) -> Result<u64, VaultError> {
        if let Some(next) = secrets.people.next.get(&chain.id()) {
            return Ok(next);
        }
        let mut not = 0;
        if self.is_there(chain, 0).await? {
            let mut there = 0;
            not = 1;
            while self.is_there(chain, not).await? {
                (there, not) = (not, not * 2);
            }
            while not - there > 1 {
                let middle = there + (not - there) / 2;
                match self.is_there(chain, middle).await? {
                    true => there = middle,
                    false => not = middle,
                }
            }
        }
        // A line that was taken away is not covered up by a new one.
        match self.is_there(chain, not + 1).await? {
            true => Err(gone(not, not + 1)),
            false => Ok(not),
        }
    }

    /// Every line of a chain, in order, with the version of the commit that wrote it.
    pub(super) async fn lines_of(&self, chain: &Chain) -> Result<Vec<(u64, LineRow)>, VaultError> {
        let mut lines = Vec::new();
        for counter in 0.. {
            let label = chain.label(counter);
            let Some(row) = self.engine.get(&line::key(&label)).await? else {
                break;
            };
            let opened = LineRow::open(chain, &label, &row.value);
            let opened = opened.map_err(|_| {
                VaultError::RowAltered(format!("line {counter} of a person's record"))
            })?;
            lines.push((row.version, opened));
        }
        let end = lines.len() as u64;
        for counter in end + 1..=end + BEHIND {
            if self.is_there(chain, counter).await? {
                return Err(gone(end, counter));
            }
        }
        Ok(lines)
    }
}

fn gone(line: u64, there: u64) -> VaultError {
    VaultError::RowAltered(format!(
        "line {line} of a person's record (it is gone, and line {there} is there)"
    ))
}

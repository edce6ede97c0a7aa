//! Before a byte of a statement leaves: each of its tables that is about persons stands for everybody.

use super::reads::visible_from;
use crate::Vault;
use crate::error::VaultError;
use crate::secrets::Secrets;
use crate::statements::{StatementGrant, TableGrant};
use ::people::record::whole::{Extent, WholeRow};
use catalog::{Commit, Outcome};
use words::OpId;

/// Whom a table can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touches {
    /// Nobody.
    Nobody,
    /// Persons, and the statement's end says which.
    Named,
    /// Persons, and nobody can say which: the objects of a table about persons, read past it.
    Unnamed,
}

impl Vault {
    /// Whom what is granted of a table can be about.
    pub(super) async fn touches(
        &self,
        secrets: &Secrets,
        table: &TableGrant,
    ) -> Result<Touches, VaultError> {
        let def = table.def();
        if table.receipt.is_none() {
            return Ok(Touches::Nobody);
        }
        if def.subject.is_some() {
            return Ok(Touches::Named);
        }
        let prefix = def.prefix.as_str();
        let past = self.in_person_table(secrets, &table.owner, &def.bucket, |other| {
            prefix.starts_with(other) || other.starts_with(prefix)
        });
        if past.await? {
            return Ok(Touches::Unnamed);
        }
        let grouped = |(_, object): &(_, std::sync::Arc<crate::OpenObject>)| object.group.is_some();
        Ok(match table.objects().iter().any(grouped) {
            true => Touches::Named,
            false => Touches::Nobody,
        })
    }

    /// Makes it durable that each table of a statement that is about persons may have been about anybody.
    pub(crate) async fn mark_open(
        &self,
        secrets: &Secrets,
        grant: &StatementGrant,
    ) -> Result<(), VaultError> {
        let mut mutations = Vec::new();
        for table in grant.tables() {
            let Some(receipt) = &table.receipt else {
                continue;
            };
            if self.touches(secrets, table).await? == Touches::Nobody {
                continue;
            }
            let row = WholeRow {
                extent: Extent::Open,
                index: Some(receipt.index()),
                visible: visible_from(&table.who),
            };
            mutations.push(self.whole_put(&table.owner, receipt.leaf_hash(), row));
        }
        if mutations.is_empty() {
            return Ok(());
        }
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: Vec::new(),
            mutations,
            entries: Vec::new(),
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

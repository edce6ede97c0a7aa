//! Reads of objects: one about a person has its line in the same commit as its entry; one in which a table's rows about
//! persons lie counts as a read of the whole dataset.

use super::chains::{self, Sort};
use super::{PersonTables, Tables};
use crate::Vault;
use crate::entries::{Who, only_receipt};
use crate::error::VaultError;
use crate::secrets::{Secrets, Tenant};
use crate::shred::Group;
use ::people::record::line::{About, LineRow};
use ::people::record::whole::{self, Extent, WholeRow};
use ::people::{Membership, PersonSet};
use catalog::{Commit, Mutation, Outcome, Precondition};
use ledger::{Entry, Fields, Receipt};
use std::sync::Arc;
use words::{BucketName, ObjectKey, OpId, UnixMillis};

/// How often a line that lost a race is written again.
pub(super) const RACES_MAX: usize = 8;

/// From when on those concerned are told.
pub(super) fn visible_from(who: &Who) -> UnixMillis {
    who.under
        .as_ref()
        .map_or(UnixMillis(0), |under| under.visible_from)
}

pub(super) fn sort_of(visible: UnixMillis, now: UnixMillis) -> Sort {
    match visible > now {
        true => Sort::Deferred,
        false => Sort::Plain,
    }
}

impl Vault {
    /// Makes the entry of a read durable, together with what the persons concerned will be told of it.
    pub(crate) async fn record_read(
        &self,
        who: &Who,
        fields: Fields,
        (bucket, name): (&BucketName, &ObjectKey),
        group: Option<&Group>,
    ) -> Result<Receipt, VaultError> {
        let secrets = self.secrets()?;
        if let Some(group) = group {
            return self.record_about(&secrets, who, fields, group).await;
        }
        let told = fields.operation.as_deref() != Some("HeadObject")
            && self
                .in_person_table(&secrets, &who.owner, bucket, |prefix| {
                    name.as_str().starts_with(prefix)
                })
                .await?;
        let entry = self.entry_for(&who.owner, &fields);
        if !told {
            return self.record(entry).await;
        }
        let leaf = entry.leaf().hash();
        let row = WholeRow {
            extent: Extent::Whole,
            index: None,
            visible: visible_from(who),
        };
        let put = self.whole_put(&who.owner, &leaf, row);
        self.record_with(vec![], vec![put], entry).await
    }

    async fn record_about(
        &self,
        secrets: &Secrets,
        who: &Who,
        mut fields: Fields,
        group: &Group,
    ) -> Result<Receipt, VaultError> {
        let visible = visible_from(who);
        let chain = chains::of_group(group, sort_of(visible, self.host.now()));
        let _held = secrets.people.hold([chain.id()].into_iter()).await;
        for _ in 0..RACES_MAX {
            let counter = self.next_counter(secrets, &chain).await?;
            let label = chain.label(counter);
            fields.subject_set = Some(PersonSet::of(vec![label]).root());
            let entry = self.entry_for(&who.owner, &fields);
            let row = LineRow {
                about: About::Object,
                shown: false,
                index: None,
                leaf: entry.leaf().hash(),
                time: fields.time,
                visible,
                committed: label,
                at: Membership::alone(),
            };
            let put = chains::put(&chain, &label, &row, self.host.random());
            let done = self.record_with(vec![chains::free(&label)], vec![put], entry);
            match done.await {
                Ok(receipt) => {
                    secrets.people.next.insert(chain.id(), counter + 1);
                    return Ok(receipt);
                }
                Err(VaultError::Conflict) => {
                    secrets.people.next.remove(&chain.id());
                }
                Err(other) => {
                    secrets.people.next.remove(&chain.id());
                    return Err(other);
                }
            }
        }
        Err(VaultError::Conflict)
    }

    /// Makes one entry durable together with rows.
    pub(super) async fn record_with(
        &self,
        preconditions: Vec<Precondition>,
        mutations: Vec<Mutation>,
        entry: Entry,
    ) -> Result<Receipt, VaultError> {
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions,
            mutations,
            entries: vec![entry],
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(committed) => only_receipt(committed),
            Outcome::Conflict { .. } => Err(VaultError::Conflict),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// The row of an access to a whole dataset.
    pub(super) fn whole_put(&self, tenant: &Tenant, leaf: &[u8; 32], row: WholeRow) -> Mutation {
        let key = whole::key(tenant.id, leaf);
        let context = whole::context(&key);
        let (salt, plain) = (self.host.random(), row.encode());
        Mutation::Put {
            value: seal::seal_value(&tenant.meta_key, &context, salt, &plain).into(),
            key,
        }
    }

    /// Whether something in a bucket is part of a table that names persons.
    pub(super) async fn in_person_table(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        bucket: &BucketName,
        touches: impl Fn(&str) -> bool + Send + Sync,
    ) -> Result<bool, VaultError> {
        let tables = self.person_tables(secrets, tenant).await?;
        Ok(tables
            .iter()
            .any(|(of, prefix)| of == bucket && touches(prefix)))
    }

    async fn person_tables(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
    ) -> Result<PersonTables, VaultError> {
        let changes = {
            let Tables { changes, known } = &*secrets.people.tables();
            if let Some(tables) = known.get(&tenant.id) {
                return Ok(Arc::clone(tables));
            }
            *changes
        };
        let rows = self.tables_of(tenant).await?.into_iter();
        let found: PersonTables = Arc::new(
            rows.filter(|row| row.def.subject.is_some())
                .map(|row| (row.def.bucket, row.def.prefix))
                .collect(),
        );
        let mut tables = secrets.people.tables();
        if tables.changes == changes {
            tables.known.insert(tenant.id, Arc::clone(&found));
        }
        Ok(found)
    }
}

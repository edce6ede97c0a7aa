//! A person is told who used their data: that they were told is on the ledger first, and is a line of their own record.
//! Lines whose day has come are moved to where they are shown.

use super::chains::{self, Sort};
use super::reads::RACES_MAX;
use crate::Vault;
use crate::error::VaultError;
use crate::secrets::{Secrets, Tenant};
use crate::shred::Group;
use ::people::chain::Chain;
use ::people::record::line::{About, LineRow};
use ::people::{Membership, OPERATION, PersonSet};
use catalog::{Commit, Outcome};
use ledger::{Fields, Kind};
use std::sync::Arc;
use words::{OpId, Subject, TenantName, hex};

/// Whose record is asked for.
pub(super) struct Person {
    pub name: TenantName,
    pub tenant: Arc<Tenant>,
    pub subject: Subject,
    pub group: Option<Arc<Group>>,
}

impl Person {
    /// The chains that are shown, with the names they have in an answer.
    pub fn shown(&self) -> Vec<(&'static str, Chain)> {
        self.chains(Sort::Plain)
    }

    fn chains(&self, sort: Sort) -> Vec<(&'static str, Chain)> {
        let mut all = vec![(
            "tenant",
            chains::of_tenant(&self.tenant, &self.subject, sort),
        )];
        if let Some(group) = &self.group {
            all.push(("group", chains::of_group(group, sort)));
        }
        all
    }
}

impl Vault {
    pub(super) async fn person(
        &self,
        secrets: &Secrets,
        tenant: &TenantName,
        subject: &Subject,
    ) -> Result<Person, VaultError> {
        let all = self.tenant_list().await?;
        let info = all.into_iter().find(|info| info.name == *tenant);
        let info = info.ok_or_else(|| VaultError::NoSuchTenant(tenant.to_string()))?;
        let tenant = self.tenant(secrets, info.id).await?;
        Ok(Person {
            name: info.name,
            group: self.group_if_any(secrets, &tenant, subject).await?,
            tenant,
            subject: subject.clone(),
        })
    }

    /// Records that a person is about to be told, and gives the index of the entry. `commitment` stands for the person.
    pub(super) async fn record_answer(
        &self,
        secrets: &Secrets,
        person: &Person,
        commitment: &[u8; 32],
        reason: Option<&str>,
    ) -> Result<u64, VaultError> {
        let mut fields = self.fields(Kind::Usage);
        fields.operation = Some(OPERATION.into());
        fields.tenant = Some(person.tenant.id);
        fields.resource = Some(hex::encode(commitment));
        fields.reason = reason.map(str::to_owned);
        let mut shown = person.shown();
        let Some((_, chain)) = shown.pop() else {
            return Err(VaultError::NoSuchSubject);
        };
        let _held = secrets.people.hold([chain.id()].into_iter()).await;
        for _ in 0..RACES_MAX {
            match self.try_record(secrets, person, &chain, &mut fields).await {
                Err(VaultError::Conflict) => {}
                outcome => return outcome,
            }
        }
        Err(VaultError::Conflict)
    }

    async fn try_record(
        &self,
        secrets: &Secrets,
        person: &Person,
        chain: &Chain,
        fields: &mut Fields,
    ) -> Result<u64, VaultError> {
        let counter = self.next_counter(secrets, chain).await?;
        let label = chain.label(counter);
        fields.subject_set = Some(PersonSet::of(vec![label]).root());
        let entry = self.entry_for(&person.tenant, fields);
        let row = LineRow {
            about: About::Answer,
            shown: false,
            index: None,
            leaf: entry.leaf().hash(),
            time: fields.time,
            visible: words::UnixMillis(0),
            committed: label,
            at: Membership::alone(),
        };
        let put = chains::put(chain, &label, &row, self.host.random());
        // Whether it succeeds or not: the next one looks for itself.
        secrets.people.next.remove(&chain.id());
        let receipt = self
            .record_with(vec![chains::free(&label)], vec![put], entry)
            .await?;
        secrets.people.next.insert(chain.id(), counter + 1);
        Ok(receipt.index())
    }

    /// Shows what was deferred and may be shown now: each such line gets a label of the chain that is shown.
    pub(super) async fn show_deferred(
        &self,
        secrets: &Secrets,
        person: &Person,
    ) -> Result<(), VaultError> {
        let deferred = person.chains(Sort::Deferred).into_iter();
        for ((_, deferred), (_, shown)) in deferred.zip(person.shown()) {
            let ids = [deferred.id(), shown.id()];
            let _held = secrets.people.hold(ids.into_iter()).await;
            let lines = self.lines_of(&deferred).await?;
            for (counter, (version, line)) in (0..).zip(lines) {
                if !line.shown && line.visible <= self.host.now() {
                    self.show_line(secrets, (&deferred, counter), &shown, version, line)
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn show_line(
        &self,
        secrets: &Secrets,
        (deferred, counter): (&Chain, u64),
        shown: &Chain,
        version: u64,
        line: LineRow,
    ) -> Result<(), VaultError> {
        let index = match line.index {
            Some(index) => index,
            None => self.index_of(version, &line.leaf).await?,
        };
        let line = LineRow {
            index: Some(index),
            ..line
        };
        let label = shown.label(self.next_counter(secrets, shown).await?);
        secrets.people.next.remove(&shown.id());
        let done = LineRow {
            shown: true,
            ..line.clone()
        };
        let before = deferred.label(counter);
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![chains::free(&label)],
            mutations: vec![
                chains::put(shown, &label, &line, self.host.random()),
                chains::put(deferred, &before, &done, self.host.random()),
            ],
            entries: Vec::new(),
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

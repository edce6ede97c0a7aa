//! The end of a statement: for each table the entry that closes its grant, and lines under the labels of the persons
//! whose rows were read. All of it is durable when this returns; what does not fit into the last commit goes before it,
//! while the table still stands for everybody.

use super::chains::{self, Sort};
use super::marks::Touches;
use super::reads::{RACES_MAX, sort_of, visible_from};
use crate::Vault;
use crate::error::VaultError;
use crate::secrets::Secrets;
use crate::statements::{StatementGrant, TableGrant};
use ::people::PersonSet;
use ::people::chain::{Chain, Label};
use ::people::record::line::{About, LineRow};
use ::people::record::whole::{self, Extent, WholeRow};
use catalog::{Commit, Mutation, Outcome, Precondition};
use ledger::{Entry, Fields, Kind, Receipt};
use statement::limits::SUBJECTS_MAX;
use statement::{Ended, Whom};
use std::collections::{BTreeMap, BTreeSet};
use words::{OpId, Subject};

/// Lines in one commit: with preconditions, the ends of all tables and their marks it stays below the catalog's limits.
const LINES_AT_ONCE: usize = 400;

/// Whom one table was about.
enum Read {
    /// Nobody: it is not about persons, or no row was read.
    Nobody,
    /// Each of these, once.
    These(Vec<Subject>),
    /// Perhaps anybody.
    Whole,
}

/// The end of one table.
struct End<'a> {
    table: &'a TableGrant,
    receipt: &'a Receipt,
    fields: Fields,
    touches: Touches,
    persons: Vec<(Chain, Label)>,
    whole: bool,
}

/// A line that is to be written.
struct Written {
    free: Precondition,
    put: Mutation,
}

impl Vault {
    /// Writes down how a statement ended.
    pub(crate) async fn close_tables(
        &self,
        grant: &StatementGrant,
        ended: &Ended,
    ) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let mut ends = Vec::new();
        for ((table, bytes), whom) in grant.tables().iter().zip(&ended.bytes).zip(&ended.whom) {
            let Some(receipt) = &table.receipt else {
                continue;
            };
            let mut fields = self.fields(Kind::Close);
            fields.tenant = Some(table.owner.id);
            fields.link = Some(receipt.index());
            fields.bytes = Some(*bytes);
            fields.rows = Some(ended.rows);
            fields.reason.clone_from(&ended.broken);
            let touches = self.touches(&secrets, table).await?;
            let read = read_of(table, touches, *bytes, whom);
            let mut end = End {
                table,
                receipt,
                fields,
                touches,
                persons: Vec::new(),
                whole: matches!(read, Read::Whole),
            };
            if let Read::These(subjects) = read {
                let sort = sort_of(visible_from(&table.who), self.host.now());
                end.persons = self.chains(&secrets, table, subjects, sort).await?;
            }
            ends.push(end);
        }
        let chains = ends.iter().flat_map(|end| &end.persons);
        let _held = secrets
            .people
            .hold(chains.map(|(chain, _)| chain.id()))
            .await;
        for _ in 0..RACES_MAX {
            if self.try_close(&secrets, &mut ends).await? {
                return Ok(());
            }
        }
        Err(VaultError::Conflict)
    }

    async fn chains(
        &self,
        secrets: &Secrets,
        table: &TableGrant,
        subjects: Vec<Subject>,
        sort: Sort,
    ) -> Result<Vec<(Chain, Label)>, VaultError> {
        let mut chains = Vec::with_capacity(subjects.len());
        for subject in &subjects {
            let chain = self.chain_of(secrets, &table.owner, subject, sort).await?;
            chains.push((chain, [0; 32]));
        }
        Ok(chains)
    }

    /// Writes everything; `false` if somebody else has written under one of the labels.
    async fn try_close(&self, secrets: &Secrets, ends: &mut [End<'_>]) -> Result<bool, VaultError> {
        let next = self.give_labels(secrets, ends).await?;
        let mut lines = Vec::new();
        for end in ends.iter_mut() {
            self.lines_of_end(end, &mut lines);
        }
        let mut before = lines;
        let last = before.split_off(before.len().saturating_sub(LINES_AT_ONCE));
        while !before.is_empty() {
            let rest = before.split_off(before.len().min(LINES_AT_ONCE));
            let chunk = std::mem::replace(&mut before, rest);
            if !self.commit_lines(chunk, Vec::new(), Vec::new()).await? {
                self.forget(secrets, &next);
                return Ok(false);
            }
        }
        let (mut entries, mut marks) = (Vec::new(), Vec::new());
        for end in ends.iter() {
            entries.push(self.entry_for(&end.table.owner, &end.fields));
            self.marks_of(end, &mut marks);
        }
        let done = self.commit_lines(last, marks, entries).await;
        match done {
            Ok(true) => {
                for (id, counter) in next {
                    secrets.people.next.insert(id, counter);
                }
            }
            _ => self.forget(secrets, &next),
        }
        done
    }

    fn forget(&self, secrets: &Secrets, next: &BTreeMap<Label, u64>) {
        for id in next.keys() {
            secrets.people.next.remove(id);
        }
    }

    /// Gives each person of each table the next label of their chain.
    async fn give_labels(
        &self,
        secrets: &Secrets,
        ends: &mut [End<'_>],
    ) -> Result<BTreeMap<Label, u64>, VaultError> {
        let mut next: BTreeMap<Label, u64> = BTreeMap::new();
        for (chain, label) in ends.iter_mut().flat_map(|end| &mut end.persons) {
            let id = chain.id();
            let counter = match next.get(&id) {
                Some(counter) => *counter,
                None => self.next_counter(secrets, chain).await?,
            };
            *label = chain.label(counter);
            next.insert(id, counter + 1);
        }
        Ok(next)
    }

    /// The lines of one table. Its entry commits to their labels.
    fn lines_of_end(&self, end: &mut End<'_>, lines: &mut Vec<Written>) {
        if end.persons.is_empty() {
            return;
        }
        let set = PersonSet::of(end.persons.iter().map(|(_, label)| *label).collect());
        end.fields.subject_set = Some(set.root());
        for (chain, label) in &end.persons {
            let Some(at) = set.membership(label) else {
                continue;
            };
            let row = LineRow {
                about: About::Statement,
                shown: false,
                index: Some(end.receipt.index()),
                leaf: *end.receipt.leaf_hash(),
                time: end.fields.time,
                visible: visible_from(&end.table.who),
                committed: *label,
                at,
            };
            lines.push(Written {
                free: chains::free(label),
                put: chains::put(chain, label, &row, self.host.random()),
            });
        }
    }

    /// What becomes of the row that stood for everybody.
    fn marks_of(&self, end: &End<'_>, marks: &mut Vec<Mutation>) {
        let (owner, leaf) = (&end.table.owner, end.receipt.leaf_hash());
        if end.touches == Touches::Nobody {
            return;
        }
        marks.push(match end.whole {
            true => {
                let row = WholeRow {
                    extent: Extent::Whole,
                    index: Some(end.receipt.index()),
                    visible: visible_from(&end.table.who),
                };
                self.whole_put(owner, leaf, row)
            }
            false => Mutation::Delete {
                key: whole::key(owner.id, leaf),
            },
        });
        if end.whole || !end.persons.is_empty() {
            marks.push(Mutation::Put {
                key: whole::closed_key(owner.id, leaf),
                value: whole::closed().into(),
            });
        }
    }

    async fn commit_lines(
        &self,
        lines: Vec<Written>,
        mut mutations: Vec<Mutation>,
        entries: Vec<Entry>,
    ) -> Result<bool, VaultError> {
        let mut preconditions = Vec::with_capacity(lines.len());
        for line in lines {
            preconditions.push(line.free);
            mutations.push(line.put);
        }
        if mutations.is_empty() && entries.is_empty() {
            return Ok(true);
        }
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions,
            mutations,
            entries,
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(true),
            Outcome::Conflict { .. } => Ok(false),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

/// Whom a table was about, by what the engine says and by the objects that were open.
fn read_of(table: &TableGrant, touches: Touches, bytes: u64, whom: &Whom) -> Read {
    let named = match (touches, whom) {
        (Touches::Nobody, _) => return Read::Nobody,
        (Touches::Unnamed, _) if bytes > 0 => return Read::Whole,
        (_, Whom::Whole) => return Read::Whole,
        (_, Whom::These(named)) => named.as_slice(),
        (_, Whom::Nobody) => &[],
    };
    let mut persons: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    // A row without a person is about nobody who could ask.
    persons.remove("");
    if bytes > 0 {
        let groups = table.objects().iter();
        let groups = groups.filter_map(|(_, object)| object.group.as_deref());
        persons.extend(groups.map(|group| group.subject.as_str()));
    }
    let count = persons.len();
    let parsed: Vec<Subject> = persons
        .into_iter()
        .filter_map(|person| Subject::parse(person).ok())
        .collect();
    match parsed.len() {
        0 if count == 0 => Read::Nobody,
        // A name under which nobody can ask: then it counts as about everybody.
        found if found < count || count > SUBJECTS_MAX => Read::Whole,
        _ => Read::These(parsed),
    }
}

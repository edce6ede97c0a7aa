//! What was shown of groups of persons, so that nobody is found by the difference of two answers. A group that differs from one
//! that was shown before, for the same table, consumer and column, by fewer persons than the agreement's smallest group
//! has, is not shown; the same group may be asked again.

use super::StatementGrant;
use super::grant::TableGrant;
use super::places::Basis;
use crate::Vault;
use crate::error::VaultError;
use crate::record::cohorts::CohortsRow;
use crate::record::identity::{self, Sort};
use crate::secrets::Tenant;
use crate::standing::hashed;
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition, Row};
use ledger::Kind;
use statement::limits::COHORTS_MAX;
use statement::{Cohort, Release};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;
use words::OpId;
use words::limits::SCAN_ROWS_MAX;

/// Groups that are remembered for one table and consumer.
const KEPT_MAX: usize = 100_000;
/// Tables and consumers whose groups are held in memory.
const TABLES_MAX: usize = 32;
/// Tries, when another gate shows groups of the same table at the same time.
const TRIES: usize = 5;
/// Bytes of a key's part that names the table and the consumer.
const NAMED_BYTES: usize = 16;

/// The groups that were shown, of the tables that were asked for last.
#[derive(Default)]
pub struct Shown(Mutex<BTreeMap<Vec<u8>, Held>>);

/// Read or not; whoever holds it decides alone about its table and consumer.
type Held = Arc<Mutex<Option<Kept>>>;

impl Shown {
    /// What is kept under a prefix, read or not.
    async fn of(&self, prefix: &[u8]) -> Held {
        let mut all = self.0.lock().await;
        if let Some(kept) = all.get(prefix) {
            return Arc::clone(kept);
        }
        // Whoever uses one that is forgotten here goes on with it; what it writes is held against the catalog.
        while all.len() >= TABLES_MAX {
            all.pop_first();
        }
        let kept = Arc::default();
        all.insert(prefix.to_vec(), Arc::clone(&kept));
        kept
    }
}

/// All groups of one table and consumer.
#[derive(Default)]
struct Kept {
    /// By what is said of them and how many they are.
    cohorts: BTreeMap<(String, u64), Vec<Cohort>>,
    count: usize,
    /// The last row, which has room perhaps, and how many rows there are.
    last: CohortsRow,
    at: Option<Row>,
    rows: u64,
}

impl Kept {
    fn add(&mut self, cohort: Cohort) {
        let key = (cohort.measure.clone(), cohort.persons);
        self.cohorts.entry(key).or_default().push(cohort);
        self.count += 1;
    }

    /// By how many persons a group differs from the one that is nearest to it, if that is fewer than `watched`.
    fn nearest(&self, cohort: &Cohort, watched: u32) -> Option<usize> {
        let around = u64::from(watched);
        let first = (
            cohort.measure.clone(),
            cohort.persons.saturating_sub(around),
        );
        let last = (
            cohort.measure.clone(),
            cohort.persons.saturating_add(around),
        );
        self.cohorts
            .range(first..=last)
            .flat_map(|(_, near)| near)
            .map(|other| cohort.differs_by(other, watched))
            .filter(|by| *by < watched as usize)
            // One that was shown already says nothing new; one that is near another all the same was shown in spite of it,
            // by an agreement with smaller groups.
            .min()
    }
}

/// What a release comes to: of each group whether it may be shown, and the rows that are written first.
struct Settled {
    shown: Vec<bool>,
    new: Vec<Cohort>,
    mutations: Vec<Mutation>,
    preconditions: Vec<Precondition>,
}

impl Vault {
    /// Takes down what is about to be shown of groups of persons, and says of each whether it may be. What may be is
    /// remembered, durably, when this returns.
    pub async fn release_cohorts(
        &self,
        grant: &StatementGrant,
        release: &Release,
    ) -> Result<Vec<bool>, VaultError> {
        self.statement_holds(grant).await?;
        let secrets = self.secrets()?;
        let none = || {
            VaultError::Basis("no agreement of this statement lets groups be shown that way".into())
        };
        let table = grant.tables().get(release.table).ok_or_else(none)?;
        let (Basis::Agreed(agreed), Some(rules)) = (&table.basis, &table.terms().aggregate) else {
            return Err(none());
        };
        if !rules.differencing || release.cohorts.len() > COHORTS_MAX {
            return Err(none());
        }
        let prefix = prefix(
            &table.owner,
            table.def().name.as_str(),
            &agreed.under.consumer,
        );
        let kept = secrets.shown.of(&prefix).await;
        let mut kept = kept.lock().await;
        for _ in 0..TRIES {
            if kept.is_none() {
                *kept = Some(self.kept_cohorts(&table.owner, &prefix).await?);
            }
            let Some(known) = kept.as_mut() else {
                break;
            };
            let settled = self.settle(known, table, &prefix, release, rules.min_group);
            let settled = settled.inspect_err(|_| *kept = None)?;
            if settled.new.is_empty() && settled.shown.iter().all(|shown| *shown) {
                return Ok(settled.shown);
            }
            // Whatever comes of the commit, what was held in memory is ahead of it now.
            let known = kept.take();
            match self.commit_cohorts(table, &settled).await {
                Outcome::Committed(_) => {
                    *kept = self
                        .cohorts_kept(known, &table.owner, &prefix, settled.new)
                        .await?;
                    return Ok(settled.shown);
                }
                Outcome::Conflict { .. } => {}
                other => return Err(VaultError::from_outcome(other)),
            }
        }
        Err(VaultError::Limit(
            "groups of the same table are being shown by others at the same time; nothing was shown, ask again".into(),
        ))
    }

    /// Decides about each group, in order: one that is shown counts for those behind it.
    fn settle(
        &self,
        known: &mut Kept,
        table: &TableGrant,
        prefix: &[u8],
        release: &Release,
        watched: u32,
    ) -> Result<Settled, VaultError> {
        let mut settled = Settled {
            shown: Vec::with_capacity(release.cohorts.len()),
            new: Vec::new(),
            mutations: Vec::new(),
            preconditions: Vec::new(),
        };
        for cohort in &release.cohorts {
            let nearest = known.nearest(cohort, watched);
            settled.shown.push(matches!(nearest, None | Some(0)));
            if nearest.is_none() {
                if known.count >= KEPT_MAX {
                    return Err(VaultError::Limit(format!(
                        "{KEPT_MAX} groups of the table {} were shown to this consumer, as many as are remembered; only groups that were shown before can be shown again",
                        table.def().name
                    )));
                }
                known.add(cohort.clone());
                settled.new.push(cohort.clone());
            }
        }
        let mut page = known.last.clone();
        let mut number = known.rows.saturating_sub(1);
        let mut at = known.at.as_ref().map(|row| row.version);
        let mut write = |page: &CohortsRow, number: u64, at: Option<u64>| {
            let key = [prefix, &page_key(number)].concat();
            settled.preconditions.push(match at {
                Some(version) => Precondition::Version(key.clone(), version),
                None => Precondition::Absent(key.clone()),
            });
            let put = self.sealed_put(&table.owner, key, &page.encode());
            settled.mutations.push(put);
        };
        let mut fresh = false;
        for cohort in &settled.new {
            if !page.has_room_for(cohort) {
                if fresh {
                    write(&page, number, at);
                }
                page = CohortsRow::default();
                number += 1;
                at = None;
            }
            page.0.push(cohort.clone());
            fresh = true;
        }
        if fresh {
            write(&page, number, at);
        }
        Ok(settled)
    }

    async fn commit_cohorts(&self, table: &TableGrant, settled: &Settled) -> Outcome {
        let shown = settled.shown.iter().filter(|shown| **shown).count();
        let withheld = settled.shown.len() - shown;
        let mut fields = self.fields_of(Kind::Release, &table.who, "ShowGroups");
        fields.resource = Some(table.def().name.to_string());
        fields.rows = Some(shown as u64);
        fields.link = table.receipt.as_ref().map(ledger::Receipt::index);
        fields.decision = Some(if withheld == 0 { "permit" } else { "deny" }.into());
        fields.reason = (withheld > 0).then(|| {
            format!("{withheld} groups differ from others, shown before, by too few persons, and were left out")
        });
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: settled.preconditions.clone(),
            mutations: settled.mutations.clone(),
            entries: vec![self.entry_for(&table.owner, &fields)],
        };
        self.engine.commit(commit).await
    }

    /// What is known once the new groups are durable. Only the last row is read again, for its version.
    async fn cohorts_kept(
        &self,
        known: Option<Kept>,
        owner: &Tenant,
        prefix: &[u8],
        new: Vec<Cohort>,
    ) -> Result<Option<Kept>, VaultError> {
        let Some(mut known) = known else {
            return Ok(None);
        };
        for cohort in new {
            if known.rows == 0 || !known.last.has_room_for(&cohort) {
                known.last = CohortsRow::default();
                known.rows += 1;
            }
            known.last.0.push(cohort);
        }
        if known.rows > 0 {
            let key = [prefix, &page_key(known.rows - 1)].concat();
            let read = self.sealed_row(owner, &key).await?;
            known.at = read.map(|(at, _)| at);
        }
        Ok(Some(known))
    }

    /// All groups that are remembered under a prefix.
    async fn kept_cohorts(&self, owner: &Tenant, prefix: &[u8]) -> Result<Kept, VaultError> {
        let mut kept = Kept::default();
        let mut range = KeyRange::prefix(prefix);
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let more = page.len() == SCAN_ROWS_MAX;
            for (key, _) in page {
                range = range.after(&key);
                let Some((at, plain)) = self.sealed_row(owner, &key).await? else {
                    continue;
                };
                let row = CohortsRow::decode(&plain)?;
                for cohort in &row.0 {
                    kept.add(cohort.clone());
                }
                kept.rows += 1;
                kept.last = row;
                kept.at = Some(at);
            }
            if !more {
                return Ok(kept);
            }
        }
    }
}

/// What the keys of one table's and consumer's rows begin with.
fn prefix(owner: &Tenant, table: &str, consumer: &str) -> Vec<u8> {
    let named = hashed(owner, Sort::Cohorts, &format!("{table}\0{consumer}"));
    let mut prefix = identity::prefix(owner.id, Sort::Cohorts);
    prefix.extend_from_slice(&named[..NAMED_BYTES]);
    prefix
}

/// The rest of a row's key: its number.
fn page_key(number: u64) -> [u8; 32 - NAMED_BYTES] {
    let mut key = [0; 32 - NAMED_BYTES];
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

//! Each person's record of who used their data. Before a byte of a table about persons leaves, the access stands for
//! everybody; the statement's end replaces that by lines under the persons' labels. A read of an object about a person
//! has its line in the same commit as its entry. Over-reporting is possible, under-reporting is not.
//!
//! Never here: files, and what an answer's proof is made of; the former is the site's, the latter `people`'s.
//!
//! Reading order: [`chains`], [`reads`], [`marks`], [`ends`], [`asked`], [`gathered`].

mod asked;
mod chains;
mod ends;
mod gathered;
mod marks;
mod reads;
#[cfg(test)]
mod tests;

pub use gathered::PersonRecord;

use ::people::chain::Label;
use quick_cache::sync::Cache;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::MutexGuard;
use words::{BucketName, TenantId};

/// Chains whose next counter is remembered.
const COUNTERS_CACHED: usize = 100_000;
/// Locks that chains share.
const LOCKS: usize = 64;

/// Where the tables of a tenant lie that name persons.
pub(crate) type PersonTables = Arc<Vec<(BucketName, String)>>;

/// What an open vault remembers of persons' records.
pub(crate) struct People {
    /// The next counter of each chain, by the chain's first label.
    next: Cache<Label, u64>,
    /// Whoever adds to a chain holds its lock, so that no two find the same counter free.
    locks: [tokio::sync::Mutex<()>; LOCKS],
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    changes: u64,
    known: BTreeMap<TenantId, PersonTables>,
}

impl Default for People {
    fn default() -> Self {
        Self {
            next: Cache::new(COUNTERS_CACHED),
            locks: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
            tables: Mutex::default(),
        }
    }
}

impl People {
    /// Holds the locks of these chains until what is given back is dropped.
    async fn hold(&self, chains: impl Iterator<Item = Label>) -> Vec<MutexGuard<'_, ()>> {
        let mut wanted = [false; LOCKS];
        for id in chains {
            let [first, ..] = id;
            if let Some(place) = wanted.get_mut(usize::from(first) % LOCKS) {
                *place = true;
            }
        }
        let mut held = Vec::new();
        // Always in the same order, so that nobody waits for one who waits for them.
        for (lock, _) in self.locks.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
            held.push(lock.lock().await);
        }
        held
    }

    fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A table of the tenant was declared or taken away.
    pub fn tables_changed(&self, tenant: TenantId) {
        let mut tables = self.tables();
        tables.changes += 1;
        tables.known.remove(&tenant);
    }
}

//! What readers, the writer and the healer share: the published views, the recent ops, the figures.

use super::error::SiteError;
use super::journal::OPS_MAX;
use super::site::View;
use crate::engine::{ReadError, Row};
use epoch::Tenure;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use words::{OpId, SiteId};

/// The state of the catalog that readers see: everything up to a batch that is durable at every site that
/// is current, and nothing behind it.
#[derive(Clone)]
pub struct Published {
    /// The last batch in it.
    pub seq: u64,
    /// One view per site that serves, the preferred one first.
    pub views: Vec<View>,
}

impl Published {
    /// The view of a site, if it serves.
    pub fn of(&self, site: SiteId) -> Option<&View> {
        self.views.iter().find(|view| view.db().site() == site)
    }
}

/// The ops that are remembered.
#[derive(Default)]
struct Ops {
    versions: HashMap<OpId, u64>,
    order: VecDeque<OpId>,
    /// Ops of a batch whose outcome is not known.
    limbo: HashSet<OpId>,
}

/// Counters since the start.
#[derive(Default)]
pub struct Figures {
    pub requests: AtomicU64,
    pub batches: AtomicU64,
    pub syncs: AtomicU64,
    pub bytes: AtomicU64,
    pub conflicts: AtomicU64,
    pub refused: AtomicU64,
    pub unknown: AtomicU64,
}

/// Shared by everyone.
pub struct Shared {
    pub tenure: Arc<Tenure>,
    published: RwLock<Option<Arc<Published>>>,
    ops: Mutex<Ops>,
    /// Sites whose database gave a read error: to be rebuilt.
    damaged: [AtomicBool; 2],
    pub figures: Figures,
    /// While a heal runs, no journal row behind this batch is pruned.
    pub hold: AtomicU64,
    /// Why no commits are taken, if none are.
    blocked: Mutex<Option<String>>,
}

impl Shared {
    pub fn new(tenure: Arc<Tenure>, published: Published, ops: Vec<(OpId, u64)>) -> Self {
        let shared = Self {
            tenure,
            published: RwLock::new(Some(Arc::new(published))),
            ops: Mutex::default(),
            damaged: [AtomicBool::new(false), AtomicBool::new(false)],
            figures: Figures::default(),
            hold: AtomicU64::new(u64::MAX),
            blocked: Mutex::new(None),
        };
        shared.remember(ops);
        shared
    }

    /// What readers see now.
    pub fn published(&self) -> Result<Arc<Published>, ReadError> {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        published
            .clone()
            .ok_or_else(|| ReadError::Stopped("it was shut down".to_owned()))
    }

    pub fn publish(&self, published: Option<Published>) {
        *self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner) = published.map(Arc::new);
    }

    /// Reads from the preferred site, and from the other if that fails. A site that fails is reported and
    /// remembered as damaged.
    pub fn read<T>(&self, read: impl Fn(&View) -> Result<T, SiteError>) -> Result<T, ReadError> {
        let published = self.published()?;
        let mut failures = Vec::new();
        let (sound, suspect): (Vec<_>, Vec<_>) = published
            .views
            .iter()
            .partition(|v| !self.is_damaged(v.db().site()));
        for view in sound.into_iter().chain(suspect) {
            match read(view) {
                Ok(value) => return Ok(value),
                Err(error) => {
                    self.found_damaged(view.db().site(), &error);
                    failures.push(format!("{}: {error}", view.db().site()));
                }
            }
        }
        Err(ReadError::Unreadable(failures.join("; ")))
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        self.read(|view| view.get(key))
    }

    /// Remembers and reports, once, that a site's database has to be rebuilt.
    pub fn found_damaged(&self, site: SiteId, error: &SiteError) {
        if !self.flag(site).swap(true, Ordering::Relaxed) {
            self.tenure.report(site, error.trouble());
        }
    }

    pub fn is_damaged(&self, site: SiteId) -> bool {
        self.flag(site).load(Ordering::Relaxed)
    }

    pub fn clear_damaged(&self, site: SiteId) {
        self.flag(site).store(false, Ordering::Relaxed);
    }

    fn flag(&self, site: SiteId) -> &AtomicBool {
        let [a, b] = &self.damaged;
        match site {
            SiteId::A => a,
            SiteId::B => b,
        }
    }

    pub fn remember(&self, ops: impl IntoIterator<Item = (OpId, u64)>) {
        let mut known = self.ops();
        for (op, version) in ops {
            known.limbo.remove(&op);
            if known.versions.insert(op, version).is_none() {
                known.order.push_back(op);
            }
            if known.order.len() > OPS_MAX
                && let Some(oldest) = known.order.pop_front()
            {
                known.versions.remove(&oldest);
            }
        }
    }

    pub fn put_in_limbo(&self, ops: impl IntoIterator<Item = OpId>) {
        self.ops().limbo.extend(ops);
    }

    pub fn version_of(&self, op: OpId) -> Option<u64> {
        self.ops().versions.get(&op).copied()
    }

    pub fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError> {
        self.published()?;
        let known = self.ops();
        if known.limbo.contains(&op) {
            return Err(ReadError::Unreadable(
                "whether this op took effect is not settled yet".to_owned(),
            ));
        }
        Ok(known.versions.get(&op).copied())
    }

    fn ops(&self) -> MutexGuard<'_, Ops> {
        self.ops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_blocked(&self, why: Option<String>) {
        *self.blocked.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub fn blocked(&self) -> Option<String> {
        self.blocked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

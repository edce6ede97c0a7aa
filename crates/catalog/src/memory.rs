//! The engine in memory: for tests of the rooms above and for the simulator. Deterministic; every commit
//! is a batch of its own. It can be told to fail.

use crate::engine::{Commit, Engine, KeyRange, Order, ReadError, Row};
use crate::outcome::{Committed, Outcome, Refused, Sites};
use crate::plan::{Base, Plan, RESERVED_TAG, Verdict};
use crate::snapshot::{Point, Snapshot};
use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use words::OpId;
use words::limits::SCAN_ROWS_MAX;

/// What is to happen to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing special.
    None,
    /// It is lost before it takes effect, and the caller does not learn that.
    LostBefore,
    /// It takes effect, and the caller does not learn that.
    LostAfter,
    /// It is refused.
    Refuse,
}

/// Looks at a commit before it takes effect and says what is to happen to it.
pub type Hook = Box<dyn FnMut(&Commit) -> Fault + Send>;

/// The engine in memory.
#[derive(Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Vec<u8>, Row>,
    ops: HashMap<OpId, u64>,
    last_version: u64,
    next_index: u64,
    hook: Option<Hook>,
    reads_fail: Option<String>,
    only: Option<Sites>,
}

/// Everything a memory engine holds, to go on from later as after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    rows: BTreeMap<Vec<u8>, Row>,
    ops: HashMap<OpId, u64>,
    last_version: u64,
    next_index: u64,
}

impl Memory {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// One that holds what another held.
    #[must_use]
    pub fn from_contents(contents: Contents) -> Self {
        let Contents {
            rows,
            ops,
            last_version,
            next_index,
        } = contents;
        let state = State {
            rows,
            ops,
            last_version,
            next_index,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
        }
    }
    /// A copy of everything it holds.
    #[must_use]
    pub fn contents(&self) -> Contents {
        let state = self.state();
        Contents {
            rows: state.rows.clone(),
            ops: state.ops.clone(),
            last_version: state.last_version,
            next_index: state.next_index,
        }
    }
    /// Every row of this moment, to be taken piece by piece.
    #[must_use]
    pub fn snapshot(&self) -> Box<dyn Snapshot> {
        let state = self.state();
        let rows: Vec<_> = state.rows.clone().into_iter().collect();
        Box::new(Taken {
            point: Point {
                version: state.last_version,
                next_index: state.next_index,
            },
            rows: rows.into_iter(),
        })
    }
    /// Looks at every commit from now on.
    pub fn set_hook(&self, hook: Option<Hook>) {
        self.state().hook = hook;
    }
    /// Reads fail from now on with this message, or work again.
    pub fn set_reads_failing(&self, why: Option<String>) {
        self.state().reads_fail = why;
    }
    /// Where commits say they are durable; both sites unless told otherwise.
    pub fn set_sites(&self, sites: Sites) {
        self.state().only = Some(sites);
    }
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().rows.len()
    }
    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.state().rows.is_empty()
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Taken {
    point: Point,
    rows: std::vec::IntoIter<(Vec<u8>, Row)>,
}

#[async_trait]
impl Snapshot for Taken {
    fn point(&self) -> Point {
        self.point
    }
    async fn next(&mut self, bytes_max: usize) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max
            && let Some((key, row)) = self.rows.next()
        {
            bytes += key.len() + row.value.len();
            rows.push((key, row));
        }
        Ok(rows)
    }
}

impl State {
    fn readable(&self) -> Result<(), ReadError> {
        self.reads_fail
            .as_ref()
            .map_or(Ok(()), |why| Err(ReadError::Unreadable(why.clone())))
    }

    fn commit(&mut self, request: Commit) -> Outcome {
        let fault = self
            .hook
            .as_mut()
            .map_or(Fault::None, |hook| hook(&request));
        match fault {
            Fault::LostBefore => {
                return Outcome::Unknown("the commit was lost on the way".to_owned());
            }
            Fault::Refuse => {
                return Outcome::Refused(Refused::NotWritable("told to refuse".to_owned()));
            }
            Fault::None | Fault::LostAfter => {}
        }
        if let Some(version) = self.ops.get(&request.op) {
            return repeated(*version);
        }
        let mut plan = Plan::new(self.last_version + 1, self.next_index);
        let accepted = match plan.admit(&Rows(&self.rows), request) {
            Ok(Verdict::Accepted(accepted)) => accepted,
            Ok(Verdict::Conflict(which)) => return Outcome::Conflict { which },
            Ok(Verdict::Refused(refused)) => return Outcome::Refused(refused),
            Ok(Verdict::Repeated(version)) => return repeated(version),
            Err(error) => return Outcome::Refused(Refused::NotWritable(error.to_string())),
        };
        for (key, change) in plan.changes {
            match change {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
        self.last_version = accepted.version;
        self.next_index = plan.next_index;
        self.ops.insert(accepted.op, accepted.version);
        let (version, receipts) = accepted.settle();
        if fault == Fault::LostAfter {
            return Outcome::Unknown("the answer was lost on the way".to_owned());
        }
        Outcome::Committed(Committed::new(
            version,
            receipts,
            self.only.unwrap_or(Sites::Both),
        ))
    }
}

fn repeated(version: u64) -> Outcome {
    Outcome::Unknown(format!(
        "this op took effect before, as version {version}; look it up"
    ))
}

struct Rows<'a>(&'a BTreeMap<Vec<u8>, Row>);

impl Base for Rows<'_> {
    fn version(&self, key: &[u8]) -> Result<Option<u64>, ReadError> {
        Ok(self.0.get(key).map(|row| row.version))
    }
    fn keys(&self, range: &KeyRange) -> Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + '_> {
        let range = range.clone();
        let from = self.0.range(range.start.clone()..);
        Box::new(
            from.map(|(key, _)| key.clone())
                .take_while(move |key| range.contains(key))
                .map(Ok),
        )
    }
}

#[async_trait]
impl Engine for Memory {
    async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        let state = self.state();
        state.readable()?;
        Ok(state.rows.get(key).cloned())
    }

    async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        let state = self.state();
        state.readable()?;
        if range.end.as_ref().is_some_and(|end| *end <= range.start) {
            return Ok(Vec::new());
        }
        let owned = |(key, row): (&Vec<u8>, &Row)| (key.clone(), row.clone());
        let limit = limit.min(SCAN_ROWS_MAX);
        let start = range.start.max(vec![RESERVED_TAG + 1]);
        let bounds = (
            std::ops::Bound::Included(start.clone()),
            range
                .end
                .map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded),
        );
        if let std::ops::Bound::Excluded(end) = &bounds.1
            && *end <= start
        {
            return Ok(Vec::new());
        }
        let rows = state.rows.range(bounds);
        Ok(match order {
            Order::Ascending => rows.take(limit).map(owned).collect(),
            Order::Descending => rows.rev().take(limit).map(owned).collect(),
        })
    }

    async fn commit(&self, request: Commit) -> Outcome {
        self.state().commit(request)
    }

    async fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError> {
        let state = self.state();
        state.readable()?;
        Ok(state.ops.get(&op).copied())
    }
}

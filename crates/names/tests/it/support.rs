//! A catalog that can be made to fail, a host that runs on one seed, and short ways to say things.

use async_trait::async_trait;
use catalog::{Commit, Engine, KeyRange, Mutation, Order, Outcome, ReadError, Row};
use host::{Clock, Host, Random};
use names::{Index, ListQuery, NameFacts, Tuning};
use seal::IndexKey;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use words::{BucketId, ObjectKey, OpId, UnixMillis, VersionId};

pub const BUCKET: BucketId = BucketId::from_bytes([7; 16]);

pub fn key() -> IndexKey {
    IndexKey::from_bytes([9; 32])
}

/// Time that stands still until it is moved.
#[derive(Default)]
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_800_000_000_000 + self.0.load(Ordering::Relaxed))
    }
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// SplitMix64.
struct TestRandom(Mutex<u64>);

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}

/// How the commit that a crash falls on ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It never took effect.
    Before,
    /// It took effect and nobody was told.
    After,
    /// It never took effect, its outcome is unknown, and the engine goes on.
    Lost,
    /// It took effect, its outcome is unknown, and the engine goes on.
    Untold,
}

type Interruption = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A catalog that stops at a chosen commit, or lets something happen before a chosen call.
pub struct Faulty {
    inner: Arc<dyn Engine>,
    crash: Mutex<Option<(u64, Crash)>>,
    down: AtomicBool,
    interrupt: Mutex<Option<(u64, Interruption)>>,
    pub commits: AtomicU64,
}

impl Faulty {
    pub fn new(inner: Arc<dyn Engine>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            crash: Mutex::new(None),
            down: AtomicBool::new(false),
            interrupt: Mutex::new(None),
            commits: AtomicU64::new(0),
        })
    }
    /// The node stops at its `commits`-th commit from now, counted from 0.
    pub fn crash_at(&self, commits: u64, how: Crash) {
        *self.crash.lock().unwrap() = Some((commits, how));
    }
    /// The node is back. Says whether it was down.
    pub fn revive(&self) -> bool {
        *self.crash.lock().unwrap() = None;
        self.down.swap(false, Ordering::Relaxed)
    }
    /// Before the `calls`-th read from now, `what` happens.
    pub fn interrupt_at(&self, calls: u64, what: impl Future<Output = ()> + Send + 'static) {
        *self.interrupt.lock().unwrap() = Some((calls, Box::pin(what)));
    }
    async fn before_read(&self) -> Result<(), ReadError> {
        let due = {
            let mut waiting = self.interrupt.lock().unwrap();
            match &mut *waiting {
                Some((0, _)) => waiting.take().map(|(_, what)| what),
                Some((calls, _)) => {
                    *calls -= 1;
                    None
                }
                None => None,
            }
        };
        if let Some(what) = due {
            what.await;
        }
        if self.down.load(Ordering::Relaxed) {
            Err(ReadError::Stopped("crashed".into()))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl Engine for Faulty {
    async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        self.before_read().await?;
        self.inner.get(key).await
    }
    async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        self.before_read().await?;
        self.inner.scan(range, limit, order).await
    }
    async fn commit(&self, request: Commit) -> Outcome {
        if self.down.load(Ordering::Relaxed) {
            return Outcome::Unknown("crashed".into());
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        let now = {
            let mut crash = self.crash.lock().unwrap();
            match &mut *crash {
                Some((0, how)) => Some(*how),
                Some((commits, _)) => {
                    *commits -= 1;
                    None
                }
                None => None,
            }
        };
        let Some(how) = now else {
            return self.inner.commit(request).await;
        };
        self.down.store(
            matches!(how, Crash::Before | Crash::After),
            Ordering::Relaxed,
        );
        if matches!(how, Crash::After | Crash::Untold) {
            let _told_nobody = self.inner.commit(request).await;
        }
        Outcome::Unknown("crashed".into())
    }
    async fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError> {
        self.before_read().await?;
        self.inner.lookup(op).await
    }
}

/// One bucket on one machine.
pub struct Rig {
    pub engine: Arc<Faulty>,
    pub memory: Arc<dyn Engine>,
    pub clock: Arc<TestClock>,
    pub host: Host,
    pub index: Index,
    pub tuning: Tuning,
    ops: AtomicU64,
}

/// So small that a dozen names make several pages, and a few folds several levels.
pub fn tiny() -> Tuning {
    Tuning {
        cache_bytes: 256 * 1024,
        page_bytes: 1,
        fold_deltas_min: 1,
        fold_deltas_max: 8,
        fan_out: 2,
        commit_bytes: 1,
        grace_ms: 1000,
        pending_max: 64,
        pending_refresh_ms: 10,
    }
}

impl Rig {
    pub fn new(tuning: Tuning) -> Self {
        let memory: Arc<dyn Engine> = Arc::new(catalog::Memory::new());
        let engine = Faulty::new(Arc::clone(&memory));
        let clock = Arc::new(TestClock::default());
        let host = Host::new(
            Arc::<TestClock>::clone(&clock),
            Arc::new(TestRandom(Mutex::new(1))),
        );
        let index = Index::with_tuning(Arc::<Faulty>::clone(&engine), host.clone(), tuning);
        Self {
            engine,
            memory,
            clock,
            host,
            index,
            tuning,
            ops: AtomicU64::new(0),
        }
    }
    /// The same machine after a restart: all that was in memory is gone.
    pub fn restart(&mut self) -> bool {
        self.index = Index::with_tuning(
            Arc::<Faulty>::clone(&self.engine),
            self.host.clone(),
            self.tuning,
        );
        self.engine.revive()
    }
    /// Another node on the same catalog, which does not crash.
    pub fn other(&self) -> Index {
        Index::with_tuning(Arc::clone(&self.memory), self.host.clone(), self.tuning)
    }
    pub async fn put(&self, name: &str, facts: &NameFacts) {
        let name = ObjectKey::parse(name).unwrap();
        let delta = names::put_delta(&key(), BUCKET, &name, facts, self.host.random());
        self.apply(vec![delta]).await;
    }
    pub async fn delete(&self, name: &str) {
        let name = ObjectKey::parse(name).unwrap();
        self.apply(vec![names::delete_delta(
            &key(),
            BUCKET,
            &name,
            self.host.random(),
        )])
        .await;
    }
    pub async fn apply(&self, mutations: Vec<Mutation>) {
        self.ops.fetch_add(1, Ordering::Relaxed);
        let op = OpId::from_bytes(self.host.random());
        let request = Commit {
            op,
            preconditions: vec![],
            mutations,
            entries: vec![],
        };
        assert!(matches!(
            self.memory.commit(request).await,
            Outcome::Committed(_)
        ));
    }
    /// All rows of the bucket's index.
    pub async fn rows(&self) -> Vec<(Vec<u8>, Row)> {
        let mut rows = Vec::new();
        for tag in [b'D', b'N'] {
            let mut range = KeyRange::prefix(&[tag]);
            loop {
                let found = self
                    .memory
                    .scan(range.clone(), 1000, Order::Ascending)
                    .await
                    .unwrap();
                let Some((last, _)) = found.last() else { break };
                range = range.after(last);
                rows.extend(found);
            }
        }
        rows
    }
    /// Every page of a listing, one after another.
    pub async fn all(&self, query: &ListQuery) -> Vec<names::ListItem> {
        let mut query = query.clone();
        let mut items = Vec::new();
        loop {
            let page = self.index.list(&key(), BUCKET, &query).await.unwrap();
            items.extend(page.items);
            if !page.truncated {
                assert!(page.next.is_none());
                return items;
            }
            assert!(page.next > query.after, "a listing goes forward");
            query.after = page.next;
        }
    }
}

pub fn facts(number: u64) -> NameFacts {
    let mut etag = [0; 16];
    etag[..8].copy_from_slice(&number.to_be_bytes());
    NameFacts {
        size: number,
        modified: UnixMillis(number),
        etag,
        parts: u32::try_from(number % 3).unwrap(),
        version: VersionId::from_bytes(etag),
    }
}

/// Runs a test to its end on one thread.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(test)
}

/// How many random cases a property is tried on: `PROPTEST_CASES`, or what the test says.
pub fn cases(usual: u32) -> proptest::prelude::ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    proptest::prelude::ProptestConfig::with_cases(asked.unwrap_or(usual))
}

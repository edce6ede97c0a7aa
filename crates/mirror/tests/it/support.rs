//! Two sites in memory, a table of how they stand, and virtual time.

use async_trait::async_trait;
use bytes::Bytes;
use catalog::{Commit, Engine, Mutation, Outcome};
use chunks::{ChunkRef, ChunkStore, Memory};
use epoch::Trouble;
use host::{Clock, Host, Random};
use mirror::{LossRefused, Mirror, MirrorError, Mirrored, SiteLoss, SitePolicy, Stance, Standing};
use seal::Sealed;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use words::{OpId, SiteId, UnixMillis};

/// The virtual time of the runtime, and random bytes from a seed.
pub struct World {
    pub start: tokio::time::Instant,
    counter: Mutex<(u64, u64)>,
}

impl Clock for World {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_800_000_000_000 + u64::try_from(self.start.elapsed().as_millis()).unwrap())
    }
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Random for World {
    fn fill(&self, bytes: &mut [u8]) {
        let mut counter = self.counter.lock().unwrap();
        counter.1 += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&counter.0.to_be_bytes());
        hasher.update(&counter.1.to_be_bytes());
        hasher.finalize_xof().fill(bytes);
    }
}

pub fn world(seed: u64) -> Host {
    let make = || World {
        start: tokio::time::Instant::now(),
        counter: Mutex::new((seed, 0)),
    };
    Host::new(Arc::new(make()), Arc::new(make()))
}

/// How the sites stand, who asked for what, and whether a loss is granted.
#[derive(Default)]
pub struct Table(Mutex<State>);

struct State {
    stances: [Stance; 2],
    refuse: bool,
    asked: Vec<SiteId>,
    troubles: Vec<(SiteId, Trouble)>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            stances: [Stance::Serving; 2],
            refuse: false,
            asked: Vec::new(),
            troubles: Vec::new(),
        }
    }
}

impl Table {
    pub fn set(&self, site: SiteId, stance: Stance) {
        self.0.lock().unwrap().stances[site.index()] = stance;
    }
    pub fn refuse(&self, refuse: bool) {
        self.0.lock().unwrap().refuse = refuse;
    }
    pub fn asked(&self) -> Vec<SiteId> {
        self.0.lock().unwrap().asked.clone()
    }
    pub fn troubles(&self) -> Vec<(SiteId, Trouble)> {
        self.0.lock().unwrap().troubles.clone()
    }
}

impl Standing for Table {
    fn stance(&self, site: SiteId) -> Stance {
        self.0.lock().unwrap().stances[site.index()]
    }
    fn note(&self, site: SiteId, trouble: Trouble) {
        self.0.lock().unwrap().troubles.push((site, trouble));
    }
}

#[async_trait]
impl SiteLoss for Table {
    async fn lost(&self, site: SiteId, _why: String) -> Result<(), LossRefused> {
        // Witnesses take a moment.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut state = self.0.lock().unwrap();
        state.asked.push(site);
        if state.refuse {
            return Err(LossRefused("no quorum of witnesses".into()));
        }
        assert_eq!(
            state.stances[site.other().index()],
            Stance::Serving,
            "the last site must stay"
        );
        state.stances[site.index()] = Stance::Away;
        Ok(())
    }
}

pub struct Cloud {
    pub host: Host,
    pub stores: [Arc<Memory>; 2],
    pub table: Arc<Table>,
    pub mirror: Arc<Mirror>,
    pub engine: Arc<catalog::memory::Memory>,
}

impl Cloud {
    pub fn new(seed: u64) -> Self {
        let host = world(seed);
        let stores =
            SiteId::BOTH.map(|site| Arc::new(Memory::new(host.clone(), &site.to_string())));
        let table = Arc::new(Table::default());
        let [a, b] = stores.clone();
        let both: [Arc<dyn ChunkStore>; 2] = [a, b];
        let mirror = Mirror::new(both, table.clone(), table.clone(), host.clone());
        Self {
            host,
            stores,
            table,
            mirror,
            engine: Arc::default(),
        }
    }

    pub fn store(&self, site: SiteId) -> &Memory {
        &self.stores[site.index()]
    }

    pub async fn write(
        &self,
        policy: SitePolicy,
        bytes: &[u8],
        pieces: usize,
    ) -> Result<(ChunkRef, Mirrored), MirrorError> {
        let mut writer = self.mirror.begin(policy).await?;
        for piece in bytes.chunks(bytes.len().div_ceil(pieces)) {
            writer.append(sealed(piece.to_vec())).await?;
        }
        writer.finish().await
    }

    /// Writes a chunk and commits its debt, if there is one, as the store does.
    pub async fn put(&self, bytes: &[u8]) -> Result<(ChunkRef, Option<SiteId>), MirrorError> {
        let (chunk, mirrored) = self.write(SitePolicy::Available, bytes, 3).await?;
        let Mirrored::OneSite { debt } = mirrored else {
            return Ok((chunk, None));
        };
        let site = debt.site();
        assert_eq!(*debt.chunk(), chunk);
        self.commit(debt.mutations()).await;
        Ok((chunk, Some(site)))
    }

    pub async fn commit(&self, mutations: Vec<Mutation>) {
        let op = OpId::from_bytes(self.host.random());
        let request = Commit {
            op,
            preconditions: Vec::new(),
            mutations,
            entries: Vec::new(),
        };
        assert!(matches!(
            self.engine.commit(request).await,
            Outcome::Committed(_)
        ));
    }

    pub async fn read(&self, chunk: &ChunkRef) -> Result<Bytes, MirrorError> {
        self.mirror.read(chunk, 0, chunk.bytes as usize).await
    }

    pub fn has(&self, site: SiteId, chunk: &ChunkRef) -> bool {
        self.store(site)
            .contents()
            .iter()
            .any(|(id, bytes)| *id == chunk.id && *blake3::hash(bytes).as_bytes() == chunk.blake3)
    }

    pub async fn debts(&self, site: SiteId) -> u64 {
        mirror::backlog(&*self.engine, site).await.unwrap().chunks
    }
}

pub fn sealed(bytes: Vec<u8>) -> Sealed {
    let hash = blake3::hash(&bytes);
    Sealed::reverified(Bytes::from(bytes), hash.as_bytes()).unwrap()
}

pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_be_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

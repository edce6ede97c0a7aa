//! What stands between a node and its disks: each step takes a little time, drawn by the dice, and once the
//! node has crashed nothing of it reaches a disk any more, whatever its tasks still try.

use crate::world_host::Dice;
use async_trait::async_trait;
use bytes::Bytes;
use catalog::{Commit, Engine, KeyRange, Order, Outcome, ReadError, Row};
use chunks::{ChunkError, ChunkStat, ChunkStore, ChunkWriter};
use epoch::{EpochRecord, Witness, WitnessError};
use seal::Sealed;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use words::{ChunkId, OpId};

/// The life of one node, from start to crash.
pub struct Life {
    crashed: AtomicBool,
    dice: Option<Dice>,
}

impl Life {
    /// A life whose steps take random time, or none at all without dice.
    #[must_use]
    pub fn new(dice: Option<Dice>) -> Arc<Self> {
        Arc::new(Self {
            crashed: AtomicBool::new(false),
            dice,
        })
    }
    /// From now on nothing reaches a disk.
    pub fn crash(&self) {
        self.crashed.store(true, Ordering::Relaxed);
    }
    fn is_over(&self) -> bool {
        self.crashed.load(Ordering::Relaxed)
    }
    /// One step of a disk or of the catalog. A crashed node never gets behind it.
    async fn step(&self) {
        if let Some(dice) = &self.dice {
            // Mostly quick, now and then slow, so that requests overtake one another.
            let micros = if dice.once_in(20) {
                dice.below(40_000)
            } else {
                dice.below(1_500)
            };
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
        if self.is_over() {
            std::future::pending::<()>().await;
        }
    }
}

/// The catalog as one node sees it.
pub struct GatedEngine {
    inner: Arc<dyn Engine>,
    life: Arc<Life>,
}

impl GatedEngine {
    /// Puts the gate before an engine.
    #[must_use]
    pub fn new(inner: Arc<dyn Engine>, life: Arc<Life>) -> Self {
        Self { inner, life }
    }
}

#[async_trait]
impl Engine for GatedEngine {
    async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        self.life.step().await;
        self.inner.get(key).await
    }
    async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        self.life.step().await;
        self.inner.scan(range, limit, order).await
    }
    async fn commit(&self, request: Commit) -> Outcome {
        self.life.step().await;
        let outcome = self.inner.commit(request).await;
        self.life.step().await;
        outcome
    }
    async fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError> {
        self.life.step().await;
        self.inner.lookup(op).await
    }
}

/// A site's chunks as one node sees them.
pub struct GatedChunks {
    inner: Arc<dyn ChunkStore>,
    life: Arc<Life>,
}

impl GatedChunks {
    /// Puts the gate before a store.
    #[must_use]
    pub fn new(inner: Arc<dyn ChunkStore>, life: Arc<Life>) -> Self {
        Self { inner, life }
    }
    fn writer(&self, inner: Box<dyn ChunkWriter>) -> Box<dyn ChunkWriter> {
        Box::new(GatedWriter {
            inner,
            life: Arc::clone(&self.life),
        })
    }
}

#[async_trait]
impl ChunkStore for GatedChunks {
    async fn create(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.life.step().await;
        Ok(self.writer(self.inner.create(id).await?))
    }
    async fn replace(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.life.step().await;
        Ok(self.writer(self.inner.replace(id).await?))
    }
    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError> {
        self.life.step().await;
        self.inner.read(id, offset, length).await
    }
    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError> {
        self.life.step().await;
        self.inner.stat(id).await
    }
    async fn delete(&self, id: ChunkId) -> Result<(), ChunkError> {
        self.life.step().await;
        self.inner.delete(id).await
    }
    async fn list(
        &self,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError> {
        self.life.step().await;
        self.inner.list(after, limit).await
    }
    async fn probe(&self) -> Result<(), ChunkError> {
        self.life.step().await;
        self.inner.probe().await
    }
    async fn adopt(&self) -> Result<(), ChunkError> {
        self.life.step().await;
        self.inner.adopt().await
    }
}

struct GatedWriter {
    inner: Box<dyn ChunkWriter>,
    life: Arc<Life>,
}

#[async_trait]
impl ChunkWriter for GatedWriter {
    async fn append(&mut self, piece: &Sealed) -> Result<(), ChunkError> {
        self.life.step().await;
        self.inner.append(piece).await
    }
    async fn finish(self: Box<Self>) -> Result<(), ChunkError> {
        self.life.step().await;
        self.inner.finish().await?;
        self.life.step().await;
        Ok(())
    }
    async fn abandon(self: Box<Self>) {
        self.life.step().await;
        self.inner.abandon().await;
    }
}

/// A witness as one node sees it.
pub struct GatedWitness {
    inner: Arc<dyn Witness>,
    life: Arc<Life>,
}

impl GatedWitness {
    /// Puts the gate before a witness.
    #[must_use]
    pub fn new(inner: Arc<dyn Witness>, life: Arc<Life>) -> Self {
        Self { inner, life }
    }
    fn silent(&self) -> WitnessError {
        WitnessError::Silent {
            name: self.inner.name().to_owned(),
        }
    }
}

impl Witness for GatedWitness {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn read(&self) -> Result<Option<EpochRecord>, WitnessError> {
        if self.life.is_over() {
            Err(self.silent())
        } else {
            self.inner.read()
        }
    }
    fn write(&self, record: &EpochRecord) -> Result<(), WitnessError> {
        if self.life.is_over() {
            Err(self.silent())
        } else {
            self.inner.write(record)
        }
    }
    fn may_hang(&self) -> bool {
        false
    }
}

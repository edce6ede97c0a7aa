//! Chunks in memory, for tests and for the simulator: deterministic, with faults on order and hooks that
//! damage what is stored.

use crate::api::{ChunkStat, ChunkStore, ChunkWriter};
use crate::error::ChunkError;
use crate::faults::{Damage, Faults, Step};
use crate::faulty::flipped;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use host::Host;
use seal::Sealed;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use words::{ChunkId, UnixMillis};

type Chunks = BTreeMap<ChunkId, (Bytes, UnixMillis)>;

/// A store in memory. Only finished chunks are in it, so dropping every writer is what a crash leaves.
pub struct Memory {
    chunks: Arc<Mutex<Chunks>>,
    host: Host,
    faults: Faults,
    place: Arc<str>,
}

impl Memory {
    /// An empty store; `place` stands in the errors.
    #[must_use]
    pub fn new(host: Host, place: &str) -> Self {
        Self {
            chunks: Arc::default(),
            host,
            faults: Faults::default(),
            place: place.into(),
        }
    }
    /// Where faults are ordered.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }
    /// Turns bits of one stored byte. False if there is no such byte.
    pub fn flip(&self, id: ChunkId, offset: usize, mask: u8) -> bool {
        let mut chunks = lock(&self.chunks);
        let Some((bytes, _)) = chunks.get_mut(&id) else {
            return false;
        };
        let mut copy = BytesMut::from(bytes.as_ref());
        let Some(byte) = copy.get_mut(offset) else {
            return false;
        };
        *byte ^= mask;
        *bytes = copy.freeze();
        true
    }
    /// Cuts a stored chunk short.
    pub fn cut(&self, id: ChunkId, length: usize) {
        if let Some((bytes, _)) = lock(&self.chunks).get_mut(&id) {
            bytes.truncate(length);
        }
    }
    /// Loses one chunk.
    pub fn lose(&self, id: ChunkId) {
        lock(&self.chunks).remove(&id);
    }
    /// Loses everything.
    pub fn wipe(&self) {
        lock(&self.chunks).clear();
    }
    /// Every stored chunk with its bytes, past all faults.
    #[must_use]
    pub fn contents(&self) -> Vec<(ChunkId, Bytes)> {
        lock(&self.chunks)
            .iter()
            .map(|(id, (bytes, _))| (*id, bytes.clone()))
            .collect()
    }

    async fn meet(&self, step: Step, id: ChunkId) -> Result<Option<Damage>, ChunkError> {
        self.faults.meet(step, Some(id), &self.place).await
    }

    fn writer(&self, id: ChunkId, may_replace: bool) -> Box<dyn ChunkWriter> {
        Box::new(MemoryWriter {
            chunks: Arc::clone(&self.chunks),
            host: self.host.clone(),
            faults: self.faults.clone(),
            place: Arc::clone(&self.place),
            id,
            may_replace,
            bytes: BytesMut::new(),
            broken: false,
        })
    }
}

#[async_trait]
impl ChunkStore for Memory {
    async fn create(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.meet(Step::Create, id).await?;
        Ok(self.writer(id, false))
    }
    async fn replace(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.meet(Step::Create, id).await?;
        Ok(self.writer(id, true))
    }
    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError> {
        let damage = self.meet(Step::Read, id).await?;
        let found = lock(&self.chunks).get(&id).map(|(bytes, _)| bytes.clone());
        let place = Arc::clone(&self.place);
        let Some(bytes) = found else {
            return Err(ChunkError::Missing { place, id });
        };
        let wanted = offset.saturating_add(length as u64);
        if wanted > bytes.len() as u64 {
            return Err(ChunkError::Short {
                place,
                id,
                wanted,
                bytes: bytes.len() as u64,
            });
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let range = bytes.slice(start..start.saturating_add(length));
        Ok(if damage == Some(Damage::Flip) {
            flipped(&range)
        } else {
            range
        })
    }
    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError> {
        self.meet(Step::Stat, id).await?;
        Ok(lock(&self.chunks).get(&id).map(stat_of))
    }
    async fn delete(&self, id: ChunkId) -> Result<(), ChunkError> {
        if self.meet(Step::Delete, id).await? != Some(Damage::Lose) {
            lock(&self.chunks).remove(&id);
        }
        Ok(())
    }
    async fn list(
        &self,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError> {
        self.faults.meet(Step::List, None, &self.place).await?;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(lock(&self.chunks)
            .range((start, Bound::Unbounded))
            .take(limit)
            .map(|(id, chunk)| (*id, stat_of(chunk)))
            .collect())
    }
    async fn probe(&self) -> Result<(), ChunkError> {
        self.faults
            .meet(Step::Probe, None, &self.place)
            .await
            .map(|_| ())
    }
    async fn adopt(&self) -> Result<(), ChunkError> {
        self.faults
            .meet(Step::Probe, None, &self.place)
            .await
            .map(|_| ())
    }
}

struct MemoryWriter {
    chunks: Arc<Mutex<Chunks>>,
    host: Host,
    faults: Faults,
    place: Arc<str>,
    id: ChunkId,
    may_replace: bool,
    bytes: BytesMut,
    broken: bool,
}

#[async_trait]
impl ChunkWriter for MemoryWriter {
    async fn append(&mut self, piece: &Sealed) -> Result<(), ChunkError> {
        let before = std::mem::replace(&mut self.broken, true);
        if before {
            return Err(self.given_up());
        }
        let damage = self
            .faults
            .meet(Step::Append, Some(self.id), &self.place)
            .await?;
        if damage == Some(Damage::Flip) {
            self.bytes
                .extend_from_slice(&flipped(&Bytes::copy_from_slice(piece.as_bytes())));
        } else {
            self.bytes.extend_from_slice(piece.as_bytes());
        }
        self.broken = false;
        Ok(())
    }
    async fn finish(self: Box<Self>) -> Result<(), ChunkError> {
        if self.broken {
            return Err(self.given_up());
        }
        let damage = self
            .faults
            .meet(Step::Finish, Some(self.id), &self.place)
            .await?;
        let Self {
            chunks,
            id,
            place,
            may_replace,
            host,
            bytes,
            ..
        } = *self;
        let mut chunks = lock(&chunks);
        if !may_replace && chunks.contains_key(&id) {
            return Err(ChunkError::Exists { place, id });
        }
        if damage != Some(Damage::Lose) {
            let bytes = bytes.freeze();
            let bytes = if damage == Some(Damage::Flip) {
                flipped(&bytes)
            } else {
                bytes
            };
            chunks.insert(id, (bytes, host.now()));
        }
        Ok(())
    }
    async fn abandon(self: Box<Self>) {}
}

impl MemoryWriter {
    fn given_up(&self) -> ChunkError {
        ChunkError::GivenUp {
            place: Arc::clone(&self.place),
            id: self.id,
        }
    }
}

fn stat_of((bytes, modified): &(Bytes, UnixMillis)) -> ChunkStat {
    ChunkStat {
        bytes: bytes.len() as u64,
        modified: *modified,
    }
}

fn lock(chunks: &Mutex<Chunks>) -> MutexGuard<'_, Chunks> {
    chunks.lock().unwrap_or_else(PoisonError::into_inner)
}

//! A store around a store that fails on order. For tests of what is built on stores; see [`crate::faults`].

use crate::api::{ChunkStat, ChunkStore, ChunkWriter};
use crate::error::ChunkError;
use crate::faults::{Damage, Faults, Step};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use seal::Sealed;
use std::sync::Arc;
use words::ChunkId;

/// A store that does what `inner` does, except where its faults say otherwise.
pub struct Faulty {
    inner: Arc<dyn ChunkStore>,
    faults: Faults,
    place: Arc<str>,
}

impl Faulty {
    /// Wraps a store; `place` stands in the errors.
    #[must_use]
    pub fn new(inner: Arc<dyn ChunkStore>, place: &str) -> Self {
        Self {
            inner,
            faults: Faults::default(),
            place: place.into(),
        }
    }
    /// Where faults are ordered.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    async fn meet(&self, step: Step, id: ChunkId) -> Result<Option<Damage>, ChunkError> {
        self.faults.meet(step, Some(id), &self.place).await
    }

    fn writer(&self, id: ChunkId, inner: Box<dyn ChunkWriter>) -> Box<dyn ChunkWriter> {
        Box::new(FaultyWriter {
            inner,
            id,
            faults: self.faults.clone(),
            place: Arc::clone(&self.place),
        })
    }
}

#[async_trait]
impl ChunkStore for Faulty {
    async fn create(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.meet(Step::Create, id).await?;
        Ok(self.writer(id, self.inner.create(id).await?))
    }
    async fn replace(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.meet(Step::Create, id).await?;
        Ok(self.writer(id, self.inner.replace(id).await?))
    }
    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError> {
        let damage = self.meet(Step::Read, id).await?;
        let bytes = self.inner.read(id, offset, length).await?;
        Ok(if damage == Some(Damage::Flip) {
            flipped(&bytes)
        } else {
            bytes
        })
    }
    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError> {
        self.meet(Step::Stat, id).await?;
        self.inner.stat(id).await
    }
    async fn delete(&self, id: ChunkId) -> Result<(), ChunkError> {
        if self.meet(Step::Delete, id).await? == Some(Damage::Lose) {
            return Ok(());
        }
        self.inner.delete(id).await
    }
    async fn list(
        &self,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError> {
        self.faults.meet(Step::List, None, &self.place).await?;
        self.inner.list(after, limit).await
    }
    async fn probe(&self) -> Result<(), ChunkError> {
        self.faults.meet(Step::Probe, None, &self.place).await?;
        self.inner.probe().await
    }
    async fn adopt(&self) -> Result<(), ChunkError> {
        self.faults.meet(Step::Probe, None, &self.place).await?;
        self.inner.adopt().await
    }
}

struct FaultyWriter {
    inner: Box<dyn ChunkWriter>,
    id: ChunkId,
    faults: Faults,
    place: Arc<str>,
}

#[async_trait]
impl ChunkWriter for FaultyWriter {
    async fn append(&mut self, piece: &Sealed) -> Result<(), ChunkError> {
        match self
            .faults
            .meet(Step::Append, Some(self.id), &self.place)
            .await?
        {
            Some(Damage::Flip) => self.inner.append(&damaged(piece)).await,
            _ => self.inner.append(piece).await,
        }
    }
    async fn finish(self: Box<Self>) -> Result<(), ChunkError> {
        match self
            .faults
            .meet(Step::Finish, Some(self.id), &self.place)
            .await?
        {
            Some(Damage::Lose) => {
                self.inner.abandon().await;
                Ok(())
            }
            _ => self.inner.finish().await,
        }
    }
    async fn abandon(self: Box<Self>) {
        self.inner.abandon().await;
    }
}

/// A piece with one bit turned. It is still nothing but sealed bytes, so it may carry the token: its own
/// hash is the one it is checked against.
fn damaged(piece: &Sealed) -> Sealed {
    let bytes = flipped(&Bytes::copy_from_slice(piece.as_bytes()));
    let hash = blake3::hash(&bytes);
    Sealed::reverified(bytes, hash.as_bytes()).unwrap_or_else(|_| piece.clone())
}

/// The same bytes with one bit in the middle turned.
pub(crate) fn flipped(bytes: &Bytes) -> Bytes {
    let mut copy = BytesMut::from(bytes.as_ref());
    let middle = copy.len() / 2;
    if let Some(byte) = copy.get_mut(middle) {
        *byte ^= 0x10;
    }
    copy.freeze()
}

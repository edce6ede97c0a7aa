//! What every store of chunks does. The conformance suite in `tests/it/conformance.rs` runs against each.

use crate::error::ChunkError;
use async_trait::async_trait;
use bytes::Bytes;
use seal::Sealed;
use words::{ChunkId, UnixMillis};

/// Size and age of a stored chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkStat {
    /// Sealed bytes.
    pub bytes: u64,
    /// When it was last written.
    pub modified: UnixMillis,
}

/// Sealed bytes in one site.
#[async_trait]
pub trait ChunkStore: Send + Sync + 'static {
    /// Begins a new chunk. If the name is taken, this or a later step of the writer says so. A chunk may be
    /// listed before it is finished; nothing refers to it then.
    async fn create(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError>;
    /// Begins a copy that takes the place of whatever the name holds, whole and at once, when it is
    /// finished. Until then the old bytes stay. For healing and repair.
    async fn replace(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError>;
    /// Reads exactly `length` bytes at `offset`.
    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError>;
    /// Size and age, or `None` if there is no such chunk.
    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError>;
    /// Removes a chunk; one that is not there is no error. After a crash it may be back, and then nothing
    /// refers to it.
    async fn delete(&self, id: ChunkId) -> Result<(), ChunkError>;
    /// The next chunks in order of their names, at most `limit` of them.
    async fn list(
        &self,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError>;
    /// Proves that the store can make bytes durable and read them back, now.
    async fn probe(&self) -> Result<(), ChunkError>;
    /// Takes the place where the store keeps its chunks into use again after it was away or exchanged.
    /// Everything that should be in it has to be healed and scrubbed afterwards.
    async fn adopt(&self) -> Result<(), ChunkError>;
}

/// One chunk being written. Dropping it is the same as [`ChunkWriter::abandon`], without waiting.
#[async_trait]
pub trait ChunkWriter: Send {
    /// Adds sealed bytes at the end. After an error, or if this future is dropped before it is done, the
    /// chunk cannot be finished any more.
    async fn append(&mut self, piece: &Sealed) -> Result<(), ChunkError>;
    /// Makes the chunk durable, its name included.
    async fn finish(self: Box<Self>) -> Result<(), ChunkError>;
    /// Gives the chunk up and removes what was written of it.
    async fn abandon(self: Box<Self>);
}

//! Site b's chunks at a host. They are removed only while the twin there is in step: one that is behind may
//! still speak of them, and one that another gateway has taken over is not ours to tidy.

use crate::twin::Twin;
use async_trait::async_trait;
use bytes::Bytes;
use chunks::{ChunkError, ChunkStat, ChunkStore, ChunkWriter};
use host::Host;
use s3::{Bucket, Plain};
use std::io;
use std::sync::Arc;
use words::ChunkId;

/// A store of chunks at a host, beside a twin.
pub struct Upstream {
    chunks: Plain,
    twin: Arc<Twin>,
}

impl Upstream {
    /// Keeps chunks in the bucket in which the twin lies.
    #[must_use]
    pub const fn new(bucket: Bucket, host: Host, twin: Arc<Twin>) -> Self {
        Self {
            chunks: Plain::new(bucket, host),
            twin,
        }
    }
}

#[async_trait]
impl ChunkStore for Upstream {
    async fn create(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.chunks.create(id).await
    }
    async fn replace(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.chunks.replace(id).await
    }
    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError> {
        self.chunks.read(id, offset, length).await
    }
    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError> {
        self.chunks.stat(id).await
    }
    async fn delete(&self, id: ChunkId) -> Result<(), ChunkError> {
        if !self.twin.in_step() {
            return Err(ChunkError::Other {
                place: self.chunks.place(),
                doing: "removing a chunk",
                source: io::Error::other("the twin there is not in step, so nothing is removed"),
            });
        }
        self.chunks.delete(id).await
    }
    async fn list(
        &self,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError> {
        self.chunks.list(after, limit).await
    }
    async fn probe(&self) -> Result<(), ChunkError> {
        self.chunks.probe().await
    }
    async fn adopt(&self) -> Result<(), ChunkError> {
        self.chunks.adopt().await
    }
}

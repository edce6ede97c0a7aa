//! Where a twin is read from: the host's bucket, or an export of it in a folder. Both hold the same objects
//! under the same names.

use async_trait::async_trait;
use bytes::Bytes;
use chunks::{ChunkError, ChunkStat, ChunkStore, ChunkWriter};
use s3::plain::{CHUNK_BYTES_MAX, chunk_error, name};
use s3::{Bucket, S3Error};
use std::io;
use std::sync::Arc;
use words::{ChunkId, UnixMillis};

/// Why something was not read. The message names the object or file.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The host did not give it.
    #[error(transparent)]
    Host(#[from] S3Error),
    /// The export did not give it.
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
}

impl SourceError {
    /// Whether the object is not there.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::Host(S3Error::Missing { .. })
                | Self::Export(crate::export::ExportError::Missing { .. })
        )
    }
}

/// Objects that can be read.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The place in words.
    fn shown(&self) -> Arc<str>;
    /// Names and lengths of the objects whose names begin with `prefix`, all of them, in order.
    async fn names(&self, prefix: &str) -> Result<Vec<(String, u64)>, SourceError>;
    /// One whole object.
    async fn object(&self, name: &str, bytes_max: u64) -> Result<Bytes, SourceError>;
    /// The length of an object; `None` if it is not there.
    async fn length(&self, name: &str) -> Result<Option<u64>, SourceError>;
}

#[async_trait]
impl Source for Bucket {
    fn shown(&self) -> Arc<str> {
        Arc::clone(Self::shown(self))
    }
    async fn names(&self, prefix: &str) -> Result<Vec<(String, u64)>, SourceError> {
        let mut names: Vec<(String, u64)> = Vec::new();
        loop {
            let after = names.last().map(|(name, _)| name.clone());
            let page = self.list(prefix, after.as_deref(), 1000).await?;
            if page.is_empty() {
                return Ok(names);
            }
            names.extend(page.into_iter().map(|o| (o.name, o.stat.bytes)));
        }
    }
    async fn object(&self, name: &str, bytes_max: u64) -> Result<Bytes, SourceError> {
        Ok(self.get(name, None, bytes_max).await?)
    }
    async fn length(&self, name: &str) -> Result<Option<u64>, SourceError> {
        Ok(self.stat(name).await?.map(|stat| stat.bytes))
    }
}

/// Chunks of a source, to be read and never written: what a site is filled from.
pub struct ReadOnly(Arc<dyn Source>);

impl ReadOnly {
    /// Reads from there.
    #[must_use]
    pub fn new(source: Arc<dyn Source>) -> Self {
        Self(source)
    }

    fn error(&self, id: ChunkId, error: SourceError) -> ChunkError {
        let place = self.0.shown();
        match error {
            SourceError::Host(error) => chunk_error(&place, id, "reading a chunk", error),
            error if error.is_missing() => ChunkError::Missing { place, id },
            error => ChunkError::Other {
                place,
                doing: "reading a chunk",
                source: io::Error::other(error.to_string()),
            },
        }
    }

    fn never(&self) -> ChunkError {
        ChunkError::ReadOnly {
            place: self.0.shown(),
        }
    }
}

#[async_trait]
impl ChunkStore for ReadOnly {
    async fn create(&self, _: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        Err(self.never())
    }
    async fn replace(&self, _: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        Err(self.never())
    }
    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError> {
        let whole = self.0.object(&name(id), CHUNK_BYTES_MAX).await;
        let whole = whole.map_err(|e| self.error(id, e))?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let to = from.saturating_add(length);
        if to > whole.len() {
            return Err(ChunkError::Short {
                place: self.0.shown(),
                id,
                wanted: to as u64,
                bytes: whole.len() as u64,
            });
        }
        Ok(whole.slice(from..to))
    }
    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError> {
        let length = self.0.length(&name(id)).await;
        Ok(length
            .map_err(|e| self.error(id, e))?
            .map(|bytes| ChunkStat {
                bytes,
                modified: UnixMillis(0),
            }))
    }
    async fn delete(&self, _: ChunkId) -> Result<(), ChunkError> {
        Err(self.never())
    }
    async fn list(
        &self,
        _: Option<ChunkId>,
        _: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError> {
        Ok(Vec::new())
    }
    async fn probe(&self) -> Result<(), ChunkError> {
        Ok(())
    }
    async fn adopt(&self) -> Result<(), ChunkError> {
        Ok(())
    }
}

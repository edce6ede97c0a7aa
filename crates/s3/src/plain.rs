//! Chunks as objects in a bucket: `c/` and the chunk's random name. What is sealed stays as it is, so a bucket
//! holds the same bytes that would lie in a folder.
//!
//! A chunk is held in memory until it is finished and sent as one object, with a condition that nothing is
//! written over.

use crate::bucket::Bucket;
use crate::error::S3Error;
use crate::pieces::Pieces;
use async_trait::async_trait;
use bytes::Bytes;
use chunks::{ChunkError, ChunkStat, ChunkStore, ChunkWriter};
use host::Host;
use seal::Sealed;
use std::io;
use std::sync::Arc;
use words::ChunkId;
use words::limits::CHUNK_PLAINTEXT_BYTES;

/// What the names of chunks begin with.
pub const PREFIX: &str = "c/";
/// No chunk is longer.
pub const CHUNK_BYTES_MAX: u64 = 2 * CHUNK_PLAINTEXT_BYTES;
const PROBE_BYTES: usize = 32;

/// The name of a chunk's object.
#[must_use]
pub fn name(id: ChunkId) -> String {
    format!("{PREFIX}{id}")
}

/// A store of chunks in a bucket, whoever the bucket belongs to.
pub struct Plain {
    bucket: Bucket,
    host: Host,
}

impl Plain {
    /// Keeps chunks in the bucket.
    #[must_use]
    pub const fn new(bucket: Bucket, host: Host) -> Self {
        Self { bucket, host }
    }

    /// The bucket in words.
    #[must_use]
    pub fn place(&self) -> Arc<str> {
        Arc::clone(self.bucket.shown())
    }

    fn error(&self, id: ChunkId, doing: &'static str, error: S3Error) -> ChunkError {
        chunk_error(&self.place(), id, doing, error)
    }

    fn writer(&self, id: ChunkId, only_new: bool) -> Box<dyn ChunkWriter> {
        Box::new(PlainWriter {
            bucket: self.bucket.clone(),
            id,
            only_new,
            pieces: Pieces::default(),
        })
    }
}

/// What an error of the bucket says about a chunk, and so about the site.
#[must_use]
pub fn chunk_error(
    place: &Arc<str>,
    id: ChunkId,
    doing: &'static str,
    error: S3Error,
) -> ChunkError {
    let place = Arc::clone(place);
    match error {
        S3Error::Missing { .. } => ChunkError::Missing { place, id },
        S3Error::Exists { .. } => ChunkError::Exists { place, id },
        S3Error::Short { wanted, bytes, .. } => ChunkError::Short {
            place,
            id,
            wanted,
            bytes,
        },
        S3Error::Silent { .. } => ChunkError::Silent { place, doing },
        S3Error::Refused {
            status,
            code,
            message,
            ..
        } => refusal(place, doing, (status, code.as_str()), &message),
        other => ChunkError::Other {
            place,
            doing,
            source: io::Error::other(other.to_string()),
        },
    }
}

/// Codes of engines that have no room; the status alone does not tell.
const FULL: &[&str] = &[
    "QuotaExceeded",
    "InsufficientStorage",
    "XMinioStorageFull",
    "StorageFull",
];

fn refusal(
    place: Arc<str>,
    doing: &'static str,
    (status, code): (u16, &str),
    message: &str,
) -> ChunkError {
    match (status, code) {
        (507, _) => ChunkError::Full { place },
        (_, code) if FULL.contains(&code) => ChunkError::Full { place },
        (404, "NoSuchBucket") => ChunkError::BucketMissing { place },
        (401 | 403, _) => ChunkError::Denied {
            place,
            why: format!("{status} {code} {message}"),
        },
        _ => ChunkError::Other {
            place,
            doing,
            source: io::Error::other(format!("it answered {status} {code} {message}")),
        },
    }
}

#[async_trait]
impl ChunkStore for Plain {
    async fn create(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        Ok(self.writer(id, true))
    }
    async fn replace(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        Ok(self.writer(id, false))
    }
    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.bucket
            .get(&name(id), Some((offset, length)), length as u64)
            .await
            .map_err(|e| self.error(id, "reading a chunk", e))
    }
    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError> {
        let stat = self.bucket.stat(&name(id)).await;
        let stat = stat.map_err(|e| self.error(id, "looking at a chunk", e))?;
        Ok(stat.map(|stat| ChunkStat {
            bytes: stat.bytes,
            modified: stat.modified,
        }))
    }
    async fn delete(&self, id: ChunkId) -> Result<(), ChunkError> {
        let deleted = self.bucket.delete(&name(id)).await;
        deleted.map_err(|e| self.error(id, "removing a chunk", e))
    }
    async fn list(
        &self,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError> {
        let nobody = ChunkId::from_bytes([0; 16]);
        let (mut found, mut after) = (Vec::new(), after.map(name));
        while found.len() < limit {
            let page = self
                .bucket
                .list(PREFIX, after.as_deref(), limit - found.len());
            let page = page.await;
            let page = page.map_err(|e| self.error(nobody, "listing chunks", e))?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            // Objects with other names are not ours and are left alone.
            found.extend(page.into_iter().filter_map(|object| {
                let id = ChunkId::parse(object.name.strip_prefix(PREFIX)?)?;
                let stat = ChunkStat {
                    bytes: object.stat.bytes,
                    modified: object.stat.modified,
                };
                (name(id) == object.name).then_some((id, stat))
            }));
        }
        Ok(found)
    }
    async fn probe(&self) -> Result<(), ChunkError> {
        let nobody = ChunkId::from_bytes([0; 16]);
        let failed = |e| self.error(nobody, "probing", e);
        let bytes = Bytes::copy_from_slice(&self.host.random::<PROBE_BYTES>());
        self.bucket
            .put("probe", bytes.clone(), false)
            .await
            .map_err(failed)?;
        let back = self
            .bucket
            .get("probe", None, PROBE_BYTES as u64)
            .await
            .map_err(failed)?;
        if back == bytes {
            return Ok(());
        }
        Err(ChunkError::Other {
            place: self.place(),
            doing: "probing",
            source: io::Error::other("it did not give back what it had taken"),
        })
    }
    async fn adopt(&self) -> Result<(), ChunkError> {
        self.probe().await
    }
}

struct PlainWriter {
    bucket: Bucket,
    id: ChunkId,
    only_new: bool,
    pieces: Pieces,
}

#[async_trait]
impl ChunkWriter for PlainWriter {
    async fn append(&mut self, piece: &Sealed) -> Result<(), ChunkError> {
        if (self.pieces.length() + piece.len()) as u64 > CHUNK_BYTES_MAX {
            return Err(ChunkError::Other {
                place: Arc::clone(self.bucket.shown()),
                doing: "writing a chunk",
                source: io::Error::other("it is longer than a chunk may be"),
            });
        }
        self.pieces.push(piece.clone().into_bytes());
        Ok(())
    }
    async fn finish(self: Box<Self>) -> Result<(), ChunkError> {
        let Self {
            bucket,
            id,
            only_new,
            pieces,
        } = *self;
        bucket
            .put_pieces(&name(id), pieces, only_new)
            .await
            .map_err(|e| chunk_error(bucket.shown(), id, "making a chunk durable", e))
    }
    async fn abandon(self: Box<Self>) {}
}

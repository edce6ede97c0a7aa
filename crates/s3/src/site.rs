//! A site's chunks in a bucket that says whose it is. Nothing is asked of a bucket, and nothing written to it,
//! before its mark was read and is this site's: a bucket that was exchanged or emptied never passes for the site.

use crate::bucket::Bucket;
use crate::error::S3Error;
use crate::mark::{self, Mark};
use crate::place::{Place, PlaceError};
use crate::plain::{Plain, chunk_error};
use async_trait::async_trait;
use bytes::Bytes;
use chunks::{ChunkError, ChunkStat, ChunkStore, ChunkWriter};
use host::Host;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use words::{ChunkId, hex};

/// What the names of probes begin with; each start of a node has one of its own.
const PROBES: &str = "probe/";
const PROBE_BYTES: usize = 32;
/// Probes that are older were left by a node that ended.
const PROBE_AGE_MS: u64 = 24 * 3_600_000;
const PROBES_MAX: usize = 20;
/// How far an engine's clock may be off. The age of a chunk without an owner is told by it.
const SKEW_MS_MAX: u64 = 3_600_000;

/// Why a bucket was not taken for a site. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It holds something.
    #[error(
        "{place} is not empty (it holds {object:?}), and nothing is ever written over; give an empty bucket, or empty this one if nothing in it is needed"
    )]
    Occupied {
        /// The bucket.
        place: Arc<str>,
        /// Something in it.
        object: String,
    },
    /// It belongs to a site.
    #[error(
        "{place} belongs to {whose}; nothing in it was touched; give an empty bucket, or correct the file that sites.a_s3 or sites.b_s3 names"
    )]
    Taken {
        /// The bucket.
        place: Arc<str>,
        /// Whose it is.
        whose: String,
    },
    /// It did not answer as it should.
    #[error(transparent)]
    S3(#[from] S3Error),
}

/// What is known of a bucket's mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// It was not read since the node started.
    Unknown,
    /// This site's.
    Ours,
    /// There is no mark.
    Nobodys,
    /// There is no bucket.
    Missing,
    /// Another's, or one that is not understood.
    Foreign(String),
}

/// A store of one site's chunks.
pub struct SiteBucket {
    bucket: Bucket,
    chunks: Plain,
    mark: Mark,
    whose: Mutex<Whose>,
    host: Host,
    probe: String,
    /// What has to be looked at once was.
    looked: AtomicBool,
    conditions: OnceLock<bool>,
}

/// Makes sure that there is a bucket and that it is empty; makes it if there is none.
pub async fn must_be_empty(bucket: &Bucket) -> Result<(), TakeError> {
    let place = || Arc::clone(bucket.shown());
    let listed = match bucket.list("", None, 1).await {
        Err(S3Error::Refused { code, .. }) if code == "NoSuchBucket" => {
            bucket.create().await?;
            bucket.list("", None, 1).await
        }
        listed => listed,
    };
    let Some(object) = listed?.into_iter().next() else {
        return Ok(());
    };
    match read(bucket).await? {
        Some(Ok(mark)) => Err(TakeError::Taken {
            place: place(),
            whose: mark.shown(),
        }),
        _ => Err(TakeError::Occupied {
            place: place(),
            object: object.name,
        }),
    }
}

/// The mark of a bucket; `None` if there is none.
pub async fn read(bucket: &Bucket) -> Result<Option<Result<Mark, mark::MarkError>>, S3Error> {
    match bucket.get(mark::NAME, None, mark::BYTES_MAX).await {
        Ok(bytes) => Ok(Some(Mark::decode(&bytes))),
        Err(S3Error::Missing { .. }) => Ok(None),
        // It is longer than a mark.
        Err(S3Error::Answer { .. }) => Ok(Some(Err(mark::MarkError::Unreadable))),
        Err(error) => Err(error),
    }
}

impl SiteBucket {
    /// A store for the site in the bucket. Nothing is sent yet, and nothing asked before [`SiteBucket::look`].
    pub fn new(place: Place, mark: Mark, host: Host) -> Result<Self, PlaceError> {
        let bucket = Bucket::new(place, host.clone())?;
        Ok(Self {
            chunks: Plain::new(bucket.clone(), host.clone()),
            bucket,
            mark,
            whose: Mutex::new(Whose::Unknown),
            probe: format!("{PROBES}{}", hex::encode(&host.random::<8>())),
            host,
            looked: AtomicBool::new(false),
            conditions: OnceLock::new(),
        })
    }

    /// The bucket.
    #[must_use]
    pub const fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The bucket in words.
    #[must_use]
    pub fn place(&self) -> &Arc<str> {
        self.bucket.shown()
    }

    /// What the engine calls itself, once it has answered.
    #[must_use]
    pub fn engine(&self) -> Option<&str> {
        self.bucket.engine()
    }

    /// Whether a write under a taken name is refused by the engine; `None` before the first probe.
    #[must_use]
    pub fn conditions(&self) -> Option<bool> {
        self.conditions.get().copied()
    }

    /// Reads the mark and remembers what it says. If that fails, what was known before is still so.
    pub async fn look(&self) -> Result<Whose, S3Error> {
        let whose = match read(&self.bucket).await {
            Ok(Some(Ok(mark))) if mark == self.mark => Whose::Ours,
            Ok(Some(Ok(mark))) => Whose::Foreign(mark.shown()),
            Ok(Some(Err(error))) => Whose::Foreign(format!("somebody else ({error})")),
            Ok(None) => Whose::Nobodys,
            Err(S3Error::Refused { code, .. }) if code == "NoSuchBucket" => Whose::Missing,
            Err(error) => return Err(error),
        };
        self.set(whose.clone());
        Ok(whose)
    }

    /// Makes an empty bucket this site's.
    pub async fn take(&self) -> Result<(), TakeError> {
        must_be_empty(&self.bucket).await?;
        let text = Bytes::from(self.mark.encode());
        let placed = self.bucket.put(mark::NAME, text, true).await;
        // Whoever was quicker is named, also by an engine that knows no conditions.
        match (self.look().await?, placed) {
            (Whose::Ours, _) => Ok(()),
            (Whose::Foreign(whose), _) => Err(TakeError::Taken {
                place: Arc::clone(self.place()),
                whose,
            }),
            (_, placed) => {
                placed?;
                let name = mark::NAME.to_owned();
                let place = self.place().to_string();
                Err(S3Error::Missing { place, name }.into())
            }
        }
    }

    fn set(&self, whose: Whose) {
        *self.whose.lock().unwrap_or_else(PoisonError::into_inner) = whose;
    }

    /// An error if the bucket is not known to be this site's.
    fn ours(&self) -> Result<(), ChunkError> {
        let whose = self.whose.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Arc::clone(self.place());
        match &*whose {
            Whose::Ours => Ok(()),
            Whose::Unknown => Err(ChunkError::Silent {
                place,
                doing: "reading the mark of a site",
            }),
            Whose::Nobodys => Err(ChunkError::BucketUnmarked { place }),
            Whose::Missing => Err(ChunkError::BucketMissing { place }),
            Whose::Foreign(found) => Err(ChunkError::BucketForeign {
                place,
                found: found.clone(),
                expected: self.mark.shown(),
            }),
        }
    }

    fn error(&self, doing: &'static str, error: S3Error) -> ChunkError {
        let nobody = ChunkId::from_bytes([0; 16]);
        match error {
            // Only chunks are missing or in the way.
            S3Error::Missing { .. } | S3Error::Exists { .. } | S3Error::Short { .. } => {
                self.other(doing, error.to_string())
            }
            error => chunk_error(self.place(), nobody, doing, error),
        }
    }

    fn other(&self, doing: &'static str, why: impl Into<String>) -> ChunkError {
        ChunkError::Other {
            place: Arc::clone(self.place()),
            doing,
            source: io::Error::other(why.into()),
        }
    }

    /// Writes bytes, and reads them back.
    async fn write_and_read(&self) -> Result<(), ChunkError> {
        const DOING: &str = "probing";
        let failed = |error| self.error(DOING, error);
        let bytes = Bytes::copy_from_slice(&self.host.random::<PROBE_BYTES>());
        let put = self.bucket.put(&self.probe, bytes.clone(), false).await;
        put.map_err(failed)?;
        let max = PROBE_BYTES as u64;
        let back = self.bucket.get(&self.probe, None, max).await;
        match back.map_err(failed)? == bytes {
            true => Ok(()),
            false => Err(self.other(DOING, "it did not give back what it had taken")),
        }
    }

    /// What is looked at once for each start: the engine's clock, whether it heeds conditions, old probes.
    async fn look_once(&self) -> Result<(), ChunkError> {
        if self.looked.load(Ordering::Relaxed) {
            return Ok(());
        }
        const DOING: &str = "looking at the engine's clock";
        let stat = self.bucket.stat(&self.probe).await;
        let stat = stat.map_err(|error| self.error(DOING, error))?;
        let there = stat.ok_or_else(|| self.other(DOING, "what was written is not there"))?;
        let skew = self.host.now().0.abs_diff(there.modified.0);
        if skew > SKEW_MS_MAX {
            let why = format!(
                "it is {} s off from this machine's; set the clocks, since the age of chunks is told by them",
                skew / 1000
            );
            return Err(self.other(DOING, why));
        }
        let other = Bytes::copy_from_slice(&self.host.random::<PROBE_BYTES>());
        let heeded = match self.bucket.put(&self.probe, other, true).await {
            Ok(()) => Some(false),
            Err(S3Error::Exists { .. }) => Some(!self.bucket.refuses_conditions()),
            Err(_) => None,
        };
        if let Some(heeded) = heeded {
            self.conditions.get_or_init(|| heeded);
            self.looked.store(true, Ordering::Relaxed);
        }
        self.remove_old_probes().await;
        Ok(())
    }

    async fn remove_old_probes(&self) {
        let now = self.host.now().0;
        let Ok(probes) = self.bucket.list(PROBES, None, PROBES_MAX).await else {
            return;
        };
        for old in probes {
            let age = now.saturating_sub(old.stat.modified.0);
            if old.name != self.probe && age > PROBE_AGE_MS {
                // What stays is removed at a later start.
                let _ = self.bucket.delete(&old.name).await;
            }
        }
    }
}

#[async_trait]
impl ChunkStore for SiteBucket {
    async fn create(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.ours()?;
        self.chunks.create(id).await
    }
    async fn replace(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        self.ours()?;
        self.chunks.replace(id).await
    }
    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError> {
        self.ours()?;
        self.chunks.read(id, offset, length).await
    }
    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError> {
        self.ours()?;
        self.chunks.stat(id).await
    }
    async fn delete(&self, id: ChunkId) -> Result<(), ChunkError> {
        self.ours()?;
        self.chunks.delete(id).await
    }
    async fn list(
        &self,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError> {
        self.ours()?;
        self.chunks.list(after, limit).await
    }
    /// Reads the mark first: writes to a bucket that was emptied or exchanged meanwhile end with this.
    async fn probe(&self) -> Result<(), ChunkError> {
        let looked = self.look().await;
        looked.map_err(|error| self.error("reading the mark of a site", error))?;
        self.ours()?;
        self.write_and_read().await?;
        self.look_once().await
    }
    async fn adopt(&self) -> Result<(), ChunkError> {
        self.probe().await
    }
}

//! A folder per site. A chunk is the file `<site>/chunks/<2 hex digits>/<32 hex digits>`, made under its
//! name at once (nothing refers to it before it is durable) and never written again. A copy that replaces a
//! damaged one is written under `<site>/chunks/incoming/` and renamed over it.
//!
//! Blocking calls go to threads of their own, at most [`IN_FLIGHT_MAX`] per folder, so that a disk that
//! hangs cannot take the threads that the other site needs.
//!
//! Never here: making up a folder that is missing. An empty mount point must not pass for a site.

mod layout;
mod writer;

use crate::api::{ChunkStat, ChunkStore, ChunkWriter};
use crate::error::ChunkError;
use async_trait::async_trait;
use bytes::Bytes;
use host::{blocks, files};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use words::ChunkId;
use writer::DirWriter;

/// Most blocking calls under way in one folder.
pub const IN_FLIGHT_MAX: usize = 128;
/// Reads up to this length are tried without leaving the thread, if the bytes are in memory.
const SHORT_READ_BYTES: usize = 64 * 1024;

/// A store in a folder.
pub struct Dir(Arc<Inner>);

struct Inner {
    /// `<site>/chunks`
    folder: PathBuf,
    place: Arc<str>,
    /// Device and inode of `folder`: another folder under the same name is not taken for it.
    identity: Mutex<(u64, u64)>,
    gate: Arc<Semaphore>,
    /// Tells temporary files of one process apart.
    serial: AtomicU64,
}

impl Dir {
    /// Makes the folders of a new site and opens them. Folders that are there already are kept.
    pub fn found(site: &Path) -> Result<Self, ChunkError> {
        let folder = site.join(layout::CHUNKS);
        let place: Arc<str> = folder.display().to_string().into();
        layout::make(&folder)
            .map_err(|e| ChunkError::from_io(&place, "making the folders for chunks", e))?;
        Self::open(site)
    }

    /// Opens the folder of a site that was founded before, and removes copies that a crash left unfinished.
    pub fn open(site: &Path) -> Result<Self, ChunkError> {
        let folder = site.join(layout::CHUNKS);
        let place: Arc<str> = folder.display().to_string().into();
        let identity = layout::check(&folder)
            .map_err(|e| ChunkError::from_io(&place, "opening the folder for chunks", e))?;
        // A folder that cannot be written may still be read, so failing to tidy is no reason to stay away.
        if let Err(error) = layout::tidy(&folder) {
            tracing::warn!(%place, %error, "unfinished copies could not be removed");
        }
        Ok(Self::of(folder, place, identity))
    }

    /// A store for a site whose folder may be away: until it is there and [`ChunkStore::adopt`] was called,
    /// everything that is asked of the store fails as it does for a folder that went away.
    #[must_use]
    pub fn awaiting(site: &Path) -> Self {
        Self::open(site).unwrap_or_else(|_| {
            let folder = site.join(layout::CHUNKS);
            let place: Arc<str> = folder.display().to_string().into();
            Self::of(folder, place, (0, 0))
        })
    }

    fn of(folder: PathBuf, place: Arc<str>, identity: (u64, u64)) -> Self {
        Self(Arc::new(Inner {
            folder,
            place,
            identity: Mutex::new(identity),
            gate: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            serial: AtomicU64::new(0),
        }))
    }

    /// The file of a chunk, for people and for tests.
    #[must_use]
    pub fn path_of(&self, id: ChunkId) -> PathBuf {
        layout::file(&self.0.folder, id)
    }
}

#[async_trait]
impl ChunkStore for Dir {
    async fn create(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        Ok(Box::new(DirWriter::new(Arc::clone(&self.0), id, false)))
    }
    async fn replace(&self, id: ChunkId) -> Result<Box<dyn ChunkWriter>, ChunkError> {
        Ok(Box::new(DirWriter::new(Arc::clone(&self.0), id, true)))
    }

    async fn read(&self, id: ChunkId, offset: u64, length: usize) -> Result<Bytes, ChunkError> {
        if length > SHORT_READ_BYTES {
            return self
                .0
                .off_thread(move |inner| {
                    let file = inner.open_chunk(id)?;
                    inner.read_range(&file, id, offset, length)
                })
                .await;
        }
        let file = self.0.open_chunk(id)?;
        match blocks::read_without_waiting(&file, offset, length) {
            Some(bytes) => Ok(bytes.into()),
            None => {
                self.0
                    .off_thread(move |inner| inner.read_range(&file, id, offset, length))
                    .await
            }
        }
    }

    async fn stat(&self, id: ChunkId) -> Result<Option<ChunkStat>, ChunkError> {
        self.0
            .off_thread(move |inner| {
                let found = files::stat(&layout::file(&inner.folder, id))
                    .map_err(|e| inner.error("asking for a chunk's size", e))?;
                if found.is_none() {
                    inner.must_be_there()?;
                }
                Ok(found.map(|(bytes, modified)| ChunkStat { bytes, modified }))
            })
            .await
    }

    async fn delete(&self, id: ChunkId) -> Result<(), ChunkError> {
        self.0
            .off_thread(move |inner| {
                files::remove(&layout::file(&inner.folder, id))
                    .map_err(|e| inner.error("removing a chunk", e))
            })
            .await
    }

    async fn list(
        &self,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkStat)>, ChunkError> {
        self.0
            .off_thread(move |inner| {
                inner.must_be_there()?;
                layout::list(&inner.folder, after, limit)
                    .map_err(|e| inner.error("listing chunks", e))
            })
            .await
    }

    async fn probe(&self) -> Result<(), ChunkError> {
        self.0.off_thread(Inner::probe).await
    }

    async fn adopt(&self) -> Result<(), ChunkError> {
        self.0
            .off_thread(|inner| {
                // A folder that never went away is left as it is: copies may be on their way into it.
                if layout::check(&inner.folder).is_ok() && inner.must_be_there().is_ok() {
                    return inner.probe();
                }
                // The site's own folder must be there: making it up is for founding.
                let site = inner.folder.parent().unwrap_or(&inner.folder);
                if !files::is_folder(site) {
                    let place = Arc::clone(&inner.place);
                    return Err(ChunkError::FolderMissing { place });
                }
                let identity = layout::make(&inner.folder)
                    .and_then(|()| layout::tidy(&inner.folder))
                    .and_then(|()| layout::check(&inner.folder))
                    .map_err(|e| inner.error("taking the folder into use again", e))?;
                *inner
                    .identity
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = identity;
                inner.probe()
            })
            .await
    }
}

impl Inner {
    /// Runs a blocking call on a thread where blocking is allowed.
    async fn off_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, ChunkError> + Send + 'static,
    ) -> Result<T, ChunkError> {
        let permit = Arc::clone(&self.gate).acquire_owned().await;
        let inner = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work(&inner);
            drop(permit);
            outcome
        });
        match done.await {
            Ok(outcome) => outcome,
            Err(stopped) => Err(self.error("a disk thread", io::Error::other(stopped))),
        }
    }

    fn error(&self, doing: &'static str, error: io::Error) -> ChunkError {
        ChunkError::from_io(&self.place, doing, error)
    }

    fn open_chunk(&self, id: ChunkId) -> Result<files::OpenFile, ChunkError> {
        files::open(&layout::file(&self.folder, id)).map_err(|e| {
            if e.kind() != io::ErrorKind::NotFound {
                return self.error("opening a chunk", e);
            }
            match self.must_be_there() {
                Ok(()) => ChunkError::Missing {
                    place: Arc::clone(&self.place),
                    id,
                },
                Err(away) => away,
            }
        })
    }

    fn read_range(
        &self,
        file: &files::OpenFile,
        id: ChunkId,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, ChunkError> {
        let bytes = blocks::read_up_to(file, offset, length)
            .map_err(|e| self.error("reading a chunk", e))?;
        if bytes.len() < length {
            return Err(ChunkError::Short {
                place: Arc::clone(&self.place),
                id,
                wanted: offset.saturating_add(length as u64),
                bytes: offset.saturating_add(bytes.len() as u64),
            });
        }
        Ok(bytes.into())
    }

    /// An error if the folder is gone or is another one than was opened.
    fn must_be_there(&self) -> Result<(), ChunkError> {
        let now = files::identity(&self.folder)
            .map_err(|e| self.error("looking at the folder for chunks", e))?;
        if now == *self.identity.lock().unwrap_or_else(PoisonError::into_inner) {
            Ok(())
        } else {
            Err(ChunkError::FolderReplaced {
                place: Arc::clone(&self.place),
            })
        }
    }

    fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes, syncs, reads back and removes a small file, and looks for the folders of the layout.
    fn probe(&self) -> Result<(), ChunkError> {
        const MARK: &[u8] = b"clarence probes this folder";
        layout::check(&self.folder)
            .map_err(|e| self.error("looking at the folders for chunks", e))?;
        self.must_be_there()?;
        let path = layout::incoming(&self.folder, &format!("probe.{}", self.next_serial()));
        let outcome = (|| {
            let file = files::create_new(&path, layout::FILE_MODE)?;
            blocks::write_at(&file, 0, MARK)?;
            blocks::sync(&file)?;
            let back = blocks::read_up_to(&file, 0, MARK.len())?;
            if back == MARK {
                Ok(())
            } else {
                Err(io::Error::other("what was written cannot be read back"))
            }
        })();
        let removed = files::remove(&path);
        outcome.and(removed).map_err(|e| self.error("probing", e))
    }
}

//! Writes one chunk file. Pieces are gathered until there is enough for one call, so that a short chunk is
//! made, written and synced in a single trip to a disk thread, and a long one keeps the disk busy from the
//! first mebibyte on.

use super::{Inner, layout};
use crate::api::ChunkWriter;
use crate::error::ChunkError;
use async_trait::async_trait;
use bytes::Bytes;
use host::{blocks, files};
use seal::Sealed;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use words::ChunkId;

/// Pieces are gathered up to this many bytes before they are written.
const GATHER_BYTES: usize = 512 * 1024;

/// Where the writer stands.
enum State {
    /// Nothing is on the disk yet.
    Fresh,
    /// The file is open and has this many bytes.
    Open(files::OpenFile, u64),
    /// A step failed or was given up: the chunk cannot be finished.
    Broken,
    /// Durable, or removed.
    Done,
}

pub struct DirWriter {
    inner: Arc<Inner>,
    id: ChunkId,
    /// Where the bytes go while they are written.
    path: PathBuf,
    /// A copy that is renamed over the chunk's name in the end.
    replaces: bool,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    state: State,
    /// Whether this writer made the file at `path`: only then may it remove it.
    ours: Arc<AtomicBool>,
}

impl DirWriter {
    pub fn new(inner: Arc<Inner>, id: ChunkId, replaces: bool) -> Self {
        let path = if replaces {
            layout::incoming(&inner.folder, &format!("{id}.{}", inner.next_serial()))
        } else {
            layout::file(&inner.folder, id)
        };
        Self {
            inner,
            id,
            path,
            replaces,
            gathered: Vec::new(),
            gathered_bytes: 0,
            state: State::Fresh,
            ours: Arc::default(),
        }
    }

    /// Takes what has to be written to a disk thread, and `then` with it.
    async fn flush<T: Send + 'static>(
        &mut self,
        then: impl FnOnce(&Inner, files::OpenFile, u64) -> Result<T, ChunkError> + Send + 'static,
    ) -> Result<T, ChunkError> {
        // If this future is dropped half-way the writer stays broken, because nobody knows what was written.
        let state = std::mem::replace(&mut self.state, State::Broken);
        let pieces = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let (path, id, ours) = (self.path.clone(), self.id, Arc::clone(&self.ours));
        self.inner
            .off_thread(move |inner| {
                let (file, mut length) = open(inner, state, &path, id)?;
                ours.store(true, Ordering::Release);
                for piece in pieces {
                    blocks::write_at(&file, length, &piece)
                        .map_err(|e| inner.error("writing a chunk", e))?;
                    length = length.saturating_add(piece.len() as u64);
                }
                then(inner, file, length)
            })
            .await
    }

    fn given_up(&self) -> ChunkError {
        ChunkError::GivenUp {
            place: Arc::clone(&self.inner.place),
            id: self.id,
        }
    }
}

fn open(
    inner: &Inner,
    state: State,
    path: &std::path::Path,
    id: ChunkId,
) -> Result<(files::OpenFile, u64), ChunkError> {
    match state {
        State::Open(file, length) => Ok((file, length)),
        State::Fresh => match files::create_new(path, layout::FILE_MODE) {
            Ok(file) => Ok((file, 0)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(ChunkError::Exists {
                place: Arc::clone(&inner.place),
                id,
            }),
            Err(e) => Err(inner.error("making a chunk's file", e)),
        },
        State::Broken | State::Done => Err(ChunkError::GivenUp {
            place: Arc::clone(&inner.place),
            id,
        }),
    }
}

#[async_trait]
impl ChunkWriter for DirWriter {
    async fn append(&mut self, piece: &Sealed) -> Result<(), ChunkError> {
        if matches!(self.state, State::Broken | State::Done) {
            return Err(self.given_up());
        }
        self.gathered_bytes = self.gathered_bytes.saturating_add(piece.len());
        self.gathered.push(piece.clone().into_bytes());
        if self.gathered_bytes < GATHER_BYTES {
            return Ok(());
        }
        let bytes = self.gathered_bytes as u64;
        let (file, length) = self
            .flush(move |_, file, length| {
                blocks::begin_writing_out(&file, length.saturating_sub(bytes), bytes);
                Ok((file, length))
            })
            .await?;
        self.state = State::Open(file, length);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ChunkError> {
        if matches!(self.state, State::Broken | State::Done) {
            return Err(self.given_up());
        }
        let (path, id, replaces) = (self.path.clone(), self.id, self.replaces);
        self.flush(move |inner, file, _| {
            blocks::sync(&file).map_err(|e| inner.error("making a chunk durable", e))?;
            if replaces {
                // Renames and syncs the folder.
                files::rename(&path, &layout::file(&inner.folder, id))
            } else {
                files::sync_folder(&layout::subfolder(&inner.folder, id))
            }
            .map_err(|e| inner.error("making a chunk's name durable", e))?;
            // A folder put in the place of ours meanwhile does not have the chunk.
            inner.must_be_there()
        })
        .await?;
        self.state = State::Done;
        Ok(())
    }

    async fn abandon(mut self: Box<Self>) {
        if let Some(path) = self.remains() {
            let removed = self
                .inner
                .off_thread(move |inner| {
                    files::remove(&path).map_err(|e| inner.error("removing", e))
                })
                .await;
            if let Err(error) = removed {
                tracing::debug!(chunk = %self.id, %error, "an abandoned chunk is left to the sweep");
            }
        }
    }
}

impl DirWriter {
    /// The file to remove, once.
    fn remains(&mut self) -> Option<PathBuf> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Open(..) | State::Broken if self.ours.load(Ordering::Acquire) => {
                Some(std::mem::take(&mut self.path))
            }
            _ => None,
        }
    }
}

impl Drop for DirWriter {
    fn drop(&mut self) {
        let Some(path) = self.remains() else { return };
        // Without a runtime to do it the sweep of orphans does.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || files::remove(&path));
        }
    }
}

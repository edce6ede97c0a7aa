//! What does not fit into memory, sealed: each file under a key of its own that is nowhere but in this process, and without
//! a name, so that nothing is left when the process ends.
//!
//! A file is a row of frames: the length of what follows (4 bytes, little endian), then AES-256-GCM over at most 256 KiB, its
//! nonce the frame's number.

use crate::error::{Fault, SqlError};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;
use host::files::OpenFile;
use host::{Host, blocks, files};
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const FRAME_BYTES: usize = 256 * 1024;
const LENGTH_BYTES: u64 = 4;

/// Makes files for what does not fit into memory.
pub struct Spills {
    host: Host,
    folder: PathBuf,
    used: Arc<AtomicU64>,
    most: u64,
}

impl Spills {
    /// In a folder that nobody else uses, at most so many bytes together.
    pub fn new(host: Host, folder: PathBuf, most: u64) -> Self {
        Self {
            host,
            folder,
            used: Arc::default(),
            most,
        }
    }
}

/// One file.
struct Sealed {
    file: OpenFile,
    key: LessSafeKey,
    used: Arc<AtomicU64>,
    most: u64,
    written: AtomicU64,
}

impl Drop for Sealed {
    fn drop(&mut self) {
        let written = self.written.load(Ordering::Relaxed);
        self.used.fetch_sub(written, Ordering::Relaxed);
    }
}

impl TempFileFactory for Spills {
    fn create_temp_file(&self, _: &str) -> Result<Arc<dyn SpillFile>> {
        let name = self
            .folder
            .join(words::hex::encode(&self.host.random::<16>()));
        let file = files::create_new(&name, 0o600).and_then(|made| {
            let opened = files::open_rw(&name);
            drop(made);
            files::remove(&name)?;
            opened
        });
        let key: [u8; 32] = self.host.random();
        let key =
            UnboundKey::new(&AES_256_GCM, &key).map_err(|_| broken("no key could be made"))?;
        Ok(Arc::new(SpillOf(Arc::new(Sealed {
            file: file?,
            key: LessSafeKey::new(key),
            used: Arc::clone(&self.used),
            most: self.most,
            written: AtomicU64::new(0),
        }))))
    }
}

struct SpillOf(Arc<Sealed>);

impl SpillFile for SpillOf {
    fn size(&self) -> Option<u64> {
        Some(self.0.written.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let sealed = Arc::clone(&self.0);
        let frames = futures::stream::try_unfold(
            (sealed, 0_u64, 0_u64),
            |(sealed, at, number)| async move {
                let opened = tokio::task::spawn_blocking(move || {
                    let frame = sealed.open(at, number)?;
                    Ok::<_, DataFusionError>((frame, sealed))
                });
                let (frame, sealed) = opened
                    .await
                    .map_err(|_| broken("reading it was interrupted"))??;
                Ok(frame.map(|(plain, next)| (plain, (sealed, next, number + 1))))
            },
        );
        Ok(Box::pin(frames))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Writer {
            sealed: Arc::clone(&self.0),
            plain: Vec::with_capacity(FRAME_BYTES),
            number: 0,
        }))
    }
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

impl Sealed {
    /// The frame that begins there, and where the next one does.
    fn open(&self, at: u64, number: u64) -> Result<Option<(Bytes, u64)>> {
        if at >= self.written.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut length = [0; 4];
        files::read_at(&self.file, at, &mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > FRAME_BYTES + AES_256_GCM.tag_len() {
            return Err(broken("a frame is too long"));
        }
        let mut frame = blocks::read_up_to(&self.file, at + LENGTH_BYTES, length)?;
        let opened = self
            .key
            .open_in_place(nonce(number), Aad::empty(), &mut frame);
        let plain = opened.map_err(|_| broken("a frame was changed"))?.len();
        frame.truncate(plain);
        Ok(Some((
            Bytes::from(frame),
            at + LENGTH_BYTES + length as u64,
        )))
    }
}

struct Writer {
    sealed: Arc<Sealed>,
    plain: Vec<u8>,
    number: u64,
}

impl Writer {
    fn seal(&mut self) -> io::Result<()> {
        if self.plain.is_empty() {
            return Ok(());
        }
        let mut frame = std::mem::replace(&mut self.plain, Vec::with_capacity(FRAME_BYTES));
        let sealed = &self.sealed;
        sealed
            .key
            .seal_in_place_append_tag(nonce(self.number), Aad::empty(), &mut frame)
            .map_err(|_| io::Error::other("a frame could not be sealed"))?;
        self.number += 1;
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let bytes = LENGTH_BYTES + frame.len() as u64;
        if sealed.used.fetch_add(bytes, Ordering::Relaxed) + bytes > sealed.most {
            sealed.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(io::Error::other(SqlError::new(
                Fault::Resources,
                "the statement needs more memory and more spill than it may have (sql.memory, sql.spill_max); ask for less at once",
            )));
        }
        let at = sealed.written.load(Ordering::Acquire);
        let mut whole = length.to_le_bytes().to_vec();
        whole.append(&mut frame);
        blocks::write_at(&sealed.file, at, &whole)?;
        sealed.written.store(at + bytes, Ordering::Release);
        Ok(())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(FRAME_BYTES - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        if self.plain.len() == FRAME_BYTES {
            self.seal()?;
        }
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(self.seal()?)
    }
}

fn broken(what: &str) -> DataFusionError {
    DataFusionError::from(SqlError::new(
        Fault::Internal,
        format!("what a statement spilled cannot be used: {what}; ask again"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    #[tokio::test]
    async fn what_is_spilled_is_sealed_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let spills = Spills::new(Host::real(), folder.path().to_owned(), 4 * 1024 * 1024);
        let file = spills.create_temp_file("x").unwrap();
        let plain: Vec<u8> = b"canary-".iter().copied().cycle().take(1_000_000).collect();
        let mut writer = file.open_writer().unwrap();
        writer.write_all(&plain).unwrap();
        writer.finish().unwrap();
        assert_eq!(
            files::list(folder.path()).unwrap(),
            Vec::<String>::new(),
            "no name is left"
        );
        let parts: Vec<Bytes> = file.read_stream().unwrap().try_collect().await.unwrap();
        assert_eq!(parts.concat(), plain);
        let more = writer.write_all(&[0; 4 * 1024 * 1024]).unwrap_err();
        assert!(more.to_string().contains("sql.spill_max"), "{more}");
        drop((writer, file));
        assert_eq!(spills.used.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_changed_frame_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let spills = Spills::new(Host::real(), folder.path().to_owned(), 4 * 1024 * 1024);
        let key = UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap();
        let sealed = Arc::new(Sealed {
            file: tempfile::tempfile().unwrap(),
            key: LessSafeKey::new(key),
            used: Arc::clone(&spills.used),
            most: 1 << 20,
            written: AtomicU64::new(0),
        });
        let file = SpillOf(Arc::clone(&sealed));
        let mut writer = file.open_writer().unwrap();
        writer.write_all(b"a plain canary").unwrap();
        writer.finish().unwrap();
        let mut raw = blocks::read_up_to(&sealed.file, 0, 1024).unwrap();
        assert!(!raw.windows(6).any(|part| part == b"canary"));
        raw[6] ^= 1;
        blocks::write_at(&sealed.file, 0, &raw).unwrap();
        let read: Result<Vec<Bytes>> = file.read_stream().unwrap().try_collect().await;
        assert!(read.is_err());
    }
}

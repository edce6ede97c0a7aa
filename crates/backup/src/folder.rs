//! How a backup lies in its folder, and reading what is there. Every file is compared with its hash when it is read.

use crate::block::{self, BLOCK_BYTES_MAX};
use crate::error::{BackupError, io};
use crate::manifest::{self, Block, Manifest};
use bytes::Bytes;
use catalog::Row;
use chunks::ChunkRef;
use host::files;
use std::path::{Path, PathBuf};
use words::{ChunkId, CloudId};

/// Says that a backup is under way, and of which cloud.
const PARTIAL: &str = "PARTIAL";
const PARTIAL_HEAD: &str = "clarence backup, format 1, under way or interrupted; cloud ";
const PARTIAL_BYTES_MAX: u64 = 256;
const LOCK: &str = "lock";
const CHUNKS: &str = "chunks";
/// No chunk is longer, as in `docs/format/chunks.md`.
pub const CHUNK_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What an empty file system may hold.
const EMPTY_MAY_HOLD: &str = "lost+found";

/// The folder of one generation.
pub(crate) fn generation(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}"))
}

pub(crate) fn paper(folder: &Path, number: u32, name: &str) -> PathBuf {
    generation(folder, number).join("papers").join(name)
}

pub(crate) fn rows(folder: &Path, number: u32, block: usize) -> PathBuf {
    generation(folder, number)
        .join("rows")
        .join(format!("{block:08}"))
}

/// Where a chunk lies.
#[must_use]
pub fn chunk(folder: &Path, id: ChunkId) -> PathBuf {
    let [first, ..] = id.as_bytes();
    let within = folder.join(CHUNKS).join(format!("{first:02x}"));
    within.join(id.to_string())
}

/// Makes sure that the folder is one for backups of this cloud, and marks it as under way.
pub(crate) fn begin(
    folder: &Path,
    cloud: CloudId,
    before: Option<&Manifest>,
) -> Result<(), BackupError> {
    let path = folder.join(PARTIAL);
    let there = files::read(&path, PARTIAL_BYTES_MAX).map_err(io(&path))?;
    let there = there.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let marked = there.as_ref().and_then(|text| {
        let id = text.strip_prefix(PARTIAL_HEAD)?;
        CloudId::parse(id.trim_end())
    });
    let found = before.map(|manifest| manifest.cloud).or(marked);
    if let Some(found) = found.filter(|found| *found != cloud) {
        return Err(BackupError::OtherCloud {
            folder: folder.to_path_buf(),
            found,
            expected: cloud,
        });
    }
    let text = format!("{PARTIAL_HEAD}{cloud}\n");
    if there.as_ref() == Some(&text) {
        return Ok(());
    }
    files::write_durable(&path, text.as_bytes(), 0o600).map_err(io(&path))
}

/// Takes the folder for this process. One that is not there is made; one that holds anything but a backup is refused.
pub(crate) fn hold(folder: &Path) -> Result<files::Lock, BackupError> {
    files::make_folder(folder, 0o700).map_err(io(folder))?;
    let names = files::list(folder).map_err(io(folder))?;
    let ours = names
        .iter()
        .any(|name| name == PARTIAL || name == manifest::FILE);
    let empty = names
        .iter()
        .all(|name| name == EMPTY_MAY_HOLD || name == LOCK);
    if !ours && !empty {
        return Err(BackupError::Occupied(folder.to_path_buf()));
    }
    let path = folder.join(LOCK);
    let lock = files::lock(&path).map_err(io(&path))?;
    lock.ok_or_else(|| BackupError::Busy(folder.to_path_buf()))
}

/// The manifest, and with it everything: makes the generation the one that counts.
pub(crate) fn finish(folder: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = folder.join(manifest::FILE);
    files::write_durable(&path, manifest.to_text().as_bytes(), 0o600).map_err(io(&path))?;
    let path = folder.join(PARTIAL);
    files::remove(&path).map_err(io(&path))
}

/// Removes the generations that do not count.
pub(crate) fn remove_others(folder: &Path, keep: &[u32]) -> Result<(), BackupError> {
    for name in files::list(folder).map_err(io(folder))? {
        let number = name.parse::<u32>().ok().filter(|_| name.len() == 8);
        if number.is_some_and(|number| !keep.contains(&number)) {
            let path = folder.join(name);
            files::remove_tree(&path).map_err(io(&path))?;
        }
    }
    Ok(())
}

/// Removes the chunks that are not in use; gives how many.
pub(crate) fn remove_chunks(
    folder: &Path,
    in_use: impl Fn(ChunkId) -> bool,
) -> Result<u64, BackupError> {
    let mut removed = 0;
    for first in 0..=u8::MAX {
        let within = folder.join(CHUNKS).join(format!("{first:02x}"));
        for name in files::list(&within).map_err(io(&within))? {
            let id = ChunkId::parse(&name).filter(|id| id.to_string() == name);
            // What a copy that was broken off left has another name.
            let keep = match id {
                Some(id) => in_use(id),
                None => !name.ends_with(".new"),
            };
            if !keep {
                let path = within.join(name);
                files::remove(&path).map_err(io(&path))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// The manifest of a folder; none, if no backup in it was ever complete.
pub(crate) fn manifest_of(folder: &Path) -> Result<Option<Manifest>, BackupError> {
    let path = folder.join(manifest::FILE);
    let bytes = files::read(&path, manifest::BYTES_MAX).map_err(io(&path))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let altered = |why: String| BackupError::Altered {
        path: path.clone(),
        why,
    };
    let text = String::from_utf8(bytes).map_err(|_| altered("it is not text".into()))?;
    Manifest::parse(&text).map(Some).map_err(altered)
}

/// A complete backup.
pub struct Backup {
    folder: PathBuf,
    manifest: Manifest,
}

impl Backup {
    /// Reads the manifest; other files are compared with it when they are read.
    pub fn open(folder: &Path) -> Result<Self, BackupError> {
        let manifest = manifest_of(folder)?.ok_or_else(|| BackupError::NoBackup {
            folder: folder.to_path_buf(),
            why: match files::stat(&folder.join(PARTIAL)) {
                Ok(Some(_)) => {
                    "one was begun and not finished; finish it with `clarence backup --to`".into()
                }
                _ => format!("there is no file {}", manifest::FILE),
            },
        })?;
        Ok(Self {
            folder: folder.to_path_buf(),
            manifest,
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What belongs to it.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// BLAKE3 of the manifest: tells this backup from every other.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(self.manifest.to_text().as_bytes()).as_bytes()
    }

    /// A paper, if there is one of this name.
    pub fn paper(&self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        let listed = self.manifest.papers.iter().find(|paper| paper.name == name);
        let Some(listed) = listed else {
            return Ok(None);
        };
        let path = paper(&self.folder, self.manifest.generation, name);
        checked(
            &path,
            (listed.bytes, &listed.blake3),
            manifest::PAPER_BYTES_MAX,
        )
        .map(Some)
    }

    /// A chunk that a row names, or why it cannot be given.
    pub fn chunk(&self, chunk: &ChunkRef) -> Result<Bytes, BackupError> {
        let path = self::chunk(&self.folder, chunk.id);
        let known = (u64::from(chunk.bytes), &chunk.blake3);
        checked(&path, known, CHUNK_BYTES_MAX).map(Into::into)
    }

    /// Whether the manifest says that no site had this chunk.
    #[must_use]
    pub fn lacks(&self, chunk: ChunkId) -> bool {
        self.manifest.lacking.contains(&chunk)
    }
}

/// A block of rows of a generation, compared with what is listed of it.
pub(crate) fn block(path: &Path, listed: &Block) -> Result<Vec<(Vec<u8>, Row)>, BackupError> {
    let bytes = checked(path, (listed.bytes, &listed.blake3), BLOCK_BYTES_MAX)?;
    let altered = |why: String| BackupError::Altered {
        path: path.to_path_buf(),
        why,
    };
    let rows = block::decode(&bytes).map_err(|e| altered(e.to_string()))?;
    match rows.len() as u64 == listed.rows {
        true => Ok(rows),
        false => Err(altered(format!(
            "it holds {} rows instead of {}",
            rows.len(),
            listed.rows
        ))),
    }
}

fn checked(path: &Path, known: (u64, &[u8; 32]), max: u64) -> Result<Vec<u8>, BackupError> {
    let altered = |why: String| BackupError::Altered {
        path: path.to_path_buf(),
        why,
    };
    let length = files::stat(path).map_err(io(path))?.map(|(bytes, _)| bytes);
    match length {
        None => return Err(altered("it is not there".into())),
        Some(length) if length != known.0 || length > max => {
            return Err(altered(format!(
                "it has {length} bytes instead of {}",
                known.0
            )));
        }
        Some(_) => {}
    }
    let bytes = files::read(path, max).map_err(io(path))?;
    let bytes = bytes.ok_or_else(|| altered("it is not there".into()))?;
    match blake3::hash(&bytes).as_bytes() == known.1 {
        true => Ok(bytes),
        false => Err(altered(
            "its BLAKE3 is another one: its bytes were changed".into(),
        )),
    }
}

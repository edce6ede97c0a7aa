//! Names and folders of a site's chunks. Drawn in `docs/format/chunks.md`.

use crate::api::ChunkStat;
use host::{blocks, files};
use std::io;
use std::path::{Path, PathBuf};
use words::ChunkId;

/// The folder of chunks within a site's folder.
pub const CHUNKS: &str = "chunks";
/// Copies under way, within the folder of chunks.
const INCOMING: &str = "incoming";
/// Permission bits of files.
pub const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// `<folder>/<2 hex>/<32 hex>`
pub fn file(folder: &Path, id: ChunkId) -> PathBuf {
    let name = id.to_string();
    let mut path = subfolder(folder, id);
    path.push(name);
    path
}

/// `<folder>/<2 hex>`
pub fn subfolder(folder: &Path, id: ChunkId) -> PathBuf {
    let [first, ..] = id.as_bytes();
    folder.join(format!("{first:02x}"))
}

/// `<folder>/incoming/<name>`
pub fn incoming(folder: &Path, name: &str) -> PathBuf {
    let mut path = folder.join(INCOMING);
    path.push(name);
    path
}

/// Makes all folders, durably.
pub fn make(folder: &Path) -> io::Result<()> {
    files::make_folder(folder, FOLDER_MODE)?;
    let names = (0..=u8::MAX)
        .map(|first| format!("{first:02x}"))
        .chain([INCOMING.to_owned()]);
    blocks::make_folders(folder, names, FOLDER_MODE)
}

/// Checks that the folders are there and gives the identity of the outer one.
pub fn check(folder: &Path) -> io::Result<(u64, u64)> {
    let identity = files::identity(folder)?;
    // One call for all of them; which one is missing does not matter.
    let names = files::list(folder)?;
    let complete = (0..=u8::MAX).all(|first| names.binary_search(&format!("{first:02x}")).is_ok())
        && names.iter().any(|name| name == INCOMING);
    if complete {
        Ok(identity)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Removes what a crash left of copies and probes. Only when no writer is at work.
pub fn tidy(folder: &Path) -> io::Result<()> {
    for name in files::list(&folder.join(INCOMING))? {
        files::remove(&incoming(folder, &name))?;
    }
    Ok(())
}

/// The next chunks after a name, in order. Holds the names of one subfolder at a time.
pub fn list(
    folder: &Path,
    after: Option<ChunkId>,
    limit: usize,
) -> io::Result<Vec<(ChunkId, ChunkStat)>> {
    let mut found = Vec::new();
    let first = after.map_or(0, |id| id.as_bytes()[0]);
    for prefix in first..=u8::MAX {
        let inside = folder.join(format!("{prefix:02x}"));
        for name in files::list(&inside)? {
            if found.len() >= limit {
                return Ok(found);
            }
            // Files that are no chunks are left alone: someone else put them there.
            let Some(id) = ChunkId::parse(&name).filter(|id| id.to_string() == name) else {
                continue;
            };
            if after.is_some_and(|after| id <= after) || id.as_bytes()[0] != prefix {
                continue;
            }
            // One that was deleted meanwhile is passed over.
            if let Some((bytes, modified)) = files::stat(&inside.join(&name))? {
                found.push((id, ChunkStat { bytes, modified }));
            }
        }
    }
    Ok(found)
}

//! Reading a log's folder: the checkpoint, the verifier keys, tiles and bundles, and proofs from them.
//! Never writes.

use crate::keys::VERIFIER_FILE_BYTES_MAX;
use crate::note::NOTE_BYTES_MAX;
use crate::tile::{
    BUNDLE_BYTES_MAX, Column, TILE_BYTES_MAX, TILE_WIDTH, Tile, tile_root, width_at,
};
use crate::tree::{Hash, Nodes, consistency_proof, inclusion_proof};
use host::files;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the checkpoint in a log's folder.
pub const CHECKPOINT_FILE: &str = "checkpoint";
/// The name of the newest checkpoint that enough witnesses cosigned.
pub const WITNESSED_FILE: &str = "checkpoint.witnessed";
/// The name of the file of verifier keys in a log's folder.
pub const VERIFIER_FILE: &str = "verifier-keys";

/// Why a file of the log could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not there.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// It has another length than its place in the log asks for.
    #[error("{} has {found} bytes; {expected} are expected", file.display())]
    Length {
        /// The file.
        file: PathBuf,
        /// Its length.
        found: u64,
        /// The length it should have.
        expected: u64,
    },
    /// The operating system refused.
    #[error("{} cannot be read", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// A log's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path; nothing is read yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }
    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// Where a tile lies.
    #[must_use]
    pub fn path_of(&self, tile: &Tile) -> PathBuf {
        self.0.join(tile.path())
    }
    /// The checkpoint as it is stored; `None` if there is none.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.optional(CHECKPOINT_FILE, NOTE_BYTES_MAX)
    }
    /// The newest checkpoint with its cosignatures as it is stored; `None` if there is none.
    pub fn witnessed(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.optional(WITNESSED_FILE, NOTE_BYTES_MAX)
    }
    /// The file of verifier keys; `None` if there is none.
    pub fn verifier_keys(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.optional(VERIFIER_FILE, VERIFIER_FILE_BYTES_MAX)
    }
    /// The hashes of a tile. Where only the full tile is left of a partial one, its beginning is taken.
    pub fn hashes(&self, tile: &Tile) -> Result<Vec<Hash>, FolderError> {
        let (mut bytes, from) = self.tile_bytes(tile, TILE_BYTES_MAX)?;
        let expected = usize::from(from.width) * 32;
        if bytes.len() != expected {
            let (file, found) = (self.path_of(&from), bytes.len() as u64);
            return Err(FolderError::Length {
                file,
                found,
                expected: expected as u64,
            });
        }
        bytes.truncate(usize::from(tile.width) * 32);
        Ok(bytes.as_chunks::<32>().0.to_vec())
    }
    /// A bundle of entries as it is stored, and the tile it was read from: the one asked for, or the full
    /// one, in which case entries beyond those asked for follow.
    pub fn bundle(&self, tile: &Tile) -> Result<(Vec<u8>, Tile), FolderError> {
        self.tile_bytes(tile, BUNDLE_BYTES_MAX)
    }
    /// The proof that the entry at `index` is in the log of `size` entries; the size is that of a checkpoint.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, FolderError> {
        inclusion_proof(&TileNodes { folder: self, size }, index, size)
    }
    /// The proof that the log of `old` entries is the beginning of the one of `new` entries.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, FolderError> {
        consistency_proof(
            &TileNodes {
                folder: self,
                size: new,
            },
            old,
            new,
        )
    }

    fn tile_bytes(&self, tile: &Tile, max: u64) -> Result<(Vec<u8>, Tile), FolderError> {
        for candidate in [*tile, tile.when_full()] {
            if let Some(bytes) = self.optional(&candidate.path(), max)? {
                return Ok((bytes, candidate));
            }
        }
        Err(FolderError::Missing(self.path_of(tile)))
    }
    fn optional(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.0.join(name);
        files::read(&path, max).map_err(|error| FolderError::Io(path, error))
    }
}

/// Subtree roots read from the tiles of a log of `size` entries.
struct TileNodes<'f> {
    folder: &'f Folder,
    size: u64,
}

impl Nodes for TileNodes<'_> {
    type Error = FolderError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, FolderError> {
        // A tile stores every eighth level; those between are hashed from a run of its hashes.
        let stored = u8::try_from(level / 8).unwrap_or(u8::MAX);
        let first = index << (level % 8);
        let width = TILE_WIDTH as u64;
        let tile = Tile {
            column: Column::Hashes(stored),
            index: first / width,
            width: width_at(self.size, stored, first / width).max(1),
        };
        let hashes = self.folder.hashes(&tile)?;
        let start = usize::try_from(first % width).unwrap_or(usize::MAX);
        let run = hashes
            .get(start..)
            .and_then(|rest| rest.get(..1 << (level % 8)));
        run.map(tile_root)
            .ok_or_else(|| FolderError::Missing(self.folder.path_of(&tile)))
    }
}

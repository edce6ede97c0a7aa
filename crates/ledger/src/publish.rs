//! Writing a log's folder from the stream of leaves. Entries are fed in order with [`Publisher::publish`];
//! every tile that becomes full is written once. [`Publisher::checkpoint`] writes the partial tiles, syncs
//! everything, and only then puts the signed checkpoint in place, so that after a crash the checkpoint
//! never promises what is not there.
//!
//! Never signs a second history: before it goes past a size for which a checkpoint exists, the root must be
//! the one that was signed.

use crate::entry::Leaf;
use crate::folder::{CHECKPOINT_FILE, Folder, FolderError, VERIFIER_FILE};
use crate::keys::{CheckpointError, LogKeys, SignatureError};
use crate::note::Checkpoint;
use crate::resume;
use crate::tile::{Column, Edge, TILE_WIDTH, Tile, partial_tiles, push_entry};
use crate::tree::Hash;
use host::files;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use words::UnixMillis;

const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
/// Files that may wait for the next checkpoint before they are synced.
const UNSYNCED_MAX: usize = 1024;
/// Damaged files that are kept in mind while a damaged folder is written again.
const DIFFERING_MAX: usize = 4096;

/// Why a log could not be published. In every case the last checkpoint and all it promises stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Leaves are missing between what is written and what was given.
    #[error("the log has {have} entries and was given entry {given} next; give it entry {have}")]
    Gap {
        /// Entries written so far; the next index.
        have: u64,
        /// The index given.
        given: u64,
    },
    /// A checkpoint was asked for before the log had caught up with the last one.
    #[error(
        "the log was read up to entry {have} and its last checkpoint covers {signed}; publish the entries between first"
    )]
    Behind {
        /// Entries written so far.
        have: u64,
        /// Entries under the last checkpoint.
        signed: u64,
    },
    /// The entries given are not those that were signed before.
    #[error(
        "the first {size} entries are not those that the checkpoint in {} was signed for; nothing was \
         signed. Either the folder is damaged (verify it, move it away and publish again) or the catalog \
         was rolled back (do not go on; compare with the other site)",
        folder.display()
    )]
    Fork {
        /// The log's folder.
        folder: PathBuf,
        /// The size for which there is a checkpoint.
        size: u64,
    },
    /// The folder belongs to other keys.
    #[error("{} holds the verifier keys of another log; point to another folder or move this one away", .0.display())]
    OtherKeys(PathBuf),
    /// The checkpoint in the folder is not valid.
    #[error("{}: {error}; move the folder away and publish again", file.display())]
    Checkpoint {
        /// The checkpoint.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        error: CheckpointError,
    },
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] FolderError),
    /// A file could not be written.
    #[error("{} cannot be written; the last checkpoint stands, try again", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// A sync failed earlier, so what was written since the last checkpoint cannot be relied on.
    #[error("a file in {} could not be synced earlier; open the log again, the last checkpoint stands", .0.display())]
    Reopen(PathBuf),
    /// The keys could not sign.
    #[error(transparent)]
    Sign(#[from] SignatureError),
}

/// The writer of one log's folder. There may be one at a time for a folder.
pub struct Publisher {
    folder: Folder,
    keys: Arc<LogKeys>,
    edge: Edge,
    bundle: Vec<u8>,
    signed: Option<(u64, Hash)>,
    /// Whether the entries read are those under the last checkpoint.
    confirmed: bool,
    /// Whether a sync failed, after which nothing written since the checkpoint can be relied on.
    failed: bool,
    differing: Vec<(Tile, Vec<u8>)>,
    unwritten: VecDeque<(Tile, Vec<u8>)>,
    unsynced: Vec<PathBuf>,
    unsynced_folders: BTreeSet<PathBuf>,
    filled: Vec<Tile>,
}

impl Publisher {
    /// Opens the folder, which must be there, and takes up where its files end. What the caller has to publish
    /// next is [`Publisher::next_index`]: after a crash that is the size of the last checkpoint, in a damaged
    /// folder it may be less, down to 0.
    pub fn open(folder: &Path, keys: Arc<LogKeys>) -> Result<Self, PublishError> {
        let folder = Folder::at(folder);
        if !files::is_folder(folder.path()) {
            let missing = std::io::ErrorKind::NotFound.into();
            return Err(PublishError::Write(folder.path().to_owned(), missing));
        }
        put_keys(&folder, &keys)?;
        let signed = match folder.checkpoint()? {
            None => None,
            Some(note) => {
                let file = folder.path().join(CHECKPOINT_FILE);
                let open = keys.verifier().open(&note);
                let head = open.map_err(|error| PublishError::Checkpoint { file, error })?;
                Some((head.size, head.root))
            }
        };
        let (edge, bundle) = resume::edge(&folder, signed)?;
        let confirmed = signed.is_none_or(|(size, _)| size == edge.size());
        if confirmed && signed.is_some() {
            resume::sweep(&folder, edge.size())?;
        }
        Ok(Self {
            folder,
            keys,
            edge,
            bundle,
            signed,
            confirmed,
            failed: false,
            differing: Vec::new(),
            unwritten: VecDeque::new(),
            unsynced: Vec::new(),
            unsynced_folders: BTreeSet::new(),
            filled: Vec::new(),
        })
    }

    /// The index of the entry that comes next.
    #[must_use]
    pub const fn next_index(&self) -> u64 {
        self.edge.size()
    }
    /// How many entries the last checkpoint covers.
    #[must_use]
    pub fn signed_size(&self) -> u64 {
        self.signed.map_or(0, |(size, _)| size)
    }

    /// Takes leaves that stand in the ledger from `first` on. Leaves that are written already are passed
    /// over, so the same call can be made again. Gives the next index.
    pub fn publish(&mut self, first: u64, leaves: &[Leaf]) -> Result<u64, PublishError> {
        let have = self.next_index();
        if self.failed {
            return Err(PublishError::Reopen(self.folder.path().to_owned()));
        }
        if first > have {
            return Err(PublishError::Gap { have, given: first });
        }
        self.write_full()?;
        let known = usize::try_from(have - first).unwrap_or(usize::MAX);
        for leaf in leaves.iter().skip(known) {
            self.push(leaf)?;
            if !self.unwritten.is_empty() {
                self.write_full()?;
            }
        }
        Ok(self.next_index())
    }

    /// Writes what is partial, syncs everything, and signs and puts in place the checkpoint over all that
    /// was published.
    pub fn checkpoint(&mut self, time: UnixMillis) -> Result<Checkpoint, PublishError> {
        let (have, signed) = (self.next_index(), self.signed_size());
        if self.failed {
            return Err(PublishError::Reopen(self.folder.path().to_owned()));
        }
        if have < signed {
            return Err(PublishError::Behind { have, signed });
        }
        self.write_full()?;
        self.write_partial()?;
        self.sync()?;
        let root = self.edge.root();
        let origin = self.keys.verifier().name().to_owned();
        let checkpoint = Checkpoint {
            origin,
            size: have,
            root,
            time: Some(time),
        };
        let note = self.keys.sign(&checkpoint)?;
        let file = self.folder.path().join(CHECKPOINT_FILE);
        files::write_durable(&file, note.to_text().as_bytes(), FILE_MODE)
            .map_err(|error| PublishError::Write(file, error))?;
        self.signed = Some((have, root));
        self.drop_partial();
        Ok(checkpoint)
    }

    fn push(&mut self, leaf: &Leaf) -> Result<(), PublishError> {
        push_entry(&mut self.bundle, leaf.as_bytes());
        let unwritten = &mut self.unwritten;
        self.edge.push(leaf.hash(), &mut |tile, hashes| {
            unwritten.push_back((tile, hashes.concat()))
        });
        let size = self.edge.size();
        if size.is_multiple_of(TILE_WIDTH as u64) {
            let tile = Tile::full(Column::Entries, size / TILE_WIDTH as u64 - 1);
            self.unwritten
                .push_back((tile, std::mem::take(&mut self.bundle)));
        }
        match self.signed {
            Some((signed, root)) if signed == size => self.confirm(&root),
            _ => Ok(()),
        }
    }

    fn write_full(&mut self) -> Result<(), PublishError> {
        while let Some((tile, bytes)) = self.unwritten.pop_front() {
            if let Err(error) = self.write_tile(&tile, &bytes) {
                self.unwritten.push_front((tile, bytes));
                return Err(error);
            }
            self.filled.push(tile);
        }
        if self.unsynced.len() > UNSYNCED_MAX {
            self.sync()
        } else {
            Ok(())
        }
    }

    fn write_partial(&mut self) -> Result<(), PublishError> {
        for tile in partial_tiles(self.next_index()) {
            if let Column::Hashes(level) = tile.column {
                self.write_tile(&tile, &self.edge.level(level).concat())?;
                if level == 0 {
                    let entries = Tile {
                        column: Column::Entries,
                        ..tile
                    };
                    let bundle = std::mem::take(&mut self.bundle);
                    let written = self.write_tile(&entries, &bundle);
                    self.bundle = bundle;
                    written?;
                }
            }
        }
        Ok(())
    }

    /// Writes a tile that is not synced yet. What lies beyond the last checkpoint is of a crash and is
    /// replaced. What lies under it is left alone if it is right; if it differs, it is replaced only once it
    /// is certain that the entries given are those that were signed.
    fn write_tile(&mut self, tile: &Tile, bytes: &[u8]) -> Result<(), PublishError> {
        let path = self.folder.path_of(tile);
        if tile.end() <= self.signed_size() {
            match files::read(&path, bytes.len() as u64) {
                Ok(Some(found)) if found == bytes => return Ok(()),
                Ok(None) => {}
                _ if self.confirmed => {}
                _ if self.differing.len() < DIFFERING_MAX => {
                    self.differing.push((*tile, bytes.to_vec()));
                    return Ok(());
                }
                _ => return Err(self.fork()),
            }
        }
        self.replace(path, bytes)
    }

    fn replace(&mut self, path: PathBuf, bytes: &[u8]) -> Result<(), PublishError> {
        if let Some(above) = path.parent() {
            files::make_folder_within(self.folder.path(), above, FOLDER_MODE)
                .map_err(|error| PublishError::Write(above.to_owned(), error))?;
            self.unsynced_folders.insert(above.to_owned());
        }
        let written = files::remove(&path)
            .and_then(|()| files::create_new(&path, FILE_MODE))
            .and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| PublishError::Write(path.clone(), error))?;
        self.unsynced.push(path);
        Ok(())
    }

    /// Called when the log has grown to the size of the last checkpoint: the root must be the signed one.
    fn confirm(&mut self, root: &Hash) -> Result<(), PublishError> {
        if self.edge.root() != *root {
            return Err(self.fork());
        }
        self.confirmed = true;
        // If one of these cannot be written the log has to be opened again, or its damage would be forgotten.
        self.failed = true;
        for (tile, bytes) in std::mem::take(&mut self.differing) {
            self.replace(self.folder.path_of(&tile), &bytes)?;
        }
        self.failed = false;
        Ok(())
    }

    /// Forgets what was read, so that it cannot become a second history.
    fn fork(&mut self) -> PublishError {
        self.edge = Edge::default();
        self.bundle.clear();
        self.unwritten.clear();
        self.differing.clear();
        PublishError::Fork {
            folder: self.folder.path().to_owned(),
            size: self.signed_size(),
        }
    }

    fn sync(&mut self) -> Result<(), PublishError> {
        // After a failed sync the system may have dropped what was written and call the next one a success.
        self.failed = true;
        for path in &self.unsynced {
            let synced = files::open(path).and_then(|file| file.sync_all());
            synced.map_err(|error| PublishError::Write(path.clone(), error))?;
        }
        for path in &self.unsynced_folders {
            let synced = files::sync_folder(path);
            synced.map_err(|error| PublishError::Write(path.clone(), error))?;
        }
        self.failed = false;
        self.unsynced.clear();
        self.unsynced_folders.clear();
        Ok(())
    }

    /// Removes the partial tiles whose full tiles the checkpoint now covers. A failure leaves files that no
    /// one needs and the next start removes, so it is not an error.
    fn drop_partial(&mut self) {
        for tile in self.filled.drain(..) {
            let mut partial = self.folder.path_of(&tile).into_os_string();
            partial.push(".p");
            let _ = files::remove_tree(Path::new(&partial));
        }
    }
}

fn put_keys(folder: &Folder, keys: &LogKeys) -> Result<(), PublishError> {
    let file = folder.path().join(VERIFIER_FILE);
    let text = keys.verifier().to_text();
    match folder.verifier_keys()? {
        Some(found) if found == text.as_bytes() => Ok(()),
        Some(_) => Err(PublishError::OtherKeys(file)),
        None => files::write_durable(&file, text.as_bytes(), FILE_MODE)
            .map_err(|error| PublishError::Write(file, error)),
    }
}

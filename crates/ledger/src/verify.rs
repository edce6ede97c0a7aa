//! Checking a log's folder offline, from its files alone: both signatures of the checkpoint, every entry
//! against the tiles, every tile against the entries, and the whole against the signed root. The first thing
//! that is wrong is named, with the index of the first entry it touches. Never writes.

use crate::entry::Leaf;
use crate::folder::{CHECKPOINT_FILE, Folder, FolderError, VERIFIER_FILE};
use crate::keys::{CheckpointError, KeysError, VerifierKeys};
use crate::note::Checkpoint;
use crate::tile::{Column, Edge, TILE_WIDTH, Tile, entries, partial_tiles, tile_root, width_at};
use crate::tree::{Hash, leaf_hash};
use std::path::{Path, PathBuf};

const WIDTH: u64 = TILE_WIDTH as u64;

/// Which of two files that contradict each other is the damaged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Culprit {
    /// The bundle of entries; the tile of hashes agrees with what stands above it.
    Entry,
    /// The tile of hashes; the entries agree with what stands above it.
    Tile,
    /// It cannot be told: neither agrees with what stands above.
    Both,
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The file of verifier keys is not there or not one.
    #[error("{}: {error}", file.display())]
    Keys {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        error: KeysError,
    },
    /// The folder's own verifier keys are not those that are trusted.
    #[error("{} does not hold the keys that you trust: this is another log, or someone replaced its keys", .0.display())]
    OtherKeys(PathBuf),
    /// The checkpoint is malformed or lacks one of its two signatures.
    #[error("{}: {error}", file.display())]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        error: CheckpointError,
    },
    /// An entry is not the one that was logged.
    #[error("entry {index} is not the one that was logged: {} and its tile of hashes disagree ({})", file.display(), match culprit {
        Culprit::Entry => "the entry was changed",
        Culprit::Tile => "the tile was changed, the entry is right",
        Culprit::Both => "both may have been changed",
    })]
    Entry {
        /// The first entry that is wrong.
        index: u64,
        /// Its bundle.
        file: PathBuf,
        /// Which file is damaged.
        culprit: Culprit,
    },
    /// A bundle of entries cannot be taken apart.
    #[error("entry {index} cannot be read: {} is cut or damaged there", file.display())]
    Bundle {
        /// The first entry that cannot be read.
        index: u64,
        /// Its bundle.
        file: PathBuf,
    },
    /// A tile above the leaves does not hold the hashes of what is below it.
    #[error("{} does not fit the entries from {index} on, which agree with their own tiles", file.display())]
    Tile {
        /// The first entry under the wrong hash.
        index: u64,
        /// The tile.
        file: PathBuf,
    },
    /// A file is missing, has a wrong length or cannot be read.
    #[error("from entry {index} on: {error}")]
    File {
        /// The first entry it holds or covers.
        index: u64,
        /// What is wrong.
        #[source]
        error: FolderError,
    },
    /// A file besides entries and tiles cannot be read.
    #[error(transparent)]
    Folder(FolderError),
    /// Entries and tiles agree with each other and not with what was signed.
    #[error(
        "the {size} entries and their tiles agree with each other and not with the signed root: the log was written anew below the checkpoint"
    )]
    Root {
        /// The size of the checkpoint.
        size: u64,
    },
    /// The log does not contain an earlier checkpoint.
    #[error(
        "the log does not continue the earlier checkpoint of {earlier} entries (it has {size}): it was rolled back or forked"
    )]
    History {
        /// The size of the earlier checkpoint.
        earlier: u64,
        /// The size of the log.
        size: u64,
    },
}

impl VerifyError {
    /// The index of the first entry that is bad or cannot be vouched for, where one can be named.
    #[must_use]
    pub const fn first_bad(&self) -> Option<u64> {
        match self {
            Self::Entry { index, .. }
            | Self::Bundle { index, .. }
            | Self::Tile { index, .. }
            | Self::File { index, .. } => Some(*index),
            _ => None,
        }
    }
}

/// What a verification may be held against.
#[derive(Default)]
pub struct Trust<'t> {
    /// The keys that the reader got by another way. Without them the folder's own are used, which proves
    /// that the log is whole, not whose it is.
    pub keys: Option<&'t VerifierKeys>,
    /// A checkpoint of the same log seen earlier, which the log has to contain.
    pub earlier: Option<&'t Checkpoint>,
    /// Told now and then how many entries were checked.
    pub progress: Option<&'t dyn Fn(u64)>,
}

/// A log that was found whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// What is signed: name, size, root and time.
    pub checkpoint: Checkpoint,
    /// The keys that the signatures were checked with.
    pub keys: VerifierKeys,
    /// Whether these keys were given by the caller, and not only found in the folder.
    pub keys_trusted: bool,
}

/// Checks the log in a folder.
pub fn verify(folder: &Path, trust: &Trust<'_>) -> Result<Verified, VerifyError> {
    let folder = Folder::at(folder);
    let verified = head(&folder, trust)?;
    let earlier = trust.earlier.map(|earlier| earlier.size);
    let root_then = walk(&folder, &verified.checkpoint, earlier, trust.progress)?;
    if let Some(earlier) = trust.earlier
        && (root_then != Some(earlier.root) || earlier.origin != verified.checkpoint.origin)
    {
        let (earlier, size) = (earlier.size, verified.checkpoint.size);
        return Err(VerifyError::History { earlier, size });
    }
    Ok(verified)
}

/// Checks keys and checkpoint only.
pub(crate) fn head(folder: &Folder, trust: &Trust<'_>) -> Result<Verified, VerifyError> {
    let file = folder.path().join(VERIFIER_FILE);
    let keys = match folder.verifier_keys().map_err(VerifyError::Folder)? {
        None => return Err(VerifyError::Folder(FolderError::Missing(file))),
        Some(text) => std::str::from_utf8(&text)
            .map_err(|_| KeysError::Verifier("it is not text"))
            .and_then(VerifierKeys::parse)
            .map_err(|error| VerifyError::Keys {
                file: file.clone(),
                error,
            })?,
    };
    if trust.keys.is_some_and(|trusted| *trusted != keys) {
        return Err(VerifyError::OtherKeys(file));
    }
    let file = folder.path().join(CHECKPOINT_FILE);
    let note = folder.checkpoint().map_err(VerifyError::Folder)?;
    let note = note.ok_or_else(|| VerifyError::Folder(FolderError::Missing(file.clone())))?;
    let checkpoint = keys
        .open(&note)
        .map_err(|error| VerifyError::Checkpoint { file, error })?;
    Ok(Verified {
        checkpoint,
        keys,
        keys_trusted: trust.keys.is_some(),
    })
}

/// Goes through every entry and tile under a checkpoint, and gives the root at the size `at`, if the log
/// is that large.
pub(crate) fn walk(
    folder: &Folder,
    head: &Checkpoint,
    at: Option<u64>,
    progress: Option<&dyn Fn(u64)>,
) -> Result<Option<Hash>, VerifyError> {
    let mut edge = Edge::default();
    let mut found = at.filter(|at| *at == 0).map(|_| edge.root());
    for index in 0..head.size.div_ceil(WIDTH) {
        let mut full = Vec::new();
        for hash in leaves(folder, head, &edge, index)? {
            edge.push(hash, &mut |tile, hashes| full.push((tile, hashes.to_vec())));
            if at == Some(edge.size()) {
                found = Some(edge.root());
            }
        }
        for (tile, hashes) in full {
            compare(folder, &tile, &hashes)?;
        }
        if let Some(progress) = progress.filter(|_| index.is_multiple_of(64)) {
            progress(edge.size());
        }
    }
    for tile in partial_tiles(head.size) {
        if let Column::Hashes(level) = tile.column {
            compare(folder, &tile, edge.level(level))?;
        }
    }
    match edge.root() == head.root {
        true => Ok(found),
        false => Err(VerifyError::Root { size: head.size }),
    }
}

/// The leaf hashes of one bundle, each of which the tile of leaf hashes holds too.
fn leaves(
    folder: &Folder,
    head: &Checkpoint,
    edge: &Edge,
    index: u64,
) -> Result<Vec<Hash>, VerifyError> {
    let width = width_at(head.size, 0, index);
    let tile = Tile {
        column: Column::Entries,
        index,
        width,
    };
    let first = tile.first_entry(0);
    let at = |error| VerifyError::File {
        index: first,
        error,
    };
    let (bundle, from) = folder.bundle(&tile).map_err(at)?;
    let file = || folder.path_of(&from);
    let stored = folder
        .hashes(&Tile {
            column: Column::Hashes(0),
            ..tile
        })
        .map_err(at)?;
    let (found, length) = entries(&bundle, width);
    let hashes: Vec<Hash> = found.iter().map(|entry| leaf_hash(entry)).collect();
    if let Some(place) = hashes
        .iter()
        .zip(&stored)
        .position(|(found, stored)| found != stored)
    {
        let culprit = culprit(folder, head, edge, (index, &hashes, &stored));
        return Err(VerifyError::Entry {
            index: first + place as u64,
            file: file(),
            culprit,
        });
    }
    let odd = found.iter().position(|entry| Leaf::parse(entry).is_err());
    let is_cut = found.len() < usize::from(width);
    let is_long = from.width == width && length < bundle.len();
    match odd.or((is_cut || is_long).then_some(found.len().min(usize::from(width) - 1))) {
        Some(place) => Err(VerifyError::Bundle {
            index: first + place as u64,
            file: file(),
        }),
        None => Ok(hashes),
    }
}

/// Which of two readings of a tile of leaves agrees with what stands above: for a full tile the hash in the
/// tile above, for the last one the signed root.
fn culprit(
    folder: &Folder,
    head: &Checkpoint,
    edge: &Edge,
    (index, entries, tile): (u64, &[Hash], &[Hash]),
) -> Culprit {
    let fits = |hashes: &[Hash]| match hashes.len() == TILE_WIDTH {
        true => stored_above(folder, head.size, index) == Some(tile_root(hashes)),
        false => {
            let mut edge = edge.clone();
            hashes
                .iter()
                .for_each(|hash| edge.push(*hash, &mut |_, _| {}));
            edge.root() == head.root
        }
    };
    match (fits(entries), fits(tile)) {
        (false, true) => Culprit::Entry,
        (true, false) => Culprit::Tile,
        _ => Culprit::Both,
    }
}

fn stored_above(folder: &Folder, size: u64, index: u64) -> Option<Hash> {
    let (above, slot) = (index / WIDTH, usize::try_from(index % WIDTH).ok()?);
    let width = width_at(size, 1, above);
    let tile = Tile {
        column: Column::Hashes(1),
        index: above,
        width,
    };
    folder.hashes(&tile).ok()?.get(slot).copied()
}

/// Compares a stored tile with the hashes that the entries give.
fn compare(folder: &Folder, tile: &Tile, hashes: &[Hash]) -> Result<(), VerifyError> {
    let first = tile.first_entry(0);
    let stored = folder.hashes(tile).map_err(|error| VerifyError::File {
        index: first,
        error,
    })?;
    match hashes
        .iter()
        .zip(&stored)
        .position(|(found, stored)| found != stored)
    {
        None => Ok(()),
        Some(slot) => {
            let index = tile.first_entry(slot as u64);
            Err(VerifyError::Tile {
                index,
                file: folder.path_of(tile),
            })
        }
    }
}

/// How two copies of one log stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// They hold the same entries.
    Same,
    /// The first is the beginning of the second, which has so many more.
    FirstBehind(u64),
    /// The second is the beginning of the first, which has so many more.
    SecondBehind(u64),
}

/// Why two copies are not one log.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// One of them is not whole.
    #[error("{}: {error}", folder.display())]
    Verify {
        /// Which.
        folder: PathBuf,
        /// What is wrong.
        #[source]
        error: VerifyError,
    },
    /// They are signed by different keys.
    #[error("the two folders hold logs of different keys")]
    OtherKeys,
    /// Each is whole and signed, and they hold different entries: two histories exist.
    #[error(
        "both copies are whole and signed, and they differ from entry {index} on: someone signed two histories. Keep both folders as evidence"
    )]
    Fork {
        /// The first entry that differs.
        index: u64,
    },
}

/// Checks two copies of a log, such as those of the two sites: each must be whole, and one must be the
/// beginning of the other.
pub fn compare_folders(
    first: &Path,
    second: &Path,
    trust: &Trust<'_>,
) -> Result<Relation, CompareError> {
    let (a, b) = (Folder::at(first), Folder::at(second));
    let wrong = |folder: &Folder| {
        let folder = folder.path().to_owned();
        move |error| CompareError::Verify { folder, error }
    };
    let (head_a, head_b) = (
        head(&a, trust).map_err(wrong(&a))?,
        head(&b, trust).map_err(wrong(&b))?,
    );
    if head_a.keys != head_b.keys {
        return Err(CompareError::OtherKeys);
    }
    let (size_a, size_b) = (head_a.checkpoint.size, head_b.checkpoint.size);
    let common = size_a.min(size_b);
    let at = |folder: &Folder, verified: &Verified| {
        walk(folder, &verified.checkpoint, Some(common), trust.progress).map_err(wrong(folder))
    };
    if at(&a, &head_a)? != at(&b, &head_b)? {
        return Err(CompareError::Fork {
            index: first_difference((&a, size_a), (&b, size_b)),
        });
    }
    Ok(match size_a.cmp(&size_b) {
        std::cmp::Ordering::Equal => Relation::Same,
        std::cmp::Ordering::Less => Relation::FirstBehind(size_b - size_a),
        std::cmp::Ordering::Greater => Relation::SecondBehind(size_a - size_b),
    })
}

/// The first entry in which two whole copies differ.
fn first_difference(a: (&Folder, u64), b: (&Folder, u64)) -> u64 {
    let common = a.1.min(b.1);
    for index in 0..common.div_ceil(WIDTH) {
        let tile = |size| Tile {
            column: Column::Hashes(0),
            index,
            width: width_at(size, 0, index),
        };
        if let (Ok(a), Ok(b)) = (a.0.hashes(&tile(a.1)), b.0.hashes(&tile(b.1)))
            && let Some(place) = a.iter().zip(&b).position(|(a, b)| a != b)
        {
            return index * WIDTH + place as u64;
        }
    }
    common
}

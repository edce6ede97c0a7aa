//! The newest checkpoint that enough witnesses cosigned. It lies beside the newest one in a file of its own,
//! `checkpoint.witnessed`, so that the publisher, which signs every second, and the witnesses, of which some
//! answer by files carried by hand, do not wait for each other.
//!
//! It never goes back: a smaller one, or one that the log does not continue, does not replace it.

use crate::folder::{CHECKPOINT_FILE, Folder, FolderError, WITNESSED_FILE};
use crate::keys::{CheckpointError, VerifierKeys};
use crate::note::{Checkpoint, Note, NoteError, SignatureLine};
use crate::quorum::{Cosigned, Quorum, UnwitnessedError};
use crate::tree::verify_consistency;
use host::files;
use std::io;
use std::path::{Path, PathBuf};

const FILE_MODE: u32 = 0o644;
const LOCK_FILE: &str = "checkpoint.witnessed.lock";

/// Why there is no witnessed checkpoint, or it is not replaced.
#[derive(Debug, thiserror::Error)]
pub enum WitnessedError {
    /// There is none.
    #[error("{} is not there: no checkpoint of this log was cosigned by enough witnesses yet", .0.display())]
    Missing(PathBuf),
    /// It is not a checkpoint of the log.
    #[error("{}: {error}", file.display())]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        error: CheckpointError,
    },
    /// It does not have enough cosignatures.
    #[error("the checkpoint of {size} entries does not count as witnessed: {error}")]
    Unwitnessed {
        /// Its size.
        size: u64,
        /// Why not.
        #[source]
        error: UnwitnessedError,
    },
    /// The log is shorter than what the witnesses saw.
    #[error(
        "witnesses cosigned {witnessed} entries and the log has {size}: it was cut back, or this is an old copy. Keep it, and compare with the other site"
    )]
    CutBack {
        /// The size of the witnessed checkpoint.
        witnessed: u64,
        /// The size of the log.
        size: u64,
    },
    /// The log is another one than what the witnesses saw.
    #[error(
        "the log of {size} entries does not continue the {witnessed} entries that witnesses cosigned: someone signed two histories. Keep the folder and checkpoint.witnessed as evidence"
    )]
    Fork {
        /// The size of the witnessed checkpoint.
        witnessed: u64,
        /// The size of the log.
        size: u64,
    },
    /// The one that is there is newer.
    #[error(
        "the witnessed checkpoint that is there has {there} entries, this one {given}; nothing was replaced"
    )]
    Older {
        /// Entries of the one that is there.
        there: u64,
        /// Entries of the one that was given.
        given: u64,
    },
    /// Another process is writing it.
    #[error("another process is writing {}; nothing was changed, try again", .0.display())]
    Busy(PathBuf),
    /// A file of the log could not be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The file could not be written.
    #[error("{} could not be written; the one before stands", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// A checkpoint that enough witnesses cosigned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Witnessed {
    /// What they cosigned.
    pub checkpoint: Checkpoint,
    /// Who did, in the order of the quorum.
    pub by: Vec<Cosigned>,
}

/// The log's own lines of a note, and the good lines of witnesses among `lines` and those it has already.
#[must_use]
pub fn gather(note: &Note, lines: &[SignatureLine], keys: &VerifierKeys, quorum: &Quorum) -> Note {
    let all = [note.signatures.as_slice(), lines].concat();
    let mut gathered = keys.own_lines(note);
    gathered
        .signatures
        .extend(quorum.good_lines(&note.text, &all));
    gathered
}

/// Reads the witnessed checkpoint of a folder and checks the log's signatures and the witnesses'.
pub fn read(
    folder: &Path,
    keys: &VerifierKeys,
    quorum: &Quorum,
) -> Result<Witnessed, WitnessedError> {
    let file = folder.join(WITNESSED_FILE);
    let bytes = Folder::at(folder).witnessed()?;
    let bytes = bytes.ok_or_else(|| WitnessedError::Missing(file.clone()))?;
    let (_, witnessed) = open(&bytes, &file, keys, quorum)?;
    Ok(witnessed)
}

/// Whether the log in a folder, whose checkpoint is `head`, continues what the witnesses saw. The tiles are
/// believed: verify the log first.
pub fn is_continued(
    folder: &Path,
    witnessed: &Checkpoint,
    head: &Checkpoint,
) -> Result<(), WitnessedError> {
    let (old, new) = (witnessed.size, head.size);
    if old > new {
        return Err(WitnessedError::CutBack {
            witnessed: old,
            size: new,
        });
    }
    let proof = Folder::at(folder).consistency_proof(old, new)?;
    let holds = witnessed.origin == head.origin
        && verify_consistency((old, &witnessed.root), (new, &head.root), &proof);
    match holds {
        true => Ok(()),
        false => Err(WitnessedError::Fork {
            witnessed: old,
            size: new,
        }),
    }
}

/// Puts a checkpoint with enough cosignatures beside the log's newest one. Cosignatures of the same text
/// that are there already are kept.
pub fn put(
    folder: &Path,
    note: &Note,
    keys: &VerifierKeys,
    quorum: &Quorum,
) -> Result<Witnessed, WitnessedError> {
    let file = folder.join(WITNESSED_FILE);
    let write = |error| WitnessedError::Write(file.clone(), error);
    let lock = files::lock(&folder.join(LOCK_FILE)).map_err(write)?;
    let _lock = lock.ok_or_else(|| WitnessedError::Busy(file.clone()))?;
    let there = match Folder::at(folder).witnessed()? {
        Some(bytes) => Some(opened(&bytes, &file, keys)?),
        None => None,
    };
    let same = there.as_ref().filter(|(there, _)| there.text == note.text);
    let before = same.map_or(&[][..], |(there, _)| &there.signatures);
    let gathered = gather(note, before, keys, quorum).to_text();
    let (_, witnessed) = open(gathered.as_bytes(), &file, keys, quorum)?;
    if let Some((_, there)) = there {
        replaces(&there, &witnessed.checkpoint)?;
    }
    let head = folder.join(CHECKPOINT_FILE);
    let newest = Folder::at(folder).checkpoint()?;
    let newest = newest.ok_or_else(|| FolderError::Missing(head.clone()))?;
    let (_, newest) = opened(&newest, &head, keys)?;
    is_continued(folder, &witnessed.checkpoint, &newest)?;
    files::write_durable(&file, gathered.as_bytes(), FILE_MODE).map_err(write)?;
    Ok(witnessed)
}

fn replaces(there: &Checkpoint, given: &Checkpoint) -> Result<(), WitnessedError> {
    match (there.size.cmp(&given.size), there.root == given.root) {
        (std::cmp::Ordering::Greater, _) => Err(WitnessedError::Older {
            there: there.size,
            given: given.size,
        }),
        (std::cmp::Ordering::Equal, false) => Err(WitnessedError::Fork {
            witnessed: there.size,
            size: given.size,
        }),
        _ => Ok(()),
    }
}

fn open(
    bytes: &[u8],
    file: &Path,
    keys: &VerifierKeys,
    quorum: &Quorum,
) -> Result<(Note, Witnessed), WitnessedError> {
    let (note, checkpoint) = opened(bytes, file, keys)?;
    let by = quorum
        .enough(&note)
        .map_err(|error| WitnessedError::Unwitnessed {
            size: checkpoint.size,
            error,
        })?;
    Ok((note, Witnessed { checkpoint, by }))
}

fn opened(
    bytes: &[u8],
    file: &Path,
    keys: &VerifierKeys,
) -> Result<(Note, Checkpoint), WitnessedError> {
    let wrong = |error| WitnessedError::Checkpoint {
        file: file.to_owned(),
        error,
    };
    let malformed = |error: NoteError| wrong(error.into());
    let checkpoint = keys.open(bytes).map_err(wrong)?;
    Ok((Note::parse(bytes).map_err(malformed)?, checkpoint))
}

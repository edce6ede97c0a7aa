//! The body of `add-checkpoint` (C2SP tlog-witness): the size that the sender thinks the witness is at, the
//! proof from there, an empty line, the checkpoint. The same bytes lie in the file that is carried to a
//! witness without a network. Reading is strict.

use crate::limits::{PROOF_HASHES_MAX, REQUEST_BYTES_MAX};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger::folder::{CHECKPOINT_FILE, Folder, FolderError};
use ledger::note::{Checkpoint, Note, NoteError};
use ledger::tree::Hash;
use std::path::Path;

/// Why bytes are not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There are too many bytes.
    #[error("the request has more than {REQUEST_BYTES_MAX} bytes")]
    Long,
    /// It is not text.
    #[error("the request is not UTF-8")]
    Text,
    /// It does not begin with `old` and a size.
    #[error("the request does not begin with a line \"old SIZE\"")]
    Old,
    /// A line of the proof is no hash.
    #[error("line {0} of the proof is not a hash in base64")]
    Hash(usize),
    /// The proof is too long.
    #[error("the proof has more than {PROOF_HASHES_MAX} hashes")]
    Proof,
    /// There is no empty line before the checkpoint.
    #[error("there is no empty line between proof and checkpoint")]
    Separator,
    /// What follows is no checkpoint.
    #[error("the checkpoint cannot be read: {0}")]
    Checkpoint(#[from] NoteError),
}

/// Why a request cannot be made from a log's folder.
#[derive(Debug, thiserror::Error)]
pub enum FromFolderError {
    /// A file of the log is missing or damaged.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The checkpoint is not one.
    #[error("the checkpoint cannot be read: {0}")]
    Checkpoint(#[from] NoteError),
    /// The log is shorter.
    #[error("the log has {size} entries and the witness is said to be at {old}")]
    Old {
        /// What was said.
        old: u64,
        /// What the log has.
        size: u64,
    },
}

/// A request for a cosignature. Nothing here says that it is a good one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Entries that the witness cosigned last, as the sender thinks.
    pub old: u64,
    /// The proof from there to the checkpoint.
    pub proof: Vec<Hash>,
    /// The checkpoint with its signatures.
    pub note: Note,
    /// What the note says.
    pub checkpoint: Checkpoint,
}

impl Request {
    /// A request for this signed checkpoint.
    pub fn new(old: u64, proof: Vec<Hash>, note: Note) -> Result<Self, NoteError> {
        let checkpoint = Checkpoint::parse(&note.text)?;
        Ok(Self {
            old,
            proof,
            note,
            checkpoint,
        })
    }
    /// A request from the published folder of a log alone: its newest checkpoint, and the proof from `old`.
    pub fn from_folder(folder: &Path, old: u64) -> Result<Self, FromFolderError> {
        let folder = Folder::at(folder);
        let missing = || FolderError::Missing(folder.path().join(CHECKPOINT_FILE));
        let note = Note::parse(&folder.checkpoint()?.ok_or_else(missing)?)?;
        let size = Checkpoint::parse(&note.text)?.size;
        if old > size {
            return Err(FromFolderError::Old { old, size });
        }
        Ok(Self::new(old, folder.consistency_proof(old, size)?, note)?)
    }
    /// Reads a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() as u64 > REQUEST_BYTES_MAX {
            return Err(RequestError::Long);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RequestError::Text)?;
        let (first, mut rest) = text.split_once('\n').ok_or(RequestError::Old)?;
        let old = first.strip_prefix("old ").and_then(decimal);
        let old = old.ok_or(RequestError::Old)?;
        let mut proof = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(RequestError::Separator)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if proof.len() == PROOF_HASHES_MAX {
                return Err(RequestError::Proof);
            }
            let hash = parse_hash(line).ok_or(RequestError::Hash(proof.len() + 1))?;
            proof.push(hash);
        }
        Ok(Self::new(old, proof, Note::parse(rest.as_bytes())?)?)
    }
    /// The request as it is sent.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (old, proof, note) = (self.old, proof_text(&self.proof), self.note.to_text());
        format!("old {old}\n{proof}\n{note}")
    }
}

/// One hash on a line.
#[must_use]
pub fn proof_text(proof: &[Hash]) -> String {
    let line = |hash: &Hash| format!("{}\n", STANDARD.encode(hash));
    proof.iter().map(line).collect()
}

/// A hash in base64.
pub(crate) fn parse_hash(line: &str) -> Option<Hash> {
    STANDARD.decode(line).ok()?.try_into().ok()
}

fn decimal(text: &str) -> Option<u64> {
    let value = text.parse().ok()?;
    (u64::to_string(&value) == text).then_some(value)
}

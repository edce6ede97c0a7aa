//! What proves that a log showed two histories: two checkpoints that it signed and that cannot both be true.
//! Whoever has the log's public keys can check it, without the witness and without the log.
//!
//! Two roots of one size need nothing besides. For two sizes the proof belongs to it: it leads to the signed
//! root of the larger one, and gives for the smaller size another root than the one that was signed.
//!
//! Two signed checkpoints whose proof failed in another way prove nothing, since anybody can send a bad
//! proof. They are kept as *suspects*: held against a copy of the log (`ledger verify --earlier`), one of
//! them fails if the log forked.

use crate::limits::{PROOF_BYTES_MAX, PROOF_HASHES_MAX};
use crate::request::{parse_hash, proof_text};
use host::files;
use ledger::VerifierKeys;
use ledger::keys::CheckpointError;
use ledger::note::{Checkpoint, NOTE_BYTES_MAX, Note, NoteError};
use ledger::tree::{Hash, consistency_roots};
use std::io;
use std::path::{Path, PathBuf};

/// The checkpoint that was cosigned.
pub const FIRST_FILE: &str = "first";
/// The one that contradicts it.
pub const SECOND_FILE: &str = "second";
/// The hashes of the proof, one on a line; empty for one size.
pub const PROOF_FILE: &str = "proof";
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// Why evidence proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A file is not there.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// A file could not be read.
    #[error("{} could not be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// A file is no note.
    #[error("{FIRST_FILE} or {SECOND_FILE}: {0}")]
    Note(#[from] NoteError),
    /// The proof is not one.
    #[error("{PROOF_FILE}: it is not a list of at most {PROOF_HASHES_MAX} hashes in base64")]
    Proof,
    /// A checkpoint is not the log's.
    #[error("{file}: {error}")]
    Checkpoint {
        /// Which of the two.
        file: &'static str,
        /// What is wrong.
        #[source]
        error: CheckpointError,
    },
    /// A checkpoint has lines that the log did not write.
    #[error("{0} has signature lines that were not made with these keys")]
    Lines(&'static str),
    /// Both are signed and do not contradict each other.
    #[error(
        "both checkpoints are signed by the log, and nothing here shows that they contradict each other; hold each against a copy of the log (clarence ledger verify --earlier)"
    )]
    Nothing,
}

/// Two signed checkpoints of a log, the first not larger than the second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fork {
    /// The one that was cosigned.
    pub first: Note,
    /// The other one.
    pub second: Note,
    /// Leads to the root of the second; empty if both have one size, or if nothing is shown.
    pub proof: Vec<Hash>,
}

/// What evidence shows: the log signed both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proven {
    /// What it signed first.
    pub first: Checkpoint,
    /// What contradicts that.
    pub second: Checkpoint,
}

impl Fork {
    /// Checks that the log of these keys signed both and that they contradict each other.
    pub fn verify(&self, keys: &VerifierKeys) -> Result<Proven, EvidenceError> {
        let first = open(&self.first, FIRST_FILE, keys)?;
        let second = open(&self.second, SECOND_FILE, keys)?;
        let contradict = match first.size == second.size {
            true => self.proof.is_empty() && first.root != second.root,
            false => consistency_roots((first.size, &first.root), second.size, &self.proof)
                .is_some_and(|(old, new)| new == second.root && old != first.root),
        };
        match contradict {
            true => Ok(Proven { first, second }),
            false => Err(EvidenceError::Nothing),
        }
    }
    /// Reads the files of a folder.
    pub fn read(folder: &Path) -> Result<Self, EvidenceError> {
        let note =
            |name| Ok::<_, EvidenceError>(Note::parse(&file(folder, name, NOTE_BYTES_MAX)?)?);
        let proof = String::from_utf8(file(folder, PROOF_FILE, PROOF_BYTES_MAX)?)
            .map_err(|_| EvidenceError::Proof)?;
        let proof = match proof.is_empty() {
            true => Some(Vec::new()),
            false => proof
                .strip_suffix('\n')
                .and_then(|lines| lines.split('\n').map(parse_hash).collect()),
        };
        Ok(Self {
            first: note(FIRST_FILE)?,
            second: note(SECOND_FILE)?,
            proof: proof.ok_or(EvidenceError::Proof)?,
        })
    }
    /// Writes the files into a new folder `name` in `parent`, durably; one that is there is never touched.
    pub fn keep(&self, parent: &Path, name: &str) -> Result<(), (PathBuf, io::Error)> {
        let place = parent.join(name);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        if files::is_folder(&place) {
            return Ok(());
        }
        files::make_folder(parent, FOLDER_MODE).map_err(at(parent))?;
        let beside = parent.join(format!("{name}.new"));
        files::remove_tree(&beside).map_err(at(&beside))?;
        files::make_folder(&beside, FOLDER_MODE).map_err(at(&beside))?;
        for (name, text) in [
            (FIRST_FILE, self.first.to_text()),
            (SECOND_FILE, self.second.to_text()),
            (PROOF_FILE, proof_text(&self.proof)),
        ] {
            let file = beside.join(name);
            files::write_durable(&file, text.as_bytes(), FILE_MODE).map_err(at(&file))?;
        }
        files::rename(&beside, &place).map_err(at(&place))
    }
}

/// Checks the evidence in a folder with the log's public keys alone.
pub fn verify_evidence(folder: &Path, keys: &VerifierKeys) -> Result<Proven, EvidenceError> {
    Fork::read(folder)?.verify(keys)
}

fn open(note: &Note, file: &'static str, keys: &VerifierKeys) -> Result<Checkpoint, EvidenceError> {
    if keys.own_lines(note) != *note {
        return Err(EvidenceError::Lines(file));
    }
    keys.open(note.to_text().as_bytes())
        .map_err(|error| EvidenceError::Checkpoint { file, error })
}

fn file(folder: &Path, name: &str, max: u64) -> Result<Vec<u8>, EvidenceError> {
    let path = folder.join(name);
    match files::read(&path, max) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(EvidenceError::Missing(path)),
        Err(source) => Err(EvidenceError::Io { path, source }),
    }
}

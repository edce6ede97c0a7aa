//! Whether a checkpoint may be cosigned: the checks of tlog-witness, in the order of the specification.
//! Pure. What passes comes out as [`Consistent`], which nothing else makes and which the record on disk asks
//! for.

use crate::evidence::Fork;
use crate::request::Request;
use ledger::note::{Checkpoint, Note};
use ledger::tree::{consistency_roots, empty_root, verify_consistency};
use ledger::{VerifierKeys, keys::SignatureError};

/// Why a checkpoint is not cosigned, where request and log are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// The log did not sign it.
    #[error("{0}")]
    Signature(#[from] SignatureError),
    /// The old size is larger than the checkpoint's.
    #[error("the old size {old} is above the checkpoint's size {size}")]
    OldAbove {
        /// The old size.
        old: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// The old size is not what was cosigned last.
    #[error(
        "the checkpoint cosigned last has {recorded} entries, the request says {old}; ask again from {recorded}"
    )]
    Recorded {
        /// Entries cosigned last.
        recorded: u64,
        /// The old size of the request.
        old: u64,
    },
    /// The checkpoint of an empty log has another root than the empty tree.
    #[error("an empty log has the root of the empty tree, and this one has another")]
    EmptyRoot,
    /// Two roots for one size.
    #[error("{0} entries were cosigned with another root")]
    OtherRoot(u64),
    /// The proof does not lead from the one to the other.
    #[error(
        "the proof does not show that the checkpoint continues the {0} entries that were cosigned"
    )]
    Proof(u64),
}

/// A checkpoint that continues what was cosigned before.
#[derive(Debug)]
pub struct Consistent {
    note: Note,
    checkpoint: Checkpoint,
}

impl Consistent {
    /// The checkpoint with the log's own signatures.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }
    /// What it says.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
    pub(crate) fn into_parts(self) -> (Note, Checkpoint) {
        (self.note, self.checkpoint)
    }
}

/// A refusal, and what the two checkpoints say against the log.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub no: No,
    /// The two checkpoints, where they contradict each other or may do so.
    pub against: Option<Box<Fork>>,
}

impl From<No> for Refusal {
    fn from(no: No) -> Self {
        Self { no, against: None }
    }
}

/// The checkpoint cosigned last, if there is one.
pub type Last<'l> = Option<(&'l Note, &'l Checkpoint)>;

/// Decides about a request for a log whose keys are these.
pub fn decide(
    keys: &VerifierKeys,
    last: Last<'_>,
    request: &Request,
) -> Result<Consistent, Refusal> {
    keys.check(&request.note).map_err(No::from)?;
    let new = &request.checkpoint;
    if new.origin != keys.name() {
        return Err(No::from(SignatureError::Origin {
            expected: keys.name().to_owned(),
            found: new.origin.clone(),
        })
        .into());
    }
    let note = keys.own_lines(&request.note);
    // Two signed roots of one size are a fork, whatever else the request gets wrong.
    let against = last.and_then(|last| against(last, &note, request));
    match refused(last.map(|(_, last)| last), request) {
        Some(no) => Err(Refusal { no, against }),
        None => Ok(Consistent {
            note,
            checkpoint: new.clone(),
        }),
    }
}

fn refused(last: Option<&Checkpoint>, request: &Request) -> Option<No> {
    let (old, new) = (request.old, &request.checkpoint);
    let recorded = last.map_or(0, |last| last.size);
    let root = last.map_or_else(empty_root, |last| last.root);
    if old > new.size {
        let size = new.size;
        Some(No::OldAbove { old, size })
    } else if old != recorded {
        Some(No::Recorded { recorded, old })
    } else if new.size == 0 && new.root != empty_root() {
        Some(No::EmptyRoot)
    } else if old == new.size && new.root != root {
        Some(No::OtherRoot(old))
    } else if !verify_consistency((old, &root), (new.size, &new.root), &request.proof) {
        Some(No::Proof(old))
    } else {
        None
    }
}

/// What the last checkpoint and this one, both signed, say against the log.
fn against(
    (last_note, last): (&Note, &Checkpoint),
    note: &Note,
    request: &Request,
) -> Option<Box<Fork>> {
    let new = &request.checkpoint;
    let is_fork = new.size == last.size && new.root != last.root;
    // A proof that leads to the signed root of the new tree says which root that tree had before.
    let roots = consistency_roots((last.size, &last.root), new.size, &request.proof);
    let is_shown = roots.is_some_and(|(old, to)| to == new.root && old != last.root);
    let is_suspect = request.old == last.size
        && new.size > last.size
        && roots != Some((last.root, new.root))
        && last.size > 0;
    let proof = match is_shown {
        true => request.proof.clone(),
        false => Vec::new(),
    };
    (is_fork || is_shown || is_suspect).then(|| {
        Box::new(Fork {
            first: last_note.clone(),
            second: note.clone(),
            proof,
        })
    })
}

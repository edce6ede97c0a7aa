//! What a witness cosigned last of one log, as it is stored: the log's signed checkpoint, and when. The
//! cosignature is not in it, because it may not exist before this record is durable; it can be made again
//! from time and text.

use crate::decide::{Consistent, Last};
use ledger::VerifierKeys;
use ledger::keys::CheckpointError;
use ledger::note::{Checkpoint, NOTE_BYTES_MAX, Note};
use words::wire::{Reader, WireError, Writer};

/// Longest record.
pub const LATEST_BYTES_MAX: u64 = 1 + 8 + 8 + 4 + NOTE_BYTES_MAX;

/// Why a record cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LatestError {
    /// It is cut, damaged or of another format.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// The checkpoint in it is not the log's.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
}

/// What was cosigned last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Latest {
    seconds: u64,
    count: u64,
    last: Option<(Note, Checkpoint)>,
}

impl Latest {
    const VERSION: u8 = 1;

    /// The time of the last cosignature, in seconds since 1970; 0 if there was none.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        self.seconds
    }
    /// How many cosignatures were recorded.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
    /// The checkpoint, with the log's signatures.
    #[must_use]
    pub fn last(&self) -> Last<'_> {
        let last = self.last.as_ref();
        last.map(|(note, checkpoint)| (note, checkpoint))
    }
    /// The record after one more cosignature.
    #[must_use]
    pub fn then(&self, consistent: Consistent, seconds: u64) -> Self {
        Self {
            seconds,
            count: self.count.saturating_add(1),
            last: Some(consistent.into_parts()),
        }
    }
    /// Version 1 ‖ time ‖ count ‖ the note, empty if nothing was cosigned.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let note = self.last.as_ref().map(|(note, _)| note.to_text());
        Writer::versioned(Self::VERSION)
            .u64(self.seconds)
            .u64(self.count)
            .bytes(note.unwrap_or_default().as_bytes())
            .finish()
    }
    /// Reads a record; the log's signatures in it are checked.
    pub fn from_bytes(bytes: &[u8], keys: &VerifierKeys) -> Result<Self, LatestError> {
        let (_, mut reader) = Reader::versioned(bytes, Self::VERSION)?;
        let (seconds, count) = (reader.u64()?, reader.u64()?);
        let max = usize::try_from(NOTE_BYTES_MAX).unwrap_or(usize::MAX);
        let note = reader.bytes(max)?;
        reader.finish()?;
        if (seconds == 0) != note.is_empty() || (count == 0) != note.is_empty() {
            return Err(WireError::Field("time or count").into());
        }
        let last = match note.is_empty() {
            true => None,
            false => {
                let checkpoint = keys.open(note)?;
                let note = Note::parse(note).map_err(CheckpointError::from)?;
                Some((note, checkpoint))
            }
        };
        Ok(Self {
            seconds,
            count,
            last,
        })
    }
}

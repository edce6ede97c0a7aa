//! Which witnesses are believed and how many of them a checkpoint needs, such as two of three. A witness
//! counts once, however often it signed. Pure.

use crate::cosignature::{CosignatureError, WitnessKey, WitnessKeyError};
use crate::note::{Note, SIGNATURES_MAX, SignatureLine};

/// Most witnesses of one log: a note holds their lines and the log's own two.
pub const WITNESSES_MAX: usize = SIGNATURES_MAX - 2;
/// Longest file of witnesses' keys that is read.
pub const WITNESSES_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why a file of witnesses' keys and a threshold are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// A line is not a key.
    #[error("line {line} of the witnesses' keys: {error}")]
    Key {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        error: WitnessKeyError,
    },
    /// The same key stands there twice.
    #[error(
        "line {line} of the witnesses' keys holds a key that stands there already; each witness counts once"
    )]
    Twice {
        /// Which line, from 1.
        line: usize,
    },
    /// There are too many.
    #[error("there are more than {WITNESSES_MAX} witnesses")]
    Many,
    /// The threshold cannot be.
    #[error("a threshold of {threshold} cannot be with {witnesses} witnesses")]
    Threshold {
        /// What was asked for.
        threshold: usize,
        /// How many witnesses there are.
        witnesses: usize,
    },
}

/// Why a checkpoint does not count as witnessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwitnessedError {
    /// Too few witnesses cosigned.
    #[error("{} of {witnesses} witnesses cosigned it ({}); {threshold} are needed", found.len(), match found.is_empty() {
        true => "none".to_owned(),
        false => found.join(", "),
    })]
    Few {
        /// The names of those who did.
        found: Vec<String>,
        /// How many are needed.
        threshold: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// A line of a witness that is believed is wrong.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
}

/// That a witness cosigned, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosigned {
    /// The witness.
    pub name: String,
    /// When it says it did, in seconds since 1970; the latest, if it did more than once.
    pub seconds: u64,
}

/// The witnesses of a log, and how many have to cosign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quorum {
    witnesses: Vec<WitnessKey>,
    threshold: usize,
}

impl Quorum {
    /// Reads a file of witnesses' keys: one on a line; empty lines and lines that begin with `#` are passed
    /// over.
    pub fn parse(text: &str, threshold: usize) -> Result<Self, QuorumError> {
        let mut witnesses: Vec<WitnessKey> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), number + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = WitnessKey::parse(line).map_err(|error| QuorumError::Key {
                line: number,
                error,
            })?;
            if witnesses.iter().any(|had| is_same(had, &key)) {
                return Err(QuorumError::Twice { line: number });
            }
            if witnesses.len() == WITNESSES_MAX {
                return Err(QuorumError::Many);
            }
            witnesses.push(key);
        }
        match (1..=witnesses.len()).contains(&threshold) {
            true => Ok(Self {
                witnesses,
                threshold,
            }),
            false => Err(QuorumError::Threshold {
                threshold,
                witnesses: witnesses.len(),
            }),
        }
    }
    /// The witnesses, in the order of the file.
    #[must_use]
    pub fn witnesses(&self) -> &[WitnessKey] {
        &self.witnesses
    }
    /// How many have to cosign.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }
    /// Who cosigned the note. Lines of keys that are not known are passed over, as signed-note asks; a line
    /// of a known key that is wrong makes the note worth nothing.
    pub fn cosigned(&self, note: &Note) -> Result<Vec<Cosigned>, CosignatureError> {
        let mut found = Vec::new();
        for key in &self.witnesses {
            let lines = note.signatures.iter().filter(|line| key.owns(line));
            let times = lines.map(|line| key.check(&note.text, line));
            let latest = times.reduce(|a, b| Ok(a?.max(b?))).transpose()?;
            found.extend(latest.map(|seconds| Cosigned {
                name: key.name().to_owned(),
                seconds,
            }));
        }
        Ok(found)
    }
    /// Who cosigned the note, if they are enough.
    pub fn enough(&self, note: &Note) -> Result<Vec<Cosigned>, UnwitnessedError> {
        let found = self.cosigned(note)?;
        match found.len() >= self.threshold {
            true => Ok(found),
            false => Err(UnwitnessedError::Few {
                found: found.into_iter().map(|one| one.name).collect(),
                threshold: self.threshold,
                witnesses: self.witnesses.len(),
            }),
        }
    }
    /// The good lines of known witnesses over this text among `lines`, one for each witness, the latest of
    /// each; in the order of the file.
    #[must_use]
    pub fn good_lines(&self, text: &str, lines: &[SignatureLine]) -> Vec<SignatureLine> {
        let of = |key: &WitnessKey| {
            let timed = lines
                .iter()
                .filter_map(|line| Some((key.check(text, line).ok()?, line)));
            timed
                .max_by_key(|(seconds, _)| *seconds)
                .map(|(_, line)| line.clone())
        };
        self.witnesses.iter().filter_map(of).collect()
    }
}

/// The same key, or two that a line cannot tell apart.
fn is_same(a: &WitnessKey, b: &WitnessKey) -> bool {
    a.ed25519() == b.ed25519() || b.owns(&a.line(0, &[]))
}

//! What happened in a ceremony, as canonical JSON: keys in the order of the alphabet, no spaces, whole
//! numbers only, a newline at the end. Its SHA-512 is what is signed and entered in the ledger.
//!
//! Never here: entropy, shares, the root. The commitments show that every party's entropy was fixed before
//! any was seen; the entropy itself is wiped, because whoever had all of it would have the root.

use super::custody::{CeremonyId, Custody, CustodyError, CustodyText};
use crate::charter::CharterDigest;
use crate::derive::sha512;
use serde::{Deserialize, Serialize};
use words::{CloudId, PartyName, UnixMillis, hex};

/// The format that this build writes and reads.
const TRANSCRIPT_FORMAT: u32 = 1;

/// What a ceremony was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A new root was made and shared.
    Found,
    /// The same root was shared anew.
    Reshare,
    /// A new root was made in place of another one.
    Rekey,
}

/// Why a transcript was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// The text is not the JSON that this build writes.
    #[error("the transcript is not readable ({0}); compare it with another party's copy")]
    Text(String),
    /// A field has a value that the format does not allow.
    #[error("the transcript has a bad {0}; compare it with another party's copy")]
    Field(&'static str),
    /// The transcript is of a newer format.
    #[error(
        "the transcript has format {0}; this build reads format {TRANSCRIPT_FORMAT}; use a newer build"
    )]
    Format(u32),
    /// The record of custody in it was refused.
    #[error(transparent)]
    Custody(#[from] CustodyError),
}

/// The first half, fixed before any entropy was revealed. Its SHA-512 salts the derivation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What the ceremony was for.
    pub kind: Kind,
    /// The cloud.
    pub cloud: CloudId,
    /// The ceremony that made the root.
    pub ceremony: CeremonyId,
    /// The epoch of the shares that were dealt.
    pub epoch: u32,
    /// The charter in force.
    pub charter: CharterDigest,
    /// When the commitments were closed.
    pub made: UnixMillis,
    /// SHA-512 of the record of custody that this dealing replaces.
    pub previous: Option<[u8; 64]>,
    /// The commitment of the machine that held the ceremony.
    pub host_commitment: [u8; 64],
    /// Every party's commitment, in the charter's order.
    pub commitments: Vec<(PartyName, [u8; 64])>,
}

/// What was proven before the shares left the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Sets of one share fewer than the threshold that did not give the root: all of them.
    pub sets_that_fail: u32,
    /// Sets of as many shares as the threshold that gave the root: all of them.
    pub sets_that_rebuild: u32,
}

/// The record of one ceremony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    opening: Opening,
    custody: Custody,
    proof: Proof,
    json: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitmentText {
    commitment: String,
    party: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningText {
    ceremony: String,
    charter: String,
    cloud: String,
    commitments: Vec<CommitmentText>,
    epoch: u32,
    host_commitment: String,
    kind: Kind,
    made_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TranscriptText {
    custody: CustodyText,
    format: u32,
    opening: OpeningText,
    proof: Proof,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Looks at the format number alone, so that a newer record is called newer and not unreadable.
pub(super) fn check_format(text: &str, known: u32) -> Result<(), u32> {
    match serde_json::from_str::<FormatOnly>(text) {
        Ok(FormatOnly { format }) if format > known || format == 0 => Err(format),
        _ => Ok(()),
    }
}

impl Opening {
    fn text(&self) -> OpeningText {
        let commitment = |(party, commitment): &(PartyName, [u8; 64])| CommitmentText {
            commitment: hex::encode(commitment),
            party: party.as_str().to_owned(),
        };
        OpeningText {
            ceremony: self.ceremony.to_string(),
            charter: self.charter.to_string(),
            cloud: self.cloud.to_string(),
            commitments: self.commitments.iter().map(commitment).collect(),
            epoch: self.epoch,
            host_commitment: hex::encode(&self.host_commitment),
            kind: self.kind,
            made_ms: self.made.0,
            previous: self.previous.as_ref().map(|digest| hex::encode(digest)),
        }
    }

    fn from_text(text: &OpeningText) -> Result<Self, TranscriptError> {
        let field = TranscriptError::Field;
        let mut commitments = Vec::with_capacity(text.commitments.len());
        for item in &text.commitments {
            let party = PartyName::parse(&item.party).map_err(|_| field("party name"))?;
            commitments.push((
                party,
                hex::decode_array(&item.commitment).ok_or(field("commitment"))?,
            ));
        }
        let previous = match &text.previous {
            None => None,
            Some(digest) => Some(hex::decode_array(digest).ok_or(field("previous custody"))?),
        };
        let charter = hex::decode_array(&text.charter).ok_or(field("charter digest"))?;
        Ok(Self {
            kind: text.kind,
            cloud: CloudId::parse(&text.cloud).ok_or(field("cloud id"))?,
            ceremony: CeremonyId::parse(&text.ceremony).ok_or(field("ceremony id"))?,
            epoch: text.epoch,
            charter: CharterDigest::from_bytes(charter),
            made: UnixMillis(text.made_ms),
            previous,
            host_commitment: hex::decode_array(&text.host_commitment)
                .ok_or(field("commitment of the host"))?,
            commitments,
        })
    }

    /// SHA-512 of the opening's canonical JSON: the salt of the derivation.
    pub(crate) fn digest(&self) -> Result<[u8; 64], TranscriptError> {
        let text = serde_json::to_string(&self.text())
            .map_err(|e| TranscriptError::Text(e.to_string()))?;
        Ok(sha512(&[
            b"clarence/v1/ceremony-opening\0",
            text.as_bytes(),
        ]))
    }
}

impl Transcript {
    pub(crate) fn new(
        opening: Opening,
        custody: Custody,
        proof: Proof,
    ) -> Result<Self, TranscriptError> {
        let text = TranscriptText {
            custody: custody.text(),
            format: TRANSCRIPT_FORMAT,
            opening: opening.text(),
            proof,
        };
        let mut json =
            serde_json::to_string(&text).map_err(|e| TranscriptError::Text(e.to_string()))?;
        json.push('\n');
        Ok(Self {
            opening,
            custody,
            proof,
            json,
        })
    }

    /// Reads what [`Transcript::to_json`] gave; any other spelling of the same is refused.
    pub fn from_json(json: &str) -> Result<Self, TranscriptError> {
        check_format(json, TRANSCRIPT_FORMAT).map_err(TranscriptError::Format)?;
        let text: TranscriptText =
            serde_json::from_str(json).map_err(|e| TranscriptError::Text(e.to_string()))?;
        let opening = Opening::from_text(&text.opening)?;
        let transcript = Self::new(opening, Custody::from_text(&text.custody)?, text.proof)?;
        if transcript.json != json {
            return Err(TranscriptError::Text(
                "it is not in the canonical spelling".to_owned(),
            ));
        }
        transcript.agrees()
    }

    /// The two halves name the same things.
    fn agrees(self) -> Result<Self, TranscriptError> {
        let (opening, custody) = (&self.opening, &self.custody);
        let same = opening.cloud == custody.cloud
            && opening.ceremony == custody.ceremony
            && opening.epoch == custody.epoch
            && opening.charter == custody.charter
            && opening
                .commitments
                .iter()
                .map(|(party, _)| party)
                .eq(custody.holders.iter().map(|h| &h.party));
        match same {
            true => Ok(self),
            false => Err(TranscriptError::Field(
                "record of custody: it does not belong to the opening",
            )),
        }
    }

    /// The canonical text; also the content of the ledger's entry about the ceremony.
    #[must_use]
    pub fn to_json(&self) -> &str {
        &self.json
    }
    /// SHA-512 of the canonical text.
    #[must_use]
    pub fn digest(&self) -> [u8; 64] {
        sha512(&[self.json.as_bytes()])
    }
    /// What was fixed before any entropy was revealed.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }
    /// Who holds what since then.
    #[must_use]
    pub const fn custody(&self) -> &Custody {
        &self.custody
    }
    /// What was proven.
    #[must_use]
    pub const fn proof(&self) -> Proof {
        self.proof
    }
}

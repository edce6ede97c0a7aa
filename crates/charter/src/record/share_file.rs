//! One party's share as a text file that a person can read, print and recognise: `share.clarence`.
//!
//! There is exactly one spelling of each share file; a checksum over all of it tells damage from error, and
//! the digests in it tell a wrong share from a right one. The format is drawn in `docs/format/charter.md`.

pub(super) mod text;

use super::custody::{CeremonyId, Custody};
use crate::shamir::{SECRET_BYTES, Value};
use std::fmt;
use words::{CloudId, PartyName};
use zeroize::Zeroizing;

/// No share file is longer than this; anything longer is something else.
pub(crate) const SHARE_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why a share file was refused. The other parties' shares are not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// It is some other file.
    #[error(
        "this is not a share file: its first line is not \"{}1\"; give the file share.clarence of a party",
        text::FIRST
    )]
    NotAShareFile,
    /// A newer build wrote it.
    #[error("this share file has format {found}; this build reads format 1; use a newer build")]
    NewerFormat {
        /// The format found.
        found: u32,
    },
    /// The end is missing.
    #[error("this share file is cut short: its last line is missing; take the party's other copy")]
    CutShort,
    /// Something in it was altered by accident.
    #[error("this share file is damaged ({place}); take the party's other copy")]
    Damaged {
        /// Where the damage shows first.
        place: String,
    },
    /// It is whole, but not what the format allows.
    #[error(
        "this share file is whole but its line {field:?} is not valid; it was not made by this software"
    )]
    Malformed {
        /// The line's label.
        field: &'static str,
    },
    /// The share in it is not the one that its holder was given.
    #[error(
        "the share of {party} is wrong: it is not the one that {party} was given in the ceremony; ask {party} for its other copy"
    )]
    WrongValue {
        /// The party that holds it.
        party: PartyName,
    },
    /// The part in it is not the one that its officer was given.
    #[error(
        "the part of {officer} of the share of {party} is wrong: it is not the one that {officer} was given; ask {officer} for its other copy"
    )]
    WrongPart {
        /// The party whose share was split.
        party: PartyName,
        /// The officer that holds the part.
        officer: PartyName,
    },
}

/// One party's share, with the record of custody that it belongs to. The share is wiped when dropped,
/// cannot be cloned and is never shown by `Debug`.
pub struct ShareFile {
    custody: Custody,
    party: PartyName,
    x: u8,
    share: Value,
}

impl ShareFile {
    /// A share that was just dealt or read; refused unless its digest is the one in `custody`.
    pub(crate) fn new(
        custody: Custody,
        party: PartyName,
        x: u8,
        share: Value,
    ) -> Result<Self, ShareError> {
        let holder = custody.holder(&party).ok_or(ShareError::Malformed {
            field: "this share",
        })?;
        if holder.x != x {
            return Err(ShareError::Malformed {
                field: "this share",
            });
        }
        if holder.digest != custody.digest_of(&party, x, &share) {
            return Err(ShareError::WrongValue { party });
        }
        Ok(Self {
            custody,
            party,
            x,
            share,
        })
    }

    /// Reads a share file. Line ends of either kind are taken; nothing else may differ by a byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, ShareError> {
        text::parse(bytes)
    }
    /// The share file's text, in memory that is wiped afterwards.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        text::render(self)
    }

    /// The cloud it belongs to.
    #[must_use]
    pub const fn cloud(&self) -> CloudId {
        self.custody.cloud
    }
    /// The ceremony that made the root it is a share of.
    #[must_use]
    pub const fn ceremony(&self) -> CeremonyId {
        self.custody.ceremony
    }
    /// The dealing it comes from.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.custody.epoch
    }
    /// The party that holds it.
    #[must_use]
    pub const fn party(&self) -> &PartyName {
        &self.party
    }
    /// The point of the share.
    #[must_use]
    pub const fn x(&self) -> u8 {
        self.x
    }
    /// The public part: who else holds a share, and the key check value.
    #[must_use]
    pub const fn custody(&self) -> &Custody {
        &self.custody
    }
    pub(crate) fn value(&self) -> &[u8; SECRET_BYTES] {
        &self.share
    }
}

impl fmt::Debug for ShareFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShareFile")
            .field("party", &self.party)
            .field("epoch", &self.custody.epoch)
            .field("cloud", &self.custody.cloud)
            .finish_non_exhaustive()
    }
}

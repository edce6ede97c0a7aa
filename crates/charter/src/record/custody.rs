//! The public record of who holds a share of what. A node keeps it beside its data, every share file
//! repeats it, and the transcript holds it: so a wrong share can be laid at the right door.
//!
//! Never here: a share, or anything that a share or the root could be learned from.

use crate::charter::{CharterDigest, PARTIES_MAX, THRESHOLD_MIN, is_plain};
use crate::derive::sha512_256;
use crate::secret::KeyCheck;
use crate::shamir::SECRET_BYTES;
use serde::{Deserialize, Serialize};
use std::fmt;
use words::wire::Writer;
use words::{CloudId, PartyName, hex};

/// The format that this build writes and reads.
const CUSTODY_FORMAT: u32 = 1;

/// One key ceremony: the one that made the root. It stays the same when the root is shared anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CeremonyId([u8; 16]);

impl CeremonyId {
    /// Takes 16 bytes, drawn at random or read back from a record.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
    /// The 16 bytes as they are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
    /// Reads 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::decode_array(text).map(Self)
    }
}

impl fmt::Display for CeremonyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for CeremonyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CeremonyId({self})")
    }
}

/// SHA-512/256 over one share and everything it is bound to. A share is 32 bytes that nobody can guess, so
/// its digest may be public.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShareDigest([u8; 32]);

impl ShareDigest {
    /// Takes the digest as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The digest as it is stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ShareDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for ShareDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareDigest({self})")
    }
}

/// One party's place in the sharing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The party.
    pub party: PartyName,
    /// The point of its share, from 1 in the charter's order.
    pub x: u8,
    /// What its share hashes to.
    pub digest: ShareDigest,
}

/// Why a record of custody was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustodyError {
    /// The text is not the JSON that this build writes.
    #[error(
        "the record of custody is not readable ({0}); take it from the other site's folder or from any share file"
    )]
    Text(String),
    /// A field has a value that the format does not allow.
    #[error(
        "the record of custody has a bad {0}; take it from the other site's folder or from any share file"
    )]
    Field(&'static str),
    /// The record is of a newer format.
    #[error(
        "the record of custody has format {0}; this build reads format {CUSTODY_FORMAT}; use a newer build"
    )]
    Format(u32),
}

/// Who holds a share of which root: public, and the same in every share file of one dealing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custody {
    pub(crate) cloud: CloudId,
    pub(crate) cloud_name: String,
    pub(crate) ceremony: CeremonyId,
    pub(crate) epoch: u32,
    pub(crate) charter: CharterDigest,
    pub(crate) threshold: u8,
    pub(crate) key_check: KeyCheck,
    pub(crate) holders: Vec<Holder>,
}

/// The same as it is written: fields in the order of the alphabet, so that the text is canonical.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CustodyText {
    ceremony: String,
    charter: String,
    cloud: String,
    cloud_name: String,
    epoch: u32,
    format: u32,
    holders: Vec<HolderText>,
    key_check: String,
    threshold: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HolderText {
    digest: String,
    party: String,
    x: u8,
}

impl Custody {
    /// The cloud whose root is shared.
    #[must_use]
    pub const fn cloud(&self) -> CloudId {
        self.cloud
    }
    /// The cloud's name for people, as it was at this dealing.
    #[must_use]
    pub fn cloud_name(&self) -> &str {
        &self.cloud_name
    }
    /// The ceremony that made the root.
    #[must_use]
    pub const fn ceremony(&self) -> CeremonyId {
        self.ceremony
    }
    /// How many times the root has been shared: 1 at the founding, one more at each new dealing.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }
    /// The charter that was in force.
    #[must_use]
    pub const fn charter(&self) -> CharterDigest {
        self.charter
    }
    /// How many shares it takes.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }
    /// The key check value of the root.
    #[must_use]
    pub const fn key_check(&self) -> KeyCheck {
        self.key_check
    }
    /// The holders in the charter's order.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }
    /// The place of one party.
    #[must_use]
    pub fn holder(&self, party: &PartyName) -> Option<&Holder> {
        self.holders.iter().find(|holder| holder.party == *party)
    }
    /// What a share of this dealing hashes to. Everything it is bound to goes in with it.
    pub(crate) fn digest_of(
        &self,
        party: &PartyName,
        x: u8,
        share: &[u8; SECRET_BYTES],
    ) -> ShareDigest {
        let binding = Writer::bare()
            .raw(b"clarence/v1/share-digest\0")
            .raw(self.cloud.as_bytes())
            .raw(self.ceremony.as_bytes())
            .u32(self.epoch)
            .u8(x)
            .bytes(party.as_str().as_bytes())
            .finish();
        ShareDigest(sha512_256(&[&binding, share]))
    }

    /// The record as canonical JSON: one line, keys in the order of the alphabet, a newline at the end.
    pub fn to_json(&self) -> Result<String, CustodyError> {
        let mut text =
            serde_json::to_string(&self.text()).map_err(|e| CustodyError::Text(e.to_string()))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads what [`Custody::to_json`] wrote; any other spelling of the same is refused.
    pub fn from_json(text: &str) -> Result<Self, CustodyError> {
        super::transcript::check_format(text, CUSTODY_FORMAT).map_err(CustodyError::Format)?;
        let parsed: CustodyText =
            serde_json::from_str(text).map_err(|e| CustodyError::Text(e.to_string()))?;
        let custody = Self::from_text(&parsed)?;
        match custody.to_json()? == text {
            true => Ok(custody),
            false => Err(CustodyError::Text(
                "it is not in the canonical spelling".to_owned(),
            )),
        }
    }

    pub(super) fn text(&self) -> CustodyText {
        let holder = |h: &Holder| HolderText {
            digest: h.digest.to_string(),
            party: h.party.as_str().to_owned(),
            x: h.x,
        };
        CustodyText {
            ceremony: self.ceremony.to_string(),
            charter: self.charter.to_string(),
            cloud: self.cloud.to_string(),
            cloud_name: self.cloud_name.clone(),
            epoch: self.epoch,
            format: CUSTODY_FORMAT,
            holders: self.holders.iter().map(holder).collect(),
            key_check: self.key_check.to_string(),
            threshold: self.threshold,
        }
    }

    pub(super) fn from_text(text: &CustodyText) -> Result<Self, CustodyError> {
        if text.format != CUSTODY_FORMAT {
            return Err(CustodyError::Format(text.format));
        }
        let mut holders = Vec::with_capacity(text.holders.len());
        for holder in &text.holders {
            let digest = hex::decode_array(&holder.digest)
                .ok_or(CustodyError::Field("digest of a share"))?;
            let party =
                PartyName::parse(&holder.party).map_err(|_| CustodyError::Field("party name"))?;
            holders.push(Holder {
                party,
                x: holder.x,
                digest: ShareDigest(digest),
            });
        }
        let key_check =
            hex::decode_array(&text.key_check).ok_or(CustodyError::Field("key check value"))?;
        let charter =
            hex::decode_array(&text.charter).ok_or(CustodyError::Field("charter digest"))?;
        Self {
            cloud: CloudId::parse(&text.cloud).ok_or(CustodyError::Field("cloud id"))?,
            cloud_name: text.cloud_name.clone(),
            ceremony: CeremonyId::parse(&text.ceremony)
                .ok_or(CustodyError::Field("ceremony id"))?,
            epoch: text.epoch,
            charter: CharterDigest::from_bytes(charter),
            threshold: text.threshold,
            key_check: KeyCheck::from_bytes(key_check),
            holders,
        }
        .checked()
    }

    /// The rules that hold for every record of custody, wherever it was read.
    pub(crate) fn checked(self) -> Result<Self, CustodyError> {
        let count = self.holders.len();
        let points = (1..=u8::MAX)
            .zip(&self.holders)
            .all(|(x, holder)| holder.x == x);
        let twice = self.holders.iter().enumerate().any(|(index, holder)| {
            let same = |h: &Holder| h.party.as_str().eq_ignore_ascii_case(holder.party.as_str());
            self.holders.iter().take(index).any(same)
        });
        if !is_plain(&self.cloud_name) {
            Err(CustodyError::Field("cloud name"))
        } else if self.epoch == 0 {
            Err(CustodyError::Field("epoch"))
        } else if count > PARTIES_MAX || !points || twice {
            Err(CustodyError::Field("list of holders"))
        } else if !(THRESHOLD_MIN..=count).contains(&usize::from(self.threshold)) {
            Err(CustodyError::Field("threshold"))
        } else {
            Ok(self)
        }
    }
}

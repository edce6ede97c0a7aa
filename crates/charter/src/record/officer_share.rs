//! One officer's part of a party's share, as a text file like the share's own. Any few of them, as many as the
//! party chose when it split its share, give the share back; fewer tell nothing about it.
//!
//! The file repeats the record of custody, so that a part is known to belong to this cloud, ceremony and epoch
//! before it is put together with others. The format is drawn in `docs/format/charter.md`.

use super::custody::{Custody, ShareDigest};
use super::share_file::text::{self, CHECKSUM, Lines};
use super::share_file::{SHARE_FILE_BYTES_MAX, ShareError, ShareFile};
use crate::derive::sha512_256;
use crate::shamir::{SECRET_BYTES, Value};
use std::fmt::{self, Write as _};
use words::wire::Writer;
use words::{PartyName, hex};
use zeroize::Zeroizing;

/// How every such file begins; the number of its format follows.
const FIRST: &str = "clarence officer share, format ";
const FORMAT: u32 = 1;
const LAST: &str = "end of clarence officer share\n";
const CHECKSUM_LABEL: &[u8] = b"clarence/v1/officer-share-file\0";
/// Enough for 16 holders and 16 officers, so that the text never grows and leaves a copy behind.
const TEXT_CAPACITY: usize = 8 * 1024;
/// Most officers of one party.
pub const OFFICERS_MAX: usize = 16;

/// One splitting of one share. Parts of different splittings never fit together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SplitId([u8; 16]);

impl SplitId {
    /// Takes 16 random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for SplitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for SplitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SplitId({self})")
    }
}

/// One officer's place in a splitting. Officers' names keep to the alphabet of parties' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Officer {
    /// The officer.
    pub name: PartyName,
    /// The point of the part, from 1.
    pub x: u8,
    /// What the part hashes to.
    pub digest: ShareDigest,
}

/// What all parts of one splitting have in common. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The record of custody of the share.
    pub custody: Custody,
    /// The party whose share was split.
    pub party: PartyName,
    /// The point of the party's share.
    pub party_x: u8,
    /// This splitting.
    pub id: SplitId,
    /// How many parts it takes.
    pub need: u8,
    /// Who has a part, by point.
    pub officers: Vec<Officer>,
}

impl Split {
    /// What an officer's part hashes to. Everything it is bound to goes in with it.
    pub(crate) fn digest_of(
        &self,
        name: &PartyName,
        x: u8,
        part: &[u8; SECRET_BYTES],
    ) -> ShareDigest {
        let custody = &self.custody;
        let binding = Writer::bare()
            .raw(b"clarence/v1/officer-share-digest\0")
            .raw(custody.cloud.as_bytes())
            .raw(custody.ceremony.as_bytes())
            .u32(custody.epoch)
            .u8(self.party_x)
            .bytes(self.party.as_str().as_bytes())
            .raw(&self.id.0)
            .u8(x)
            .bytes(name.as_str().as_bytes())
            .finish();
        ShareDigest::from_bytes(sha512_256(&[&binding, part]))
    }

    /// The rules that hold for every splitting, wherever it was read.
    pub(crate) fn is_sound(&self) -> bool {
        let count = self.officers.len();
        let points = (1..=u8::MAX).zip(&self.officers).all(|(x, of)| of.x == x);
        let twice = self.officers.iter().enumerate().any(|(index, officer)| {
            let before = self.officers.iter().take(index);
            let name = officer.name.as_str();
            before
                .into_iter()
                .any(|of| of.name.as_str().eq_ignore_ascii_case(name))
        });
        let holds = self
            .custody
            .holder(&self.party)
            .is_some_and(|holder| holder.x == self.party_x);
        holds
            && points
            && !twice
            && count <= OFFICERS_MAX
            && (2..=count).contains(&usize::from(self.need))
    }
}

/// One officer's part. It is wiped when dropped, cannot be cloned and is never shown by `Debug`.
pub struct OfficerShare {
    split: Split,
    x: u8,
    part: Value,
}

impl OfficerShare {
    /// A part that was just dealt or read; refused unless its digest is the one in `split`.
    pub(crate) fn new(split: Split, x: u8, part: Value) -> Result<Self, ShareError> {
        let this = || ShareError::Malformed { field: "this part" };
        let officer = split.officers.iter().find(|of| of.x == x);
        let officer = officer.ok_or_else(this)?.clone();
        if officer.digest != split.digest_of(&officer.name, x, &part) {
            return Err(ShareError::WrongPart {
                party: split.party,
                officer: officer.name,
            });
        }
        Ok(Self { split, x, part })
    }

    /// Whether a file begins as such a file does.
    #[must_use]
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.starts_with(FIRST.as_bytes())
    }

    /// Reads such a file. Line ends of either kind are taken; nothing else may differ by a byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, ShareError> {
        if bytes.len() as u64 > SHARE_FILE_BYTES_MAX {
            return Err(ShareError::NotAShareFile);
        }
        text::check_first_line(FIRST, bytes)?;
        let text = text::unix_lines(bytes)?;
        let body = text::checked_body(&text, CHECKSUM_LABEL, LAST)?;
        let file = fields(body)?;
        match *file.to_text() == *text {
            true => Ok(file),
            false => Err(ShareError::Malformed { field: "comment" }),
        }
    }

    /// The file's text, in memory that is wiped afterwards.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let split = &self.split;
        let mut text = Zeroizing::new(String::with_capacity(TEXT_CAPACITY));
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "{FIRST}{FORMAT}\n\
             #\n\
             # One officer's part of the share of {party}: {need} of these {count} officers give the share.\n\
             # Keep it offline and apart from the others, and show it to nobody.\n\
             # To open the cloud, each of {need} officers runs: clarence unseal --share FILE\n\
             #\n",
            party = split.party,
            need = split.need,
            count = split.officers.len(),
        );
        text::render_custody(&mut text, &split.custody);
        let _ = write!(
            text,
            "of share    {x} {party}\n\
             split       {id}\n\
             officers    {need} of {count}\n",
            x = split.party_x,
            party = split.party,
            id = split.id,
            need = split.need,
            count = split.officers.len(),
        );
        for officer in &split.officers {
            let _ = writeln!(
                text,
                "officer     {} {} {}",
                officer.x, officer.digest, officer.name
            );
        }
        let _ = writeln!(text, "this part   {} {}", self.x, self.officer());
        text::render_value(&mut text, "part", &self.part);
        let checksum = text::checksum(CHECKSUM_LABEL, text.as_bytes());
        let _ = write!(text, "{CHECKSUM}{checksum}\n{LAST}");
        text
    }

    /// What all parts of this splitting have in common.
    #[must_use]
    pub const fn split(&self) -> &Split {
        &self.split
    }
    /// The point of the part.
    #[must_use]
    pub const fn x(&self) -> u8 {
        self.x
    }
    /// Whose part it is.
    #[must_use]
    pub fn officer(&self) -> &PartyName {
        let found = self.split.officers.iter().find(|of| of.x == self.x);
        found.map_or(&self.split.party, |officer| &officer.name)
    }
    pub(crate) fn part(&self) -> &[u8; SECRET_BYTES] {
        &self.part
    }
    /// The party's share, of which this value was put together; refused unless it is the share that the party
    /// was given.
    pub(crate) fn share_of(split: &Split, value: Value) -> Result<ShareFile, ShareError> {
        let (custody, party) = (split.custody.clone(), split.party.clone());
        ShareFile::new(custody, party, split.party_x, value)
    }
}

impl fmt::Debug for OfficerShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfficerShare")
            .field("party", &self.split.party)
            .field("split", &self.split.id)
            .field("officer", self.officer())
            .finish_non_exhaustive()
    }
}

fn fields(body: &str) -> Result<OfficerShare, ShareError> {
    let mut lines = Lines::of(body);
    let custody = text::custody(&mut lines)?;
    let (party_x, party) = lines.take("of share", text::point_and_party)?;
    let id = lines.take("split", |t| hex::decode_array(t).map(SplitId))?;
    let (need, count) = lines.take("officers", |t| {
        let (need, count) = t.split_once(" of ")?;
        Some((text::decimal::<u8>(need)?, text::decimal::<u8>(count)?))
    })?;
    let mut officers = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        officers.push(lines.take("officer", officer)?);
    }
    let (x, name) = lines.take("this part", text::point_and_party)?;
    let part = text::value(&mut lines, "part")?;
    lines.finish()?;
    let split = Split {
        custody,
        party,
        party_x,
        id,
        need,
        officers,
    };
    let own = split.officers.iter().any(|of| of.x == x && of.name == name);
    if !own {
        return Err(ShareError::Malformed { field: "this part" });
    }
    if !split.is_sound() {
        return Err(ShareError::Malformed { field: "officers" });
    }
    OfficerShare::new(split, x, part)
}

fn officer(text: &str) -> Option<Officer> {
    let mut words = text.splitn(3, ' ');
    let x = text::decimal::<u8>(words.next()?)?;
    let digest = ShareDigest::from_bytes(hex::decode_array(words.next()?)?);
    Some(Officer {
        name: PartyName::parse(words.next()?).ok()?,
        x,
        digest,
    })
}

//! The charter: who owns the cloud together and how many of them it takes.

use crate::class::{Class, Rule};
use crate::derive::sha512_256;
use crate::document;
use crate::formula::Formula;
use crate::law::{Deed, DeedError, Member, Terms};
use crate::verbs::Verb;
use std::fmt;
use std::sync::Arc;
use words::wire::Writer;
use words::{PartyName, hex};

/// The format of charters that name parties and a threshold and nothing else.
pub(crate) const CHARTER_VERSION: u32 = 1;
/// The format of charters that are signed, with keys, classes, patron and jurisdictions.
pub(crate) const SIGNED_VERSION: u32 = 2;
/// Most parties that a charter may have.
pub const PARTIES_MAX: usize = 16;
/// Fewest parties that may open the cloud: with one, that party would be its super-user.
pub const THRESHOLD_MIN: usize = 2;

/// Why a charter was refused. Nothing was founded or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// The text is not TOML.
    #[error("the charter is not valid TOML: {0}")]
    Syntax(String),
    /// A key that the format does not have.
    #[error("the charter has an unknown key {key:?}{}", suggestion(nearest.as_deref()))]
    UnknownKey {
        /// The key with the tables above it.
        key: String,
        /// The known key it most resembles.
        nearest: Option<String>,
    },
    /// A key that must be there is missing.
    #[error("the charter lacks the key {0:?}; add it")]
    MissingKey(&'static str),
    /// A value of the wrong kind.
    #[error("the charter's {key:?} must be {expected}")]
    WrongKind {
        /// The key with the tables above it.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The charter is of a format that this build does not know.
    #[error(
        "the charter has version {found}; this build reads versions {CHARTER_VERSION} and {SIGNED_VERSION}; use a newer build"
    )]
    Version {
        /// The version found.
        found: i64,
    },
    /// The cloud's name has a character or a length that is not allowed.
    #[error("cloud name {0:?} is not valid: use 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'")]
    CloudName(String),
    /// A party's name has a character or a length that is not allowed.
    #[error("the charter names a party badly: {0}")]
    PartyName(#[from] words::NameError),
    /// Two parties have the same name, upper and lower case taken as one.
    #[error("the charter names the party {0:?} twice (upper and lower case count as the same)")]
    Twice(String),
    /// Too many parties.
    #[error("the charter has {0} parties; at most {PARTIES_MAX} are allowed")]
    TooManyParties(usize),
    /// The threshold does not fit the parties.
    #[error(
        "threshold {threshold} does not fit {parties} parties: it must be at least {THRESHOLD_MIN}, so that no party opens the cloud alone, and at most the number of parties"
    )]
    Threshold {
        /// The threshold found.
        threshold: i64,
        /// The number of parties.
        parties: usize,
    },
    /// A signed charter does not hold.
    #[error(transparent)]
    Signed(#[from] Box<DeedError>),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest
        .map(|known| format!("; did you mean {known:?}?"))
        .unwrap_or_default()
}

/// SHA-512/256 of the charter's canonical bytes; spaces and comments of the file do not change it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CharterDigest([u8; 32]);

impl CharterDigest {
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

impl fmt::Display for CharterDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for CharterDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CharterDigest({self})")
    }
}

/// The charter in force: a valid set of parties and a threshold, and in version 2 everything else that was
/// signed. Read a founding charter with [`Charter::parse`], a changed one with [`crate::law::Chain`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charter {
    cloud_name: String,
    parties: Vec<PartyName>,
    threshold: u8,
    /// The signed paper, in version 2.
    deed: Option<Arc<Deed>>,
}

impl Default for Charter {
    /// Three parents, of whom any two open the cloud.
    fn default() -> Self {
        let parties = ["ctie", "luxconnect", "proximus"];
        Self {
            cloud_name: "clarence".to_owned(),
            parties: parties
                .iter()
                .filter_map(|name| PartyName::parse(name).ok())
                .collect(),
            threshold: 2,
            deed: None,
        }
    }
}

impl Charter {
    /// Checks every rule. The order of the parties is part of the charter.
    pub fn new(
        cloud_name: &str,
        parties: Vec<PartyName>,
        threshold: i64,
    ) -> Result<Self, CharterError> {
        if !is_plain(cloud_name) {
            return Err(CharterError::CloudName(
                cloud_name.chars().take(80).collect(),
            ));
        }
        if parties.len() > PARTIES_MAX {
            return Err(CharterError::TooManyParties(parties.len()));
        }
        for (index, party) in parties.iter().enumerate() {
            let same = |earlier: &PartyName| earlier.as_str().eq_ignore_ascii_case(party.as_str());
            if parties.iter().take(index).any(same) {
                return Err(CharterError::Twice(party.as_str().to_owned()));
            }
        }
        let misfit = CharterError::Threshold {
            threshold,
            parties: parties.len(),
        };
        match u8::try_from(threshold) {
            Ok(fits) if (THRESHOLD_MIN..=parties.len()).contains(&usize::from(fits)) => Ok(Self {
                cloud_name: cloud_name.to_owned(),
                parties,
                threshold: fits,
                deed: None,
            }),
            _ => Err(misfit),
        }
    }

    /// Reads a founding charter. Unknown keys are refused; one of version 2 must be signed by every party
    /// and the patron, with both signatures of each.
    pub fn parse(text: &str) -> Result<Self, CharterError> {
        document::parse(text)
    }

    /// The charter that a signed paper says. The caller has checked the signatures.
    pub(crate) fn of(deed: Deed) -> Self {
        let terms = deed.terms();
        Self {
            cloud_name: terms.cloud_name.clone(),
            parties: terms.parties.iter().map(|m| m.name.clone()).collect(),
            threshold: terms.threshold,
            deed: Some(Arc::new(deed)),
        }
    }

    /// The charter as a file that a person can read and [`Charter::parse`] reads back.
    #[must_use]
    pub fn to_toml(&self) -> String {
        match &self.deed {
            Some(deed) => deed.to_text(),
            None => document::render(self),
        }
    }

    /// What was signed; `None` in version 1.
    #[must_use]
    pub fn terms(&self) -> Option<&Terms> {
        self.deed.as_deref().map(Deed::terms)
    }
    /// Who co-signs; nobody in version 1.
    #[must_use]
    pub fn patron(&self) -> Option<&Member> {
        self.terms().map(Terms::patron)
    }
    /// What a class asks. A charter of version 1 has the usual rules.
    #[must_use]
    pub fn rule(&self, class: Class) -> Rule {
        let index = Class::ALL.iter().position(|c| *c == class).unwrap_or(0);
        let stated = self.terms().and_then(|terms| terms.rules.get(index));
        let usual = || {
            let parties = u8::try_from(self.parties.len()).unwrap_or(u8::MAX);
            let usual = Rule::usual(class, parties, self.threshold);
            // Without a patron nobody can countersign: only break-glass, which cannot do without, keeps it.
            Rule {
                patron: usual.patron && class == Class::BreakGlass,
                ..usual
            }
        };
        stated.copied().unwrap_or_else(usual)
    }
    /// The class of a verb under this charter.
    #[must_use]
    pub fn class_of(&self, verb: &Verb) -> Class {
        let raised = self.terms().map_or(&[][..], |terms| &terms.raised);
        raised
            .iter()
            .find(|(one, _)| one.name == verb.name)
            .map_or(verb.class, |(_, class)| *class)
    }
    /// The condition that decides sovereignty: in version 1, any `threshold` of the parties.
    #[must_use]
    pub fn sovereignty(&self) -> Formula {
        match self.terms() {
            Some(terms) => terms.sovereignty.clone(),
            None => Formula::any_of(usize::from(self.threshold), &self.parties),
        }
    }

    /// The cloud's name for people; it has no meaning for the machine.
    #[must_use]
    pub fn cloud_name(&self) -> &str {
        &self.cloud_name
    }
    /// The parties in the charter's order.
    #[must_use]
    pub fn parties(&self) -> &[PartyName] {
        &self.parties
    }
    /// How many parties it takes.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }
    /// Whether the charter names this party.
    #[must_use]
    pub fn names(&self, party: &PartyName) -> bool {
        self.parties.contains(party)
    }

    /// The bytes that the digest of version 1 is taken over, with every length before what it measures.
    fn canonical(&self) -> Vec<u8> {
        let count = u8::try_from(self.parties.len()).unwrap_or(u8::MAX);
        let head = Writer::bare()
            .raw(b"clarence/v1/charter\0")
            .u32(CHARTER_VERSION)
            .bytes(self.cloud_name.as_bytes())
            .u8(self.threshold)
            .u8(count);
        self.parties
            .iter()
            .fold(head, |writer, party| {
                writer.bytes(party.as_str().as_bytes())
            })
            .finish()
    }

    /// What shares and transcripts name the charter by.
    #[must_use]
    pub fn digest(&self) -> CharterDigest {
        match self.terms() {
            Some(terms) => terms.digest(),
            None => CharterDigest(sha512_256(&[&self.canonical()])),
        }
    }
}

/// Whether a cloud's name keeps to the alphabet of party names.
pub(crate) fn is_plain(name: &str) -> bool {
    PartyName::parse(name).is_ok()
}

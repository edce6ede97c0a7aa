//! Who signed. A signature counts when it is of this document, of somebody who may sign as that, and both its halves are
//! good; a side has signed when each thing it needs has persons of its own.

use crate::document::{Agreement, Need};
use crate::paper::{Side, Signed, Word};
use sign::{KeyId, SheetError};
use std::collections::BTreeSet;
use words::hex;

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The file is none.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// It could not be made.
    #[error("the signature could not be made: {0}")]
    Made(String),
    /// It is under another document.
    #[error(
        "{person} signed another document ({found}), not this one ({wanted}); it was altered since, or the file is another"
    )]
    OtherDocument {
        /// Who.
        person: String,
        /// What they signed.
        found: String,
        /// What this is.
        wanted: String,
    },
    /// The person may not sign for that side.
    #[error(
        "{person} is not among those who sign for the {side}; its administrator says who does (clarence agreement signers)"
    )]
    Unknown {
        /// Who.
        person: String,
        /// For which side.
        side: Side,
    },
    /// The key is not the one that is on the roll.
    #[error("the key of {person} is another than the one that was handed in for them")]
    OtherKey {
        /// Who.
        person: String,
    },
    /// They may not sign as that.
    #[error("{person} may not sign as {role}, only as {may}")]
    Role {
        /// Who.
        person: String,
        /// As what they did.
        role: String,
        /// As what they may.
        may: String,
    },
    /// The role is not one that the agreement asks for.
    #[error("the agreement asks the {side} for no signature as {role}")]
    NotAsked {
        /// For which side.
        side: Side,
        /// As what.
        role: String,
    },
    /// A half of it is not good.
    #[error("the signature of {person} is not good: {why}")]
    Bad {
        /// Who.
        person: String,
        /// Which half.
        why: String,
    },
}

/// Somebody who may sign for a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollEntry {
    /// As what.
    pub role: String,
    /// Who.
    pub person: String,
    /// Their key.
    pub key: KeyId,
}

/// Who may sign for a side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roll(Vec<RollEntry>);

impl Roll {
    /// Of these.
    #[must_use]
    pub const fn new(entries: Vec<RollEntry>) -> Self {
        Self(entries)
    }
}

/// Signatures that a side still needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {side} has not signed: {what} missing")]
pub struct Missing {
    /// Which side.
    pub side: Side,
    /// Roles, with how many.
    pub what: String,
}

impl Agreement {
    /// The signatures that a side needs.
    #[must_use]
    pub fn needs(&self, side: Side) -> &[Need] {
        match side {
            Side::Provider => &self.provider_needs,
            Side::Consumer => &self.consumer_needs,
        }
    }
}

/// Whether a signature counts under an agreement.
pub fn check(agreement: &Agreement, roll: &Roll, signed: &Signed) -> Result<(), SignatureError> {
    let person = || signed.person.clone();
    let wanted = agreement.digest();
    if signed.agreement != wanted {
        return Err(SignatureError::OtherDocument {
            person: person(),
            found: hex::encode(&signed.agreement),
            wanted: hex::encode(&wanted),
        });
    }
    let theirs: Vec<&RollEntry> = roll
        .0
        .iter()
        .filter(|entry| entry.person == signed.person)
        .collect();
    if theirs.is_empty() {
        return Err(SignatureError::Unknown {
            person: person(),
            side: signed.side,
        });
    }
    let id = signed.key.id();
    let may: Vec<&RollEntry> = theirs.into_iter().filter(|entry| entry.key == id).collect();
    if may.is_empty() {
        return Err(SignatureError::OtherKey { person: person() });
    }
    if !may.iter().any(|entry| entry.role == signed.role) {
        let roles: Vec<&str> = may.iter().map(|entry| entry.role.as_str()).collect();
        return Err(SignatureError::Role {
            person: person(),
            role: signed.role.clone(),
            may: roles.join(", "),
        });
    }
    if !agreement
        .needs(signed.side)
        .iter()
        .any(|need| need.roles.contains(&signed.role))
    {
        return Err(SignatureError::NotAsked {
            side: signed.side,
            role: signed.role.clone(),
        });
    }
    signed
        .key
        .verify(
            signed.word.purpose(),
            signed.body().body().as_bytes(),
            &signed.signature,
        )
        .map_err(|error| SignatureError::Bad {
            person: person(),
            why: error.to_string(),
        })
}

/// Whether a side has all the signatures it needs for a word. Only good ones count, and a person counts once: by name and by
/// key, and for one of the things that are needed.
pub fn satisfied(
    agreement: &Agreement,
    word: Word,
    side: Side,
    roll: &Roll,
    signatures: &[Signed],
) -> Result<(), Missing> {
    let mut people = BTreeSet::new();
    let mut keys = BTreeSet::new();
    let mut roles: Vec<&str> = Vec::new();
    let theirs = |signed: &&Signed| signed.side == side && signed.word == word;
    for signed in signatures.iter().filter(theirs) {
        let good = check(agreement, roll, signed).is_ok();
        let key = *signed.key.id().as_bytes();
        if good && !people.contains(&signed.person) && !keys.contains(&key) {
            people.insert(signed.person.clone());
            keys.insert(key);
            roles.push(&signed.role);
        }
    }
    let needs = agreement.needs(side);
    let filled = fill(needs, &roles);
    let missing: Vec<String> = needs
        .iter()
        .zip(filled)
        .filter_map(|(need, found)| {
            let lacks = usize::from(need.count).saturating_sub(found);
            (lacks > 0).then(|| format!("{lacks} as {}", need.names()))
        })
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Missing {
            side,
            what: missing.join(", "),
        }),
    }
}

/// How many persons each need has, when as many persons as possible are given a place: a matching that is grown along
/// augmenting paths (Berge, "Two theorems in graph theory", 1957).
fn fill(needs: &[Need], roles: &[&str]) -> Vec<usize> {
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for person in 0..roles.len() {
        let mut seen = vec![false; needs.len()];
        place(person, needs, roles, &mut places, &mut seen);
    }
    places.iter().map(Vec::len).collect()
}

fn place(
    person: usize,
    needs: &[Need],
    roles: &[&str],
    places: &mut [Vec<usize>],
    seen: &mut [bool],
) -> bool {
    let role = roles.get(person).copied().unwrap_or_default();
    for (at, need) in needs.iter().enumerate() {
        if seen[at] || !need.roles.iter().any(|one| one == role) {
            continue;
        }
        seen[at] = true;
        if places[at].len() < usize::from(need.count) {
            places[at].push(person);
            return true;
        }
        for taken in 0..places[at].len() {
            let other = places[at][taken];
            if place(other, needs, roles, places, seen) {
                places[at][taken] = person;
                return true;
            }
        }
    }
    false
}

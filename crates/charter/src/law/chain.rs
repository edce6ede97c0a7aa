//! From the founding charter to the one in force. Every amendment names the digest of the charter before it,
//! carries the whole next text, and is signed by the quorum that the charter before asks for. Whoever joins,
//! or takes a new key, signs as well: nobody is made a party without knowing.

use super::deed::{Deed, DeedError};
use super::terms::Member;
use crate::charter::{Charter, CharterDigest};
use crate::class::Class;
use crate::formula::Formula;
use crate::verbs;
use std::collections::BTreeSet;
use words::PartyName;
use words::limits::AMENDMENTS_MAX;

/// Why a chain does not hold. `link` is the number of the charter that is at fault; those before it hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The founding charter is of version 1, which names no keys.
    #[error(
        "the founding charter is of version 1 and names no keys, so nobody can sign a change to it; found the cloud anew with a charter of version 2"
    )]
    NoKeys,
    /// A paper is not valid by itself.
    #[error("charter {link} of the chain: {why}")]
    Deed {
        /// Its number.
        link: u32,
        /// What is wrong.
        why: DeedError,
    },
    /// A number is missing or stands twice.
    #[error("charter {link} of the chain: expected this number, found {found}")]
    Number {
        /// The number that should come.
        link: u32,
        /// The number that came.
        found: u32,
    },
    /// It changes another charter than the one before it.
    #[error(
        "charter {link} of the chain is broken off: it changes the charter {named}, the one before it is {before}"
    )]
    Broken {
        /// Its number.
        link: u32,
        /// The digest that it names.
        named: CharterDigest,
        /// The digest of the charter before.
        before: CharterDigest,
    },
    /// Too few of the parties of the charter before signed.
    #[error("charter {link} of the chain: {signed} signed; the charter before asks for {needed}")]
    Quorum {
        /// Its number.
        link: u32,
        /// Who did.
        signed: String,
        /// What it takes.
        needed: String,
    },
    /// A new party, or one with a new key, did not sign.
    #[error(
        "charter {link} of the chain: {by} joins or takes a new key and has not signed with it"
    )]
    Consent {
        /// Its number.
        link: u32,
        /// Who.
        by: PartyName,
    },
    /// Longer than is read.
    #[error("the chain has {0} amendments; at most {AMENDMENTS_MAX} are read")]
    TooLong(usize),
}

/// A chain that holds from the founding to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    founding: CharterDigest,
    in_force: Charter,
}

impl Chain {
    /// Checks every paper, from the founding charter on.
    pub fn verify(founding: Charter, amendments: &[Deed]) -> Result<Self, ChainError> {
        if amendments.len() > AMENDMENTS_MAX {
            return Err(ChainError::TooLong(amendments.len()));
        }
        let digest = founding.digest();
        let in_force = amendments
            .iter()
            .try_fold(founding, |before, deed| follow(&before, deed))?;
        Ok(Self {
            founding: digest,
            in_force,
        })
    }
    /// The chain with one more paper at its end.
    pub fn then(self, next: &Deed) -> Result<Self, ChainError> {
        let in_force = follow(&self.in_force, next)?;
        Ok(Self { in_force, ..self })
    }
    /// What the cloud was founded with.
    #[must_use]
    pub const fn founding(&self) -> CharterDigest {
        self.founding
    }
    /// What holds now.
    #[must_use]
    pub const fn in_force(&self) -> &Charter {
        &self.in_force
    }
    /// What holds now, by itself.
    #[must_use]
    pub fn into_in_force(self) -> Charter {
        self.in_force
    }
}

/// The charter after `before`, if the paper is good for that.
fn follow(before: &Charter, deed: &Deed) -> Result<Charter, ChainError> {
    let old = before.terms().ok_or(ChainError::NoKeys)?;
    let link = old.number().saturating_add(1);
    let terms = deed.terms();
    if terms.number() != link {
        return Err(ChainError::Number {
            link,
            found: terms.number(),
        });
    }
    let digest = before.digest();
    if let Some(named) = terms.amends().filter(|named| **named != digest) {
        return Err(ChainError::Broken {
            link,
            named: *named,
            before: digest,
        });
    }
    deed.check_each(|by, key| {
        let both = [old.member(by), terms.member(by)];
        both.into_iter()
            .flatten()
            .map(|member| &member.key)
            .find(|known| known.id() == *key)
    })
    .map_err(|why| ChainError::Deed { link, why })?;
    check_quorum(before, deed, link)?;
    let known = |member: &Member| {
        (old.member(&member.name)).is_some_and(|earlier| earlier.key == member.key)
    };
    match deed.members().find(|m| !known(m) && !deed.signed_by(m)) {
        Some(member) => Err(ChainError::Consent {
            link,
            by: member.name.clone(),
        }),
        None => Ok(Charter::of(deed.clone())),
    }
}

/// The quorum of the charter before, with the keys of the charter before.
fn check_quorum(before: &Charter, deed: &Deed, link: u32) -> Result<(), ChainError> {
    let Some(old) = before.terms() else {
        return Err(ChainError::NoKeys);
    };
    let class = verbs::find("amend-charter").map_or(Class::R4, |verb| before.class_of(verb));
    let rule = before.rule(class);
    let signed: BTreeSet<PartyName> = (old.parties().iter())
        .filter(|party| deed.signed_by(party))
        .map(|party| party.name.clone())
        .collect();
    let patron = deed.signed_by(old.patron());
    let enough = signed.len() >= usize::from(rule.parties)
        && (!rule.sovereignty || before.sovereignty().holds(&signed))
        && (!rule.patron || patron);
    if enough {
        return Ok(());
    }
    let mut names: Vec<&str> = signed.iter().map(PartyName::as_str).collect();
    if patron {
        names.push(old.patron().name.as_str());
    }
    let mut needed = Formula::at_least(usize::from(rule.parties), before.parties())
        .map_or_else(String::new, |formula| formula.to_string());
    if rule.sovereignty {
        needed = format!("{needed}, and {}", before.sovereignty());
    }
    if rule.patron {
        needed = format!("{needed}, and the patron {}", old.patron().name);
    }
    Err(ChainError::Quorum {
        link,
        signed: match names.is_empty() {
            true => "nobody".to_owned(),
            false => names.join(", "),
        },
        needed,
    })
}

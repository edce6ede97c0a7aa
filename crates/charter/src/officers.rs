//! Inside a party: its share split among its officers, and put together again. The same sharing as among the
//! parties, under the same rule: whoever gives a wrong part is named, and the right ones are kept.

use crate::record::{OFFICERS_MAX, Officer, OfficerShare, ShareError, ShareFile, Split, SplitId};
use crate::shamir::{self, SharingError, coefficients_needed};
use host::Host;
use words::PartyName;
use zeroize::Zeroizing;

/// Why a share was not split. It is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Too few or too many officers, or a number that they cannot reach.
    #[error(
        "{need} of {count} officers is not possible: name 2 to {OFFICERS_MAX} officers and a number from 2 to theirs; nothing was written"
    )]
    Shape {
        /// How many parts it was to take.
        need: u8,
        /// How many officers were named.
        count: usize,
    },
    /// An officer was named twice.
    #[error("{0} is named twice; each officer gets one part; nothing was written")]
    Twice(PartyName),
    /// The parts that were made do not give the share back.
    #[error(
        "the parts that were made do not give the share back; nothing was written; run the built-in self test"
    )]
    Unproven,
    /// Sharing failed.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// A part that was made is not valid.
    #[error(transparent)]
    Share(#[from] ShareError),
}

/// Splits a party's share: any `need` of the parts give it back. Every set of that size is tried before this
/// returns.
pub fn split(
    share: &ShareFile,
    need: u8,
    officers: &[PartyName],
    host: &Host,
) -> Result<Vec<OfficerShare>, SplitError> {
    let shape = SplitError::Shape {
        need,
        count: officers.len(),
    };
    if officers.len() > OFFICERS_MAX || !(2..=officers.len()).contains(&usize::from(need)) {
        return Err(shape);
    }
    let count = u8::try_from(officers.len()).map_err(|_| shape)?;
    for (index, name) in officers.iter().enumerate() {
        let mut before = officers.iter().take(index);
        if before.any(|of| of.as_str().eq_ignore_ascii_case(name.as_str())) {
            return Err(SplitError::Twice(name.clone()));
        }
    }
    let mut coefficients = Zeroizing::new(Vec::with_capacity(coefficients_needed(need)));
    while coefficients.len() < coefficients_needed(need) {
        coefficients.extend_from_slice(&*Zeroizing::new(host.random::<{ shamir::SECRET_BYTES }>()));
    }
    let parts = shamir::split(share.value(), need, count, &coefficients)?;
    let mut split = Split {
        custody: share.custody().clone(),
        party: share.party().clone(),
        party_x: share.x(),
        id: SplitId::from_bytes(host.random()),
        need,
        officers: Vec::new(),
    };
    let named = (1..=count).zip(officers).zip(&parts);
    split.officers = named
        .map(|((x, name), part)| Officer {
            name: name.clone(),
            x,
            digest: split.digest_of(name, x, part),
        })
        .collect();
    let made = (1..=count)
        .zip(parts)
        .map(|(x, part)| OfficerShare::new(split.clone(), x, part))
        .collect::<Result<Vec<_>, _>>()?;
    if every_set_gives(&made, need, share.value())? {
        Ok(made)
    } else {
        Err(SplitError::Unproven)
    }
}

/// Whether every set of `need` parts gives the value.
fn every_set_gives(
    parts: &[OfficerShare],
    need: u8,
    value: &[u8; shamir::SECRET_BYTES],
) -> Result<bool, SharingError> {
    // Sets as bits of a number: at most 2^16 of them.
    for set in 0..1u32 << parts.len() {
        if set.count_ones() != u32::from(need) {
            continue;
        }
        let chosen = parts
            .iter()
            .filter(|part| set >> (part.x() - 1) & 1 == 1)
            .map(|part| (part.x(), part.part()));
        if **shamir::combine(chosen)? != *value {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Why a part was not taken. Those given before are kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// It is of another splitting, party, epoch or cloud than the first one.
    #[error(
        "the part of {officer} is of another splitting of a share ({found}) than the others ({here}); give parts that were split together"
    )]
    OtherSplit {
        /// The officer named in the part.
        officer: PartyName,
        /// The splitting it names, with its party.
        found: String,
        /// The splitting of the others.
        here: String,
    },
    /// It has the splitting's id but does not agree with the others about it.
    #[error(
        "the part of {officer} does not agree with the others about who has a part; one of them was not made by this software"
    )]
    Disagrees {
        /// The officer named in the part.
        officer: PartyName,
    },
    /// The officer has given a part.
    #[error("{officer} has given a part already; it takes parts of different officers")]
    AlreadyGiven {
        /// The officer.
        officer: PartyName,
    },
    /// What was put together is not the party's share.
    #[error(
        "the parts were not split from the share of {party}: {source}; all of them are forgotten, give the right ones"
    )]
    NotTheShare {
        /// The party.
        party: PartyName,
        /// What is wrong.
        source: ShareError,
    },
    /// Putting together failed.
    #[error(transparent)]
    Sharing(#[from] SharingError),
}

/// How far the joining of one share is.
#[derive(Debug)]
pub enum Joined {
    /// More parts are needed.
    Waiting {
        /// Parts that were taken.
        have: u8,
        /// Parts that are needed.
        need: u8,
    },
    /// The party's share.
    Complete(Box<ShareFile>),
}

/// Collects the parts of one share. Parts are wiped when the share is there, and when this is dropped.
#[derive(Debug, Default)]
pub struct Joining {
    given: Vec<OfficerShare>,
}

impl Joining {
    /// Takes one part. When enough are there the share is put together and checked.
    pub fn add(&mut self, part: OfficerShare) -> Result<Joined, JoinError> {
        if let Some(first) = self.given.first() {
            examine(first, &self.given, &part)?;
        }
        let need = part.split().need;
        self.given.push(part);
        if self.given.len() < usize::from(need) {
            let have = u8::try_from(self.given.len()).unwrap_or(u8::MAX);
            return Ok(Joined::Waiting { have, need });
        }
        let given = std::mem::take(&mut self.given);
        let points = given.iter().map(|part| (part.x(), part.part()));
        let value = shamir::combine(points)?;
        let Some(first) = given.first() else {
            return Ok(Joined::Waiting { have: 0, need });
        };
        OfficerShare::share_of(first.split(), value)
            .map(|share| Joined::Complete(Box::new(share)))
            .map_err(|source| JoinError::NotTheShare {
                party: first.split().party.clone(),
                source,
            })
    }

    /// The splitting that is being joined, once a part was given.
    #[must_use]
    pub fn split(&self) -> Option<&Split> {
        self.given.first().map(OfficerShare::split)
    }
}

fn examine(
    first: &OfficerShare,
    given: &[OfficerShare],
    part: &OfficerShare,
) -> Result<(), JoinError> {
    let officer = part.officer().clone();
    let (here, found) = (first.split(), part.split());
    if here.id != found.id {
        let named = |split: &Split| {
            let (party, epoch) = (&split.party, split.custody.epoch());
            format!("{party}, epoch {epoch}, split {}", split.id)
        };
        return Err(JoinError::OtherSplit {
            officer,
            found: named(found),
            here: named(here),
        });
    }
    if here != found {
        return Err(JoinError::Disagrees { officer });
    }
    if given.iter().any(|of| of.x() == part.x()) {
        return Err(JoinError::AlreadyGiven { officer });
    }
    Ok(())
}

/// Most splittings that are collected at once. Beyond it the one that was begun first is forgotten, so that
/// nobody can keep others from giving theirs by giving useless ones.
const AT_ONCE_MAX: usize = 16;

/// Collects parts of several shares, as a node does that is being unsealed.
#[derive(Debug, Default)]
pub struct Joinings(Vec<Joining>);

impl Joinings {
    /// Takes one part of any share.
    pub fn add(&mut self, part: OfficerShare) -> Result<Joined, JoinError> {
        let id = part.split().id;
        let known = self
            .0
            .iter()
            .position(|of| of.split().is_some_and(|split| split.id == id));
        let at = known.unwrap_or_else(|| {
            if self.0.len() >= AT_ONCE_MAX {
                self.0.remove(0);
            }
            self.0.push(Joining::default());
            self.0.len() - 1
        });
        let Some(joining) = self.0.get_mut(at) else {
            return Joining::default().add(part);
        };
        let joined = joining.add(part);
        self.0.retain(|of| of.split().is_some());
        joined
    }

    /// Wipes every part given so far.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

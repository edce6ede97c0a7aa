//! Who holds a key: a party, the patron, or a person of a party.

use std::fmt;
use words::PartyName;

/// A person's name inside one party: 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PersonName(String);

impl PersonName {
    /// Checks characters and length.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        // The same alphabet as that of parties.
        PartyName::parse(name)
            .ok()
            .map(|name| Self(name.as_str().to_owned()))
    }
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One person, who speaks for one party. Upper and lower case of the name count as the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Person {
    /// Their name there.
    pub name: PersonName,
    /// The party.
    pub party: PartyName,
}

impl Person {
    /// Reads `anna of ctie`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, party) = text.split_once(" of ")?;
        Some(Self {
            name: PersonName::parse(name)?,
            party: PartyName::parse(party).ok()?,
        })
    }
    /// Whether it is the same person: names that differ only in case would be told apart by no reader.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.party == other.party && self.name.0.eq_ignore_ascii_case(&other.name.0)
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.party)
    }
}

/// The holder of a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bearer {
    /// A party itself: it signs charters and its persons' cards.
    Party(PartyName),
    /// The patron: signs charters and countersigns requests.
    Patron(PartyName),
    /// A person of a party: proposes, approves, vetoes.
    Person(Person),
}

impl Bearer {
    /// Reads `party ctie`, `patron minister`, `person anna of ctie`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (what, rest) = text.split_once(' ')?;
        let name = || PartyName::parse(rest).ok();
        match what {
            "party" => name().map(Self::Party),
            "patron" => name().map(Self::Patron),
            "person" => Person::parse(rest).map(Self::Person),
            _ => None,
        }
    }
}

impl fmt::Display for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Party(name) => write!(f, "party {name}"),
            Self::Patron(name) => write!(f, "patron {name}"),
            Self::Person(person) => write!(f, "person {person}"),
        }
    }
}

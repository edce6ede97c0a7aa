//! Who may speak for a party: a card that the party signs with the key the charter names it by, and the roll of
//! all cards that hold. A party changes its own people without a change of the charter.

use super::bearer::{Bearer, Person};
use super::keyfile::{KeyFile, PublicFile};
use super::refusal::DocumentError;
use crate::charter::Charter;
use sign::sheet::decimal;
use sign::{
    Algorithm, KeyId, Kind, PublicKey, Purpose, Sheet, SheetReader, Signature, SignatureError,
    Stamp,
};
use words::PartyName;
use words::limits::{APPROVERS_MAX, CARD_BYTES_MAX};

const CARD: Kind = Kind {
    name: "approver's card",
    format: 1,
    comment: "#\n\
              # A party says with its own key who may speak for it, with which key and until when. A card with a\n\
              # higher serial replaces the one before; one that says \"withdrawn\" ends it.\n\
              #\n",
    bytes_max: CARD_BYTES_MAX,
};

const PURPOSE: Purpose = Purpose("clarence/v1/card");

/// Whether the person may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Active,
    /// Not any more.
    Withdrawn,
}

impl Standing {
    const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Withdrawn => "withdrawn",
        }
    }
    fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Withdrawn]
            .into_iter()
            .find(|standing| standing.word() == word)
    }
}

/// One approver's card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    person: Person,
    serial: u32,
    standing: Standing,
    until: Stamp,
    key: PublicKey,
    signer: KeyId,
    signature: Signature,
}

/// Why a card does not go on the roll.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollError {
    /// The charter names no keys.
    #[error(
        "this charter is of version 1 and names no keys, so that no approver can be known by it"
    )]
    NoKeys,
    /// The party is not one of the charter.
    #[error("{party} is not a party of the charter; the parties are {parties}")]
    NotAParty {
        /// The party on the card.
        party: PartyName,
        /// Who the charter names.
        parties: String,
    },
    /// The card is signed with another key than the charter's for that party.
    #[error("the card of {person} is signed with the key {found}, the key of {} is {expected}", person.party)]
    OtherKey {
        /// Whose card.
        person: Person,
        /// The key on the card.
        found: KeyId,
        /// The key in the charter.
        expected: KeyId,
    },
    /// The party's signature does not fit.
    #[error("the card of {person} was not signed by {}: {why}", person.party)]
    Signature {
        /// Whose card.
        person: Person,
        /// What is wrong.
        why: SignatureError,
    },
    /// Two cards of one person with the same serial.
    #[error(
        "there are two cards of {0} with the same serial; the party must make one with a higher serial"
    )]
    SameSerial(Person),
    /// One key on two persons' cards, or on a card and in the charter.
    #[error(
        "the key on the card of {person} is also that of {other}; each person needs a key of their own"
    )]
    SharedKey {
        /// Whose card.
        person: Person,
        /// Who else has it.
        other: String,
    },
    /// More than are kept.
    #[error("the roll has {APPROVERS_MAX} approvers already; no more are kept")]
    Full,
}

impl Card {
    /// A party's card for the person in a public key file.
    pub fn issue(
        party: &KeyFile,
        public: &PublicFile,
        serial: u32,
        until: Stamp,
        standing: Standing,
    ) -> Result<Self, DocumentError> {
        let person = match (party.bearer(), public.bearer()) {
            (Bearer::Party(party), Bearer::Person(person)) if person.party == *party => {
                person.clone()
            }
            (signer, subject) => {
                return Err(DocumentError::WrongBearer {
                    found: signer.to_string(),
                    needed: format!("the party of {subject}"),
                });
            }
        };
        Self::signed(party, person, public.key().clone(), serial, until, standing)
    }

    /// The card that ends this one.
    pub fn withdraw(&self, party: &KeyFile) -> Result<Self, DocumentError> {
        match party.bearer() {
            Bearer::Party(name) if *name == self.person.party => {}
            other => {
                return Err(DocumentError::WrongBearer {
                    found: other.to_string(),
                    needed: format!("party {}", self.person.party),
                });
            }
        }
        Self::signed(
            party,
            self.person.clone(),
            self.key.clone(),
            self.serial.saturating_add(1),
            self.until,
            Standing::Withdrawn,
        )
    }

    fn signed(
        party: &KeyFile,
        person: Person,
        key: PublicKey,
        serial: u32,
        until: Stamp,
        standing: Standing,
    ) -> Result<Self, DocumentError> {
        let signer = party.key().public().id();
        let body = body(&person, serial, standing, until, &key, signer);
        let signature = party.key().sign(PURPOSE, body.body().as_bytes())?;
        Ok(Self {
            person,
            serial,
            standing,
            until,
            key,
            signer,
            signature,
        })
    }

    fn body(&self) -> Sheet {
        body(
            &self.person,
            self.serial,
            self.standing,
            self.until,
            &self.key,
            self.signer,
        )
    }

    /// The card's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.body().signature(&self.signature).finish().to_string()
    }

    /// Reads a card. Whether its signature holds, [`Roll::enrol`] says, which knows the charter.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut reader = SheetReader::open(CARD, bytes)?;
        let person = reader.take("person", Person::parse)?;
        let serial = reader.take("serial", decimal::<u32>)?;
        let standing = reader.take("standing", Standing::parse)?;
        let until = reader.take("until", Stamp::parse)?;
        reader.take("fingerprint", KeyId::parse)?;
        let key = reader.public_key()?;
        let signer = reader.take("signed with", KeyId::parse)?;
        let signature = reader.signature()?;
        let card = Self {
            person,
            serial,
            standing,
            until,
            key,
            signer,
            signature,
        };
        reader.finish(&card.to_text())?;
        Ok(card)
    }

    /// Whose card it is.
    #[must_use]
    pub const fn person(&self) -> &Person {
        &self.person
    }
    /// Counts the cards of one person.
    #[must_use]
    pub const fn serial(&self) -> u32 {
        self.serial
    }
    /// Whether they may speak.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }
    /// The last second at which they may.
    #[must_use]
    pub const fn until(&self) -> Stamp {
        self.until
    }
    /// Their key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

fn body(
    person: &Person,
    serial: u32,
    standing: Standing,
    until: Stamp,
    key: &PublicKey,
    signer: KeyId,
) -> Sheet {
    Sheet::begin(CARD)
        .field("person", person)
        .field("serial", serial)
        .field("standing", standing.word())
        .field("until", until)
        .field("fingerprint", key.id())
        .public_key(key)
        .field("signed with", signer)
}

/// All approvers whose cards hold under one charter.
#[derive(Debug, Clone)]
pub struct Roll {
    charter: Charter,
    cards: Vec<Card>,
}

impl Roll {
    /// A roll under this charter, without anyone.
    #[must_use]
    pub fn new(charter: &Charter) -> Self {
        Self {
            charter: charter.clone(),
            cards: Vec::new(),
        }
    }
    /// The charter that the cards were checked by.
    #[must_use]
    pub const fn charter(&self) -> &Charter {
        &self.charter
    }
    /// The cards, each person's newest.
    #[must_use]
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }
    /// The newest card of a person.
    #[must_use]
    pub fn find(&self, person: &Person) -> Option<&Card> {
        self.cards.iter().find(|card| card.person.is(person))
    }

    /// Checks a card by the charter and puts it on the roll, in the place of an older one of that person.
    pub fn enrol(&mut self, card: Card) -> Result<(), RollError> {
        let person = card.person.clone();
        check_party_signed(&self.charter, &card)?;
        let clash = |other: &PublicKey| {
            Algorithm::BOTH
                .iter()
                .any(|algorithm| other.bytes(*algorithm) == card.key.bytes(*algorithm))
        };
        let members = self.charter.terms().into_iter();
        let member = members
            .flat_map(|terms| terms.parties().iter().chain([terms.patron()]))
            .find(|member| clash(&member.key));
        let neighbour = self
            .cards
            .iter()
            .find(|other| !other.person.is(&person) && clash(&other.key));
        let other = (member.map(|member| member.name.to_string()))
            .or_else(|| neighbour.map(|other| other.person.to_string()));
        if let Some(other) = other {
            return Err(RollError::SharedKey { person, other });
        }
        let full = self.cards.len() >= APPROVERS_MAX;
        match self.cards.iter_mut().find(|other| other.person.is(&person)) {
            Some(earlier) if *earlier == card => {}
            Some(earlier) if earlier.serial == card.serial => {
                // The same said twice is not two cards: signatures may differ, what they say may not.
                if earlier.body().body() != card.body().body() {
                    return Err(RollError::SameSerial(person));
                }
            }
            Some(earlier) if earlier.serial > card.serial => {}
            Some(earlier) => *earlier = card,
            None if full => return Err(RollError::Full),
            None => self.cards.push(card),
        }
        Ok(())
    }
}

fn check_party_signed(charter: &Charter, card: &Card) -> Result<(), RollError> {
    let terms = charter.terms().ok_or(RollError::NoKeys)?;
    let person = &card.person;
    let party = terms
        .parties()
        .iter()
        .find(|party| party.name == person.party)
        .ok_or_else(|| RollError::NotAParty {
            party: person.party.clone(),
            parties: crate::formula::listed(charter.parties()),
        })?;
    let expected = party.key.id();
    if card.signer != expected {
        return Err(RollError::OtherKey {
            person: person.clone(),
            found: card.signer,
            expected,
        });
    }
    (party.key)
        .verify(PURPOSE, card.body().body().as_bytes(), &card.signature)
        .map_err(|why| RollError::Signature {
            person: person.clone(),
            why,
        })
}

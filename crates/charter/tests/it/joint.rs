//! Parties with keys, a signed charter, people with cards, and documents made by them.

use super::world::{host, party};
use charter::approval::{
    Ask, Bearer, Card, Chamber, Decision, Deliberation, Docket, DocketFault, KeyFile, Person,
    Refusal, Request, RequestDigest, Roll, Says, SignedRequest, Standing,
};
use charter::law::{Jurisdiction, Member};
use charter::{Charter, Deed, Terms, verbs};
use host::{Clock, Host, Random};
use sign::Stamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use words::{CloudId, UnixMillis};

/// The clock of [`host`] stands here.
pub const NOW: u64 = 1_790_000_000;
pub const HOUR: u64 = 3600;

pub fn at(hours: u64) -> Stamp {
    Stamp::from_seconds(NOW + hours * HOUR)
}

pub fn cloud() -> CloudId {
    CloudId::from_bytes([7; 16])
}

/// A host whose clock stands some hours later.
pub fn host_at(seed: u64, hours: u64) -> Host {
    struct Later(u64);
    impl Clock for Later {
        fn now(&self) -> UnixMillis {
            UnixMillis((NOW + self.0 * HOUR) * 1000)
        }
        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
    }
    struct Borrowed(Host);
    impl Random for Borrowed {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.random::<1>()[0];
            }
        }
    }
    Host::new(Arc::new(Later(hours)), Arc::new(Borrowed(host(seed))))
}

pub fn person(name: &str, of: &str) -> Person {
    Person::parse(&format!("{name} of {of}")).unwrap()
}

pub fn key(bearer: Bearer, seed: u64) -> KeyFile {
    KeyFile::generate(bearer, &host(seed)).unwrap()
}

pub fn member(key: &KeyFile) -> Member {
    let (Bearer::Party(name) | Bearer::Patron(name)) = key.bearer() else {
        panic!("not a member");
    };
    Member {
        name: name.clone(),
        key: key.key().public().clone(),
    }
}

/// Everyone: three parties, a patron, four persons of each party, and the charter they signed.
pub struct House {
    pub parties: Vec<KeyFile>,
    pub patron: KeyFile,
    pub people: Vec<KeyFile>,
    pub charter: Charter,
    pub roll: Roll,
}

pub const PARTIES: [&str; 3] = ["ctie", "luxconnect", "proximus"];
const NAMES: [&str; 4] = ["anna", "ben", "claire", "david"];

pub fn terms(parties: &[KeyFile], patron: &KeyFile) -> Terms {
    Terms::usual(
        "lu",
        "the data of the state and of its guests",
        2,
        &Jurisdiction::parse("lu").unwrap(),
        parties.iter().map(member).collect(),
        member(patron),
    )
    .unwrap()
}

pub fn sign_all<'k>(terms: Terms, keys: impl IntoIterator<Item = &'k KeyFile>) -> Deed {
    let mut deed = Deed::unsigned(terms);
    for key in keys {
        let (Bearer::Party(name) | Bearer::Patron(name)) = key.bearer() else {
            panic!("not a member");
        };
        deed.sign(name, key.key()).unwrap();
    }
    deed
}

impl House {
    pub fn new(sovereignty: Option<&str>) -> Self {
        Self::with(|terms| match sovereignty {
            Some(text) => terms.with_sovereignty(text).unwrap(),
            None => terms,
        })
    }

    pub fn with(change: impl FnOnce(Terms) -> Terms) -> Self {
        let parties: Vec<KeyFile> = (500..)
            .zip(PARTIES)
            .map(|(seed, name)| key(Bearer::Party(party(name)), seed))
            .collect();
        let patron = key(Bearer::Patron(party("minister")), 600);
        let deed = sign_all(
            change(terms(&parties, &patron)),
            parties.iter().chain([&patron]),
        );
        let charter = Charter::parse(&deed.to_text()).unwrap();
        let mut roll = Roll::new(&charter);
        let mut people = Vec::new();
        for (index, party) in parties.iter().enumerate() {
            for (at, name) in NAMES.iter().enumerate() {
                let seed = 700 + 10 * index as u64 + at as u64;
                let one = key(Bearer::Person(person(name, PARTIES[index])), seed);
                let card = card(party, &one, 1);
                roll.enrol(card).unwrap();
                people.push(one);
            }
        }
        Self {
            parties,
            patron,
            people,
            charter,
            roll,
        }
    }

    /// The key of a person, such as `("anna", "ctie")`.
    pub fn key(&self, name: &str, of: &str) -> &KeyFile {
        let wanted = Bearer::Person(person(name, of));
        self.people
            .iter()
            .find(|key| *key.bearer() == wanted)
            .unwrap()
    }

    pub fn chamber(&self) -> Chamber<'_> {
        Chamber {
            cloud: cloud(),
            roll: &self.roll,
        }
    }

    /// A request with every needed parameter, by anna of ctie unless said otherwise.
    pub fn request(&self, verb: &str, by: &KeyFile) -> SignedRequest {
        Request::propose(&self.charter, ask(verb), by, &host(900)).unwrap()
    }

    pub fn anna_asks(&self, verb: &str) -> SignedRequest {
        self.request(verb, self.key("anna", "ctie"))
    }

    pub fn open(&self, request: &SignedRequest) -> Result<Deliberation<'_>, Refusal> {
        Deliberation::open(self.chamber(), request.clone())
    }
}

pub fn card(party: &KeyFile, person: &KeyFile, serial: u32) -> Card {
    let public = person.public().unwrap();
    Card::issue(party, &public, serial, at(10_000), Standing::Active).unwrap()
}

pub fn ask(verb: &str) -> Ask {
    let verb = verbs::find(verb).unwrap();
    Ask {
        cloud: cloud(),
        verb,
        parameters: (verb.parameters.iter())
            .filter(|parameter| parameter.needed)
            .map(|parameter| (parameter.name.to_owned(), format!("the-{}", parameter.name)))
            .collect(),
        reason: "it was decided on Monday".to_owned(),
        lasts_hours: None,
    }
}

pub fn approval(request: &SignedRequest, by: &KeyFile) -> Decision {
    Decision::sign(Says::Approve, request.request(), None, by, at(0)).unwrap()
}

pub fn veto(request: &SignedRequest, by: &KeyFile) -> Decision {
    Decision::sign(
        Says::Veto,
        request.request(),
        Some("not like this"),
        by,
        at(0),
    )
    .unwrap()
}

/// A memory of requests in a test's hands.
#[derive(Default)]
pub struct Memory {
    pub executed: BTreeSet<RequestDigest>,
    /// Hours after [`NOW`]; `None` if nothing was lodged.
    pub lodged: Option<u64>,
    pub latest: u64,
    pub broken: bool,
}

/// A memory in which the request was lodged when it was made.
pub fn memory() -> Memory {
    Memory {
        lodged: Some(0),
        ..Memory::default()
    }
}

impl Docket for Memory {
    fn executed(&self, request: &RequestDigest) -> Result<bool, DocketFault> {
        match self.broken {
            true => Err(DocketFault("the catalog does not answer".to_owned())),
            false => Ok(self.executed.contains(request)),
        }
    }
    fn lodged(&self, _: &RequestDigest) -> Result<Option<Stamp>, DocketFault> {
        Ok(self.lodged.map(at))
    }
    fn latest(&self) -> Result<Stamp, DocketFault> {
        Ok(at(self.latest))
    }
}

//! A simulated cloud under a signed charter, with everybody's keys at hand.

use charter::approval::{
    Ask, Bearer, Card, Decision, KeyFile, Person, Request, RequestDigest, Says, SignedRequest,
    Stamp, Standing,
};
use charter::law::{Chain, Deed, Jurisdiction, Member, Terms};
use charter::{Charter, verbs};
use host::{Clock, Host, Random};
use sim::world::Setup;
use sim::{Client, Node, World};
use std::sync::Arc;
use std::time::Duration;
use vault::joint::{Done, HandedIn, JointError, Law, Outcome};
use words::{BucketName, ObjectKey, PartyName, UnixMillis};

pub const HOUR: Duration = Duration::from_secs(3600);
pub const PARTIES: [&str; 3] = ["ctie", "luxconnect", "proximus"];
const NAMES: [&str; 2] = ["anna", "ben"];

pub struct House {
    pub world: World,
    pub node: Node,
    pub parties: Vec<KeyFile>,
    pub patron: KeyFile,
    pub people: Vec<KeyFile>,
    pub founding: Charter,
    /// A tenant from before, with one bucket and two objects.
    pub tenant: Client,
}

pub fn person(text: &str) -> Person {
    Person::parse(text).unwrap()
}

pub fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).unwrap()
}

pub fn object(name: &str) -> ObjectKey {
    ObjectKey::parse(name).unwrap()
}

fn member(key: &KeyFile) -> Member {
    let (Bearer::Party(name) | Bearer::Patron(name)) = key.bearer() else {
        panic!("not a member");
    };
    Member {
        name: name.clone(),
        key: key.key().public().clone(),
    }
}

pub fn signed<'k>(terms: Terms, keys: impl IntoIterator<Item = &'k KeyFile>) -> Deed {
    let mut deed = Deed::unsigned(terms);
    for key in keys {
        deed.sign(&member(key).name, key.key()).unwrap();
    }
    deed
}

/// A host whose clock is another one's, some time earlier, and that draws the same bytes again and again.
pub fn repeating(host: &Host, earlier: Duration) -> Host {
    struct Late(Host, u64);
    impl Clock for Late {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0.now().0 - self.1)
        }
        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
    }
    struct Same;
    impl Random for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }
    let earlier = u64::try_from(earlier.as_millis()).unwrap();
    Host::new(Arc::new(Late(host.clone(), earlier)), Arc::new(Same))
}

impl House {
    pub async fn new(seed: u64) -> Self {
        let (world, node) = World::open(Setup::quick(seed)).await.unwrap();
        let tenant = node.client("ministry").await.unwrap();
        tenant
            .create_bucket(&node, &bucket("records"))
            .await
            .unwrap();
        tenant.create_bucket(&node, &bucket("other")).await.unwrap();
        for name in ["2026/a", "2025/b"] {
            tenant
                .put(
                    &node,
                    &bucket("records"),
                    &object(name),
                    b"what was written",
                )
                .await
                .unwrap();
        }
        let host = world.host.clone();
        let key = |bearer| KeyFile::generate(bearer, &host).unwrap();
        let party = |name: &str| Bearer::Party(PartyName::parse(name).unwrap());
        let parties: Vec<KeyFile> = PARTIES.iter().map(|name| key(party(name))).collect();
        let patron = key(Bearer::Patron(PartyName::parse("minister").unwrap()));
        let terms = Terms::usual(
            "lu",
            "the data of the state",
            2,
            &Jurisdiction::parse("lu").unwrap(),
            parties.iter().map(member).collect(),
            member(&patron),
        )
        .unwrap();
        let deed = signed(terms, parties.iter().chain([&patron]));
        let founding = Charter::parse(&deed.to_text()).unwrap();
        let people = (PARTIES.iter())
            .flat_map(|party| NAMES.map(|name| format!("{name} of {party}")))
            .map(|text| key(Bearer::Person(person(&text))))
            .collect();
        let house = Self {
            world,
            node,
            parties,
            patron,
            people,
            founding,
            tenant,
        };
        house.govern();
        for (index, one) in house.people.iter().enumerate() {
            let card = house.card(&house.parties[index / NAMES.len()], one, 1);
            house.hand_in(&card.to_text()).await.unwrap();
        }
        house
    }

    /// What the node is told at its start.
    pub fn govern(&self) {
        self.node.vault.govern(Law {
            cloud: self.world.disks.cloud,
            chain: Chain::verify(self.founding.clone(), &[]).unwrap(),
            place: Some(Jurisdiction::parse("lu").unwrap()),
            holders: self.founding.parties().to_vec(),
        });
    }

    /// The node is gone; another one starts over the same disks.
    pub async fn restart(&mut self) {
        self.node.crash();
        self.node = self.world.start().unwrap();
        self.govern();
        self.world.unseal(&self.node, [0, 1]).await.unwrap();
    }

    pub fn card(&self, party: &KeyFile, one: &KeyFile, serial: u32) -> Card {
        let until = self.now().plus_hours(10_000);
        let public = one.public().unwrap();
        Card::issue(party, &public, serial, until, Standing::Active).unwrap()
    }

    pub fn now(&self) -> Stamp {
        Stamp::from_millis(self.world.host.now())
    }

    pub fn key(&self, text: &str) -> &KeyFile {
        let wanted = Bearer::Person(person(text));
        let mut people = self.people.iter();
        people.find(|key| *key.bearer() == wanted).unwrap()
    }

    pub fn ask(&self, verb: &str, parameters: &[(&str, &str)]) -> Ask {
        Ask {
            cloud: self.world.disks.cloud,
            verb: verbs::find(verb).unwrap(),
            parameters: (parameters.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            reason: "decided on Monday".to_owned(),
            lasts_hours: None,
        }
    }

    /// A request of anna of ctie.
    pub fn request(&self, verb: &str, parameters: &[(&str, &str)]) -> SignedRequest {
        self.request_on(&self.world.host, verb, parameters)
    }

    pub fn request_on(
        &self,
        host: &Host,
        verb: &str,
        parameters: &[(&str, &str)],
    ) -> SignedRequest {
        let charter = self.node.vault.law().unwrap().charter().clone();
        let ask = self.ask(verb, parameters);
        Request::propose(&charter, ask, self.key("anna of ctie"), host).unwrap()
    }

    pub async fn hand_in(&self, text: &str) -> Result<HandedIn, JointError> {
        self.node.vault.hand_in(text.as_bytes()).await
    }

    pub async fn lodge(&self, verb: &str, parameters: &[(&str, &str)]) -> SignedRequest {
        let request = self.request(verb, parameters);
        self.hand_in(&request.to_text()).await.unwrap();
        request
    }

    pub fn word(&self, says: Says, request: &SignedRequest, by: &KeyFile) -> Decision {
        let reason = match says {
            Says::Approve => None,
            Says::Veto => Some("not like this"),
        };
        Decision::sign(says, request.request(), reason, by, self.now()).unwrap()
    }

    pub async fn approve(&self, request: &SignedRequest, by: &str) -> Result<HandedIn, JointError> {
        let key = match by {
            "minister" => &self.patron,
            person => self.key(person),
        };
        let word = self.word(Says::Approve, request, key);
        self.hand_in(&word.to_text()).await
    }

    pub async fn carry(&self, request: &SignedRequest) -> Result<Done, JointError> {
        self.carry_digest(&request.request().digest(), None).await
    }

    pub async fn carry_digest(
        &self,
        digest: &RequestDigest,
        paper: Option<&str>,
    ) -> Result<Done, JointError> {
        self.node.vault.carry_out(digest, paper).await
    }

    /// Everything from the request to the act, one hour later where the class says so.
    pub async fn done(&self, verb: &str, parameters: &[(&str, &str)], by: &[&str]) -> Outcome {
        let request = self.lodge(verb, parameters).await;
        for person in by {
            self.approve(&request, person).await.unwrap();
        }
        self.world.clock.skip(HOUR);
        self.carry(&request).await.unwrap().outcome
    }

    /// Operation and decision of every entry of a kind.
    pub async fn entries(&self, kind: &str) -> Vec<(String, String)> {
        let all = self.node.entries().await.unwrap();
        let fields = all.into_iter().filter_map(|entry| entry.fields);
        fields
            .filter(|fields| fields.kind.to_string() == kind)
            .map(|fields| {
                (
                    fields.operation.unwrap_or_default(),
                    fields.decision.unwrap_or_default(),
                )
            })
            .collect()
    }
}

pub fn word(refused: &JointError) -> &'static str {
    refused.word().unwrap_or("none")
}

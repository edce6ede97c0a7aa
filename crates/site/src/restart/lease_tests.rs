//! The lease itself: what the charter asks before there is one, and what the other site checks each time.

use super::docket::FileDocket;
use super::fault::RestartError;
use super::grant::Grant;
use super::lease::DAY_MS;
use super::records::Held;
use super::tests::{SetClock, host_at};
use super::{exchange, held};
use charter::approval::{
    Ask, Bearer, Card, Chamber, Decision, Deliberation, Docket, DocketFault, KeyFile, Order,
    Person, Refusal, Request, RequestDigest, Roll, Says, Standing,
};
use charter::law::{Jurisdiction, Member};
use charter::{Charter, Deed, Terms, verbs};
use host::Host;
use sign::Stamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use words::{CloudId, PartyName, SiteId, UnixMillis};
use zeroize::Zeroizing;

const CLOUD: CloudId = CloudId::from_bytes([7; 16]);
const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
const ID: [u8; 16] = [2; 16];
const EXCHANGE: [u8; 32] = [4; 32];
const PARTIES: [&str; 3] = ["ctie", "luxconnect", "proximus"];

/// Three parties with one person each, and their charter.
struct House {
    host: Host,
    clock: Arc<SetClock>,
    charter: Charter,
    people: Vec<KeyFile>,
    cards: Vec<String>,
}

/// For whoever writes the order: first seen when it was made.
struct Fresh;

impl Docket for Fresh {
    fn executed(&self, _: &RequestDigest) -> Result<bool, DocketFault> {
        Ok(false)
    }
    fn lodged(&self, _: &RequestDigest) -> Result<Option<Stamp>, DocketFault> {
        Ok(Some(Stamp::from_millis(UnixMillis(NOW))))
    }
    fn latest(&self) -> Result<Stamp, DocketFault> {
        Ok(Stamp::from_seconds(0))
    }
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

impl House {
    fn new() -> Self {
        let (host, clock) = host_at(NOW);
        let key = |bearer| KeyFile::generate(bearer, &host).unwrap();
        let name = |text: &str| PartyName::parse(text).unwrap();
        let parties = PARTIES.map(|party| key(Bearer::Party(name(party))));
        let patron = key(Bearer::Patron(name("minister")));
        let terms = Terms::usual(
            "lu",
            "trial",
            2,
            &Jurisdiction::parse("lu").unwrap(),
            parties.iter().map(member).collect(),
            member(&patron),
        );
        let mut deed = Deed::unsigned(terms.unwrap());
        for signer in parties.iter().chain([&patron]) {
            deed.sign(&member(signer).name, signer.key()).unwrap();
        }
        let charter = Charter::parse(&deed.to_text()).unwrap();
        let until = Stamp::from_millis(UnixMillis(NOW + 400 * DAY_MS));
        let mut people = Vec::new();
        let mut cards = Vec::new();
        for (party, of) in parties.iter().zip(PARTIES) {
            let person = Person::parse(&format!("anna of {of}")).unwrap();
            let person = key(Bearer::Person(person));
            let public = person.public().unwrap();
            let card = Card::issue(party, &public, 1, until, Standing::Active).unwrap();
            cards.push(card.to_text());
            people.push(person);
        }
        Self {
            host,
            clock,
            charter,
            people,
            cards,
        }
    }

    fn set(&self, millis: u64) {
        self.clock.0.store(millis, Ordering::SeqCst);
    }

    /// An order for this node and so many days, approved by the second and the third party.
    fn order(&self, node: &str, days: &str) -> Order {
        self.set(NOW);
        let ask = Ask {
            cloud: CLOUD,
            verb: verbs::find("lease-restart").unwrap(),
            parameters: vec![
                ("node".to_owned(), node.to_owned()),
                ("days".to_owned(), days.to_owned()),
            ],
            reason: "power cuts".to_owned(),
            lasts_hours: None,
        };
        let signed = Request::propose(&self.charter, ask, &self.people[0], &self.host).unwrap();
        let mut roll = Roll::new(&self.charter);
        for card in &self.cards {
            roll.enrol(Card::parse(card.as_bytes()).unwrap()).unwrap();
        }
        let chamber = Chamber {
            cloud: CLOUD,
            roll: &roll,
        };
        let now = Stamp::from_millis(UnixMillis(NOW));
        let mut open = Deliberation::open(chamber, signed.clone()).unwrap();
        for person in &self.people[1..] {
            let word = Decision::sign(Says::Approve, signed.request(), None, person, now);
            open.approve(word.unwrap()).unwrap();
        }
        Order::from(open.resolve(now.plus_hours(1), &Fresh).unwrap())
    }

    fn held(&self, order: &Order) -> Held {
        Held {
            cloud: CLOUD,
            node: "node-1".to_owned(),
            id: ID,
            lease: *order.digest().as_bytes(),
            granted: UnixMillis(NOW),
            ends: UnixMillis(NOW + 30 * DAY_MS),
            latest: UnixMillis(NOW),
            released: 0,
            exchange: Zeroizing::new(EXCHANGE),
            half: Zeroizing::new([5; 32]),
            order: order.to_text(),
            cards: self.cards.clone(),
        }
    }
}

#[test]
fn the_cool_off_counts_from_here_and_an_order_is_good_once_and_in_time() {
    let house = House::new();
    let folder = tempfile::tempdir().unwrap();
    let decide = |order: &Order| {
        let grant = Grant {
            cloud: CLOUD,
            charter: &house.charter,
            node: "node-1",
            held_by: SiteId::B,
            site_folder: folder.path(),
            order: order.to_text(),
            cards: house.cards.clone(),
            pcrs: vec![7],
        };
        grant.decide(&house.host).map(|(_, days)| days)
    };
    let refusal = |outcome: Result<u16, RestartError>| match outcome {
        Err(RestartError::Refused(why)) => *why,
        other => panic!("{other:?}"),
    };
    let order = house.order("node-1", "30");
    // The request is two hours old; this node sees it for the first time.
    house.set(NOW + 2 * HOUR);
    assert!(matches!(refusal(decide(&order)), Refusal::TooEarly { .. }));
    house.set(NOW + 3 * HOUR - 1000);
    assert!(matches!(refusal(decide(&order)), Refusal::TooEarly { .. }));
    house.set(NOW + 3 * HOUR);
    assert_eq!(decide(&order).unwrap(), 30);
    assert!(matches!(refusal(decide(&order)), Refusal::Replay));

    let late = house.order("node-1", "7");
    assert!(matches!(refusal(decide(&late)), Refusal::TooEarly { .. }));
    house.set(NOW + 48 * HOUR);
    FileDocket::open(folder.path())
        .unwrap()
        .see(house.host.now())
        .unwrap();
    // The clock is set back into the request's life, past its cool-off.
    house.set(NOW + 5 * HOUR);
    assert!(matches!(refusal(decide(&late)), Refusal::Expired { .. }));

    for (node, days) in [
        ("node-2", "30"),
        ("node-1", "31"),
        ("node-1", "0"),
        ("node-1", "x"),
    ] {
        let outcome = decide(&house.order(node, days));
        assert!(
            matches!(outcome, Err(RestartError::Order(_))),
            "{node} {days}: {outcome:?}"
        );
    }
}

#[test]
fn the_other_site_checks_the_lease_each_time_and_counts() {
    let house = House::new();
    let folder = tempfile::tempdir().unwrap();
    let order = house.order("node-1", "30");
    let ask = |held: &Held, charter: &Charter| {
        held::keep(folder.path(), held).unwrap();
        let question = exchange::ask(&EXCHANGE, CLOUD, &ID, &house.host);
        let answer = held::answer(folder.path(), CLOUD, charter, &question.bytes, &house.host)?;
        question.read(&answer, &EXCHANGE, CLOUD, &ID)
    };
    let good = house.held(&order);
    assert_eq!(*ask(&good, &house.charter).unwrap(), [5; 32]);
    assert_eq!(held::find(folder.path(), &ID).unwrap().released, 1);

    let other = House::new();
    let longer = Held {
        ends: UnixMillis(NOW + 31 * DAY_MS),
        ..good.clone()
    };
    let other_node = Held {
        node: "node-2".to_owned(),
        ..good.clone()
    };
    let no_cards = Held {
        cards: house.cards[..2].to_vec(),
        ..good.clone()
    };
    let other_order = Held {
        order: house.order("node-1", "29").to_text(),
        ..good.clone()
    };
    let rubbish = Held {
        order: "an order".to_owned(),
        ..good.clone()
    };
    for (what, held, charter) in [
        ("another charter", &good, &other.charter),
        ("the charter of nobody", &good, &Charter::default()),
        ("a longer time", &longer, &house.charter),
        ("another node", &other_node, &house.charter),
        ("an approver without a card", &no_cards, &house.charter),
        ("another order", &other_order, &house.charter),
        ("no order", &rubbish, &house.charter),
    ] {
        assert!(ask(held, charter).is_err(), "{what}");
        assert_eq!(
            held::find(folder.path(), &ID).unwrap().released,
            0,
            "{what}"
        );
    }
    // A question by somebody without the own half is not counted either.
    held::keep(folder.path(), &good).unwrap();
    let stranger = exchange::ask(&[9; 32], CLOUD, &ID, &house.host);
    let refused = held::answer(
        folder.path(),
        CLOUD,
        &house.charter,
        &stranger.bytes,
        &house.host,
    );
    assert!(matches!(refused, Err(RestartError::Stranger)));
    assert_eq!(held::find(folder.path(), &ID).unwrap().released, 0);
}

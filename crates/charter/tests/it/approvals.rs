//! What is refused, each by its name (custody attacks F3 and F4 of the threat list), and what is granted.

use super::joint::{
    House, Memory, approval, ask, at, card, cloud, host_at, key, memory, person, sign_all, terms,
    veto,
};
use super::world::{host, party};
use charter::approval::{
    AskError, Bearer, Card, Chamber, Decision, Deliberation, DocumentError, Order, Refusal,
    Request, Resolution, Roll, RollError, Says, SignedRequest, Standing,
};
use charter::who::Lack;
use charter::{Charter, Class};
use sign::{Algorithm, SignatureError, Stamp};
use words::CloudId;

fn resolve(
    house: &House,
    request: &SignedRequest,
    by: &[(&str, &str)],
    now: u64,
    memory: &Memory,
) -> Result<Resolution, Refusal> {
    let mut deliberation = house.open(request)?;
    for (name, of) in by {
        deliberation.approve(approval(request, house.key(name, of)))?;
    }
    deliberation
        .resolve(at(now), memory)
        .map_err(|undecided| undecided.why)
}

const TWO: [(&str, &str); 2] = [("ben", "ctie"), ("anna", "luxconnect")];

#[test]
fn two_parties_restore_after_the_cool_off() {
    let house = House::new(None);
    let request = house.anna_asks("restore");
    let resolution = resolve(&house, &request, &TWO, 1, &memory()).unwrap();
    assert_eq!(resolution.request().parameter("backup"), Some("the-backup"));
    assert_eq!(resolution.approved_by().count(), 2);
    let order = Order::from(resolution);
    let read = Order::parse(order.to_text().as_bytes()).unwrap();
    assert_eq!(read, order);
    // Whoever carries it out deliberates again.
    let again = read.reopen(house.chamber()).unwrap();
    assert!(again.resolve(at(2), &memory()).is_ok());
}

#[test]
fn f3_same_person_twice() {
    let house = House::new(None);
    let request = house.anna_asks("restore");
    let twice = [("ben", "luxconnect"), ("ben", "luxconnect")];
    let refused = resolve(&house, &request, &twice, 1, &memory()).unwrap_err();
    assert_eq!(
        refused,
        Refusal::SamePersonTwice("ben of luxconnect".to_owned())
    );
    // With another key and another spelling of the name it is still the same person.
    let mut house = house;
    let other = key(Bearer::Person(person("Ben", "luxconnect")), 31);
    house
        .roll
        .enrol(card(&house.parties[1], &other, 2))
        .unwrap();
    let refused = resolve(&house, &request, &[("ben", "luxconnect")], 1, &memory()).unwrap_err();
    assert_eq!(refused.word(), "other-key", "the older card is replaced");
}

#[test]
fn f3_same_party_twice() {
    let house = House::new(None);
    let request = house.anna_asks("restore");
    let twice = [("ben", "luxconnect"), ("claire", "luxconnect")];
    let refused = resolve(&house, &request, &twice, 1, &memory()).unwrap_err();
    assert_eq!(
        refused,
        Refusal::SamePartyTwice {
            by: person("claire", "luxconnect"),
            earlier: person("ben", "luxconnect")
        }
    );
    // Where two persons of one party are what is asked for, it is right.
    let request = house.anna_asks("tenant-add");
    assert!(resolve(&house, &request, &[("ben", "ctie")], 0, &memory()).is_ok());
}

#[test]
fn f3_self_approval() {
    let house = House::new(None);
    for verb in ["restore", "tenant-add", "seal", "break-glass-read"] {
        let request = house.anna_asks(verb);
        let refused = resolve(&house, &request, &[("anna", "ctie")], 1, &memory()).unwrap_err();
        assert_eq!(
            refused,
            Refusal::SelfApproval(person("anna", "ctie")),
            "{verb}"
        );
    }
}

#[test]
fn f3_edited_parameters() {
    let house = House::new(None);
    let request = house.anna_asks("restore");
    let text = request.to_text();
    // Any change with a right checksum: the proposer's signature does not fit any more.
    let edited = with_right_checksum(&text.replace("backup=the-backup", "backup=the-backuq"));
    let edited = SignedRequest::parse(edited.as_bytes()).unwrap();
    let refused = house.open(&edited).map(drop).unwrap_err();
    assert_eq!(
        refused,
        Refusal::Signature {
            by: "the proposer anna of ctie".to_owned(),
            why: SignatureError::Bad(Algorithm::Ed25519)
        }
    );
    // And if the proposer herself signs the edited request: the approval was of the other one.
    let signed = resigned(&house, &edited);
    let mut deliberation = house.open(&signed).unwrap();
    let refused = deliberation.approve(approval(&request, house.key("ben", "luxconnect")));
    assert_eq!(refused.unwrap_err().word(), "edited");
    // An approval of quite another request.
    let other = Request::propose(
        &house.charter,
        ask("restore"),
        house.key("anna", "ctie"),
        &host(901),
    );
    let refused = deliberation.approve(approval(&other.unwrap(), house.key("ben", "luxconnect")));
    assert_eq!(refused.unwrap_err().word(), "other-request");
}

#[test]
fn f3_expired_and_too_early() {
    let house = House::new(None);
    let request = house.anna_asks("upgrade");
    let refused = |now, memory: &Memory| resolve(&house, &request, &TWO, now, memory).unwrap_err();
    let (earliest, expires) = (at(24), at(96));
    assert_eq!(
        refused(23, &memory()),
        Refusal::TooEarly {
            earliest,
            now: at(23)
        }
    );
    assert!(resolve(&house, &request, &TWO, 24, &memory()).is_ok());
    assert!(resolve(&house, &request, &TWO, 96, &memory()).is_ok());
    assert_eq!(
        refused(97, &memory()),
        Refusal::Expired {
            expires,
            now: at(97)
        }
    );
    // A clock set back does not revive it.
    let later = Memory {
        latest: 97,
        ..memory()
    };
    assert_eq!(
        refused(96, &later),
        Refusal::Expired {
            expires,
            now: at(97)
        }
    );
    // A request that was written earlier than it was lodged cools off from the lodging.
    let lodged = Memory {
        lodged: Some(10),
        ..memory()
    };
    assert_eq!(
        refused(24, &lodged),
        Refusal::TooEarly {
            earliest: at(34),
            now: at(24)
        }
    );
    assert_eq!(refused(24, &Memory::default()), Refusal::NotLodged);
    // Somebody who signed after the end.
    let mut deliberation = house.open(&request).unwrap();
    let late = Decision::sign(
        Says::Approve,
        request.request(),
        None,
        house.key("ben", "luxconnect"),
        at(97),
    );
    assert_eq!(
        deliberation.approve(late.unwrap()).unwrap_err().word(),
        "signed-outside"
    );
}

#[test]
fn f3_replayed_nonce() {
    let house = House::new(None);
    let request = house.anna_asks("seal");
    let resolution = resolve(&house, &request, &[], 0, &memory()).unwrap();
    let mut after = memory();
    after.executed.insert(*resolution.digest());
    assert_eq!(
        resolve(&house, &request, &[], 0, &after).unwrap_err(),
        Refusal::Replay
    );
    let broken = Memory {
        broken: true,
        ..memory()
    };
    let refused = resolve(&house, &request, &[], 0, &broken).unwrap_err();
    assert_eq!(
        refused.word(),
        "docket",
        "what cannot be looked up is not done"
    );
}

#[test]
fn f4_a_nonce_used_up_by_an_act_of_one_does_not_block_the_request_of_others() {
    let house = House::new(None);
    let waiting = house.anna_asks("restore");
    let seal = house.request("seal", house.key("anna", "ctie"));
    let nonce = |request: &SignedRequest| format!("nonce         {}", request.request().nonce());
    let text = seal.to_text().replace(&nonce(&seal), &nonce(&waiting));
    let read = SignedRequest::parse(with_right_checksum(&text).as_bytes()).unwrap();
    let stolen = resigned(&house, &read);
    assert_eq!(stolen.request().nonce(), waiting.request().nonce());
    let sealed = resolve(&house, &stolen, &[], 0, &memory()).unwrap();
    let mut after = memory();
    after.executed.insert(*sealed.digest());
    assert!(resolve(&house, &waiting, &TWO, 1, &after).is_ok());
    assert_eq!(
        resolve(&house, &stolen, &[], 0, &after).unwrap_err(),
        Refusal::Replay
    );
}

#[test]
fn a_card_must_hold_on_the_day_of_the_act() {
    let mut house = House::new(None);
    let public = house.key("anna", "luxconnect").public().unwrap();
    let short = Card::issue(&house.parties[1], &public, 2, at(10), Standing::Active).unwrap();
    house.roll.enrol(short).unwrap();
    let request = house.anna_asks("restore");
    assert!(resolve(&house, &request, &TWO, 10, &memory()).is_ok());
    let refused = resolve(&house, &request, &TWO, 11, &memory()).unwrap_err();
    assert_eq!(
        refused,
        Refusal::CardEnded {
            person: person("anna", "luxconnect"),
            until: at(10)
        }
    );
}

#[test]
fn f3_one_of_the_two_signatures_missing_or_bad() {
    let house = House::new(None);
    let (request, other) = (house.anna_asks("restore"), house.anna_asks("upgrade"));
    let by = house.key("ben", "luxconnect");
    let (text, foreign) = (
        approval(&request, by).to_text(),
        approval(&other, by).to_text(),
    );
    for algorithm in Algorithm::BOTH {
        let lines = |text: &str| -> String {
            text.split_inclusive('\n')
                .filter(|line| line.starts_with(algorithm.name()))
                .collect()
        };
        let stripped = with_right_checksum(&text.replace(&lines(&text), ""));
        let error = Decision::parse(stripped.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!(
                "the {algorithm} signature of the approval is missing"
            )),
            "{error}"
        );
        let mixed = with_right_checksum(&text.replace(&lines(&text), &lines(&foreign)));
        let mixed = Decision::parse(mixed.as_bytes()).unwrap();
        let refused = house.open(&request).unwrap().approve(mixed).unwrap_err();
        let why = SignatureError::Bad(algorithm);
        assert_eq!(
            refused,
            Refusal::Signature {
                by: "person ben of luxconnect".to_owned(),
                why
            }
        );
    }
}

#[test]
fn f3_unknown_withdrawn_and_ended_approvers() {
    let mut house = House::new(None);
    let request = house.anna_asks("restore");
    let stranger = key(Bearer::Person(person("eve", "proximus")), 32);
    let refused = house
        .open(&request)
        .unwrap()
        .approve(approval(&request, &stranger))
        .unwrap_err();
    assert_eq!(refused, Refusal::UnknownApprover(person("eve", "proximus")));
    // Eve says that she is ben: the key is another one.
    let eve = key(Bearer::Person(person("ben", "proximus")), 33);
    let refused = house
        .open(&request)
        .unwrap()
        .approve(approval(&request, &eve))
        .unwrap_err();
    assert_eq!(refused.word(), "other-key");
    // The patron has no say in a restore, a party's own key never has.
    let refused = house
        .open(&request)
        .unwrap()
        .approve(approval(&request, &house.patron))
        .unwrap_err();
    assert_eq!(refused.word(), "no-say");
    let by_party = Decision::sign(
        Says::Approve,
        request.request(),
        None,
        &house.parties[1],
        at(0),
    );
    assert!(matches!(by_party, Err(DocumentError::WrongBearer { .. })));

    let ben = house
        .roll
        .find(&person("ben", "luxconnect"))
        .unwrap()
        .clone();
    house
        .roll
        .enrol(ben.withdraw(&house.parties[1]).unwrap())
        .unwrap();
    let refused = resolve(&house, &request, &[("ben", "luxconnect")], 1, &memory()).unwrap_err();
    assert_eq!(refused, Refusal::Withdrawn(person("ben", "luxconnect")));
    // The older card does not come back.
    house.roll.enrol(ben).unwrap();
    let refused = resolve(&house, &request, &[("ben", "luxconnect")], 1, &memory()).unwrap_err();
    assert_eq!(refused.word(), "withdrawn");

    let public = house.key("claire", "luxconnect").public().unwrap();
    let before = Stamp::from_seconds(at(0).seconds() - 1);
    let ended = Card::issue(&house.parties[1], &public, 2, before, Standing::Active).unwrap();
    house.roll.enrol(ended).unwrap();
    let refused = resolve(&house, &request, &[("claire", "luxconnect")], 1, &memory()).unwrap_err();
    assert_eq!(refused.word(), "card-ended");
}

#[test]
fn f3_other_cloud_other_charter_other_class() {
    let house = House::new(None);
    let request = house.anna_asks("restore");
    let elsewhere = Chamber {
        cloud: CloudId::from_bytes([8; 16]),
        ..house.chamber()
    };
    let refused = Deliberation::open(elsewhere, request.clone())
        .map(drop)
        .unwrap_err();
    assert_eq!(refused.word(), "other-cloud");
    let other = House::new(Some("ctie AND proximus"));
    assert_eq!(
        other.open(&request).map(drop).unwrap_err().word(),
        "other-charter"
    );
    let lower = with_right_checksum(
        &request
            .to_text()
            .replace("class         R2", "class         R1"),
    );
    let lower = SignedRequest::parse(lower.as_bytes()).unwrap();
    assert_eq!(
        house.open(&lower).map(drop).unwrap_err().word(),
        "other-class"
    );
    let plain = Charter::default();
    let roll = Roll::new(&plain);
    let chamber = Chamber {
        roll: &roll,
        ..house.chamber()
    };
    assert_eq!(
        Deliberation::open(chamber, request).map(drop).unwrap_err(),
        Refusal::NoKeys
    );
}

#[test]
fn f4_times_that_do_not_keep_to_the_class_are_refused_whoever_signed_them() {
    let house = House::new(None);
    let request = house.anna_asks("upgrade");
    let r = request.request();
    let line = |label: &str, stamp: Stamp| format!("{label:14}{stamp}");
    let change = |label: &str, from: Stamp, to: Stamp| {
        let text = request
            .to_text()
            .replace(&line(label, from), &line(label, to));
        let read = SignedRequest::parse(with_right_checksum(&text).as_bytes()).unwrap();
        house.open(&resigned(&house, &read)).map(drop)
    };
    let early = change("earliest", r.earliest(), at(23)).unwrap_err();
    assert_eq!(
        early.to_string(),
        "the request's times do not keep to its class: the cool-off is shorter than the charter asks for"
    );
    let long = change("expires", r.expires(), at(97)).unwrap_err();
    assert!(long.to_string().contains("stays open for longer"), "{long}");
    let never = change("expires", r.expires(), at(23)).unwrap_err();
    assert!(
        never.to_string().contains("before it may be done"),
        "{never}"
    );
    assert_eq!(change("earliest", r.earliest(), at(30)), Ok(()));
}

#[test]
fn too_few_are_told_what_is_missing() {
    let house = House::new(Some("ctie AND (luxconnect OR proximus)"));
    let request = house.request("restore", house.key("anna", "ctie"));
    let lacking = |by: &[(&str, &str)]| match resolve(&house, &request, by, 1, &memory()) {
        Err(Refusal::Lacking(lack)) => lack,
        other => panic!("{other:?}"),
    };
    assert_eq!(lacking(&[]), Lack::Parties { have: 0, need: 2 });
    assert_eq!(
        lacking(&[("ben", "ctie")]),
        Lack::Parties { have: 1, need: 2 }
    );
    let foreign = lacking(&[("ben", "luxconnect"), ("ben", "proximus")]);
    assert_eq!(
        foreign.to_string(),
        "the parties that approved do not fulfil ctie AND (luxconnect OR proximus)"
    );
    let request = house.anna_asks("export-root");
    let three = [("ben", "ctie"), ("ben", "luxconnect"), ("ben", "proximus")];
    let refused = resolve(&house, &request, &three, 168, &memory()).unwrap_err();
    assert_eq!(refused, Refusal::Lacking(Lack::Patron(party("minister"))));
    let request = house.anna_asks("key-add");
    let refused = resolve(&house, &request, &[], 0, &memory()).unwrap_err();
    assert_eq!(
        refused,
        Refusal::Lacking(Lack::Persons { have: 1, need: 2 })
    );
}

#[test]
fn closing_needs_one_person_and_cannot_be_stopped() {
    let house = House::new(None);
    for of in super::joint::PARTIES {
        for verb in ["seal", "tenant-suspend", "key-suspend"] {
            let request = house.request(verb, house.key("anna", of));
            assert!(
                resolve(&house, &request, &[], 0, &memory()).is_ok(),
                "{of} {verb}"
            );
            let mut deliberation = house.open(&request).unwrap();
            let refused = deliberation.veto(veto(&request, house.key("ben", "proximus")));
            assert_eq!(refused, Err(Refusal::NoVeto(Class::R0)));
        }
    }
}

#[test]
fn one_veto_stops_an_opening_for_good() {
    let house = House::new(None);
    let request = house.anna_asks("restore");
    let mut deliberation = house.open(&request).unwrap();
    for (name, of) in TWO {
        deliberation
            .approve(approval(&request, house.key(name, of)))
            .unwrap();
    }
    deliberation
        .veto(veto(&request, house.key("david", "proximus")))
        .unwrap();
    let again = deliberation.veto(veto(&request, house.key("claire", "proximus")));
    assert_eq!(again.unwrap_err().word(), "same-person-twice");
    let wrong_way = deliberation.veto(approval(&request, house.key("ben", "proximus")));
    assert_eq!(wrong_way.unwrap_err().word(), "other-kind");
    let wrong_way = deliberation.approve(veto(&request, house.key("ben", "proximus")));
    assert_eq!(wrong_way.unwrap_err().word(), "other-kind");
    let by_patron = deliberation.veto(veto(&request, &house.patron));
    assert_eq!(by_patron.unwrap_err().word(), "no-say");
    let undecided = deliberation.resolve(at(1), &memory()).unwrap_err();
    assert_eq!(
        undecided.why,
        Refusal::Vetoed("person david of proximus".to_owned())
    );
    assert_eq!(
        undecided.deliberation.vetoes()[0].reason(),
        Some("not like this")
    );
}

#[test]
fn a_refused_approval_stands_in_nobodys_way() {
    let house = House::new(None);
    let request = house.anna_asks("restore");
    let mut deliberation = house.open(&request).unwrap();
    let eve = key(Bearer::Person(person("eve", "proximus")), 34);
    assert!(deliberation.approve(approval(&request, &eve)).is_err());
    for (name, of) in TWO {
        deliberation
            .approve(approval(&request, house.key(name, of)))
            .unwrap();
        assert!(
            deliberation
                .approve(approval(&request, house.key(name, of)))
                .is_err()
        );
    }
    let undecided = deliberation.resolve(at(0), &memory()).unwrap_err();
    assert!(undecided.deliberation.resolve(at(1), &memory()).is_ok());
}

#[test]
fn break_glass_is_soon_loud_and_short() {
    let house = House::new(None);
    let request = house.anna_asks("break-glass-read");
    let r = request.request();
    assert_eq!((r.ends(), r.expires()), (Some(at(4)), at(4)));
    let told: Vec<&str> = r.notify().iter().map(words::PartyName::as_str).collect();
    assert_eq!(told, ["ctie", "luxconnect", "proximus", "minister"]);
    let refused = resolve(&house, &request, &[], 0, &memory()).unwrap_err();
    assert_eq!(refused, Refusal::Lacking(Lack::Patron(party("minister"))));
    let mut deliberation = house.open(&request).unwrap();
    deliberation
        .approve(approval(&request, &house.patron))
        .unwrap();
    let again = deliberation
        .approve(approval(&request, &house.patron))
        .unwrap_err();
    assert_eq!(again.word(), "same-person-twice");
    assert!(deliberation.clone().resolve(at(0), &memory()).is_ok());
    let late = deliberation.resolve(at(5), &memory()).unwrap_err();
    assert_eq!(late.why.word(), "expired");
    // It cannot be made quiet, nor longer.
    let edit = |from: &str, to: &str| {
        let text = request.to_text().replacen(from, to, 1);
        let read = SignedRequest::parse(with_right_checksum(&text).as_bytes()).unwrap();
        house
            .open(&resigned(&house, &read))
            .map(drop)
            .unwrap_err()
            .word()
    };
    assert_eq!(edit("notify        proximus\n", ""), "notify");
    let ends = format!("ends          {}", at(4));
    assert_eq!(edit(&ends, &format!("ends          {}", at(5))), "times");
    assert_eq!(edit(&ends, &format!("ends          {}", at(3))), "times");
    assert_eq!(edit(&format!("{ends}\n"), ""), "times");
    let propose = |lasts, reason: &str| {
        let ask = charter::approval::Ask {
            lasts_hours: lasts,
            reason: reason.to_owned(),
            ..ask("break-glass-read")
        };
        Request::propose(&house.charter, ask, house.key("anna", "ctie"), &host(902))
    };
    assert_eq!(
        propose(Some(2), "a child is missing")
            .unwrap()
            .request()
            .ends(),
        Some(at(2))
    );
    assert_eq!(
        propose(Some(5), "a child is missing"),
        Err(AskError::Lasts(4))
    );
    assert_eq!(
        propose(Some(0), "a child is missing"),
        Err(AskError::Lasts(4))
    );
    assert_eq!(propose(None, ""), Err(AskError::Reason));
}

#[test]
fn asks_that_make_no_request() {
    let house = House::new(None);
    let anna = house.key("anna", "ctie");
    let said = |change: &dyn Fn(&mut charter::approval::Ask)| {
        let mut ask = ask("tenant-add");
        change(&mut ask);
        Request::propose(&house.charter, ask, anna, &host(903))
            .unwrap_err()
            .to_string()
    };
    let text = |s: &str| s.to_owned();
    for (said, words) in [
        (
            said(&|ask| ask.parameters.clear()),
            "tenant-add needs the parameter tenant",
        ),
        (
            said(&|ask| ask.parameters.push((text("name"), text("x")))),
            "has no parameter \"name\"; it has: tenant, jurisdictions",
        ),
        (
            said(&|ask| ask.parameters.push((text("tenant"), text("x")))),
            "given twice",
        ),
        (
            said(&|ask| ask.parameters[0].1 = text("a\nb")),
            "must be one line",
        ),
        (
            said(&|ask| ask.parameters[0].1 = "x".repeat(257)),
            "1 to 256",
        ),
        (
            said(&|ask| ask.reason = text("a\u{202e}b")),
            "a reason is needed",
        ),
        (said(&|ask| ask.reason = "x".repeat(1001)), "1 to 1000"),
        (said(&|ask| ask.lasts_hours = Some(1)), "only break-glass"),
    ] {
        assert!(said.contains(words), "{said}");
    }
    for key in [
        &house.patron,
        &house.parties[0],
        &key(Bearer::Person(person("x", "post")), 35),
    ] {
        let refused = Request::propose(&house.charter, ask("seal"), key, &host(904));
        assert!(matches!(refused, Err(AskError::NotAPerson(_))));
    }
    // Times follow the clock of whoever proposes.
    let later = Request::propose(&house.charter, ask("restore"), anna, &host_at(905, 5)).unwrap();
    assert_eq!(
        (later.request().created(), later.request().earliest()),
        (at(5), at(6))
    );
    assert_eq!(later.request().cloud(), cloud());
}

#[test]
fn cards_hold_only_under_the_partys_own_key() {
    let house = House::new(None);
    let mut roll = Roll::new(&house.charter);
    let anna = house.key("anna", "ctie");
    let good = card(&house.parties[0], anna, 1);
    let enrol = |roll: &mut Roll, card: Card| roll.enrol(card);
    assert_eq!(enrol(&mut roll, good.clone()), Ok(()));
    assert_eq!(enrol(&mut roll, good.clone()), Ok(()));
    assert_eq!(roll.cards().len(), 1);
    let wrong = Card::issue(
        &house.parties[1],
        &anna.public().unwrap(),
        1,
        at(1),
        Standing::Active,
    );
    assert!(matches!(wrong, Err(DocumentError::WrongBearer { .. })));
    let impostor = key(Bearer::Party(party("ctie")), 36);
    let forged = card(&impostor, house.key("ben", "ctie"), 1);
    assert!(matches!(
        enrol(&mut roll, forged),
        Err(RollError::OtherKey { .. })
    ));
    let longer = with_right_checksum(&good.to_text().replacen(
        "serial        1",
        "serial        7",
        1,
    ));
    let longer = Card::parse(longer.as_bytes()).unwrap();
    assert!(matches!(
        enrol(&mut roll, longer),
        Err(RollError::Signature { .. })
    ));
    let elsewhere = key(Bearer::Party(party("post")), 37);
    let guest = key(Bearer::Person(person("guy", "post")), 38);
    assert!(matches!(
        enrol(&mut roll, card(&elsewhere, &guest, 1)),
        Err(RollError::NotAParty { .. })
    ));
    // One key, two names: nobody counts twice by a second card.
    let seeds = anna.key().seeds();
    let text = anna
        .to_text()
        .replacen("person anna of ctie", "person bob of ctie", 1);
    let bob = charter::approval::KeyFile::parse(with_right_checksum(&text).as_bytes()).unwrap();
    assert_eq!(bob.key().seeds(), seeds);
    let shared = enrol(&mut roll, card(&house.parties[0], &bob, 1)).unwrap_err();
    assert!(
        shared.to_string().contains("is also that of anna of ctie"),
        "{shared}"
    );
    let until = Card::issue(
        &house.parties[0],
        &anna.public().unwrap(),
        1,
        at(1),
        Standing::Active,
    )
    .unwrap();
    assert_eq!(
        enrol(&mut roll, until),
        Err(RollError::SameSerial(person("anna", "ctie")))
    );
    let plain = Roll::new(&Charter::default()).enrol(good);
    assert_eq!(plain, Err(RollError::NoKeys));
    // The charter of other keys does not know these cards.
    let (parties, patron) = (
        [0, 1, 2].map(|n| {
            key(
                Bearer::Party(party(super::joint::PARTIES[n])),
                40 + n as u64,
            )
        }),
        key(Bearer::Patron(party("minister")), 43),
    );
    let deed = sign_all(terms(&parties, &patron), parties.iter().chain([&patron]));
    let other = Charter::parse(&deed.to_text()).unwrap();
    let refused = Roll::new(&other).enrol(card(&house.parties[0], anna, 1));
    assert!(matches!(refused, Err(RollError::OtherKey { .. })));
}

/// The text of a sheet with the checksum made right again, as a careful forger would.
pub fn with_right_checksum(text: &str) -> String {
    let end = text.rfind("\nchecksum ").unwrap() + 1;
    let (body, tail) = text.split_at(end);
    let last = tail.lines().nth(1).unwrap();
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA512_256);
    context.update(b"clarence/v1/sheet\0");
    context.update(body.as_bytes());
    let checksum = words::hex::encode(&context.finish().as_ref()[..16]);
    format!("{body}checksum      {checksum}\n{last}\n")
}

/// The same request, signed again by anna as it now stands: what a dishonest proposer could make.
fn resigned(house: &House, request: &SignedRequest) -> SignedRequest {
    let text = request.to_text();
    let body = &text[..text.find("\nEd25519 ").unwrap() + 1];
    let anna = house.key("anna", "ctie").key();
    let signature = anna
        .sign(sign::Purpose("clarence/v1/proposal"), body.as_bytes())
        .unwrap();
    let theirs = |algorithm: Algorithm| -> String {
        text.split_inclusive('\n')
            .filter(|line| line.starts_with(algorithm.name()))
            .collect()
    };
    let mut text = text.clone();
    for algorithm in Algorithm::BOTH {
        let kind = sign::Kind {
            name: "x",
            format: 1,
            comment: "",
            bytes_max: 20_000,
        };
        let sheet = sign::Sheet::begin(kind).long(algorithm.name(), signature.bytes(algorithm));
        let lines = sheet.body().split_once('\n').unwrap().1.to_owned();
        text = text.replace(&theirs(algorithm), &lines);
    }
    SignedRequest::parse(with_right_checksum(&text).as_bytes()).unwrap()
}

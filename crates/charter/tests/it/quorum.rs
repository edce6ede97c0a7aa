//! Who can do what: every subset of the parties by every verb, against a truth written down here in another
//! way, and against real signatures.

use super::joint::{House, PARTIES, approval, at, memory};
use super::world::{charter_of, party};
use charter::approval::{KeyFile, Refusal, SignedRequest};
use charter::verbs::{self, VERBS};
use charter::who::{Lack, lack, matrix, who_can};
use charter::{Charter, Class};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use std::collections::BTreeSet;

/// The truth for three parties, written down verb by verb and subset by subset, without the code that decides:
/// which verbs one party alone may do, which two, which all; and what the patron adds.
struct Truth {
    /// Over ctie, luxconnect, proximus.
    sovereign: fn(bool, bool, bool) -> bool,
    patron_there: bool,
}

const ONE_CLOSES: [&str; 9] = [
    "seal",
    "site-isolate",
    "writes-freeze",
    "key-suspend",
    "person-suspend",
    "tenant-suspend",
    "agreement-suspend",
    "lease-revoke",
    "node-expel",
];
const ONE_ADMINISTERS: [&str; 6] = [
    "tenant-add",
    "key-add",
    "quota-set",
    "node-add",
    "re-key-bucket",
    "retention-extend",
];
const TWO: [&str; 23] = [
    "unseal",
    "key-resume",
    "person-resume",
    "tenant-resume",
    "agreement-resume",
    "writes-thaw",
    "site-rejoin",
    "policy-change",
    "identity-provider-set",
    "lease-grant",
    "restore",
    "re-key-tenant",
    "lease-restart",
    "access-defer",
    "accept-loss",
    "subject-erase",
    "retention-shorten",
    "bucket-destroy",
    "upgrade",
    "re-share",
    "re-key-site",
    "witness-change",
    "catalog-move",
];
const ALL_AND_PATRON: [&str; 5] = [
    "re-key-root",
    "amend-charter",
    "release-key",
    "export-root",
    "tenant-destroy",
];
const ONE_AND_PATRON: [&str; 1] = ["break-glass-read"];

impl Truth {
    fn says(&self, verb: &str, c: bool, l: bool, p: bool, patron: bool) -> bool {
        let count = [c, l, p].into_iter().filter(|there| *there).count();
        let sovereign = (self.sovereign)(c, l, p);
        if ONE_CLOSES.contains(&verb) || ONE_ADMINISTERS.contains(&verb) {
            count >= 1
        } else if TWO.contains(&verb) {
            count >= 2 && sovereign
        } else if ALL_AND_PATRON.contains(&verb) {
            c && l && p && sovereign && (patron || !self.patron_there)
        } else if ONE_AND_PATRON.contains(&verb) {
            count >= 1 && patron && self.patron_there
        } else {
            panic!("{verb} has no line in the truth: write down who may do it")
        }
    }
}

fn two_of_three(c: bool, l: bool, p: bool) -> bool {
    [c, l, p].into_iter().filter(|given| *given).count() >= 2
}

fn ctie_and_one(c: bool, l: bool, p: bool) -> bool {
    c && (l || p)
}

/// Every subset of the three parties, without and with the patron.
fn subsets() -> impl Iterator<Item = ([bool; 3], bool)> {
    (0..16).map(|n| ([n & 1 > 0, n & 2 > 0, n & 4 > 0], n & 8 > 0))
}

#[test]
fn every_verb_is_in_the_truth_once() {
    let lines = [
        &ONE_CLOSES[..],
        &ONE_ADMINISTERS,
        &TWO,
        &ALL_AND_PATRON,
        &ONE_AND_PATRON,
    ]
    .concat();
    let names: BTreeSet<&str> = VERBS.iter().map(|verb| verb.name).collect();
    assert_eq!(lines.len(), VERBS.len());
    assert_eq!(lines.into_iter().collect::<BTreeSet<_>>(), names);
}

#[test]
fn no_answer_of_the_matrix_is_wrong() {
    let mut answers = 0;
    for (charter, truth) in [
        (
            Charter::default(),
            Truth {
                sovereign: two_of_three,
                patron_there: false,
            },
        ),
        (
            House::new(None).charter,
            Truth {
                sovereign: two_of_three,
                patron_there: true,
            },
        ),
        (
            House::new(Some("ctie AND (luxconnect OR proximus)")).charter,
            Truth {
                sovereign: ctie_and_one,
                patron_there: true,
            },
        ),
    ] {
        for verb in VERBS {
            for ([c, l, p], patron) in subsets() {
                let set: BTreeSet<_> = PARTIES
                    .iter()
                    .zip([c, l, p])
                    .filter(|(_, there)| *there)
                    .map(|(name, _)| party(name))
                    .collect();
                let rule = charter.rule(charter.class_of(verb));
                let found = lack(&charter, &rule, &set, 99, patron).is_none();
                assert_eq!(
                    found,
                    truth.says(verb.name, c, l, p, patron),
                    "{} {set:?} {patron}",
                    verb.name
                );
                answers += 1;
            }
        }
    }
    assert_eq!(answers, 3 * 16 * VERBS.len());
}

/// The approvals that a subset of the parties can give: as many persons of each as the class could want.
fn signers(house: &House, there: [bool; 3], patron: bool) -> Vec<&KeyFile> {
    let mut keys = Vec::new();
    for (name, _) in PARTIES.iter().zip(there).filter(|(_, there)| *there) {
        keys.extend(["ben", "claire"].map(|person| house.key(person, name)));
    }
    keys.extend(patron.then_some(&house.patron));
    keys
}

#[test]
fn no_subset_gets_a_resolution_by_signatures_that_the_truth_denies() {
    let house = House::new(Some("ctie AND (luxconnect OR proximus)"));
    let truth = Truth {
        sovereign: ctie_and_one,
        patron_there: true,
    };
    let mut answers = 0;
    for verb in VERBS {
        for ([c, l, p], patron) in subsets().filter(|(there, _)| there.contains(&true)) {
            // The proposer is of a party of the subset, so that nobody else helps.
            let first = PARTIES
                .iter()
                .zip([c, l, p])
                .find(|(_, there)| *there)
                .unwrap()
                .0;
            let request = house.request(verb.name, house.key("anna", first));
            let mut deliberation = house.open(&request).unwrap();
            for key in signers(&house, [c, l, p], patron) {
                // Those that do not count are refused by name, and stand in nobody's way.
                let _ = deliberation.approve(approval(&request, key));
            }
            let resolved = deliberation
                .resolve(request.request().earliest(), &memory())
                .is_ok();
            assert_eq!(
                resolved,
                truth.says(verb.name, c, l, p, patron),
                "{} {c} {l} {p} {patron}",
                verb.name
            );
            answers += 1;
        }
    }
    assert_eq!(answers, 14 * VERBS.len());
}

#[test]
fn the_matrix_is_printed_as_it_stands_in_the_golden_file() {
    let signed = Charter::parse(include_str!("golden/charter-format-2.toml")).unwrap();
    for (charter, golden) in [
        (
            Charter::default(),
            include_str!("golden/matrix-default.txt"),
        ),
        (signed, include_str!("golden/matrix-signed.txt")),
    ] {
        assert_eq!(
            matrix(&charter).unwrap(),
            golden,
            "the matrix has changed: read it, then write it down"
        );
    }
    assert_eq!(matrix(&charter_of(7, 2)), None);
}

#[test]
fn who_can_names_parties_and_no_office() {
    let house = House::new(Some("ctie AND (luxconnect OR proximus)"));
    let answer = who_can(&house.charter, verbs::find("unseal").unwrap());
    assert_eq!(
        answer.condition.to_string(),
        "ctie AND (luxconnect OR proximus)"
    );
    let groups: Vec<String> = (answer.groups.iter())
        .map(|set| {
            set.iter()
                .map(words::PartyName::as_str)
                .collect::<Vec<_>>()
                .join("+")
        })
        .collect();
    assert_eq!(groups, ["ctie+luxconnect", "ctie+proximus"]);
    let all = who_can(&house.charter, verbs::find("export-root").unwrap());
    assert_eq!(
        all.condition.to_string(),
        "ctie AND luxconnect AND proximus"
    );
    assert_eq!(all.patron, Some(party("minister")));
    let glass = who_can(
        &Charter::default(),
        verbs::find("break-glass-read").unwrap(),
    );
    assert!(!glass.possible && glass.needs().iter().any(|need| need.contains("nobody can")));
    for charter in [&house.charter, &Charter::default()] {
        for verb in VERBS {
            let answer = who_can(charter, verb);
            let said = format!(
                "{} {} {:?}",
                answer.condition,
                answer.needs().join("; "),
                verb.does
            );
            assert!(!said.to_lowercase().contains("admin"), "{said}");
        }
    }
}

#[test]
fn verbs_are_spelled_plainly_and_found() {
    for (index, verb) in VERBS.iter().enumerate() {
        assert_eq!(verbs::find(verb.name), Some(verb));
        assert!(
            VERBS
                .iter()
                .take(index)
                .all(|earlier| earlier.name != verb.name)
        );
        assert!(
            verb.name.len() <= 23
                && verb
                    .name
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c == b'-')
        );
        assert!(!verb.does.is_empty() && Class::parse(verb.class.word()) == Some(verb.class));
    }
    assert_eq!(verbs::nearest("tenant-ad"), "tenant-add");
    assert_eq!(verbs::find("admin"), None);
}

/// A real approval by each of these, all tried; those refused are left out.
fn try_all(house: &House, request: &SignedRequest, keys: &[&KeyFile]) -> Result<bool, Refusal> {
    let mut deliberation = house.open(request)?;
    for key in keys {
        let _ = deliberation.approve(approval(request, key));
    }
    Ok(deliberation
        .resolve(request.request().earliest(), &memory())
        .is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_heap_of_approvals_grants_below_the_formula(
        chosen in proptest::collection::vec(any::<bool>(), 13), verb in 0..VERBS.len(), order in any::<u64>()
    ) {
        let house = House::new(Some("luxconnect AND proximus"));
        let request = house.anna_asks(VERBS[verb].name);
        let mut keys: Vec<&KeyFile> = house.people.iter().chain([&house.patron]).zip(&chosen)
            .filter(|(_, chosen)| **chosen).map(|(key, _)| key).collect();
        if !keys.is_empty() {
            let by = order as usize % keys.len();
            keys.rotate_left(by);
        }
        let class = house.charter.class_of(&VERBS[verb]);
        let rule = house.charter.rule(class);
        let granted = try_all(&house, &request, &keys).unwrap();
        // The bound is computed from who was there at all, more generously than any rule.
        let mut persons: BTreeSet<String> = keys.iter().map(|key| key.bearer().to_string()).collect();
        let patron = persons.remove("patron minister");
        let mut parties: BTreeSet<_> = persons.iter().map(|p| party(p.rsplit(' ').next().unwrap())).collect();
        if rule.proposer_counts {
            persons.insert("person anna of ctie".to_owned());
            parties.insert(party("ctie"));
        }
        if granted {
            let enough = lack(&house.charter, &rule, &parties, persons.len(), patron);
            prop_assert_eq!(enough, None, "{} {:?}", VERBS[verb].name, persons);
            prop_assert!(parties.len() >= usize::from(rule.parties));
            if rule.sovereignty {
                prop_assert!(parties.contains(&party("luxconnect")) && parties.contains(&party("proximus")));
            }
            prop_assert!(patron || !rule.patron);
        }
    }

    #[test]
    fn the_printed_condition_and_the_decision_agree(parties in 2_u8..=6, threshold in 2_u8..=6, set in any::<u8>()) {
        let charter = charter_of(parties, threshold.min(parties));
        let present: BTreeSet<_> = (0..).zip(charter.parties())
            .filter(|(bit, _)| set >> *bit & 1 == 1).map(|(_, party)| party.clone()).collect();
        for verb in VERBS {
            let answer = who_can(&charter, verb);
            let lacks = lack(&charter, &answer.rule, &present, usize::MAX, true);
            let by_parties = matches!(lacks, None | Some(Lack::NoPatron));
            prop_assert_eq!(answer.condition.holds(&present), by_parties, "{}", verb.name);
        }
    }
}

#[test]
fn one_party_alone_never_opens_under_any_of_these_charters() {
    for house in [
        House::new(None),
        House::new(Some("ctie")),
        House::new(Some("ctie OR proximus")),
    ] {
        for name in PARTIES {
            for verb in VERBS
                .iter()
                .filter(|verb| verb.class >= Class::R2 && verb.class <= Class::R4)
            {
                let request = house.request(verb.name, house.key("anna", name));
                let keys = ["ben", "claire", "david"].map(|person| house.key(person, name));
                assert_eq!(
                    try_all(&house, &request, &keys),
                    Ok(false),
                    "{name} {}",
                    verb.name
                );
            }
        }
    }
    assert_eq!(
        at(0),
        House::new(None).anna_asks("seal").request().created()
    );
}

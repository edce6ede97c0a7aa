//! Charters of version 2: signed by everyone, and one changed character is found and named.

use super::joint::{House, PARTIES, key, member, sign_all, terms};
use super::world::party;
use charter::approval::{Bearer, KeyFile};
use charter::law::{DeedError, Jurisdiction, Member};
use charter::{Charter, Class, Deed, Terms};
use proptest::prelude::{ProptestConfig, any, proptest};
use words::SiteId;

fn refused(text: &str) -> String {
    Charter::parse(text).unwrap_err().to_string()
}

fn members() -> (Vec<KeyFile>, KeyFile) {
    let house = House::new(None);
    (house.parties, house.patron)
}

#[test]
fn a_signed_charter_is_read_back_and_found_a_cloud_with() {
    let house = House::new(Some("ctie AND (luxconnect OR proximus)"));
    let charter = &house.charter;
    let text = charter.to_toml();
    assert_eq!(Charter::parse(&text), Ok(charter.clone()));
    assert_eq!(
        charter.sovereignty().to_string(),
        "ctie AND (luxconnect OR proximus)"
    );
    assert_eq!(charter.patron().unwrap().name.as_str(), "minister");
    let places = charter.terms().unwrap().jurisdictions();
    assert_eq!(places.site(SiteId::B).as_str(), "lu");
    assert!(!places.allows(&Jurisdiction::parse("us").unwrap()));
    let founding = super::world::founded(charter, 40);
    assert_eq!(founding.transcript.custody().charter(), charter.digest());
}

#[test]
fn a_draft_may_be_spelled_freely_and_means_the_same() {
    let (parties, patron) = members();
    let terms = terms(&parties, &patron);
    let text = terms.to_text();
    let draft = text
        .replace(" = ", "  =   ")
        .replace("version", "# a remark\nversion");
    assert_eq!(Terms::parse_draft(&draft), Ok(terms));
}

#[test]
fn everyone_must_sign_and_nobody_else() {
    let (parties, patron) = members();
    let all: Vec<&KeyFile> = parties.iter().chain([&patron]).collect();
    for absent in 0..all.len() {
        let there = all.iter().enumerate().filter(|(index, _)| *index != absent);
        let deed = sign_all(terms(&parties, &patron), there.map(|(_, key)| *key));
        let (Bearer::Party(name) | Bearer::Patron(name)) = all[absent].bearer() else {
            unreachable!()
        };
        let said = refused(&deed.to_text());
        assert!(said.contains(&format!("not signed by {name}")), "{said}");
    }
    let none = Deed::unsigned(terms(&parties, &patron));
    assert!(refused(&none.to_text()).contains("has no signatures"));
    assert!(refused(&terms(&parties, &patron).to_text()).contains("has no signatures"));

    let stranger = key(Bearer::Party(party("stranger")), 1);
    let deed = sign_all(
        terms(&parties, &patron),
        all.iter().copied().chain([&stranger]),
    );
    assert!(refused(&deed.to_text()).contains("a signature of stranger with the key"));
    let other_key = key(Bearer::Party(party("ctie")), 2);
    let deed = sign_all(
        terms(&parties, &patron),
        all.iter().copied().chain([&other_key]),
    );
    assert!(refused(&deed.to_text()).contains("a signature of ctie with the key"));
    let mut deed = sign_all(terms(&parties, &patron), all.iter().copied());
    let again = deed.sign(&party("ctie"), parties[0].key());
    assert_eq!(again, Err(DeedError::Twice(party("ctie"))));
}

#[test]
fn both_signatures_of_each_must_fit() {
    let house = House::new(None);
    let text = house.charter.to_toml();
    let other = sign_all(
        terms(&house.parties, &house.patron)
            .with_sovereignty("ctie AND proximus")
            .unwrap(),
        house.parties.iter().chain([&house.patron]),
    )
    .to_text();
    let value = |text: &str, by: &str, field: &str| {
        let from = text.find(&format!("by = \"{by}\"")).unwrap();
        let line = text[from..]
            .lines()
            .find(|line| line.starts_with(field))
            .unwrap();
        line.to_owned()
    };
    for by in PARTIES.into_iter().chain(["minister"]) {
        for (field, named) in [("ed25519", "Ed25519"), ("ml_dsa_65", "ML-DSA-65")] {
            // One half of a true signature of the same party, made for another text.
            let forged = text.replace(&value(&text, by, field), &value(&other, by, field));
            assert_ne!(forged, text);
            let said = refused(&forged);
            let words = format!(
                "signature of {by} on the charter does not count: the {named} signature is wrong"
            );
            assert!(said.contains(&words), "{said}");
        }
    }
}

#[test]
fn the_line_that_was_changed_is_named() {
    let text = House::new(None).charter.to_toml();
    let line_of = |part: &str| text[..text.find(part).unwrap()].matches('\n').count() + 1;
    for (from, to) in [
        ("threshold = 2", "threshold = 3"),
        ("cloud = \"lu\"", "cloud = \"lx\""),
        ("sovereignty = \"2 of", "sovereignty = \"1 of"),
        ("sovereignty = \"2 of", "sovereignty = \"3 of"),
        ("cool_off_hours = 168", "cool_off_hours = 167"),
        ("allowed = [\"lu\"]", "allowed = [\"lv\"]"),
        ("site_b = \"lu\"", "site_b = \"l\""),
        ("name = \"proximus\"", "name = \"proximuz\""),
        ("version = 2", "version = 3"),
        ("persons = 3", "persons : 3"),
    ] {
        let said = refused(&text.replacen(from, to, 1));
        let words = format!("line {} of the charter", line_of(from));
        assert!(
            said.contains(&words) && said.contains("is not the line that was signed"),
            "{to}: {said}"
        );
    }
    // The same meaning in another spelling: the signatures would fit, the text is refused all the same.
    for (from, to) in [
        ("# The charter", "# the charter"),
        ("threshold = 2", "threshold  = 2"),
        ("ctie, luxconnect", "ctie,luxconnect"),
    ] {
        let said = refused(&text.replacen(from, to, 1));
        let words = format!(
            "line {} of the charter is not in its one spelling",
            line_of(from)
        );
        assert!(said.contains(&words), "{to}: {said}");
    }
    let said = refused(&text.replacen("vetoes = 1\n", "", 1));
    assert!(said.contains("lines of terms"), "{said}");
    let checks = text.find("lines = \"").unwrap() + 9;
    let mut changed = text.clone().into_bytes();
    changed[checks] = if changed[checks] == b'0' { b'1' } else { b'0' };
    let said = refused(std::str::from_utf8(&changed).unwrap());
    assert!(
        said.contains("the checks of the lines were changed"),
        "{said}"
    );
    for (from, to) in [
        ("[checks]", "[check]"),
        ("# Below", "# below"),
        ("[[signatures]]", "[[signature]]"),
        ("by = \"ctie\"", "by = 'ctie'"),
    ] {
        let said = refused(&text.replacen(from, to, 1));
        let words = format!("line {} of the charter", line_of(from));
        assert!(said.contains(&words), "{to}: {said}");
    }
    assert!(refused(&format!("{text}\n")).contains("line "));
    assert!(refused(&format!("{text} ")).contains("line "));
}

#[test]
fn one_changed_character_anywhere_is_refused() {
    let text = House::new(None).charter.to_toml();
    let named = [
        "line ",
        "signature of ",
        "key of ",
        "lines of terms",
        "no signatures",
    ];
    // Every byte of what people read, and every 97th of the long keys and signatures.
    let mut place = 0;
    let mut tried = 0;
    for line in text.split_inclusive('\n') {
        let step = if line.len() > 200 { 97 } else { 1 };
        for at in (place..place + line.len()).step_by(step) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= if bytes[at] == b'\n' { 0x2a } else { 1 };
            let changed = std::str::from_utf8(&bytes).unwrap();
            let said = refused(changed);
            assert!(
                named.iter().any(|word| said.contains(word)),
                "byte {at} of {line:?}: {said}"
            );
            tried += 1;
        }
        place += line.len();
    }
    assert!(tried > 2000, "{tried}");
}

/// The text with one line of one class changed.
fn with_class(text: &str, class: &str, from: &str, to: &str) -> String {
    let at = text.find(&format!("class = \"{class}\"")).unwrap();
    let (head, tail) = text.split_at(at);
    assert!(tail.contains(from));
    format!("{head}{}", tail.replacen(from, to, 1))
}

#[test]
fn floors_that_no_signature_can_go_under() {
    let (parties, patron) = members();
    let text = terms(&parties, &patron).to_text();
    let class = |class: &str, from: &str, to: &str| with_class(&text, class, from, to);
    for (draft, words) in [
        (
            class("R0", "cool_off_hours = 0", "cool_off_hours = 1"),
            "closing must stay easier",
        ),
        (
            class("R0", "vetoes = 0", "vetoes = 1"),
            "closing must stay easier",
        ),
        (class("R0", "parties = 1", "parties = 2"), "class R0"),
        (
            class("R1", "persons = 2", "persons = 1"),
            "so that nobody acts alone",
        ),
        (
            class("R2", "parties = 2", "parties = 1"),
            "so that no party acts alone",
        ),
        (
            class("R2", "sovereignty = true", "sovereignty = false"),
            "so that no party acts alone",
        ),
        (
            class("R3", "proposer_counts = false", "proposer_counts = true"),
            "so that no party acts alone",
        ),
        (
            class("R3", "cool_off_hours = 24", "cool_off_hours = 0"),
            "less than a lighter class",
        ),
        (
            class("R4", "parties = 3", "parties = 4"),
            "at most as many as there are",
        ),
        (
            class("R4", "persons = 3", "persons = 2"),
            "at least as many as parties",
        ),
        (
            class("break-glass", "patron = true", "patron = false"),
            "the patron must countersign",
        ),
        (
            class("break-glass", "lasts_hours = 4", "lasts_hours = 25"),
            "lasts_hours must be 1 to 24",
        ),
        (
            class("break-glass", "window_hours = 4", "window_hours = 5"),
            "must not be longer",
        ),
        (
            class("R2", "vetoes = 1", "vetoes = 1\nlasts_hours = 4"),
            "classes[2].lasts_hours",
        ),
        (
            class("R2", "class = \"R2\"", "class = \"R3\""),
            "once each and in this order",
        ),
    ] {
        let said = Terms::parse_draft(&draft).unwrap_err().to_string();
        assert!(said.contains(words), "{words}\n-> {said}");
    }
}

#[test]
fn terms_that_do_not_fit_are_refused_with_their_key() {
    let (parties, patron) = members();
    let text = terms(&parties, &patron).to_text();
    for (draft, words) in [
        (
            text.replacen("site_b = \"lu\"", "site_b = \"fr\"", 1),
            "jurisdictions.site_a and site_b",
        ),
        (
            text.replacen("\"lu\"]", "\"lu\", \"lu\"]", 1),
            "jurisdiction lu twice",
        ),
        (
            text.replacen("\"lu\"]", "\"LU\"]", 1),
            "jurisdictions.allowed",
        ),
        (
            text.replacen("threshold = 2", "threshold = 1", 1),
            "\"threshold\" must be at least 2",
        ),
        (
            text.replacen("threshold = 2", "threshold = 4", 1),
            "\"threshold\" must be at least 2",
        ),
        (
            text.replacen("number = 1", "number = 2", 1),
            "above 1 with \"amends\"",
        ),
        (
            text.replacen("number = 1", "number = 0", 1),
            "\"number\" must be",
        ),
        (text.replacen("\"2 of", "\"4 of", 1), "4 of 3 cannot be"),
        (
            text.replacen("purpose = \"the", "purpose = \" the", 1),
            "\"purpose\" must be one line",
        ),
        (
            text.replacen("name = \"ctie\"", "name = \"minister\"", 1),
            "not a party",
        ),
        (
            text.replacen("vetoes", "vetos", 1),
            "unknown key \"classes[0].vetos\"; did you mean \"classes[0].vetoes\"",
        ),
        (
            text.replacen("threshold = 2\n", "", 1),
            "lacks the key \"threshold\"",
        ),
        (
            format!("{text}\n[[raised]]\nverb = \"seal\"\nclass = \"R2\"\n"),
            "closing and break-glass stay",
        ),
        (
            format!("{text}\n[[raised]]\nverb = \"upgrade\"\nclass = \"R2\"\n"),
            "a graver class",
        ),
        (
            format!("{text}\n[[raised]]\nverb = \"upgrade\"\nclass = \"break-glass\"\n"),
            "a graver class",
        ),
        (
            format!("{text}\n[[raised]]\nverb = \"upgrad\"\nclass = \"R4\"\n"),
            "did you mean \"upgrade\"",
        ),
        (
            text.replacen("version = 2", "version == 2", 1),
            "line 3 of the charter is not valid TOML",
        ),
        ("x".repeat(300_000), "at most 262144 are read"),
    ] {
        let said = Terms::parse_draft(&draft).unwrap_err().to_string();
        assert!(said.contains(words), "{words}\n-> {said}");
    }
    let raised = format!("{text}\n[[raised]]\nverb = \"upgrade\"\nclass = \"R4\"\n");
    let raised = Terms::parse_draft(&raised).unwrap();
    let deed = sign_all(raised, parties.iter().chain([&patron]));
    let charter = Charter::parse(&deed.to_text()).unwrap();
    let upgrade = charter::verbs::find("upgrade").unwrap();
    assert_eq!(charter.class_of(upgrade), Class::R4);
}

#[test]
fn members_need_names_and_keys_of_their_own() {
    let (parties, patron) = members();
    let build = |list: Vec<Member>, patron: Member| {
        let place = Jurisdiction::parse("lu").unwrap();
        let made = Terms::usual("lu", "a purpose", 2, &place, list, patron);
        made.map_err(|e| e.to_string())
    };
    let list = || parties.iter().map(member).collect::<Vec<_>>();
    let renamed = |name: &str| Member {
        name: party(name),
        ..member(&patron)
    };
    let said = build(list(), renamed("CTIE")).unwrap_err();
    assert!(said.contains("the name \"CTIE\" twice"), "{said}");
    let said = build(list(), renamed("Not")).unwrap_err();
    assert!(said.contains("conditions use as a word"), "{said}");
    let borrowed = Member {
        name: party("minister"),
        ..member(&parties[1])
    };
    let said = build(list(), borrowed).unwrap_err();
    assert!(
        said.contains("the key of luxconnect and minister twice"),
        "{said}"
    );
    let many: Vec<Member> = (0..17)
        .map(|n| member(&key(Bearer::Party(party(&format!("p{n}"))), n)))
        .collect();
    assert!(
        build(many, member(&patron))
            .unwrap_err()
            .contains("2 to 16")
    );
    assert!(build(vec![member(&parties[0])], member(&patron)).is_err());
}

#[test]
fn a_charter_of_format_2_is_read_for_ever() {
    let text = include_str!("golden/charter-format-2.toml");
    let charter = Charter::parse(text).unwrap();
    assert_eq!(charter.to_toml(), text);
    assert_eq!(
        charter.digest().to_string(),
        "1ae0436dc8fb667db8b8efe73311cadb490fc099e8359023e8789d2bc9a0cfae"
    );
    // And of format 1.
    let text = include_str!("golden/charter-format-1.toml");
    let charter = Charter::parse(text).unwrap();
    assert_eq!(charter, Charter::default());
    assert_eq!(charter.to_toml(), text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_answered(text in ".{0,300}") {
        let _ = (Charter::parse(&text), Deed::parse(&text), Terms::parse_draft(&text));
    }

    #[test]
    fn a_charter_cut_and_spliced_anywhere_is_refused(from in any::<u32>(), to in any::<u32>(), with in "[ -~\n]{0,40}") {
        let text = include_str!("golden/charter-format-2.toml");
        let mut places = [from as usize % text.len(), to as usize % text.len()];
        places.sort_unstable();
        let spliced = format!("{}{with}{}", &text[..places[0]], &text[places[1]..]);
        assert!(spliced == text || Charter::parse(&spliced).is_err());
    }
}

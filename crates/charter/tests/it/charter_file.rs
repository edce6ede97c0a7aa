//! Charter files: what is taken, and what is refused with which words.

use charter::{Charter, CharterError};
use proptest::prelude::{prop_assert_eq, proptest};

fn refused(text: &str) -> CharterError {
    Charter::parse(text).unwrap_err()
}

fn with(threshold: i64, names: &[&str]) -> String {
    let parties: String = names
        .iter()
        .map(|name| format!("[[parties]]\nname = \"{name}\"\n"))
        .collect();
    format!("version = 1\ncloud = \"lu\"\nthreshold = {threshold}\n{parties}")
}

#[test]
fn the_default_names_three_parents_of_whom_two_open() {
    let charter = Charter::default();
    let names: Vec<&str> = charter
        .parties()
        .iter()
        .map(words::PartyName::as_str)
        .collect();
    assert_eq!(names, ["ctie", "luxconnect", "proximus"]);
    assert_eq!(charter.threshold(), 2);
    assert_eq!(Charter::parse(&charter.to_toml()), Ok(charter));
}

#[test]
fn the_digest_of_the_default_never_changes() {
    // Shares and transcripts name the charter by it.
    assert_eq!(
        Charter::default().digest().to_string(),
        "bbbf85c076f9c08c59046e80c28475aced46451a7c2325069985f85484b39c33"
    );
}

#[test]
fn the_digest_follows_the_meaning_and_not_the_spelling() {
    let plain = Charter::parse(&with(2, &["a", "b", "c"])).unwrap();
    let spaced = Charter::parse(
        &with(2, &["a", "b", "c"])
            .replace(" = ", "  =  ")
            .replace("version", "# x\nversion"),
    )
    .unwrap();
    assert_eq!(plain.digest(), spaced.digest());
    for other in [
        with(3, &["a", "b", "c"]),
        with(2, &["a", "c", "b"]),
        with(2, &["a", "b"]),
        with(2, &["a", "b", "cc"]),
    ] {
        assert_ne!(
            Charter::parse(&other).unwrap().digest(),
            plain.digest(),
            "{other}"
        );
    }
}

#[test]
fn unknown_keys_are_refused_naming_the_nearest_known_one() {
    let charter = Charter::default().to_toml();
    let cases = [
        (
            "threshold",
            "treshold",
            "\"treshold\"; did you mean \"threshold\"?",
        ),
        ("cloud", "clud", "\"clud\"; did you mean \"cloud\"?"),
        (
            "[[parties]]",
            "[[partys]]",
            "\"partys\"; did you mean \"parties\"?",
        ),
        (
            "name = \"ctie\"",
            "nmae = \"ctie\"",
            "\"parties[0].nmae\"; did you mean \"parties[0].name\"?",
        ),
    ];
    for (from, to, words) in cases {
        let said = refused(&charter.replace(from, to)).to_string();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn every_rule_has_its_own_words() {
    let cases = [
        (
            with(1, &["a", "b", "c"]),
            "threshold 1 does not fit 3 parties",
        ),
        (
            with(0, &["a", "b", "c"]),
            "threshold 0 does not fit 3 parties",
        ),
        (
            with(-2, &["a", "b", "c"]),
            "threshold -2 does not fit 3 parties",
        ),
        (
            with(258, &["a", "b", "c"]),
            "threshold 258 does not fit 3 parties",
        ),
        (
            with(4, &["a", "b", "c"]),
            "threshold 4 does not fit 3 parties",
        ),
        (with(2, &["a"]), "threshold 2 does not fit 1 parties"),
        (with(2, &["a", "b", "A"]), "the party \"A\" twice"),
        (with(2, &["a", "../b"]), "party name \"../b\" is not valid"),
        (with(2, &["a", ""]), "party name \"\" is not valid"),
        (with(2, &["a"; 17]), "17 parties; at most 16"),
        (
            with(2, &["a", "b"]).replace("\"lu\"", "\"l u\""),
            "cloud name \"l u\" is not valid",
        ),
        (
            with(2, &["a", "b"]).replace("threshold = 2\n", ""),
            "lacks the key \"threshold\"",
        ),
        (
            with(2, &["a", "b"]).replace("threshold = 2", "threshold = \"2\""),
            "\"threshold\" must be a whole number",
        ),
        (
            with(2, &["a", "b"]).replace("\"lu\"", "7"),
            "\"cloud\" must be a text in quotes",
        ),
        (
            with(2, &["a", "b"]).replace("\"b\"", "7"),
            "\"parties[1].name\" must be a text in quotes",
        ),
        (
            "version = 1\ncloud = \"lu\"\nthreshold = 2\n".to_owned(),
            "lacks the key \"parties\"",
        ),
        (
            "version = 1\ncloud = \"lu\"\nthreshold = 2\nparties = 3\n".to_owned(),
            "\"parties\" must be a list of tables",
        ),
        (
            "version = 1\ncloud = \"lu\"\nthreshold = 2\nparties = [3]\n".to_owned(),
            "\"parties[0]\" must be a list of tables",
        ),
        (
            with(2, &["a", "b"]).replace("version = 1", "version = 3\nnew = 1"),
            "has version 3; this build reads versions 1 and 2",
        ),
        (
            with(2, &["a", "b"]).replace("version = 1\n", ""),
            "lacks the key \"version\"",
        ),
        ("version = 1\nversion = 1".to_owned(), "not valid TOML"),
        (String::new(), "lacks the key \"version\""),
    ];
    for (text, words) in cases {
        let said = refused(&text).to_string();
        assert!(said.contains(words), "{text}\n-> {said}");
    }
}

proptest! {
    #[test]
    fn any_text_is_answered_without_a_panic(text in ".*") {
        let _ = Charter::parse(&text);
    }

    #[test]
    fn what_is_written_is_read_back(parties in 2_u8..=16, less in 0_u8..=14) {
        let charter = super::world::charter_of(parties, (parties - less.min(parties - 2)).max(2));
        prop_assert_eq!(Charter::parse(&charter.to_toml()), Ok(charter));
    }
}

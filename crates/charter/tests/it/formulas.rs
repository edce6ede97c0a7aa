//! Conditions over parties: read, printed, evaluated, and never taking absence as a reason.

use super::world::party;
use charter::Formula;
use charter::formula::FormulaError;
use proptest::prelude::{
    BoxedStrategy, Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof,
    proptest,
};
use std::collections::BTreeSet;
use words::PartyName;

fn parties() -> Vec<PartyName> {
    ["ctie", "luxconnect", "proximus", "post", "2"]
        .map(party)
        .to_vec()
}

fn parse(text: &str) -> Result<Formula, FormulaError> {
    Formula::parse(text, &parties())
}

fn holds(formula: &Formula, present: &[&str]) -> bool {
    formula.holds(&present.iter().map(|name| party(name)).collect())
}

#[test]
fn the_condition_of_the_brief_is_what_it_says() {
    let formula = parse("ctie AND (luxconnect OR proximus)").unwrap();
    for (present, expected) in [
        (&[][..], false),
        (&["ctie"], false),
        (&["luxconnect", "proximus"], false),
        (&["ctie", "luxconnect"], true),
        (&["ctie", "proximus"], true),
        (&["ctie", "post"], false),
        (&["ctie", "luxconnect", "proximus", "post"], true),
    ] {
        assert_eq!(holds(&formula, present), expected, "{present:?}");
    }
}

#[test]
fn it_prints_in_one_way() {
    for (text, printed) in [
        ("ctie", "ctie"),
        ("((ctie))", "ctie"),
        (
            "ctie and(luxconnect or proximus)",
            "ctie AND (luxconnect OR proximus)",
        ),
        (
            "ctie AND (luxconnect AND proximus)",
            "ctie AND luxconnect AND proximus",
        ),
        ("ctie OR ctie", "ctie"),
        (
            "2 of (ctie, luxconnect, proximus)",
            "2 of (ctie, luxconnect, proximus)",
        ),
        ("1 of (ctie, luxconnect)", "ctie OR luxconnect"),
        ("2 of (ctie, luxconnect)", "ctie AND luxconnect"),
        ("1 of (ctie)", "ctie"),
        (
            "2 OF (ctie OR post, luxconnect, 2)",
            "2 of (ctie OR post, luxconnect, 2)",
        ),
        ("2 AND ctie", "2 AND ctie"),
        (
            "2 of (ctie, 2 of (post, luxconnect, 2), proximus) OR ctie",
            "2 of (ctie, 2 of (post, luxconnect, 2), proximus) OR ctie",
        ),
        (
            "(ctie AND post) OR (ctie AND 2)",
            "(ctie AND post) OR (ctie AND 2)",
        ),
    ] {
        let formula = parse(text).unwrap();
        assert_eq!(formula.to_string(), printed, "{text}");
        assert_eq!(parse(printed).unwrap(), formula, "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, words) in [
        (
            "",
            "character 1 of the condition: expected a party, \"k of\" or \"(\", found the end",
        ),
        ("ctie AND", "character 9 of the condition: expected a party"),
        (
            "ctie luxconnect",
            "character 6 of the condition: expected AND, OR or the end, found \"luxconnect\"",
        ),
        (
            "ctie AND post OR 2",
            "character 15 of the condition: AND and OR stand side by side",
        ),
        (
            "NOT ctie",
            "character 1 of the condition: NOT is not allowed",
        ),
        (
            "ctie AND not post",
            "character 10 of the condition: NOT is not allowed",
        ),
        ("ctie xor post", "expected AND, OR or the end"),
        (
            "(ctie",
            "character 6 of the condition: expected AND, OR or \")\", found the end",
        ),
        (
            "ctie)",
            "character 5 of the condition: expected AND, OR or the end, found \")\"",
        ),
        (
            "admin",
            "\"admin\", which is not a party; the parties are ctie, luxconnect",
        ),
        ("CTIE", "\"CTIE\", which is not a party"),
        (
            "0 of (ctie, post)",
            "character 1 of the condition: 0 of 2 cannot be",
        ),
        ("3 of (ctie, post)", "3 of 2 cannot be"),
        ("02 of (ctie, post)", "02 of 2 cannot be"),
        ("x of (ctie, post)", "x of 2 cannot be"),
        ("2 of (ctie, ctie, post)", "ctie stands twice"),
        (
            "2 of (ctie OR post, ctie OR post, 2)",
            "ctie OR post stands twice",
        ),
        ("2 of ctie", "expected \"(\""),
        ("2 of ()", "expected a party"),
        ("2 of (ctie post)", "expected AND, OR, \",\" or \")\""),
        ("AND", "expected a party"),
        ("ctie & post", "found '&'"),
        ("ctie\tAND post", "found '\\t'"),
        ("сtie", "found 'с'"),
    ] {
        let said = parse(text).unwrap_err().to_string();
        assert!(said.contains(words), "{text}\n-> {said}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = |n: usize| format!("{}ctie{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&deep(8)).is_ok());
    assert_eq!(parse(&deep(9)), Err(FormulaError::TooLarge));
    assert_eq!(parse(&deep(100_000)), Err(FormulaError::TooLarge));
    let wide = vec!["ctie"; 200].join(" OR ");
    assert_eq!(parse(&wide), Err(FormulaError::TooLarge));
    assert_eq!(parse(&"x".repeat(2000)), Err(FormulaError::TooLarge));
}

#[test]
fn the_smallest_sets_come_smallest_first() {
    let sets = |text: &str, max| {
        let (sets, more) = parse(text).unwrap().smallest_sets(&parties(), max);
        let named: Vec<String> = (sets.iter())
            .map(|set| {
                set.iter()
                    .map(PartyName::as_str)
                    .collect::<Vec<_>>()
                    .join("+")
            })
            .collect();
        (named.join(" "), more)
    };
    assert_eq!(
        sets("ctie AND (luxconnect OR proximus)", 9),
        ("ctie+luxconnect ctie+proximus".to_owned(), false)
    );
    assert_eq!(
        sets("2 of (ctie, luxconnect, proximus) OR post", 9),
        (
            "post ctie+luxconnect ctie+proximus luxconnect+proximus".to_owned(),
            false
        )
    );
    assert_eq!(
        sets("2 of (ctie, post, 2)", 1),
        ("ctie+post".to_owned(), true)
    );
}

/// A condition written down together with its meaning, which is computed in another way: as the set of all
/// subsets (bit masks of the five parties) that fulfil it.
fn written() -> BoxedStrategy<(String, Vec<u32>)> {
    let leaf = (0_usize..5).prop_map(|index| {
        let fits = (0..32).filter(|set| set >> index & 1 == 1).collect();
        (parties()[index].as_str().to_owned(), fits)
    });
    leaf.prop_recursive(3, 24, 4, |inner| {
        let some = proptest::collection::vec(inner, 2..4);
        prop_oneof![
            some.clone()
                .prop_map(|parts| joined(parts, " AND ", |hits, all| hits == all)),
            some.clone()
                .prop_map(|parts| joined(parts, " or ", |hits, _| hits > 0)),
            (some, 1_usize..4).prop_map(|(mut parts, k)| {
                parts.sort();
                parts.dedup_by(|a, b| a.0 == b.0);
                let k = k.min(parts.len());
                let (text, fits) = joined(parts, ", ", move |hits, _| hits >= k);
                (format!("{k} of {text}"), fits)
            }),
        ]
    })
    .boxed()
}

fn joined(
    parts: Vec<(String, Vec<u32>)>,
    word: &str,
    enough: impl Fn(usize, usize) -> bool,
) -> (String, Vec<u32>) {
    let texts: Vec<&str> = parts.iter().map(|(text, _)| text.as_str()).collect();
    let fits = (0..32)
        .filter(|set| {
            let hits = parts.iter().filter(|(_, sets)| sets.contains(set)).count();
            enough(hits, parts.len())
        })
        .collect();
    (format!("({})", texts.join(word)), fits)
}

fn chosen(set: u32) -> BTreeSet<PartyName> {
    (0..)
        .zip(parties())
        .filter(|(bit, _)| set >> bit & 1 == 1)
        .map(|(_, party)| party)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_means_what_it_says((text, fits) in written()) {
        let formula = match parse(&text) {
            Ok(formula) => formula,
            // Two spellings of the same condition in one list, or more than is read.
            Err(FormulaError::Twice(_) | FormulaError::TooLarge) => return Ok(()),
            Err(error) => return Err(proptest::test_runner::TestCaseError::fail(format!("{text}: {error}"))),
        };
        for set in 0..32 {
            prop_assert_eq!(formula.holds(&chosen(set)), fits.contains(&set), "{} {:?}", text, chosen(set));
        }
        let printed = formula.to_string();
        let again = parse(&printed);
        prop_assert_eq!(again, Ok(formula), "{}", printed);
    }

    #[test]
    fn one_more_party_never_forbids((text, _) in written(), set in 0_u32..32, more in 0_u32..32) {
        if let Ok(formula) = parse(&text) {
            prop_assert!(!formula.holds(&chosen(set)) || formula.holds(&chosen(set | more)), "{}", text);
        }
    }

    #[test]
    fn any_text_is_answered(text in ".{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_words_are_answered_and_what_is_taken_prints_again(
        words in proptest::collection::vec(prop_oneof![
            Just("ctie"), Just("post"), Just("2"), Just("of"), Just("AND"), Just("OR"), Just("("), Just(")"),
            Just(","), Just("NOT"),
        ], 0..14)
    ) {
        if let Ok(formula) = parse(&words.join(" ")) {
            prop_assert_eq!(parse(&formula.to_string()), Ok(formula));
        }
    }
}

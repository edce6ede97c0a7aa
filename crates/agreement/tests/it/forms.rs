//! The text that is written, and the form that is signed.

use crate::{changed, template};
use agreement::{AgreedColumn, Agreement, Need, Op, Show, Snapshot, Visibility};
use proptest::prelude::*;
use statement::{Aggregate, Filter, Generalise, TableName, Value};
use words::UnixMillis;

const GOLDEN: &str = include_str!("golden/template.hex");

#[test]
fn the_template_is_an_agreement_and_its_form_is_golden() {
    let agreement = template();
    let bytes = agreement.encode();
    assert_eq!(Agreement::decode(&bytes).unwrap(), agreement);
    assert_eq!(
        words::hex::encode(&bytes),
        GOLDEN.trim(),
        "the form that is signed has changed"
    );
    assert_eq!(
        agreement.id(),
        words::hex::encode(&agreement.digest())[..16]
    );
}

#[test]
fn what_is_not_known_is_refused_with_its_place() {
    for (from, to, place) in [
        ("format = 1", "format = 2", "format"),
        (
            "retention_days = 365",
            "retention_days = 365\nfree_text = \"x\"",
            "free_text",
        ),
        (
            "purpose = \"social.family-benefits\"",
            "purpose = \"curiosity\"",
            "purpose",
        ),
        (
            "ops = [\"query\"]",
            "ops = [\"query\", \"reidentify\"]",
            "reidentify",
        ),
        ("ops = [\"query\"]", "ops = []", "ops"),
        ("ops = [\"query\"]", "ops = [\"aggregate\"]", "aggregate"),
        (
            "eli/etat/leg/loi/2016/07/23/n4/jo#art_4",
            "the law",
            "legal_basis",
        ),
        ("show = \"year\"", "show = \"decade\"", "columns.born"),
        (
            "show = \"pseudonym\", domain = \"family-benefits\"",
            "show = \"pseudonym\"",
            "columns.id",
        ),
        (
            "conditions = true }\nborn",
            "condition = true }\nborn",
            "condition",
        ),
        ("until = \"2027-12-01\"", "until = \"2025-12-01\"", "valid"),
        ("until = \"2027-12-01\"", "until = \"2126-12-01\"", "valid"),
        (
            "until = \"2027-12-01\"",
            "until = \"tomorrow\"",
            "valid.until",
        ),
        (
            "consumer = \"family-benefits\" ",
            "consumer = \"residents-register\" ",
            "consumer",
        ),
        (
            "[sign.consumer]\nhead = 1",
            "[sign.consumer]",
            "sign.consumer",
        ),
        ("head = 1", "head = 0", "sign.consumer"),
        ("head = 1", "\"head, head\" = 1", "sign.consumer"),
        ("head = 1", "head = 9", "sign.consumer"),
        ("head = 1", "\"head, \" = 1", "sign.consumer"),
        (
            "eli/etat/leg/loi/2016/07/23/n4/jo#art_4",
            "eli/",
            "legal_basis",
        ),
        (
            "eli/etat/leg/loi/2016/07/23/n4/jo#art_4",
            "javascript:/eli/a/b/c",
            "legal_basis",
        ),
        (
            "eli/etat/leg/loi/2016/07/23/n4/jo#art_4",
            "eli/etat//loi",
            "legal_basis",
        ),
        (
            "table = \"residents\"",
            "table = \"Residents; DROP\"",
            "table",
        ),
        (
            "#[rows]\n#column = \"commune\"\n#in = [\"esch\", \"diekirch\"]",
            "[rows]\ncolumn = \"commune\"\nlike = \"%\"",
            "like",
        ),
        (
            "#[rows]\n#column = \"commune\"\n#in = [\"esch\", \"diekirch\"]",
            "[rows]\ncolumn = \"commune\"\nin = []",
            "rows",
        ),
        (
            "#[rows]\n#column = \"commune\"\n#in = [\"esch\", \"diekirch\"]",
            "[rows]\nall = []",
            "rows",
        ),
    ] {
        let error = Agreement::from_toml(&changed(from, to))
            .unwrap_err()
            .to_string();
        assert!(error.contains(place), "{to}: {error}");
    }
}

#[test]
fn bytes_that_are_no_agreement_are_refused() {
    let bytes = template().encode();
    for cut in 0..bytes.len() {
        assert!(Agreement::decode(&bytes[..cut]).is_err(), "{cut}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Agreement::decode(&longer).is_err());
    // The same number in more bytes than it needs.
    let at = bytes.iter().position(|byte| *byte == 0x01).unwrap();
    let mut spelled = bytes[..at].to_vec();
    spelled.extend_from_slice(&[0x18, 0x01]);
    spelled.extend_from_slice(&bytes[at + 1..]);
    assert!(Agreement::decode(&spelled).is_err(), "one spelling only");
    assert!(Agreement::decode(&[0x9f; 40_000]).is_err());
    assert!(
        Agreement::decode(&vec![0x81; 20_000]).is_err(),
        "deep nesting is refused, not followed"
    );
}

#[test]
fn one_changed_byte_is_refused_or_another_agreement() {
    let agreement = template();
    let bytes = agreement.encode();
    for at in 0..bytes.len() {
        for bit in [1, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            if let Ok(other) = Agreement::decode(&changed) {
                assert_ne!(other, agreement, "{at}");
                assert_ne!(other.digest(), agreement.digest(), "{at}");
            }
        }
    }
}

fn filters() -> impl Strategy<Value = Filter> {
    let values = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        "[a-zé ]{0,8}".prop_map(Value::Text),
    ];
    let ops = prop_oneof![
        Just(statement::Op::Equal),
        Just(statement::Op::NotEqual),
        Just(statement::Op::Less),
        Just(statement::Op::GreaterOrEqual),
    ];
    let leaf = prop_oneof![
        ("[a-z]{1,6}", ops, values.clone()).prop_map(|(column, op, value)| Filter::Compare {
            column,
            op,
            value
        }),
        (
            "[a-z]{1,6}",
            prop::collection::vec(values, 1..4),
            any::<bool>()
        )
            .prop_map(|(column, values, negated)| Filter::In {
                column,
                values,
                negated
            }),
        ("[a-z]{1,6}", any::<bool>())
            .prop_map(|(column, negated)| Filter::IsNull { column, negated }),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

fn shows() -> impl Strategy<Value = Show> {
    prop_oneof![
        Just(Show::Clear),
        Just(Show::Hash),
        "[a-z]{1,8}".prop_map(|domain| Show::Pseudonym { domain }),
        Just(Show::Generalise(Generalise::Year)),
        Just(Show::Generalise(Generalise::Month)),
        (1..9_u8).prop_map(|count| Show::Generalise(Generalise::Prefix(count))),
        (1..1_000_000_u64).prop_map(|band| Show::Generalise(Generalise::Band(band))),
    ]
}

proptest! {
    #[test]
    fn what_is_written_comes_back(
        rows in prop::option::of(filters()),
        shows in prop::collection::vec((shows(), any::<bool>()), 0..6),
        version in prop::option::of(any::<u64>()),
        aggregate in any::<bool>(),
        deferred in prop::option::of(("[A-Za-z0-9 ]{1,20}", 1..3650_u16)),
        from in 0..2_000_000_000_000_u64,
        lasts in 1..300_000_000_000_u64,
        previous in prop::option::of(any::<[u8; 32]>()),
    ) {
        let columns = shows.into_iter().enumerate().map(|(at, (show, conditions))| AgreedColumn {
            name: format!("c{at}"),
            show,
            conditions,
        });
        let agreement = Agreement {
            table: TableName::parse("t").unwrap(),
            snapshot: version.map_or(Snapshot::Latest, Snapshot::Version),
            ops: if aggregate { [Op::Aggregate, Op::Link].into() } else { [Op::Query, Op::Export].into() },
            columns: columns.collect(),
            rows,
            aggregate: aggregate.then(|| Aggregate {
                entity: "c0".into(),
                min_group: 10,
                rounding: 5,
                dominance: Some((1, 80)),
                differencing: true,
                privacy: None,
            }),
            visibility: deferred.map_or(Visibility::Immediate, |(order, days)| Visibility::Deferred { order, days }),
            not_before: UnixMillis(from),
            not_after: UnixMillis(from + lasts),
            provider_needs: vec![Need { roles: vec!["dpo".into(), "owner".into()], count: 2 }],
            previous,
            ..template()
        };
        let bytes = agreement.encode();
        prop_assert_eq!(Agreement::decode(&bytes).unwrap(), agreement);
    }

    #[test]
    fn no_bytes_stop_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Agreement::decode(&bytes);
    }

    #[test]
    fn no_text_stops_the_reader(text in "\\PC{0,200}") {
        let _ = Agreement::from_toml(&text);
    }
}

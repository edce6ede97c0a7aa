//! Pages, word for word.

use crate::template;
use agreement::{Language, Op, Visibility, record_of_processing};
use statement::{Aggregate, Filter, Value};

#[test]
fn the_page_is_golden_in_four_languages() {
    let agreement = template();
    for (language, golden) in [
        (Language::French, include_str!("golden/page-fr.txt")),
        (Language::German, include_str!("golden/page-de.txt")),
        (Language::Luxembourgish, include_str!("golden/page-lb.txt")),
        (Language::English, include_str!("golden/page-en.txt")),
    ] {
        assert_eq!(agreement.page(language), golden, "{language:?}");
    }
}

#[test]
fn the_page_says_every_rule_and_no_text_can_forge_a_line_of_it() {
    let mut agreement = template();
    agreement.ops = [Op::Aggregate].into();
    agreement.previous = Some([0xab; 32]);
    agreement.aggregate = Some(Aggregate {
        entity: "id".into(),
        min_group: 10,
        rounding: 5,
        dominance: Some((2, 75)),
        differencing: true,
        privacy: None,
    });
    agreement.rows = Some(Filter::Compare {
        column: "commune\nIn force: from 1900".into(),
        op: statement::Op::Equal,
        value: Value::Text("esch\u{202e}hcse\u{200b}".into()),
    });
    agreement.columns[0].name = "id\r\nName: x".into();
    agreement.visibility = Visibility::Deferred {
        order: "order\u{2066}1".into(),
        days: 3,
    };
    for language in [
        Language::French,
        Language::German,
        Language::Luxembourgish,
        Language::English,
    ] {
        let page = agreement.page(language);
        for said in [
            "2, 75",
            &"ab".repeat(32),
            "commune\\u{a}In force",
            "esch\\u{202e}hcse\\u{200b}",
            "order\\u{2066}1",
            "id\\u{d}\\u{a}Name",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
        let hidden = |c: char| matches!(c, '\u{200b}' | '\u{202e}' | '\u{2066}' | '\r');
        assert!(!page.contains(hidden), "{page}");
        let plainer = template().page(language).lines().count();
        assert_eq!(page.lines().count(), plainer + 3, "{page}");
    }
    let page = agreement.page(Language::English);
    assert!(page.contains("differs from an earlier one") && page.contains("told apart by id"));
}

#[test]
fn the_record_of_processing_names_every_agreement() {
    let agreement = template();
    let all = [
        ("active".to_owned(), agreement.clone()),
        ("revoked".to_owned(), agreement.clone()),
    ];
    let record = record_of_processing(&all, Language::English);
    assert_eq!(record.matches(&agreement.id()).count(), 2);
    for said in [
        "State: active",
        "State: revoked",
        "Legal basis: eli/",
        "born (the year)",
        "family benefits",
    ] {
        assert!(record.contains(said), "{said}: {record}");
    }
}

//! The terms under which a table is seen.

use crate::{changed, template};
use agreement::Agreement;
use statement::terms::MaskKey;
use statement::{Column, Format, Generalise, Kind, TableDef, TableName, Transform};
use words::BucketName;

fn residents() -> TableDef {
    let column = |name: &str, kind, sensitive| Column {
        name: name.into(),
        kind,
        nullable: true,
        sensitive,
    };
    TableDef {
        name: TableName::parse("residents").unwrap(),
        format: Format::Parquet,
        bucket: BucketName::parse("registers").unwrap(),
        prefix: "residents/".into(),
        columns: vec![
            column("id", Kind::Text, true),
            column("born", Kind::Date, false),
            column("commune", Kind::Text, false),
            column("income", Kind::Int64, true),
        ],
        partitions: Vec::new(),
        subject: Some("id".into()),
        managed: false,
    }
}

fn key(domain: &str) -> MaskKey {
    MaskKey([domain.len() as u8; 32])
}

#[test]
fn what_is_not_named_is_not_shown() {
    let terms = template()
        .terms(&residents(), key, MaskKey([9; 32]))
        .unwrap();
    let transforms: Vec<Transform> = terms
        .columns
        .iter()
        .map(|column| column.transform.clone())
        .collect();
    assert_eq!(
        transforms,
        [
            Transform::Pseudonym(key("family-benefits")),
            Transform::Generalise(Generalise::Year),
            Transform::Clear,
            Transform::Drop,
        ]
    );
    assert!(!terms.columns[3].conditions);
    let other =
        Agreement::from_toml(&changed("retention_days = 365", "retention_days = 364")).unwrap();
    let other = other.terms(&residents(), key, MaskKey([9; 32])).unwrap();
    assert_ne!(terms.digest, other.digest);
}

#[test]
fn an_agreement_that_does_not_fit_the_table_gives_no_terms() {
    let refused = |from: &str, to: &str| {
        let agreement = Agreement::from_toml(&changed(from, to)).unwrap();
        agreement
            .terms(&residents(), key, MaskKey([0; 32]))
            .unwrap_err()
            .to_string()
    };
    assert!(refused("commune = { show", "parish = { show").contains("parish"));
    assert!(
        refused(
            "commune = { show = \"clear\"",
            "commune = { show = \"year\""
        )
        .contains("coarser")
    );
    assert!(refused("commune = { show = \"clear\"", "commune = { band = 10").contains("coarser"));
    let rows = "#[rows]\n#column = \"commune\"\n#in = [\"esch\", \"diekirch\"]";
    assert!(refused(rows, "[rows]\ncolumn = \"absent\"\nop = \"=\"\nvalue = 1").contains("absent"));
    let aggregate = changed("ops = [\"query\"]", "ops = [\"aggregate\"]");
    let aggregate = aggregate.replace(
        "#[aggregate]\n#entity = \"id\" ",
        "[aggregate]\nmin_group = 3\nentity = \"absent\" ",
    );
    let agreement = Agreement::from_toml(&aggregate).unwrap();
    let error = agreement
        .terms(&residents(), key, MaskKey([0; 32]))
        .unwrap_err()
        .to_string();
    assert!(error.contains("absent"), "{error}");
}

#[test]
fn persons_are_counted_by_the_column_that_the_table_names_for_them() {
    let aggregate = changed("ops = [\"query\"]", "ops = [\"aggregate\"]").replace(
        "#[aggregate]\n#entity = \"id\" ",
        "[aggregate]\nmin_group = 3\nentity = \"id\" ",
    );
    let agreement = Agreement::from_toml(&aggregate).unwrap();
    agreement.proposable_over(&residents()).unwrap();
    let other = Agreement::from_toml(&aggregate.replace("entity = \"id\"", "entity = \"income\""));
    let error = other.unwrap().proposable_over(&residents()).unwrap_err();
    assert!(error.to_string().contains("told apart by id"), "{error}");
    let mut nobody = residents();
    nobody.subject = None;
    let error = agreement.proposable_over(&nobody).unwrap_err();
    assert!(error.to_string().contains("subject"), "{error}");
    for rule in ["min_group = 1", "min_group = 3\ndominance = [0, 50]"] {
        let error = Agreement::from_toml(&aggregate.replace("min_group = 3", rule)).unwrap_err();
        assert!(error.to_string().contains("aggregate."), "{error}");
    }
}

//! An engine over a vault in memory, with one table.

use crate::road::{self, TestRoad};
use sql::{Engine, Limits};
use sqldoor::catalog::Catalog;
use statement::{Column, Database, Format, Kind, TableDef, TableName};
use std::sync::Arc;
use std::time::Duration;
use words::BucketName;

/// Rows of its table.
pub const ROWS: usize = 30_000;

/// The table `planes`, with `id` and `name`.
pub fn planes() -> (Arc<TestRoad>, Arc<Engine>, tempfile::TempDir) {
    let road = Arc::new(TestRoad::default());
    let mut text = String::from("id,name\n");
    for row in 0..ROWS {
        text.push_str(&format!("{row},name {row}\n"));
    }
    let column = |name: &str, kind| Column {
        name: name.into(),
        kind,
        nullable: true,
        sensitive: false,
    };
    let def = TableDef {
        name: TableName::parse("planes").unwrap(),
        format: Format::Csv {
            header: true,
            delimiter: ',',
        },
        bucket: BucketName::parse("lake").unwrap(),
        prefix: "planes/".into(),
        columns: vec![column("id", Kind::Int64), column("name", Kind::Text)],
        partitions: Vec::new(),
        subject: None,
        managed: false,
    };
    let object = road.object("planes/a.csv", text);
    let terms = road::owner_terms(&def);
    road.hold(Database::Own, def, terms, vec![object]);
    let spill = tempfile::tempdir().unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        cache_bytes: 0,
        spill: spill.path().to_owned(),
        spill_bytes_max: 1 << 30,
        statement_timeout: Duration::from_secs(60),
        threads: 2,
    };
    let engine = Engine::new(road::of(&road), limits, Arc::new(Catalog)).unwrap();
    let watching = Arc::clone(&engine);
    tokio::spawn(async move { watching.watch().await });
    (road, engine, spill)
}

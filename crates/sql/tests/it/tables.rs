//! Tables that are declared, made and added to.

use crate::{House, PEOPLE, count, refused, rows, text};
use sql::Fault;
use statement::{Format, Kind, TableName, TableRef, Whom};

fn of(name: &str) -> TableRef {
    TableRef {
        database: statement::Database::Own,
        table: TableName::parse(name).unwrap(),
    }
}

#[tokio::test]
async fn a_table_is_declared_over_objects_and_its_columns_learned() {
    let house = House::new();
    for (key, text) in [
        (
            "people/canton=esch/a.csv",
            "id;born;income\np1;1980-02-03;10\np2;1981-01-01;20\n",
        ),
        (
            "people/canton=vianden/b.csv",
            "id;born;income\np3;1990-01-01;30\n",
        ),
    ] {
        let object = house.road.object(key, text);
        let name = format!("registers/{key}");
        house.road.state.lock().unwrap().files.insert(name, object);
    }
    let connection = house.connect().await;
    count(
        &connection,
        "CREATE EXTERNAL TABLE people STORED AS CSV PARTITIONED BY (canton) LOCATION 's3://registers/people/' \
         OPTIONS ('delimiter' ';', 'subject' 'id', 'sensitive' 'income')",
    )
    .await;
    let held = house.road.state.lock().unwrap().tables[&of("people")].clone();
    let found: Vec<(&str, Kind)> = held
        .def
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.kind))
        .collect();
    assert_eq!(
        found,
        [
            ("id", Kind::Text),
            ("born", Kind::Date),
            ("income", Kind::Int64)
        ]
    );
    assert!(held.def.columns[2].sensitive);
    assert_eq!(held.def.subject.as_deref(), Some("id"));
    let answer = text(
        &connection,
        "SELECT canton, sum(income) s FROM people GROUP BY canton ORDER BY 1",
    )
    .await;
    assert!(
        answer.contains("| esch    | 30 |") && answer.contains("| vianden | 30 |"),
        "{answer}"
    );

    // An object of which the name says already that nothing is wanted is not read.
    rows(
        &connection,
        "SELECT id FROM people WHERE canton = 'vianden'",
    )
    .await
    .unwrap();
    assert_eq!(house.road.last_end().whom, [Whom::These(vec!["p3".into()])]);
    let read = house.road.last_end().bytes[0];
    rows(&connection, "SELECT id FROM people").await.unwrap();
    assert!(house.road.last_end().bytes[0] > read);
    count(&connection, "CREATE EXTERNAL TABLE IF NOT EXISTS people STORED AS CSV LOCATION 's3://registers/people/'").await;
    count(&connection, "DROP TABLE people").await;
    count(&connection, "DROP TABLE IF EXISTS people").await;
    assert_eq!(
        refused(&connection, "SELECT * FROM people").await.fault,
        Fault::Name
    );
}

#[tokio::test]
async fn a_table_without_objects_has_to_name_its_columns() {
    let house = House::new();
    let connection = house.connect().await;
    let error = refused(
        &connection,
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 's3://registers/none/'",
    )
    .await;
    assert!(error.message.contains("name them"), "{error}");
    assert_eq!(house.road.open_grants(), 0);
    count(&connection, "CREATE EXTERNAL TABLE t (a int NOT NULL, b numeric(10,2)) STORED AS JSON LOCATION 's3://registers/none/'").await;
    assert_eq!(rows(&connection, "SELECT * FROM t").await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_table_is_made_added_to_and_read_as_it_was() {
    let house = House::new();
    let connection = house.connect().await;
    let error = refused(&connection, "CREATE TABLE t AS SELECT 1 AS a").await;
    assert!(error.message.contains("bucket"), "{error}");
    let made = count(
        &connection,
        "CREATE TABLE t WITH (bucket = 'registers', subject = 'id') AS \
         SELECT 'p' || x AS id, x AS n, CAST(x AS numeric(10, 2)) / 2 AS half, DATE '2026-11-26' AS day \
         FROM generate_series(1, 1000) AS g(x)",
    )
    .await;
    assert_eq!(made, 1000);
    let held = house.road.state.lock().unwrap().tables[&of("t")].clone();
    assert_eq!(held.def.format, Format::Parquet);
    assert!(held.def.managed);
    assert_eq!(
        count(
            &connection,
            "INSERT INTO t VALUES ('q', 2000, 1.5, '2026-11-27')"
        )
        .await,
        1
    );
    assert_eq!(
        count(
            &connection,
            "INSERT INTO t (n, id) SELECT n + 1, id FROM t WHERE n = 2000"
        )
        .await,
        1
    );
    let answer = text(
        &connection,
        "SELECT count(*) c, sum(n) s, max(day) d FROM t",
    )
    .await;
    assert!(
        answer.contains("| 1002 | 504501 | 2026-11-27 |"),
        "{answer}"
    );
    let before = text(&connection, "SELECT count(*) c FROM t FOR VERSION AS OF 1").await;
    assert!(before.contains("| 1000 |"), "{before}");
    let both = text(
        &connection,
        "SELECT (SELECT count(*) FROM t) - (SELECT count(*) FROM t FOR VERSION AS OF 2) AS d",
    )
    .await;
    assert!(both.contains("| 1 |"), "{both}");
    rows(&connection, "SELECT n FROM t WHERE id = 'p17'")
        .await
        .unwrap();
    assert_eq!(
        house.road.last_end().whom,
        [Whom::These(vec!["p17".into()])]
    );
    let error = refused(
        &connection,
        "INSERT INTO t VALUES ('q', 'many', 1, '2026-11-27')",
    )
    .await;
    assert_ne!(error.fault, Fault::Internal, "{error}");
    assert_eq!(house.road.open_grants(), 0);
    assert_eq!(
        refused(&connection, "INSERT INTO t VALUES (1)").await.fault,
        Fault::Name
    );
}

#[tokio::test]
async fn damaged_objects_are_refused_with_a_sentence() {
    let house = House::new();
    let connection = house.connect().await;
    let whole = count(&connection, "CREATE TABLE t WITH (bucket = 'registers') AS SELECT x FROM generate_series(1, 100) AS g(x)").await;
    assert_eq!(whole, 100);
    let good = house.road.state.lock().unwrap().tables[&of("t")].versions[0][0].clone();
    let bytes = house.road.state.lock().unwrap().objects[&good.version].clone();
    for (what, damaged) in [
        ("cut", bytes.slice(..bytes.len() / 2)),
        ("text", PEOPLE.into()),
        ("flipped", {
            let mut flipped = bytes.to_vec();
            let end = flipped.len();
            flipped[end - 20] ^= 0xff;
            flipped.into()
        }),
        ("footer of a giant", {
            let mut giant = bytes.to_vec();
            let end = giant.len();
            giant[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
            giant.into()
        }),
    ] {
        let object = house.road.object("t/x.parquet", damaged);
        house
            .road
            .state
            .lock()
            .unwrap()
            .tables
            .get_mut(&of("t"))
            .unwrap()
            .versions[0] = vec![object];
        let answer = rows(&connection, "SELECT sum(x) FROM t").await;
        assert!(answer.is_err() || what == "flipped", "{what}: {answer:?}");
        assert_eq!(house.road.open_grants(), 0, "{what}");
    }
}

/// DataFusion 55.2 asked the condition of the other side's column, and left out every group of rows of it.
#[tokio::test]
async fn a_row_without_a_partner_is_found_from_both_ends() {
    let house = House::new();
    let connection = house.connect().await;
    let make = "CREATE TABLE pairs WITH (bucket = 'registers') AS SELECT x AS id, CASE WHEN x % 3 = 0 THEN x / 3 ELSE NULL END AS of, x * 2 AS rate FROM generate_series(0, 399) AS g(x)";
    assert_eq!(count(&connection, make).await, 400);
    for join in [
        "pairs a RIGHT JOIN pairs b ON a.of = b.id",
        "pairs b LEFT JOIN pairs a ON a.of = b.id",
        "pairs a FULL JOIN pairs b ON a.of = b.id",
    ] {
        for shown in ["b.id", "b.id, a.rate", "a.rate, b.id, b.rate"] {
            let question = format!("SELECT {shown} FROM {join} WHERE a.id IS NULL");
            let found = rows(&connection, &question).await.unwrap();
            let found: usize = found.iter().map(|batch| batch.num_rows()).sum();
            assert_eq!(found, 266, "{question}");
        }
    }
}

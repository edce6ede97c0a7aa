//! A statement from its text to its end on the ledger.

use crate::road::owner_terms;
use crate::{House, PEOPLE, count, people, refused, rows, text};
use futures::StreamExt;
use sql::{Done, Fault};
use statement::{Database, Whom, Why};
use std::sync::atomic::Ordering;
use std::time::Duration;

async fn house() -> House {
    let house = House::new();
    let object = house.road.object("people/a.csv", PEOPLE);
    let def = people();
    let terms = owner_terms(&def);
    house.road.hold(Database::Own, def, terms, vec![object]);
    house
}

#[tokio::test]
async fn a_question_is_answered_and_its_end_is_told() {
    let house = house().await;
    let connection = house.connect().await;
    connection.say(|said| said.purpose = Some("statistics".into()));
    let answer = text(
        &connection,
        "SELECT canton, count(*) n, sum(income) s FROM people GROUP BY canton ORDER BY canton",
    )
    .await;
    assert_eq!(
        answer,
        "+----------+---+------+\n\
         | canton   | n | s    |\n\
         +----------+---+------+\n\
         | diekirch | 1 | 3000 |\n\
         | esch     | 2 | 3500 |\n\
         | vianden  | 1 |      |\n\
         +----------+---+------+"
    );
    let state = house.road.state.lock().unwrap();
    assert!(state.grants.is_empty(), "the grant is closed");
    let asked = &state.asked[0];
    assert_eq!(asked.purpose.as_deref(), Some("statistics"));
    let columns = asked.tables[0].columns.clone().unwrap();
    assert_eq!(columns, ["canton", "income"], "only what the plan touches");
    let ended = &state.ended[0];
    assert_eq!(ended.rows, 3);
    assert!(ended.bytes[0] >= PEOPLE.len() as u64);
    let all = ["p1", "p2", "p3", "p4"].map(str::to_owned).to_vec();
    assert_eq!(
        ended.whom,
        [Whom::These(all)],
        "though the id was not asked for"
    );
    assert_eq!(ended.broken, None);
}

#[tokio::test]
async fn a_condition_on_the_person_names_that_person_only() {
    let house = house().await;
    let connection = house.connect().await;
    for (question, whom) in [
        ("SELECT income FROM people WHERE id = 'p2'", vec!["p2"]),
        (
            "SELECT count(*) FROM people WHERE id IN ('p1', 'p3')",
            vec!["p1", "p3"],
        ),
        (
            "SELECT * FROM people WHERE canton = 'vianden' AND born > '2000-01-01'",
            vec!["p4"],
        ),
        ("SELECT count(*) FROM people", vec!["p1", "p2", "p3", "p4"]),
    ] {
        rows(&connection, question).await.unwrap();
        let these = whom.into_iter().map(str::to_owned).collect();
        assert_eq!(
            house.road.last_end().whom,
            [Whom::These(these)],
            "{question}"
        );
    }
    rows(&connection, "SELECT * FROM people WHERE id = 'p9'")
        .await
        .unwrap();
    assert_eq!(house.road.last_end().whom, [Whom::Nobody]);
}

#[tokio::test]
async fn more_persons_than_are_named_count_as_the_whole() {
    let house = House::new();
    let mut csv = String::from("id,born,canton,income\n");
    for person in 0..5000 {
        csv.push_str(&format!("q{person},1990-01-01,esch,{person}\n"));
    }
    let object = house.road.object("people/a.csv", csv);
    let def = people();
    let terms = owner_terms(&def);
    house.road.hold(Database::Own, def, terms, vec![object]);
    let connection = house.connect().await;
    rows(&connection, "SELECT sum(income) FROM people")
        .await
        .unwrap();
    assert_eq!(house.road.last_end().whom, [Whom::Whole]);
    rows(&connection, "SELECT * FROM people LIMIT 3")
        .await
        .unwrap();
    let Whom::These(few) = &house.road.last_end().whom[0] else {
        panic!("three rows are about three persons")
    };
    assert!(
        few.len() <= 6,
        "a thread may read as many as the limit: {few:?}"
    );
}

#[tokio::test]
async fn what_asks_for_no_table_asks_for_no_grant() {
    let house = house().await;
    let connection = house.connect().await;
    assert!(
        text(&connection, "SELECT 1 + 1 AS two")
            .await
            .contains("| 2   |")
    );
    assert!(
        text(
            &connection,
            "EXPLAIN SELECT id FROM people WHERE income > 5"
        )
        .await
        .contains("TableScan")
    );
    assert!(house.road.state.lock().unwrap().asked.is_empty());
}

#[tokio::test]
async fn parameters_have_types_and_values() {
    let house = house().await;
    let connection = house.connect().await;
    let prepared = connection
        .prepare("SELECT id FROM people WHERE income > $1 AND canton = $2")
        .await
        .unwrap();
    assert_eq!(prepared.parameters().len(), 2);
    let values = vec![
        sql::datafusion::common::ScalarValue::Int64(Some(2000)),
        sql::datafusion::common::ScalarValue::from("esch"),
    ];
    let Done::Rows(mut answer) = connection.run(&prepared, values).await.unwrap() else {
        panic!("rows were asked for")
    };
    let batch = answer.rows.next().await.unwrap().unwrap();
    assert_eq!(batch.num_rows(), 1);
    drop(answer);
    let error = connection.run(&prepared, Vec::new()).await.err().unwrap();
    assert_eq!(error.fault, Fault::Value);
}

#[tokio::test]
async fn what_is_left_early_is_closed_as_broken() {
    let house = house().await;
    let connection = house.connect().await;
    let prepared = connection.prepare("SELECT * FROM people").await.unwrap();
    let done = connection.run(&prepared, Vec::new()).await.unwrap();
    assert_eq!(house.road.open_grants(), 1);
    drop(done);
    while house.road.open_grants() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(house.road.last_end().broken.is_some());
}

#[tokio::test]
async fn a_statement_is_ended_by_its_user_its_time_and_the_vault() {
    let house = house().await;
    house.road.slow.store(60_000, Ordering::Relaxed);
    let connection = house.connect().await;
    let engine = house.engine.clone();
    let watch = tokio::spawn(async move { engine.watch().await });
    let ask = |connection: std::sync::Arc<sql::Connection>| {
        tokio::spawn(async move { refused(&connection, "SELECT * FROM people").await })
    };
    let running = |count: usize| {
        let road = house.road.clone();
        async move {
            while road.open_grants() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };

    // Where a header is looked at before the plan is made, the plan is what waits.
    let cancelled = ask(connection.clone());
    running(1).await;
    connection.cancel();
    assert_eq!(cancelled.await.unwrap().fault, Fault::Cancelled);

    let taken = ask(connection.clone());
    running(1).await;
    house.road.end_all();
    assert_eq!(taken.await.unwrap().fault, Fault::Refused(Why::Revoked));

    connection.say(|said| said.timeout = Some(Duration::from_millis(50)));
    assert_eq!(
        refused(&connection, "SELECT * FROM people").await.fault,
        Fault::Timeout
    );
    assert_eq!(house.road.open_grants(), 0);
    watch.abort();
}

#[tokio::test]
async fn nothing_is_reached_but_tables() {
    let house = house().await;
    let connection = house.connect().await;
    for text in [
        "CREATE EXTERNAL TABLE x (a int) STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE EXTERNAL TABLE x (a int) STORED AS CSV LOCATION 'file:///etc/passwd'",
        "CREATE EXTERNAL TABLE x (a int) STORED AS AVRO LOCATION 's3://a-bucket/x'",
        "COPY people TO '/tmp/x.csv'",
        "COPY (SELECT 1) TO 's3://elsewhere/x.csv' STORED AS CSV",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 's3://registers/people/a.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM information_schema.df_settings",
        "SET datafusion.execution.target_partitions = 100",
        "CREATE FUNCTION f(x int) RETURNS int RETURN 1",
        "CREATE VIEW v AS SELECT * FROM people",
        "DELETE FROM people",
        "UPDATE people SET income = 1",
        "TRUNCATE people",
        "EXPLAIN ANALYZE SELECT * FROM people",
        "PREPARE x AS SELECT 1",
        "CREATE DATABASE d",
        "SELECT 1; SELECT 2",
    ] {
        let error = refused(&connection, text).await;
        assert_ne!(error.fault, Fault::Internal, "{text}: {error}");
    }
    assert!(house.road.state.lock().unwrap().asked.is_empty());
    assert_eq!(house.road.reads.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn objects_that_do_not_fit_are_said_by_name() {
    let house = House::new();
    let good = house.road.object("people/a.csv", PEOPLE);
    let bad = house.road.object(
        "people/b.csv",
        "id,canton,born,income\np9,esch,1980-01-01,1\n",
    );
    let marker = house.road.object("people/_SUCCESS", "x");
    let def = people();
    let terms = owner_terms(&def);
    house
        .road
        .hold(Database::Own, def, terms, vec![good, bad, marker]);
    let connection = house.connect().await;
    let error = refused(&connection, "SELECT * FROM people").await;
    assert_eq!(error.fault, Fault::Value);
    assert!(error.message.contains("people/b.csv"), "{error}");
    assert_eq!(house.road.open_grants(), 0);
    assert!(house.road.last_end().broken.is_some());
}

#[tokio::test]
async fn more_than_memory_holds_is_spilled_sealed_or_refused() {
    let house = House::with(8 << 20, 2);
    let mut csv = String::from("id,born,canton,income\n");
    for person in 0..200_000 {
        csv.push_str(&format!("person-{person:020},1990-01-01,esch,{person}\n"));
    }
    let object = house.road.object("people/a.csv", csv);
    let mut def = people();
    def.subject = None;
    let terms = owner_terms(&def);
    house.road.hold(Database::Own, def, terms, vec![object]);
    let connection = house.connect().await;
    let sorted = rows(
        &connection,
        "SELECT id, income FROM people ORDER BY income DESC",
    )
    .await
    .unwrap();
    assert_eq!(
        sorted.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        200_000
    );
    assert_eq!(count(&connection, "DROP TABLE people").await, 0);
}

#[tokio::test]
async fn columns_of_an_answer_may_have_the_same_name() {
    let house = house().await;
    let connection = house.connect().await;
    let answer = rows(
        &connection,
        "SELECT income, CAST(income AS int), people.income, 1, 1, count(*) OVER (), count(*) OVER () FROM people ORDER BY income LIMIT 1",
    )
    .await
    .unwrap();
    assert_eq!(answer[0].num_columns(), 7);
}

/// DataFusion reads one side of such a join again when it does not fit, which panics or counts rows twice.
#[tokio::test]
async fn a_join_that_does_not_fit_is_refused_in_words() {
    let house = House::with(16 << 20, 2);
    let connection = house.connect().await;
    for join in ["CROSS JOIN", "LEFT JOIN"] {
        let on = match join {
            "LEFT JOIN" => "ON a.x * b.y <> c.z",
            _ => "",
        };
        let question = format!(
            "SELECT count(*) FROM generate_series(1, 3000) AS a(x) CROSS JOIN generate_series(1, 3000) AS b(y) {join} generate_series(1, 10) AS c(z) {on} WHERE (a.x * b.y * coalesce(c.z, 1)) % 7 = 9"
        );
        let error = refused(&connection, &question).await;
        assert_eq!(error.fault, Fault::Resources, "{join}: {error}");
    }
}

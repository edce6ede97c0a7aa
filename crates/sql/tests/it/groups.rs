//! Agreements of which only aggregates leave, and columns that may only be shown.

use crate::{House, column, csv, refused, rows, text};
use sql::Fault;
use statement::{Aggregate, ColumnTerms, Database, Kind, Terms, Transform, Why};

const ID: &str = "0123456789abcdef";

fn rules(min_group: u32, rounding: u32) -> Aggregate {
    Aggregate {
        entity: "id".into(),
        min_group,
        rounding,
        dominance: None,
        differencing: false,
        privacy: None,
    }
}

/// Ten persons in esch with two rows each, nine in vianden, and in diekirch ten of whom nine have an income.
fn house(aggregate: Option<Aggregate>, conditions: bool) -> House {
    let house = House::new();
    let mut data = String::from("id,canton,income\n");
    for person in 0..10 {
        data.push_str(&format!("e{person},esch,100\ne{person},esch,100\n"));
        let income = if person == 0 {
            String::new()
        } else {
            "50".into()
        };
        data.push_str(&format!("d{person},diekirch,{income}\n"));
        if person > 0 {
            data.push_str(&format!("v{person},vianden,7\n"));
        }
    }
    let def = csv(
        "people",
        vec![
            column("id", Kind::Text),
            column("canton", Kind::Text),
            column("income", Kind::Int64),
        ],
        Some("id"),
    );
    let of = |name: &str, transform, conditions| ColumnTerms {
        name: name.into(),
        transform,
        conditions,
    };
    let terms = Terms {
        digest: [9; 32],
        columns: vec![
            of("id", Transform::Drop, false),
            of("canton", Transform::Clear, true),
            of("income", Transform::Clear, conditions),
        ],
        rows: None,
        aggregate,
        cohorts: None,
    };
    let object = house.road.object("people/a.csv", data);
    house
        .road
        .hold(Database::Agreement(ID.into()), def, terms, vec![object]);
    house
}

#[tokio::test]
async fn groups_of_fewer_persons_are_left_out() {
    for (least, shown) in [(9, 3), (10, 2), (11, 0)] {
        let house = house(Some(rules(least, 1)), true);
        let connection = house.connect_to(ID).await;
        let answer = rows(
            &connection,
            "SELECT canton, count(*) FROM people GROUP BY canton",
        )
        .await
        .unwrap();
        let count: usize = answer.iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(count, shown, "at least {least}");
    }
}

#[tokio::test]
async fn a_value_to_which_too_few_contribute_is_left_out() {
    let house = house(Some(rules(10, 1)), true);
    let connection = house.connect_to(ID).await;
    let answer = text(
        &connection,
        "SELECT canton, count(*) n, sum(income) s, avg(income) a FROM people GROUP BY canton ORDER BY canton",
    )
    .await;
    assert!(
        answer.contains("| diekirch | 10 |      |       |"),
        "{answer}"
    );
    assert!(
        answer.contains("| esch     | 20 | 2000 | 100.0 |"),
        "{answer}"
    );
    assert!(!answer.contains("vianden"), "{answer}");
    let all = text(
        &connection,
        "SELECT count(*) n FROM people WHERE canton <> 'vianden'",
    )
    .await;
    assert!(all.contains("| 30 |"), "{all}");
    let none = rows(
        &connection,
        "SELECT count(*) FROM people WHERE canton = 'vianden'",
    )
    .await
    .unwrap();
    assert_eq!(none.iter().map(|batch| batch.num_rows()).sum::<usize>(), 0);
}

#[tokio::test]
async fn counts_are_rounded_and_sums_follow_them() {
    let house = house(Some(rules(9, 15)), true);
    let connection = house.connect_to(ID).await;
    let answer = text(
        &connection,
        "SELECT canton, count(*) n, sum(income) s FROM people WHERE canton = 'esch' GROUP BY canton",
    )
    .await;
    assert!(answer.contains("| esch   | 15 | 1500 |"), "{answer}");
}

#[tokio::test]
async fn an_aggregate_stands_in_a_larger_statement() {
    let house = house(Some(rules(10, 1)), true);
    let connection = house.connect_to(ID).await;
    for (question, wanted) in [
        (
            "SELECT max(n) FROM (SELECT canton, count(*) AS n FROM people GROUP BY canton) q",
            "20",
        ),
        (
            "WITH q AS (SELECT canton c, income i FROM people WHERE income > 10) SELECT c, count(i) FROM q GROUP BY c HAVING count(i) > 5 ORDER BY 2 DESC LIMIT 1",
            "esch",
        ),
        (
            "SELECT p.canton, count(*) FROM people AS p GROUP BY p.canton UNION ALL SELECT 'all', count(*) FROM people ORDER BY 2 DESC LIMIT 1",
            "all",
        ),
        ("SELECT count(DISTINCT canton) FROM people", "3"),
    ] {
        let answer = text(&connection, question).await;
        assert!(answer.contains(wanted), "{question}: {answer}");
    }
}

#[tokio::test]
async fn single_rows_do_not_leave_by_any_way() {
    let house = house(Some(rules(10, 1)), true);
    let connection = house.connect_to(ID).await;
    for question in [
        "SELECT * FROM people",
        "SELECT canton FROM people",
        "SELECT DISTINCT canton FROM people",
        "SELECT canton FROM people LIMIT 1",
        "SELECT min(income) FROM people",
        "SELECT max(income) FROM people",
        "SELECT median(income) FROM people",
        "SELECT array_agg(income) FROM people",
        "SELECT string_agg(canton, ',') FROM people",
        "SELECT first_value(income) FROM people",
        "SELECT approx_percentile_cont(income, 0.5) FROM people",
        "SELECT bit_xor(income) FROM people",
        "SELECT sum(CASE WHEN canton = 'esch' THEN income ELSE 0 END) FROM people",
        "SELECT sum(income * 2) FROM people",
        "SELECT count(*) FILTER (WHERE income = 50) FROM people",
        "SELECT sum(DISTINCT income) FROM people",
        "SELECT sum(income) FROM people WHERE 1 / (income - 50) > 0",
        "SELECT sum(income) FROM people WHERE CAST(canton AS int) = 1",
        "SELECT sum(income) FROM people GROUP BY income % 7",
        "SELECT sum(income) FROM people GROUP BY ROLLUP (canton)",
        "SELECT sum(p.income) FROM people p JOIN (VALUES ('esch', 1)) v(c, w) ON p.canton = v.c",
        "SELECT sum(v.w) FROM people p JOIN (VALUES ('esch', 1)) v(c, w) ON p.canton = v.c",
        "SELECT count(*) FROM people a, people b",
        "SELECT sum(i) FROM (SELECT income + 1 AS i FROM people) q",
        "SELECT sum(i) FROM (SELECT income AS i FROM people LIMIT 1) q",
        "SELECT sum(i) FROM (SELECT DISTINCT income AS i FROM people) q",
        "SELECT sum(income) OVER (PARTITION BY canton) FROM people",
        "SELECT row_number() OVER () FROM people",
        "SELECT (SELECT sum(income) FROM people)",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM people WHERE income = 50)",
        "SELECT 1 WHERE 50 IN (SELECT income FROM people)",
        "SELECT count(*) FROM people WHERE canton IN (SELECT canton FROM people WHERE income > 60)",
        "SELECT canton FROM people UNION SELECT canton FROM people",
        "SELECT canton FROM people EXCEPT SELECT 'esch'",
        "WITH RECURSIVE r(c) AS (SELECT canton FROM people UNION ALL SELECT c FROM r WHERE false) SELECT count(*) FROM r",
        "SELECT \"clarence:person\" FROM people",
        "SELECT count(DISTINCT \"clarence:person\") FROM people",
        "SELECT count(DISTINCT id) FROM people",
        "CREATE TABLE mine WITH (bucket = 'mine') AS SELECT * FROM people",
    ] {
        let error = refused(&connection, question).await;
        assert_ne!(error.fault, Fault::Internal, "{question}: {error}");
        assert_eq!(house.road.open_grants(), 0, "{question}");
    }
}

#[tokio::test]
async fn rules_that_are_not_served_are_not_passed_over() {
    let privacy = statement::Privacy {
        epsilon_micros: 1,
        budget_micros: 10,
        rows_per_person: 1,
    };
    for (aggregate, fault) in [
        (
            Aggregate {
                privacy: Some(privacy),
                ..rules(5, 1)
            },
            Fault::Unsupported,
        ),
        // To watch differences takes a key, and these terms have none.
        (
            Aggregate {
                differencing: true,
                ..rules(5, 1)
            },
            Fault::Refused(Why::Denied),
        ),
    ] {
        let house = house(Some(aggregate), true);
        let connection = house.connect_to(ID).await;
        let error = refused(&connection, "SELECT count(*) FROM people").await;
        assert_eq!(error.fault, fault, "{error}");
    }
}

#[tokio::test]
async fn a_column_that_may_only_be_shown_decides_nothing() {
    let house = house(None, false);
    let connection = house.connect_to(ID).await;
    for question in [
        "SELECT income FROM people",
        "SELECT canton, income + 1 FROM people WHERE canton = 'esch' ORDER BY canton",
        "SELECT canton, sum(income) FROM people GROUP BY canton",
        "SELECT x FROM (SELECT income AS x, canton AS c FROM people) q WHERE c = 'esch'",
    ] {
        rows(&connection, question).await.unwrap();
    }
    for question in [
        "SELECT canton FROM people WHERE income > 5",
        "SELECT canton FROM people ORDER BY income",
        "SELECT x FROM (SELECT income + 1 AS x FROM people) q WHERE x > 5",
        "WITH q AS (SELECT income i FROM people) SELECT * FROM q ORDER BY i",
        "SELECT canton, sum(income) FROM people GROUP BY canton HAVING sum(income) > 5",
        "SELECT canton, sum(income) s FROM people GROUP BY canton ORDER BY s",
        "SELECT a.canton FROM people a JOIN people b ON a.income = b.income",
        "SELECT a.canton FROM people a JOIN people b ON a.canton = b.canton AND a.income > b.income",
        "SELECT count(*) FILTER (WHERE income > 5) FROM people",
        "SELECT array_agg(canton ORDER BY income) FROM people",
        "SELECT row_number() OVER (ORDER BY income) FROM people",
        "SELECT sum(income) OVER () FROM people",
        "SELECT canton FROM people WHERE canton IN (SELECT canton FROM people WHERE income > 5)",
        "SELECT canton FROM people p WHERE EXISTS (SELECT 1 FROM people q WHERE q.canton = p.canton AND q.income > p.income)",
        "SELECT canton FROM people WHERE 50 IN (SELECT income FROM people)",
        "SELECT canton FROM people WHERE (SELECT max(income) FROM people) > 5",
        "SELECT canton FROM (SELECT canton, income FROM people UNION ALL SELECT 'x', 1) u(c, i) WHERE i > 5",
        "SELECT c FROM (SELECT canton, income FROM people UNION ALL SELECT 'x', 1) u(c, i) WHERE i > 5",
    ] {
        let error = refused(&connection, question).await;
        let known = matches!(error.fault, Fault::Refused(Why::Denied) | Fault::Column);
        assert!(known, "{question}: {error:?}");
    }
}

//! What an agreement shows, and what can be learned of the rest: nothing.

use crate::road::owner_terms;
use crate::{House, PEOPLE, people, refused, rows, text};
use sql::Fault;
use statement::terms::MaskKey;
use statement::{ColumnTerms, Database, Filter, Generalise, Op, Terms, Transform, Value, Whom};

const ID: &str = "0123456789abcdef";

fn terms(rows: Option<Filter>) -> Terms {
    let column = |name: &str, transform: Transform| ColumnTerms {
        name: name.into(),
        transform,
        conditions: true,
    };
    Terms {
        digest: [9; 32],
        columns: vec![
            column("id", Transform::Pseudonym(MaskKey([3; 32]))),
            column("born", Transform::Generalise(Generalise::Year)),
            column("canton", Transform::Clear),
            column("income", Transform::Drop),
        ],
        rows,
        aggregate: None,
        cohorts: None,
    }
}

fn only_esch() -> Filter {
    Filter::Compare {
        column: "canton".into(),
        op: Op::Equal,
        value: Value::Text("esch".into()),
    }
}

fn house(data: &str, rows: Option<Filter>) -> House {
    let house = House::new();
    let object = house.road.object("people/a.csv", data.to_owned());
    let database = Database::Agreement(ID.into());
    house
        .road
        .hold(database, people(), terms(rows), vec![object]);
    house
}

#[tokio::test]
async fn columns_are_masked_and_rows_are_not_there() {
    let house = house(PEOPLE, Some(only_esch()));
    let connection = house.connect_to(ID).await;
    let answer = text(&connection, "SELECT * FROM people ORDER BY born").await;
    assert!(answer.contains("| 1980-01-01 | esch   |"), "{answer}");
    assert!(answer.contains("| 1990-01-01 | esch   |"), "{answer}");
    assert_eq!(answer.lines().count(), 6, "{answer}");
    for hidden in ["p1", "1980-02-03", "1000", "diekirch", "income"] {
        assert!(!answer.contains(hidden), "{hidden} is seen: {answer}");
    }
    let these = vec!["p1".to_owned(), "p2".to_owned()];
    assert_eq!(
        house.road.last_end().whom,
        [Whom::These(these)],
        "who they are goes on the ledger"
    );
}

#[tokio::test]
async fn a_pseudonym_is_the_documented_one() {
    let house = house(PEOPLE, None);
    let connection = house.connect_to(ID).await;
    let answer = text(
        &connection,
        "SELECT id FROM people WHERE canton = 'vianden'",
    )
    .await;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[3; 32]);
    let expected = words::hex::encode(&aws_lc_rs::hmac::sign(&key, b"p4").as_ref()[..16]);
    assert!(answer.contains(&expected), "{answer}");
}

/// The same question to two houses that differ only in what is not shown has the same answer, whatever it is.
#[tokio::test]
async fn hidden_rows_and_columns_change_nothing() {
    let other = "id,born,canton,income\n\
        p1,1980-11-30,esch,77\n\
        p2,1990-01-01,esch,\n\
        x9,1815-06-09,remich,999999\n\
        x8,1815-06-09,clervaux,0\n\
        x7,,,\n";
    let one = house(PEOPLE, Some(only_esch()));
    let two = house(other, Some(only_esch()));
    let (a, b) = (one.connect_to(ID).await, two.connect_to(ID).await);
    for question in questions() {
        let left = rows(&a, &question).await;
        let right = rows(&b, &question).await;
        let shown = |answer: Result<Vec<datafusion::arrow::array::RecordBatch>, sql::SqlError>| {
            match answer {
                Ok(rows) => datafusion::arrow::util::pretty::pretty_format_batches(&rows)
                    .unwrap()
                    .to_string(),
                Err(error) => format!("{:?} {}", error.fault, error.message),
            }
        };
        let (left, right) = (shown(left), shown(right));
        assert_eq!(left, right, "{question}");
        for hidden in ["diekirch", "vianden", "remich", "p1", "x9", "3000"] {
            let said = question.contains(hidden);
            assert!(said || !left.contains(hidden), "{question}: {left}");
        }
    }
}

use sql::datafusion;

fn questions() -> Vec<String> {
    let mut all: Vec<String> = [
        "SELECT count(*) FROM people",
        "SELECT count(*) FROM people WHERE canton = 'diekirch'",
        "SELECT count(id) FROM people WHERE canton <> 'esch'",
        "SELECT min(canton), max(canton) FROM people",
        "SELECT min(born), max(born) FROM people",
        "SELECT count(DISTINCT canton) FROM people",
        "SELECT canton, count(*) FROM people GROUP BY canton ORDER BY 1",
        "SELECT * FROM people ORDER BY id LIMIT 1",
        "SELECT * FROM people ORDER BY id OFFSET 2",
        "SELECT income FROM people",
        "SELECT people.income FROM people",
        "SELECT p.income FROM people p",
        "SELECT * FROM people WHERE income > 2000",
        "SELECT * FROM people ORDER BY income",
        "SELECT count(*) FROM people GROUP BY income",
        "SELECT canton FROM people HAVING max(income) > 1",
        "SELECT sum(income) OVER () FROM people",
        "SELECT * FROM (SELECT * FROM people) q WHERE canton = 'vianden'",
        "WITH q AS (SELECT canton c FROM people) SELECT c FROM q WHERE c > 'a' ORDER BY c",
        "SELECT 1/(CASE WHEN canton = 'diekirch' THEN 0 ELSE 1 END) FROM people",
        "SELECT CAST(canton AS int) FROM people WHERE canton = 'diekirch'",
        "SELECT canton FROM people WHERE CAST(canton AS int) = 1",
        "SELECT canton FROM people WHERE 1/(length(canton)-8) > 0 ORDER BY 1",
        "SELECT EXISTS (SELECT 1 FROM people WHERE canton = 'vianden')",
        "SELECT (SELECT canton FROM people WHERE canton <> 'esch')",
        "SELECT a.canton FROM people a JOIN people b ON a.id = b.id ORDER BY 1",
        "SELECT a.canton, b.canton FROM people a FULL JOIN people b ON a.canton = b.canton AND b.canton = 'diekirch' ORDER BY 1, 2",
        "SELECT canton FROM people UNION ALL SELECT canton FROM people ORDER BY 1",
        "SELECT canton FROM people EXCEPT SELECT 'esch'",
        "SELECT canton FROM people INTERSECT SELECT 'vianden'",
        "SELECT string_agg(canton, ',') FROM people",
        "SELECT array_agg(canton) FROM people",
        "SELECT approx_distinct(canton) FROM people",
        "SELECT row_number() OVER (ORDER BY canton, id) FROM people ORDER BY 1",
        "SELECT lag(canton) OVER (ORDER BY id) FROM people",
        "SELECT DISTINCT canton FROM people",
        "SELECT DISTINCT ON (canton) canton FROM people ORDER BY canton",
        "SELECT count(*) FROM people TABLESAMPLE SYSTEM (50)",
        "SELECT canton FROM people WHERE canton LIKE 'die%'",
        "SELECT canton FROM people WHERE canton ~ '^d'",
        "SELECT canton FROM people WHERE canton IN (SELECT canton FROM people WHERE canton > 'e' AND canton <> 'esch')",
        "SELECT canton FROM people WHERE id = 'p1'",
        "SELECT canton FROM people WHERE born = '1980-02-03'",
        "SELECT canton FROM people WHERE born < '1980-02-03' AND born > '1980-01-01'",
        "SELECT id FROM people WHERE id IS NULL",
        "SELECT arrow_typeof(id), arrow_typeof(born) FROM people",
        "SELECT \"Id\" FROM people",
        "SELECT people FROM people",
        "SELECT p FROM people p",
        "SELECT * FROM ministry.public.people",
        "SELECT * FROM agr_ffffffffffffffff.public.people",
        "SELECT * FROM people FOR VERSION AS OF 2",
        "EXPLAIN SELECT * FROM people WHERE canton = 'diekirch'",
        "EXPLAIN VERBOSE SELECT * FROM people",
        "EXPLAIN FORMAT TREE SELECT * FROM people",
        "EXPLAIN ANALYZE SELECT * FROM people",
        "CREATE TABLE copied WITH (bucket = 'mine') AS SELECT * FROM people",
        "INSERT INTO people SELECT * FROM people",
        "DROP TABLE people",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION 's3://registers/people/'",
        "SHOW COLUMNS FROM people",
        "DESCRIBE people",
        "SELECT * FROM information_schema.columns",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM people, people p2 WHERE people.canton = 'vianden'",
        "SELECT nth_value(canton, 3) OVER (ORDER BY canton) FROM people",
        "SELECT median(length(canton)) FROM people",
        "SELECT bit_xor(length(canton)) FROM people",
        "SELECT corr(length(canton), length(id)) FROM people",
        "SELECT count(*) FILTER (WHERE canton = 'vianden') FROM people",
        "SELECT grouping(canton), canton, count(*) FROM people GROUP BY ROLLUP (canton) ORDER BY 1, 2",
        "SELECT coalesce(max(canton) FILTER (WHERE canton > 'f'), 'none') FROM people",
        "WITH RECURSIVE r(n) AS (SELECT count(*) FROM people UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
        "SELECT unnest(array_agg(canton)) FROM people",
        "SELECT generate_series(1, count(*)) FROM people",
        "VALUES ((SELECT count(*) FROM people))",
    ]
    .map(str::to_owned)
    .to_vec();
    // Each comparison of each hidden value, in three places of a statement.
    for op in ["=", "<>", "<", ">", "<=", ">="] {
        for value in ["'diekirch'", "'vianden'", "'p1'", "'1990-07-08'", "3000"] {
            for column in ["canton", "id", "born"] {
                all.push(format!(
                    "SELECT count(*) FROM people WHERE {column} {op} {value}"
                ));
                all.push(format!(
                    "SELECT count(*) FROM people GROUP BY {column} {op} {value} ORDER BY 1"
                ));
                all.push(format!(
                    "SELECT {column} FROM people ORDER BY {column} {op} {value}, id"
                ));
            }
        }
    }
    all
}

#[tokio::test]
async fn terms_that_make_no_sense_show_nothing() {
    let broken = Filter::Compare {
        column: "canton".into(),
        op: Op::Equal,
        value: Value::Bool(true),
    };
    for rows in [
        Filter::IsNull {
            column: "absent".into(),
            negated: false,
        },
        Filter::And(vec![]),
        Filter::Compare {
            column: "born".into(),
            op: Op::Less,
            value: Value::Text("soon".into()),
        },
    ] {
        let house = house(PEOPLE, Some(rows));
        let connection = house.connect_to(ID).await;
        assert_eq!(
            refused(&connection, "SELECT * FROM people").await.fault,
            Fault::Internal
        );
        assert_eq!(house.road.open_grants(), 0);
    }
    // Text that looks like a value is compared as text.
    let house = house(PEOPLE, Some(broken));
    let connection = house.connect_to(ID).await;
    let answer = text(&connection, "SELECT count(*) n FROM people").await;
    assert!(answer.contains("| 0 |"), "{answer}");
}

#[tokio::test]
async fn ones_own_and_anothers_stand_side_by_side() {
    let house = house(PEOPLE, Some(only_esch()));
    let mut def = people();
    def.name = statement::TableName::parse("mine").unwrap();
    let object = house.road.object("mine/a.csv", PEOPLE);
    let own = owner_terms(&def);
    house.road.hold(Database::Own, def, own, vec![object]);
    let connection = house.connect().await;
    let answer = text(
        &connection,
        &format!(
            "SELECT count(*) n FROM mine m JOIN agr_{ID}.public.people p ON m.canton = p.canton"
        ),
    )
    .await;
    assert!(answer.contains("| 4 |"), "{answer}");
    assert_eq!(house.road.state.lock().unwrap().asked[0].tables.len(), 2);
}

/// A row as the model sees it: canton and income.
type Row = (Option<&'static str>, Option<i64>);

/// SQL's three values: yes, no, not known.
fn fulfils(filter: &Filter, row: Row) -> Option<bool> {
    let compare = |op: Op, order: std::cmp::Ordering| match op {
        Op::Equal => order.is_eq(),
        Op::NotEqual => order.is_ne(),
        Op::Less => order.is_lt(),
        Op::LessOrEqual => order.is_le(),
        Op::Greater => order.is_gt(),
        Op::GreaterOrEqual => order.is_ge(),
    };
    let order = |column: &str, value: &Value| match (column, value) {
        ("canton", Value::Text(value)) => row.0.map(|own| own.cmp(value.as_str())),
        (_, Value::Int(value)) => row.1.map(|own| own.cmp(value)),
        other => panic!("{other:?}"),
    };
    match filter {
        Filter::Compare { column, op, value } => {
            order(column, value).map(|order| compare(*op, order))
        }
        Filter::In {
            column,
            values,
            negated,
        } => {
            let mut any = Some(false);
            for value in values {
                any = match (any, order(column, value)) {
                    (Some(true), _) => Some(true),
                    (_, Some(order)) if order.is_eq() => Some(true),
                    (_, None) => None,
                    (any, _) => any,
                };
            }
            any.map(|any| any != *negated)
        }
        Filter::IsNull { column, negated } => {
            let null = match column.as_str() {
                "canton" => row.0.is_none(),
                _ => row.1.is_none(),
            };
            Some(null != *negated)
        }
        Filter::And(all) => several(all, row, false),
        Filter::Or(any) => several(any, row, true),
        Filter::Not(inner) => fulfils(inner, row).map(|so| !so),
    }
}

/// One part that is `decides` decides; otherwise one that is not known leaves all unknown.
fn several(parts: &[Filter], row: Row, decides: bool) -> Option<bool> {
    let said: Vec<Option<bool>> = parts.iter().map(|part| fulfils(part, row)).collect();
    match said.contains(&Some(decides)) {
        true => Some(decides),
        false => said
            .into_iter()
            .all(|one| one.is_some())
            .then_some(!decides),
    }
}

fn random_filter(next: &mut impl FnMut(usize) -> usize, depth: usize) -> Filter {
    let ops = [
        Op::Equal,
        Op::NotEqual,
        Op::Less,
        Op::LessOrEqual,
        Op::Greater,
        Op::GreaterOrEqual,
    ];
    let cantons = ["esch", "diekirch", "vianden", "wiltz"];
    let text = next(2) == 0;
    let column = if text { "canton" } else { "income" }.to_owned();
    let value = |next: &mut dyn FnMut(usize) -> usize| match text {
        true => Value::Text(cantons[next(4)].into()),
        false => Value::Int(i64::try_from(next(4)).unwrap() * 1000),
    };
    match next(if depth < 3 { 7 } else { 4 }) {
        0 | 1 => Filter::In {
            values: (0..=next(2)).map(|_| value(next)).collect(),
            negated: next(2) == 0,
            column,
        },
        2 => Filter::Compare {
            op: ops[next(6)],
            value: value(next),
            column,
        },
        3 => Filter::IsNull {
            column,
            negated: next(2) == 0,
        },
        4 => Filter::Not(Box::new(random_filter(next, depth + 1))),
        5 => Filter::And(
            (0..=next(3))
                .map(|_| random_filter(next, depth + 1))
                .collect(),
        ),
        _ => Filter::Or(
            (0..=next(3))
                .map(|_| random_filter(next, depth + 1))
                .collect(),
        ),
    }
}

#[tokio::test]
async fn rows_are_shown_that_fulfil_the_condition_and_no_others() {
    let mut seed = 0x5eed_0007_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut rows: Vec<Row> = Vec::new();
    for canton in [None, Some("esch"), Some("diekirch"), Some("vianden")] {
        for income in [None, Some(0), Some(1000), Some(2000)] {
            rows.push((canton, income));
        }
    }
    let mut data = String::from("id,born,canton,income\n");
    for (at, (canton, income)) in rows.iter().enumerate() {
        let income = income.map(|income| income.to_string()).unwrap_or_default();
        data.push_str(&format!(
            "p{at},1980-01-01,{},{income}\n",
            canton.unwrap_or("")
        ));
    }
    for round in 0..200 {
        let filter = match round {
            // Taken for nothing that is not known, and its NOT for everything.
            0 => Filter::Not(Box::new(Filter::And(
                [0, 1000]
                    .map(|value| Filter::In {
                        column: "income".into(),
                        values: vec![Value::Int(value)],
                        negated: false,
                    })
                    .into(),
            ))),
            _ => random_filter(&mut next, 0),
        };
        let expected = rows
            .iter()
            .filter(|row| fulfils(&filter, **row) == Some(true))
            .count();
        let house = house(&data, Some(filter.clone()));
        let connection = house.connect_to(ID).await;
        let found = crate::rows(&connection, "SELECT id FROM people")
            .await
            .unwrap();
        let found: usize = found.iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(found, expected, "{filter:?}");
    }
}

//! Agreements under which differences between groups are watched, and sums that few persons may not make up.

use crate::{House, column, csv, rows};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use statement::terms::MaskKey;
use statement::{Aggregate, ColumnTerms, Database, Kind, Terms, Transform};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ID: &str = "0123456789abcdef";
const LEAST: u32 = 10;

fn rules() -> Aggregate {
    Aggregate {
        entity: "id".into(),
        min_group: LEAST,
        rounding: 1,
        dominance: None,
        differencing: true,
        privacy: None,
    }
}

/// Rows of person, day, income (or none).
type Visits = Vec<(u32, i64, Option<i64>)>;

fn house(rules: Aggregate, visits: &Visits) -> House {
    let house = House::new();
    house.road.state.lock().unwrap().watched = rules.min_group;
    let mut data = String::from("id,day,income\n");
    for (person, day, income) in visits {
        let income = income.map(|income| income.to_string()).unwrap_or_default();
        data.push_str(&format!("p{person},{day},{income}\n"));
    }
    let def = csv(
        "visits",
        vec![
            column("id", Kind::Text),
            column("day", Kind::Int64),
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
            of("day", Transform::Clear, true),
            of("income", Transform::Clear, false),
        ],
        rows: None,
        cohorts: rules.differencing.then_some(MaskKey([5; 32])),
        aggregate: Some(rules),
    };
    let object = house.road.object("visits/a.csv", data);
    house
        .road
        .hold(Database::Agreement(ID.into()), def, terms, vec![object]);
    house
}

/// One visit a day, each by another person.
fn one_a_day(persons: u32) -> Visits {
    (0..persons)
        .map(|person| (person, i64::from(person), Some(100)))
        .collect()
}

/// The first row's values; nothing where the group is left out.
async fn asked(connection: &Arc<sql::Connection>, query: &str) -> Option<Vec<Option<i64>>> {
    let answer = rows(connection, query).await.unwrap();
    let batch = answer.iter().find(|batch| batch.num_rows() > 0)?;
    let value = |column: usize| {
        let column = batch.column(column).as_primitive::<Int64Type>();
        column.iter().next().flatten()
    };
    Some((0..batch.num_columns()).map(value).collect())
}

#[tokio::test]
async fn a_group_that_is_nearly_another_is_not_shown_beside_it() {
    let house = house(rules(), &one_a_day(60));
    let connection = house.connect_to(ID).await;
    let ask = |condition: &str| {
        let query = format!("SELECT count(*), sum(income) FROM visits WHERE {condition}");
        let connection = Arc::clone(&connection);
        async move { asked(&connection, &query).await }
    };
    let both = |count: i64| Some(vec![Some(count), Some(count * 100)]);
    assert_eq!(ask("day < 40").await, both(40));
    for near in ["day < 39", "day < 31", "day < 49", "day >= 1 AND day < 40"] {
        assert_eq!(ask(near).await, None, "{near}");
    }
    // As many come as go, so that their number says nothing.
    assert_eq!(ask("day >= 4 AND day < 44").await, None);
    assert_eq!(ask("day < 40").await, both(40), "the same again");
    assert_eq!(ask("day < 30").await, both(30), "ten fewer");
    assert_eq!(
        ask("day >= 5 AND day < 45").await,
        both(40),
        "five and five"
    );
    // Neither another name for the column nor a query around it makes it another group.
    let renamed =
        "SELECT count(x), sum(x) FROM (SELECT income AS x, day AS d FROM visits) v WHERE d < 39";
    assert_eq!(asked(&connection, renamed).await, None);
    // In one statement as between two.
    let house = self::house(rules(), &one_a_day(60));
    let connection = house.connect_to(ID).await;
    let two = "SELECT count(*) FROM visits WHERE day < 40 UNION ALL SELECT count(*) FROM visits WHERE day < 39";
    let answer = rows(&connection, two).await.unwrap();
    let shown: usize = answer.iter().map(|batch| batch.num_rows()).sum();
    assert_eq!(shown, 1);
}

#[tokio::test]
async fn the_same_persons_with_another_row_are_another_group() {
    // Everybody came on day 0, and one of them on day 1 too.
    let mut visits: Visits = (0..20).map(|person| (person, 0, Some(100))).collect();
    visits.push((7, 1, Some(5)));
    let house = house(rules(), &visits);
    let connection = house.connect_to(ID).await;
    let sum = "SELECT sum(income) FROM visits WHERE day <= 1";
    assert_eq!(asked(&connection, sum).await, Some(vec![Some(2005)]));
    let without = "SELECT sum(income) FROM visits WHERE day <= 0";
    assert_eq!(asked(&connection, without).await, None);
}

#[tokio::test]
async fn whoever_has_no_value_does_not_hide_somebody_who_has() {
    // On day 1 came ten more, of whom nine have no income.
    let mut visits: Visits = (0..20).map(|person| (person, 0, Some(100))).collect();
    visits.extend((20..30).map(|person| (person, 1, (person == 20).then_some(777))));
    let house = house(rules(), &visits);
    let connection = house.connect_to(ID).await;
    let first = "SELECT count(*), sum(income) FROM visits WHERE day = 0";
    let answer = asked(&connection, first).await;
    assert_eq!(answer, Some(vec![Some(20), Some(2000)]));
    let both = "SELECT count(*), sum(income) FROM visits";
    let answer = asked(&connection, both).await;
    assert_eq!(
        answer,
        Some(vec![Some(30), None]),
        "ten more came, and one of them has an income"
    );
}

#[tokio::test]
async fn a_group_that_is_too_small_is_not_kept_either() {
    let house = house(rules(), &one_a_day(60));
    let connection = house.connect_to(ID).await;
    for days in [9, 5, 1] {
        let query = format!("SELECT count(*) FROM visits WHERE day < {days}");
        assert_eq!(asked(&connection, &query).await, None);
    }
    assert!(house.road.state.lock().unwrap().releases.is_empty());
    let query = "SELECT day / 1, count(*) FROM visits GROUP BY day";
    assert!(
        rows(&connection, query)
            .await
            .is_ok_and(|all| { all.iter().map(|batch| batch.num_rows()).sum::<usize>() == 0 })
    );
}

/// Many questions by somebody who looks for one person, each held against who was in the groups that were shown.
#[tokio::test]
async fn no_two_answers_differ_by_few_persons() {
    let mut seed = 0x5eed_u64;
    let mut next = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let visits: Visits = (0..300)
        .map(|_| {
            let income = (next(5) > 0).then(|| i64::try_from(next(1000)).unwrap());
            (
                u32::try_from(next(80)).unwrap(),
                i64::try_from(next(40)).unwrap(),
                income,
            )
        })
        .collect();
    let house = house(rules(), &visits);
    let connection = house.connect_to(ID).await;
    // By what is counted: the groups that were shown, each person with their rows.
    let mut shown: BTreeMap<&str, Vec<BTreeMap<u32, BTreeSet<usize>>>> = BTreeMap::new();
    let (mut answers, mut withheld) = (0, 0);
    for _ in 0..250 {
        let (from, to) = (next(40), next(44));
        let (from, to) = (
            i64::try_from(from.min(to)).unwrap(),
            i64::try_from(to).unwrap(),
        );
        let without = i64::try_from(next(40)).unwrap();
        let query = format!(
            "SELECT count(*), count(income) FROM visits WHERE day >= {from} AND day < {to} AND day <> {without}"
        );
        let group = |all: bool| {
            let mut group: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
            for (at, (person, day, income)) in visits.iter().enumerate() {
                let inside = *day >= from && *day < to && *day != without;
                if inside && (all || income.is_some()) {
                    group.entry(*person).or_default().insert(at);
                }
            }
            group
        };
        let answer = asked(&connection, &query).await;
        let of = [
            answer.as_ref().map(|answer| answer[0]),
            answer.as_ref().map(|answer| answer[1]),
        ];
        for (what, value, all) in [("*", of[0], true), ("income", of[1], false)] {
            let group = group(all);
            let count: usize = group.values().map(BTreeSet::len).sum();
            let Some(Some(value)) = value else {
                withheld += usize::from(group.len() >= LEAST as usize);
                continue;
            };
            answers += 1;
            assert_eq!(value, i64::try_from(count).unwrap(), "{query}");
            assert!(group.len() >= LEAST as usize, "{query}");
            let before = shown.entry(what).or_default();
            for other in before.iter() {
                let persons: BTreeSet<&u32> = group.keys().chain(other.keys()).collect();
                let differ = persons
                    .into_iter()
                    .filter(|person| group.get(person) != other.get(person))
                    .count();
                assert!(differ == 0 || differ >= LEAST as usize, "{query}: {differ}");
            }
            before.push(group);
        }
    }
    assert!(answers > 60 && withheld > 40, "{answers} {withheld}");
}

#[tokio::test]
async fn a_sum_that_few_make_up_is_not_shown() {
    let of = |largest: i64, dominance| {
        let mut visits = one_a_day(20);
        visits[3].2 = Some(largest);
        let rules = Aggregate {
            dominance,
            differencing: false,
            ..rules()
        };
        house(rules, &visits)
    };
    // The largest of 20 has 700 of 2,600, and with the next 800.
    let query = "SELECT count(*), sum(income), avg(income) FROM visits";
    let ask = |house: House| async move {
        let connection = house.connect_to(ID).await;
        let answer = rows(&connection, query).await.unwrap();
        let batch = answer.iter().find(|batch| batch.num_rows() > 0).unwrap();
        assert!(batch.column(0).is_valid(0), "their number is shown");
        assert_eq!(batch.column(1).is_valid(0), batch.column(2).is_valid(0));
        batch.column(1).is_valid(0)
    };
    assert!(ask(of(700, None)).await);
    assert!(ask(of(700, Some((1, 27)))).await);
    assert!(!ask(of(700, Some((1, 26)))).await);
    assert!(!ask(of(700, Some((2, 30)))).await && ask(of(700, Some((2, 31)))).await);
    assert!(!ask(of(-700, Some((1, 26)))).await, "a loss as a gain");
}

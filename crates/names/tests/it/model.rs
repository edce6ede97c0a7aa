//! Random histories of puts, deletes, folds, crashes and listings against a `BTreeMap`.

use crate::naive::{self, Model};
use crate::support::{BUCKET, Crash, Rig, cases, facts, key, run, tiny};
use names::ListQuery;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Put(String),
    Delete(String),
    Fold,
    Compact,
    CrashedFold(u64, bool, bool),
    Restart,
    Pass(u64),
    List {
        prefix: String,
        after: Option<String>,
        delimiter: Option<String>,
        max: usize,
    },
    Walk {
        delimiter: Option<String>,
        max: usize,
    },
}

/// Few letters, so that names meet, nest and share prefixes; some of more than one byte.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[ab/]{1,6}",
        2 => "[aé/日𝄞-]{1,5}",
        1 => "[ab/]{1,3}".prop_map(|start| format!("{start}{}", "x".repeat(900))),
    ]
}

fn delimiter() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        Just(Some("/".to_owned())),
        Just(Some("a/".to_owned())),
        Just(Some("é".to_owned())),
        Just(Some(String::new())),
        Just(Some("//".to_owned())),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let bit = any::<bool>();
    prop_oneof![
        12 => name().prop_map(Step::Put),
        6 => name().prop_map(Step::Delete),
        3 => Just(Step::Fold),
        1 => Just(Step::Compact),
        3 => (0_u64..24, bit, any::<bool>()).prop_map(|(at, told, whole)| Step::CrashedFold(at, told, whole)),
        1 => Just(Step::Restart),
        2 => (0_u64..1500).prop_map(Step::Pass),
        6 => ("[ab/é]{0,3}", proptest::option::of(name()), delimiter(), 0_usize..12)
            .prop_map(|(prefix, after, delimiter, max)| Step::List { prefix, after, delimiter, max }),
        1 => (delimiter(), 1_usize..6).prop_map(|(delimiter, max)| Step::Walk { delimiter, max }),
    ]
}

async fn check(rig: &Rig, model: &Model, query: &ListQuery) {
    let page = rig.index.list(&key(), BUCKET, query).await.unwrap();
    assert!(page == naive::list(model, query), "{query:?}");
}

async fn walk(rig: &Rig, model: &Model, delimiter: Option<String>, max: usize) {
    let found = rig
        .all(&ListQuery {
            delimiter: delimiter.clone(),
            max,
            ..ListQuery::default()
        })
        .await;
    let whole = naive::list(
        model,
        &ListQuery {
            delimiter,
            max: usize::MAX,
            ..ListQuery::default()
        },
    );
    assert!(found == whole.items);
}

async fn crashed_fold(rig: &mut Rig, at: u64, told: bool, whole: bool) {
    rig.engine
        .crash_at(at, if told { Crash::After } else { Crash::Before });
    let done = match whole {
        true => rig.index.compact(&key(), BUCKET).await,
        false => rig.index.fold(&key(), BUCKET).await,
    };
    let crashed = rig.restart();
    assert_eq!(done.is_err(), crashed, "{done:?}");
}

async fn play(steps: Vec<Step>) {
    let mut rig = Rig::new(tiny());
    let mut model = Model::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Put(name) => {
                let facts = facts(number as u64);
                rig.put(&name, &facts).await;
                model.insert(name, facts);
            }
            Step::Delete(name) => {
                rig.delete(&name).await;
                model.remove(&name);
            }
            Step::Fold => drop(rig.index.fold(&key(), BUCKET).await.unwrap()),
            Step::Compact => drop(rig.index.compact(&key(), BUCKET).await.unwrap()),
            Step::CrashedFold(at, told, whole) => crashed_fold(&mut rig, at, told, whole).await,
            Step::Restart => drop(rig.restart()),
            Step::Pass(millis) => rig.clock.pass(millis),
            Step::List {
                prefix,
                after,
                delimiter,
                max,
            } => {
                check(
                    &rig,
                    &model,
                    &ListQuery {
                        prefix,
                        after,
                        delimiter,
                        max,
                    },
                )
                .await;
            }
            Step::Walk { delimiter, max } => walk(&rig, &model, delimiter, max).await,
        }
    }
    finish(&rig, &model).await;
}

/// In the end everything folds into one run, and after the grace nothing else is left.
async fn finish(rig: &Rig, model: &Model) {
    walk(rig, model, None, 7).await;
    rig.index.compact(&key(), BUCKET).await.unwrap();
    rig.clock.pass(10_000);
    rig.index.fold(&key(), BUCKET).await.unwrap();
    walk(rig, model, None, 1000).await;
    assert_eq!(
        rig.index.is_empty(&key(), BUCKET).await.unwrap(),
        model.is_empty()
    );
    let rows = rig.rows().await;
    let deltas = rows
        .iter()
        .filter(|(key, _)| key.first() == Some(&b'D'))
        .count();
    assert_eq!(deltas, 0, "folded deltas are swept");
    if model.is_empty() {
        assert!(
            rows.len() <= 1,
            "only the manifest is left, not {} rows",
            rows.len()
        );
    }
}

proptest! {
    #![proptest_config(cases(300))]
    #[test]
    fn a_listing_is_what_a_sorted_map_says(steps in proptest::collection::vec(step(), 1..120)) {
        run(play(steps));
    }
}

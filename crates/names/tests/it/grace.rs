//! A listing sees one moment, whatever folds and sweeps do between its calls, even with no grace at all.

use crate::naive::{self, Model};
use crate::support::{BUCKET, Rig, facts, key, run, tiny};
use names::{ListQuery, Tuning};

async fn filled(rig: &Rig) -> Model {
    let mut model = Model::new();
    for number in 0..50_u64 {
        let name = format!("{}{number:03}", "n".repeat(80));
        rig.put(&name, &facts(number)).await;
        model.insert(name, facts(number));
        if number % 12 == 11 {
            rig.index.fold(&key(), BUCKET).await.unwrap();
        }
    }
    model
}

/// Before its `calls`-th read, a fold, a whole compaction and a sweep come between.
async fn interrupted(calls: u64, warm: bool, grace_ms: u64) {
    let mut rig = Rig::new(Tuning { grace_ms, ..tiny() });
    let model = filled(&rig).await;
    if !warm {
        rig.restart();
    }
    let other = rig.other();
    rig.engine.interrupt_at(calls, async move {
        other.fold(&key(), BUCKET).await.unwrap();
        other.compact(&key(), BUCKET).await.unwrap();
        other.fold(&key(), BUCKET).await.unwrap();
    });
    let query = ListQuery::under("");
    for _ in 0..2 {
        assert!(
            rig.index.list(&key(), BUCKET, &query).await.unwrap() == naive::list(&model, &query)
        );
    }
}

#[test]
fn a_fold_between_any_two_reads_changes_nothing() {
    run(async {
        for calls in 0..40 {
            for warm in [false, true] {
                for grace_ms in [0, 1_000_000] {
                    interrupted(calls, warm, grace_ms).await;
                }
            }
        }
    });
}

#[test]
fn a_put_between_any_two_reads_is_seen_whole_or_not_at_all() {
    run(async {
        for calls in 0..40 {
            let rig = std::sync::Arc::new(Rig::new(Tuning {
                grace_ms: 0,
                ..tiny()
            }));
            let before = filled(&rig).await;
            let mut after = before.clone();
            after.insert("new".to_owned(), facts(99));
            let between = std::sync::Arc::clone(&rig);
            rig.engine.interrupt_at(calls, async move {
                between.put("new", &facts(99)).await;
                between.other().fold(&key(), BUCKET).await.unwrap();
            });
            let query = ListQuery::under("");
            let page = rig.index.list(&key(), BUCKET, &query).await.unwrap();
            assert!(page == naive::list(&before, &query) || page == naive::list(&after, &query));
        }
    });
}

#[test]
fn folded_rows_stay_for_the_grace_and_no_longer() {
    run(async {
        let rig = Rig::new(tiny());
        filled(&rig).await;
        rig.index.compact(&key(), BUCKET).await.unwrap();
        let kept = rig.rows().await.len();
        rig.clock.pass(999);
        assert_eq!(rig.index.fold(&key(), BUCKET).await.unwrap().swept, 0);
        rig.clock.pass(1);
        assert!(rig.index.fold(&key(), BUCKET).await.unwrap().swept > 50);
        assert!(rig.rows().await.len() < kept);
        assert_eq!(
            rig.index.fold(&key(), BUCKET).await.unwrap(),
            names::FoldReport::default()
        );
    });
}

#[test]
fn a_cache_of_nothing_lists_the_same() {
    run(async {
        let rig = Rig::new(Tuning {
            cache_bytes: 0,
            ..tiny()
        });
        let model = filled(&rig).await;
        let query = ListQuery::under("");
        for _ in 0..3 {
            assert!(
                rig.index.list(&key(), BUCKET, &query).await.unwrap()
                    == naive::list(&model, &query)
            );
        }
        assert!(rig.index.cached_bytes() < 64 * 1024);
    });
}

#[test]
fn memory_stays_bounded_over_many_buckets() {
    run(async {
        let rig = Rig::new(Tuning {
            cache_bytes: 200_000,
            ..tiny()
        });
        for bucket in 0..200_u8 {
            let bucket = words::BucketId::from_bytes([bucket; 16]);
            for number in 0..20_u64 {
                let name =
                    words::ObjectKey::parse(&format!("{}{number}", "y".repeat(200))).unwrap();
                let salt = rig.host.random();
                rig.apply(vec![names::put_delta(
                    &key(),
                    bucket,
                    &name,
                    &facts(number),
                    salt,
                )])
                .await;
            }
            rig.index
                .list(&key(), bucket, &ListQuery::under(""))
                .await
                .unwrap();
            rig.index.fold(&key(), bucket).await.unwrap();
            rig.index
                .list(&key(), bucket, &ListQuery::under(""))
                .await
                .unwrap();
            assert!(rig.index.cached_bytes() <= 200_000);
        }
    });
}

//! A fold may stop at any commit: the listing stays right, and the next fold finishes and sweeps.

use crate::naive::{self, Model};
use crate::support::{BUCKET, Crash, Rig, facts, key, run, tiny};
use names::{ListQuery, NamesError};
use std::sync::atomic::Ordering;

async fn filled() -> (Rig, Model) {
    let rig = Rig::new(tiny());
    let mut model = Model::new();
    for round in 0..3_u64 {
        for number in 0..30_u64 {
            let name = format!("{}{:03}", "n".repeat(60), number * (round + 1) % 40);
            rig.put(&name, &facts(number + round)).await;
            model.insert(name, facts(number + round));
        }
        if round < 2 {
            rig.index.fold(&key(), BUCKET).await.unwrap();
        }
    }
    let gone = format!("{}{:03}", "n".repeat(60), 2);
    rig.delete(&gone).await;
    model.remove(&gone);
    (rig, model)
}

async fn assert_right(rig: &Rig, model: &Model) {
    let page = rig
        .index
        .list(&key(), BUCKET, &ListQuery::under(""))
        .await
        .unwrap();
    assert!(page == naive::list(model, &ListQuery::under("")));
}

#[test]
fn a_crash_at_every_single_commit_leaves_a_right_listing() {
    run(async {
        for how in [Crash::Before, Crash::After] {
            let mut at = 0;
            loop {
                let (mut rig, model) = filled().await;
                rig.clock.pass(5000);
                rig.engine.crash_at(at, how);
                let done = rig.index.fold(&key(), BUCKET).await;
                let crashed = rig.restart();
                assert_right(&rig, &model).await;
                rig.index.fold(&key(), BUCKET).await.unwrap();
                assert_right(&rig, &model).await;
                rig.clock.pass(5000);
                rig.index.compact(&key(), BUCKET).await.unwrap();
                rig.clock.pass(5000);
                rig.index.fold(&key(), BUCKET).await.unwrap();
                rig.restart();
                assert_right(&rig, &model).await;
                assert_no_orphans(&rig).await;
                if !crashed {
                    assert!(done.is_ok() && at > 20, "{at} commits");
                    break;
                }
                at += 1;
            }
        }
    });
}

#[test]
fn an_unknown_outcome_is_looked_up_and_never_guessed() {
    run(async {
        for how in [Crash::Lost, Crash::Untold] {
            for at in 0..60 {
                let (mut rig, model) = filled().await;
                rig.clock.pass(5000);
                rig.engine.crash_at(at, how);
                let before = rig.engine.commits.load(Ordering::Relaxed);
                let done = rig.index.fold(&key(), BUCKET).await;
                let reached = rig.engine.commits.load(Ordering::Relaxed) - before > at;
                match how {
                    Crash::Lost if reached => {
                        assert!(matches!(done, Err(NamesError::Commit { .. })))
                    }
                    _ => assert!(done.is_ok(), "{done:?}"),
                }
                assert_right(&rig, &model).await;
                rig.restart();
                rig.index.compact(&key(), BUCKET).await.unwrap();
                assert_right(&rig, &model).await;
                rig.clock.pass(5000);
                rig.index.fold(&key(), BUCKET).await.unwrap();
                assert_right(&rig, &model).await;
                assert_no_orphans(&rig).await;
            }
        }
    });
}

/// One manifest and the rows of one run.
async fn assert_no_orphans(rig: &Rig) {
    let rows = rig.rows().await;
    let mut runs: Vec<_> = rows
        .iter()
        .filter(|(key, _)| key[17] != 0)
        .map(|(key, _)| &key[18..34])
        .collect();
    runs.sort_unstable();
    runs.dedup();
    assert_eq!(runs.len(), 1);
    assert!(rows.iter().all(|(key, _)| key[0] == b'N'));
}

#[test]
fn an_overtaken_worker_writes_nothing_more() {
    run(async {
        let (rig, model) = filled().await;
        let mut taken_over = 0;
        for calls in 0..60 {
            for number in 0..8 {
                rig.put(&format!("{}{number:03}", "n".repeat(60)), &facts(number))
                    .await;
            }
            let other = rig.other();
            rig.engine.interrupt_at(calls, async move {
                other.fold(&key(), BUCKET).await.unwrap();
            });
            match rig.index.fold(&key(), BUCKET).await {
                Ok(_) => {}
                Err(NamesError::TakenOver { .. }) => taken_over += 1,
                Err(other) => panic!("{other}"),
            }
            rig.clock.pass(700);
        }
        assert!(taken_over > 0);
        let mut model = model;
        for number in 0..8 {
            model.insert(format!("{}{number:03}", "n".repeat(60)), facts(number));
        }
        assert_right(&rig, &model).await;
        rig.index.compact(&key(), BUCKET).await.unwrap();
        rig.clock.pass(5000);
        rig.index.fold(&key(), BUCKET).await.unwrap();
        assert_right(&rig, &model).await;
        assert_no_orphans(&rig).await;
    });
}

#[test]
fn a_deleted_bucket_leaves_no_row() {
    run(async {
        let (rig, _) = filled().await;
        loop {
            let slice = rig.index.erase_bucket(BUCKET).await.unwrap();
            assert!(slice.len() <= words::limits::COMMIT_MUTATIONS_MAX);
            if slice.is_empty() {
                break;
            }
            rig.apply(slice).await;
        }
        assert!(rig.rows().await.is_empty());
        assert!(rig.index.is_empty(&key(), BUCKET).await.unwrap());
    });
}

//! Writers, listings and folds at the same time.

use crate::naive::{self, Model};
use crate::support::{BUCKET, Rig, facts, key, run, tiny};
use names::{ListItem, ListQuery, Tuning};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn name(number: u64) -> String {
    format!("{:03}/{number:06}-{}", number * 7 % 20, "z".repeat(60))
}

/// Every name that was acknowledged before a listing began is on it, once, in order.
async fn list_while(rig: &Rig, acknowledged: &[AtomicU64], stop: &AtomicBool) -> u64 {
    let mut listings = 0;
    while !stop.load(Ordering::Relaxed) {
        let known: Vec<u64> = acknowledged
            .iter()
            .map(|known| known.load(Ordering::SeqCst))
            .collect();
        let found: Vec<String> = rig
            .all(&ListQuery::under(""))
            .await
            .into_iter()
            .map(|item| match item {
                ListItem::Object { name, .. } => name.as_str().to_owned(),
                ListItem::Prefix(_) => panic!("no delimiter was asked for"),
            })
            .collect();
        assert!(found.is_sorted_by(|left, right| left < right));
        for (writer, known) in known.into_iter().enumerate() {
            for number in 0..known {
                let name = name(number * acknowledged.len() as u64 + writer as u64);
                assert!(
                    found.binary_search(&name).is_ok(),
                    "an acknowledged name is missing"
                );
            }
        }
        listings += 1;
        tokio::task::yield_now().await;
    }
    listings
}

#[test]
fn no_acknowledged_name_is_missing_while_folds_and_sweeps_run() {
    const EACH: u64 = 600;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    runtime.block_on(async {
        let tuning = Tuning {
            grace_ms: 0,
            fold_deltas_max: 100,
            pending_refresh_ms: 0,
            ..tiny()
        };
        let rig = Arc::new(Rig::new(tuning));
        let acknowledged: Arc<[AtomicU64]> = (0..3).map(|_| AtomicU64::new(0)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3_u64)
            .map(|writer| {
                let (rig, acknowledged) = (Arc::clone(&rig), Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    for number in 0..EACH {
                        rig.put(&name(number * 3 + writer), &facts(number)).await;
                        acknowledged[usize::try_from(writer).unwrap()]
                            .store(number + 1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let folder = {
            let (rig, stop) = (Arc::clone(&rig), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    rig.index.fold(&key(), BUCKET).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        };
        let listers: Vec<_> = (0..2)
            .map(|_| {
                let (rig, stop) = (Arc::clone(&rig), Arc::clone(&stop));
                let acknowledged = Arc::clone(&acknowledged);
                tokio::spawn(async move { list_while(&rig, &acknowledged, &stop).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        folder.await.unwrap();
        for lister in listers {
            assert!(lister.await.unwrap() > 0);
        }
        assert_eq!(rig.all(&ListQuery::under("")).await.len() as u64, 3 * EACH);
    });
}

#[test]
fn deltas_are_folded_beside_a_long_merge() {
    run(async {
        let mut beside = 0;
        for calls in 0..80 {
            let tuning = Tuning {
                fold_deltas_max: 120,
                pending_max: 10_000,
                pending_refresh_ms: 0,
                ..tiny()
            };
            let rig = Arc::new(Rig::new(tuning));
            let mut model = Model::new();
            for number in 0..240 {
                rig.put(&name(number), &facts(number)).await;
                model.insert(name(number), facts(number));
            }
            for number in 300..420 {
                model.insert(name(number), facts(number));
            }
            let written = Arc::new(AtomicBool::new(false));
            let (writer, flag) = (Arc::clone(&rig), Arc::clone(&written));
            rig.engine.interrupt_at(calls, async move {
                for number in 300..420 {
                    writer.put(&name(number), &facts(number)).await;
                }
                flag.store(true, Ordering::Relaxed);
            });
            let report = rig.index.fold(&key(), BUCKET).await.unwrap();
            beside += u64::from(report.deltas == 360);
            rig.index.compact(&key(), BUCKET).await.unwrap();
            if !written.load(Ordering::Relaxed) {
                break;
            }
            let found = rig.all(&ListQuery::under("")).await;
            let all = ListQuery {
                max: usize::MAX,
                ..ListQuery::default()
            };
            assert!(found == naive::list(&model, &all).items);
        }
        assert!(beside > 0);
    });
}

//! Back-pressure: the count of waiting deltas is right, bounded, and cheap.

use crate::support::{BUCKET, Rig, facts, key, run, tiny};
use names::Tuning;

async fn put(rig: &Rig, from: u64, upto: u64) {
    for number in from..upto {
        rig.put(&format!("{number:06}"), &facts(number)).await;
    }
}

#[test]
fn waiting_deltas_are_counted_and_folds_take_them_off() {
    run(async {
        let rig = Rig::new(Tuning {
            fold_deltas_max: 700,
            pending_max: 3000,
            ..tiny()
        });
        assert_eq!(rig.index.pending(&key(), BUCKET).await.unwrap().deltas, 0);
        put(&rig, 0, 1500).await;
        assert_eq!(
            rig.index.pending(&key(), BUCKET).await.unwrap().deltas,
            0,
            "believed for a while"
        );
        rig.clock.pass(20);
        let pending = rig.index.pending(&key(), BUCKET).await.unwrap();
        assert!(pending.deltas == 1500 && pending.due && !pending.full);
        put(&rig, 1500, 3100).await;
        rig.clock.pass(20);
        assert!(rig.index.pending(&key(), BUCKET).await.unwrap().full);
        rig.index.fold(&key(), BUCKET).await.unwrap();
        let pending = rig.index.pending(&key(), BUCKET).await.unwrap();
        assert!(pending.deltas == 0 && !pending.full && !pending.due);
    });
}

#[test]
fn another_nodes_fold_is_noticed() {
    run(async {
        let rig = Rig::new(Tuning {
            fold_deltas_max: 700,
            pending_max: 3000,
            ..tiny()
        });
        put(&rig, 0, 1000).await;
        assert_eq!(
            rig.index.pending(&key(), BUCKET).await.unwrap().deltas,
            1000
        );
        rig.other().fold(&key(), BUCKET).await.unwrap();
        put(&rig, 1000, 1100).await;
        rig.clock.pass(20);
        assert_eq!(rig.index.pending(&key(), BUCKET).await.unwrap().deltas, 100);
    });
}

#[test]
fn what_a_fold_leaves_to_be_swept_is_due_after_the_grace() {
    run(async {
        let rig = Rig::new(tiny());
        put(&rig, 0, 20).await;
        assert!(rig.index.fold(&key(), BUCKET).await.unwrap().more);
        let pending = rig.index.pending(&key(), BUCKET).await.unwrap();
        assert!(pending.deltas == 0 && pending.unswept && !pending.due);
        rig.clock.pass(1000);
        assert!(rig.index.pending(&key(), BUCKET).await.unwrap().due);
        assert!(!rig.index.fold(&key(), BUCKET).await.unwrap().more);
        let pending = rig.index.pending(&key(), BUCKET).await.unwrap();
        assert!(!pending.unswept && !pending.due);
    });
}

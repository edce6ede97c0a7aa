//! Conditional writes at the same moment: exactly one wins.

use crate::rig::{Rig, bytes, key};
use futures::future::join_all;
use sim::world::Setup;
use store::StoreError;
use store::api::{Conditions, EtagMatch};
use vault::SitePolicy;

const AT_ONCE: u64 = 50;

fn slow(seed: u64) -> Setup {
    Setup {
        seed,
        policy: SitePolicy::Available,
        slow: true,
        tuning: None,
    }
}

async fn race(rig: &Rig, size: usize, conditions: Conditions) -> u64 {
    let attempts = (0..AT_ONCE).map(|n| {
        let conditions = conditions.clone();
        async move {
            rig.client
                .put_if(
                    &rig.node,
                    &rig.bucket,
                    &key("one"),
                    &bytes(size, 100 + n),
                    conditions,
                )
                .await
        }
    });
    let mut winners = Vec::new();
    for (n, outcome) in (0..).zip(join_all(attempts).await) {
        match outcome {
            Ok(_) => winners.push(n),
            Err(StoreError::PreconditionFailed(_) | StoreError::ConditionalConflict) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let [winner] = winners.as_slice() else {
        panic!("{winners:?} won")
    };
    assert!(
        rig.get("one").await == bytes(size, 100 + winner),
        "the winner's bytes are there"
    );
    *winner
}

#[tokio::test(start_paused = true)]
async fn of_fifty_creators_one_wins() {
    for (seed, size) in [(1, 100), (2, 40_000), (3, 100), (4, 40_000)] {
        let rig = Rig::open(slow(seed)).await;
        let create = Conditions {
            if_none_match: Some(EtagMatch::Any),
            ..Conditions::default()
        };
        race(&rig, size, create).await;
        let chunks = usize::from(size > 32 * 1024);
        assert_eq!(rig.chunks(), [chunks; 2], "the losers' bytes are gone");
    }
}

#[tokio::test(start_paused = true)]
async fn of_fifty_compare_and_swaps_one_wins() {
    for (seed, size) in [(5, 100), (6, 40_000), (7, 100), (8, 40_000)] {
        let rig = Rig::open(slow(seed)).await;
        let etag = rig.put("one", &bytes(size, 1)).await.etag;
        let swap = Conditions {
            if_match: Some(EtagMatch::OneOf(vec![etag])),
            ..Conditions::default()
        };
        race(&rig, size, swap).await;
    }
}

#[tokio::test(start_paused = true)]
async fn writers_without_conditions_all_succeed() {
    let rig = Rig::open(slow(9)).await;
    let writes = (0..AT_ONCE).map(|n| {
        let rig = &rig;
        async move { rig.put("one", &bytes(50, n)).await }
    });
    assert_eq!(join_all(writes).await.len(), AT_ONCE as usize);
    assert_eq!(rig.rows(b'O').await, 1);
    let asked = store::api::ListAsked {
        max: 10,
        ..Default::default()
    };
    let page = rig
        .node
        .store
        .list_objects(rig.caller("GET").await, &rig.bucket, asked)
        .await
        .unwrap();
    let info = rig
        .client
        .head(&rig.node, &rig.bucket, &key("one"))
        .await
        .unwrap();
    assert_eq!(page.objects[0].etag, info.etag, "index and row agree");
}

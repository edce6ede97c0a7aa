//! Commits whose outcome is not known: looked up by their op, never done twice, never claimed without proof.

use crate::rig::{Rig, bytes, key};
use catalog::Mutation;
use catalog::memory::Fault;
use ledger::Kind;
use store::StoreError;

/// The next commits that write or delete an object's row meet this fault.
fn order(rig: &Rig, fault: Fault) {
    rig.world.disks.catalog.set_hook(Some(Box::new(move |commit| {
        let object = |m: &Mutation| matches!(m, Mutation::Put { key, .. } | Mutation::Delete { key } if key.first() == Some(&b'O'));
        if commit.mutations.iter().any(object) { fault } else { Fault::None }
    })));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_looked_up() {
    let rig = Rig::quick().await;
    for size in [10, 40_000] {
        let from = rig.next_index().await;
        order(&rig, Fault::LostAfter);
        rig.put("doc", &bytes(size, 1)).await;
        rig.client
            .delete(&rig.node, &rig.bucket, &key("doc"))
            .await
            .unwrap();
        rig.put("doc", &bytes(size, 2)).await;
        assert!(rig.get("doc").await == bytes(size, 2));
        assert_eq!(
            (
                rig.count(from, Kind::Write).await,
                rig.count(from, Kind::Delete).await
            ),
            (2, 1),
            "each once"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_was_lost_is_not_claimed() {
    let rig = Rig::quick().await;
    rig.put("doc", &bytes(40_000, 1)).await;
    let from = rig.next_index().await;
    order(&rig, Fault::LostBefore);
    let put = rig
        .client
        .put(&rig.node, &rig.bucket, &key("doc"), &bytes(40_000, 2))
        .await;
    assert!(matches!(put, Err(StoreError::Unknown(_))));
    let delete = rig.client.delete(&rig.node, &rig.bucket, &key("doc")).await;
    assert!(matches!(delete, Err(StoreError::Unknown(_))));
    rig.world.disks.catalog.set_hook(None);
    assert!(rig.get("doc").await == bytes(40_000, 1));
    assert_eq!(
        (
            rig.count(from, Kind::Write).await,
            rig.count(from, Kind::Delete).await
        ),
        (0, 0)
    );
    assert_eq!(
        rig.chunks(),
        [2, 2],
        "what may have taken effect keeps its bytes until it is known to be an orphan"
    );
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_was_refused_leaves_nothing() {
    let rig = Rig::quick().await;
    order(&rig, Fault::Refuse);
    let put = rig
        .client
        .put(&rig.node, &rig.bucket, &key("doc"), &bytes(40_000, 2))
        .await;
    assert!(matches!(put, Err(StoreError::Internal(_))));
    assert_eq!((rig.chunks(), rig.rows(b'O').await), ([0, 0], 0));
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_cannot_be_recorded_releases_nothing() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    for fault in [Fault::Refuse, Fault::LostBefore, Fault::LostAfter] {
        rig.world
            .disks
            .catalog
            .set_hook(Some(Box::new(move |_| fault)));
        assert!(
            rig.client
                .get(&rig.node, &rig.bucket, &key("doc"), None)
                .await
                .is_err()
        );
        assert!(
            rig.client
                .head(&rig.node, &rig.bucket, &key("doc"))
                .await
                .is_err()
        );
    }
    rig.world.disks.catalog.set_hook(None);
    rig.world
        .disks
        .catalog
        .set_reads_failing(Some("no copy".into()));
    assert!(
        rig.client
            .get(&rig.node, &rig.bucket, &key("doc"), None)
            .await
            .is_err()
    );
    rig.world.disks.catalog.set_reads_failing(None);
    assert_eq!(rig.get("doc").await, b"text");
}

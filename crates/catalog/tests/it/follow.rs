//! A twin of the catalog elsewhere: everything of a moment and what followed gives the same catalog again.

use crate::world::{CLOUD, World, all_rows, commit, committed, delete, entry, put, put_one};
use catalog::embedded::follow::{FollowError, Followed, Reached};
use catalog::{Commit, Embedded, Engine};

async fn everything(engine: &Embedded) -> (Vec<(Vec<u8>, Option<Vec<u8>>)>, Reached) {
    let mut everything = engine.everything().unwrap();
    let mut all = Vec::new();
    loop {
        let (rest, rows) = everything.next(50).await.unwrap();
        everything = rest;
        if rows.is_empty() {
            return (all, everything.reached().clone());
        }
        all.extend(rows);
    }
}

async fn fill(engine: &Embedded, from: u8) {
    for number in from..from + 10 {
        put_one(engine, &[b'T', number], &[number; 100]).await;
        let entries = vec![entry(&format!("entry {number}"))];
        let changes = vec![put(b"Tsame", &[number]), put(&[b'X', number], b"x")];
        committed(
            engine
                .commit(Commit {
                    entries,
                    ..commit(vec![], changes)
                })
                .await,
        );
        committed(
            engine
                .commit(commit(vec![], vec![delete(&[b'X', number])]))
                .await,
        );
    }
}

fn follow_to_the_end(engine: &Embedded, mut after: u64, bytes: usize) -> Vec<Followed> {
    let mut all = Vec::new();
    while let Some(followed) = engine.follow(after, bytes).unwrap() {
        assert_eq!(followed.after, after);
        after = followed.reached.seq;
        all.push(followed);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_that_follows_is_the_catalog_again() {
    let home = World::new();
    let (engine, _) = home.open();
    fill(&engine, 0).await;
    let (copy, at) = everything(&engine).await;
    assert_eq!(engine.chain_at(at.seq).unwrap(), Some(at.chain));
    assert!(engine.follow(at.seq, 1000).unwrap().is_none());
    fill(&engine, 100).await;
    let segments = follow_to_the_end(&engine, at.seq, 500);
    assert!(segments.len() > 2, "it is cut into pieces");
    assert!(segments.last().unwrap().settled && !segments[0].settled);
    let mut chain = at.chain;
    for segment in &segments {
        assert_eq!(segment.before, chain);
        chain = segment.reached.chain;
    }

    let twin = World::new();
    for site in words::SiteId::BOTH {
        host::files::remove_tree(&twin.site(site).join("catalog")).unwrap();
    }
    let folders = words::SiteId::BOTH.map(|site| twin.site(site));
    let import = Embedded::import([&folders[0], &folders[1]], CLOUD, &twin.options).unwrap();
    import.write(&copy).unwrap();
    for segment in &segments {
        import.write(&segment.rows).unwrap();
    }
    import.finish(&segments.last().unwrap().reached).unwrap();
    let (again, _) = twin.open();
    assert_eq!(all_rows(&again).await, all_rows(&engine).await);
    // It goes on where the other one ended.
    let (a, b) = (
        put_one(&engine, b"Tn", b"1").await,
        put_one(&again, b"Tn", b"1").await,
    );
    assert_eq!(a.version(), b.version());
    again.shutdown().await;
    let (reopened, _) = twin.open();
    assert_eq!(all_rows(&reopened).await, all_rows(&engine).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_whole_does_not_become_a_catalog() {
    let home = World::new();
    let (engine, _) = home.open();
    fill(&engine, 0).await;
    let (copy, at) = everything(&engine).await;
    let import = |folder: &World| {
        for site in words::SiteId::BOTH {
            host::files::remove_tree(&folder.site(site).join("catalog")).unwrap();
        }
        let folders = words::SiteId::BOTH.map(|site| folder.site(site));
        Embedded::import([&folders[0], &folders[1]], CLOUD, &folder.options).unwrap()
    };
    let flipped = World::new();
    let begun = import(&flipped);
    let mut bad = copy.clone();
    *bad[3].1.as_mut().unwrap().last_mut().unwrap() ^= 1;
    assert!(begun.write(&bad).is_err(), "a row whose check does not fit");
    drop(begun);
    let tenure = flipped.start().unwrap();
    assert!(flipped.open_with(&tenure).is_err(), "it was never finished");
    let short = World::new();
    let begun = import(&short);
    let ledger = copy.iter().rposition(|(key, _)| key[0] == b'L').unwrap();
    let mut lacking = copy.clone();
    lacking.remove(ledger);
    begun.write(&lacking).unwrap();
    assert!(begun.finish(&at).is_err(), "a ledger row is missing");
    let own = vec![(vec![0, b'j', 1], Some(vec![0; 20]))];
    assert!(
        import(&World::new()).write(&own).is_err(),
        "the engine's own rows"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_too_far_back_or_ahead_is_told() {
    let world = World::new();
    let (engine, _) = world.open();
    fill(&engine, 0).await;
    let head = engine.head().unwrap();
    assert!(matches!(
        engine.follow(0, 10),
        Err(FollowError::TooFarBack(0))
    ));
    assert!(matches!(
        engine.follow(head + 1, 10),
        Err(FollowError::Ahead { .. })
    ));
    assert_eq!(engine.chain_at(head + 1).unwrap(), None);
}

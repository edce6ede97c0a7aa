//! One suite for every store. A store that is added later is added to `support::stores`; that of the room `s3` runs
//! this file from there.

use crate::support::{id, noise, put, sealed, stores};
use chunks::{Cause, ChunkError, ChunkStore};
use words::ChunkId;

#[tokio::test]
async fn every_store_conforms() {
    let (_guard, stores) = stores().await;
    for (name, store) in stores {
        println!("{name}");
        what_was_finished_is_there(&*store).await;
        ranges_are_exact(&*store).await;
        what_was_not_finished_is_not_served(&*store).await;
        names_are_taken_once(&*store).await;
        a_copy_replaces_whole(&*store).await;
        deleting_is_repeatable(&*store).await;
        listing_goes_in_order(&*store).await;
        a_store_that_is_well_says_so(&*store).await;
    }
}

async fn what_was_finished_is_there(store: &dyn ChunkStore) {
    // Shorter and longer than any buffer of the stores, in one piece and in many.
    for (n, lengths) in [
        vec![1],
        vec![16_400; 5],
        vec![1_049_600; 9],
        vec![300_000, 1, 700_000],
    ]
    .iter()
    .enumerate()
    {
        let id = id(1, u8::try_from(n).unwrap());
        let whole = noise(n as u64, lengths.iter().sum());
        let mut rest = whole.as_slice();
        let mut writer = store.create(id).await.unwrap();
        for length in lengths {
            let (piece, after) = rest.split_at(*length);
            writer.append(&sealed(piece.to_vec())).await.unwrap();
            rest = after;
        }
        writer.finish().await.unwrap();
        assert_eq!(
            store.stat(id).await.unwrap().unwrap().bytes,
            whole.len() as u64
        );
        assert_eq!(store.read(id, 0, whole.len()).await.unwrap(), whole);
    }
}

async fn ranges_are_exact(store: &dyn ChunkStore) {
    let id = id(2, 0);
    let whole = noise(2, 200_000);
    put(store, id, &[&whole]).await.unwrap();
    for (offset, length) in [
        (0, 0),
        (0, 1),
        (199_999, 1),
        (16_400, 16_400),
        (0, 200_000),
        (100, 65_536),
        (5, 65_537),
    ] {
        let bytes = store.read(id, offset, length).await.unwrap();
        let start = usize::try_from(offset).unwrap();
        assert_eq!(bytes, whole[start..start + length], "{offset}+{length}");
    }
    for (offset, length) in [(199_999, 2), (200_001, 1), (0, 200_001), (u64::MAX, 1)] {
        let error = store.read(id, offset, length).await.unwrap_err();
        assert_eq!(error.cause(), Cause::Chunk, "{offset}+{length}: {error}");
    }
}

async fn what_was_not_finished_is_not_served(store: &dyn ChunkStore) {
    let (absent, given_up, dropped) = (id(3, 0), id(3, 1), id(3, 2));
    assert!(matches!(
        store.read(absent, 0, 1).await,
        Err(ChunkError::Missing { .. })
    ));
    assert_eq!(store.stat(absent).await.unwrap(), None);
    let mut writer = store.create(given_up).await.unwrap();
    writer.append(&sealed(noise(3, 3_000_000))).await.unwrap();
    writer.abandon().await;
    assert_eq!(store.stat(given_up).await.unwrap(), None);
    let mut writer = store.create(dropped).await.unwrap();
    writer.append(&sealed(noise(3, 3_000_000))).await.unwrap();
    drop(writer);
    for _ in 0..200 {
        if store.stat(dropped).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("a dropped writer's chunk stays");
}

async fn names_are_taken_once(store: &dyn ChunkStore) {
    let id = id(4, 0);
    put(store, id, &[b"first"]).await.unwrap();
    assert!(matches!(
        put(store, id, &[b"second"]).await,
        Err(ChunkError::Exists { .. })
    ));
    // Nor may the writer that was refused take the first one's bytes away.
    let mut refused = store.create(id).await.unwrap();
    let _ = refused.append(&sealed(noise(4, 2_000_000))).await;
    refused.abandon().await;
    assert_eq!(store.read(id, 0, 5).await.unwrap(), &b"first"[..]);
}

async fn a_copy_replaces_whole(store: &dyn ChunkStore) {
    let id = id(5, 0);
    put(store, id, &[b"damaged"]).await.unwrap();
    let mut copy = store.replace(id).await.unwrap();
    copy.append(&sealed(b"who".to_vec())).await.unwrap();
    assert_eq!(store.read(id, 0, 7).await.unwrap(), &b"damaged"[..]);
    copy.append(&sealed(b"le".to_vec())).await.unwrap();
    copy.finish().await.unwrap();
    assert_eq!(store.read(id, 0, 5).await.unwrap(), &b"whole"[..]);
    assert_eq!(store.stat(id).await.unwrap().unwrap().bytes, 5);
    let mut copy = store.replace(id).await.unwrap();
    copy.append(&sealed(noise(5, 2_000_000))).await.unwrap();
    copy.abandon().await;
    assert_eq!(store.read(id, 0, 5).await.unwrap(), &b"whole"[..]);
    // Also where there was nothing.
    let absent = crate::support::id(5, 1);
    let mut copy = store.replace(absent).await.unwrap();
    copy.append(&sealed(b"new".to_vec())).await.unwrap();
    copy.finish().await.unwrap();
    assert_eq!(store.read(absent, 0, 3).await.unwrap(), &b"new"[..]);
}

async fn deleting_is_repeatable(store: &dyn ChunkStore) {
    let id = id(6, 0);
    put(store, id, &[b"gone"]).await.unwrap();
    store.delete(id).await.unwrap();
    store.delete(id).await.unwrap();
    assert_eq!(store.stat(id).await.unwrap(), None);
    assert!(matches!(
        store.read(id, 0, 1).await,
        Err(ChunkError::Missing { .. })
    ));
}

async fn listing_goes_in_order(store: &dyn ChunkStore) {
    let mut ids: Vec<ChunkId> = (0..40).map(|n| id(200 + n % 7, n)).collect();
    for id in &ids {
        put(store, *id, &[b"x"]).await.unwrap();
    }
    ids.sort_unstable();
    let first = id(199, 255);
    for limit in [1, 7, 40, 1000] {
        let mut found = Vec::new();
        let mut after = Some(first);
        loop {
            let page = store.list(after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some((last, stat)) = page.last() else {
                break;
            };
            assert_eq!(stat.bytes, 1);
            after = Some(*last);
            found.extend(page.into_iter().map(|(id, _)| id));
        }
        assert_eq!(found, ids, "limit {limit}");
    }
    assert!(store.list(None, 1).await.unwrap()[0].0 < first);
    assert!(store.list(None, 0).await.unwrap().is_empty());
}

async fn a_store_that_is_well_says_so(store: &dyn ChunkStore) {
    let before = store.list(None, 1000).await.unwrap();
    store.probe().await.unwrap();
    // Being taken into use again does not disturb what is under way.
    let mut copy = store.replace(id(7, 0)).await.unwrap();
    copy.append(&sealed(noise(7, 2_000_000))).await.unwrap();
    store.adopt().await.unwrap();
    copy.finish().await.unwrap();
    store.delete(id(7, 0)).await.unwrap();
    assert_eq!(store.list(None, 1000).await.unwrap(), before);
}

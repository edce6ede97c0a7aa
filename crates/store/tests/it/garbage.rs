//! Chunks that nobody needs any more go after the grace for readers, and not before; nothing else goes.

use crate::rig::{MIB, Rig, bucket, bytes, key};
use store::StoreError;
use store::api::UploadAsked;
use words::SiteId;
use words::limits::CHUNK_GRACE_MS;

async fn swept(rig: &Rig) -> u64 {
    rig.node.store.sweep().await.unwrap().chunks
}

#[tokio::test(start_paused = true)]
async fn what_was_overwritten_or_deleted_goes_after_the_grace() {
    let rig = Rig::quick().await;
    rig.put("doc", &bytes(20 * MIB, 1)).await;
    rig.put("doc", &bytes(9 * MIB, 2)).await;
    assert_eq!(rig.chunks(), [5, 5]);
    rig.skip(CHUNK_GRACE_MS - 60_000);
    assert_eq!(
        (swept(&rig).await, rig.chunks()),
        (0, [5, 5]),
        "readers may still be on it"
    );
    rig.skip(61_000);
    assert_eq!((swept(&rig).await, rig.chunks()), (3, [2, 2]));
    assert!(rig.get("doc").await == bytes(9 * MIB, 2));
    rig.client
        .delete(&rig.node, &rig.bucket, &key("doc"))
        .await
        .unwrap();
    assert_eq!((swept(&rig).await, rig.chunks()), (0, [2, 2]));
    rig.skip(CHUNK_GRACE_MS + 1);
    assert_eq!((swept(&rig).await, rig.chunks()), (2, [0, 0]));
    assert_eq!(rig.rows(b'G').await, 0);
    assert_eq!(rig.node.store.sweep().await.unwrap().rows, 0);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_lay_in_its_row_leaves_no_garbage() {
    let rig = Rig::quick().await;
    rig.put("doc", b"one").await;
    rig.put("doc", b"two").await;
    rig.client
        .delete(&rig.node, &rig.bucket, &key("doc"))
        .await
        .unwrap();
    assert_eq!(rig.rows(b'G').await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_bucket_leaves_nothing() {
    let rig = Rig::quick().await;
    let left = bucket("left-over");
    rig.client.create_bucket(&rig.node, &left).await.unwrap();
    rig.client
        .put(&rig.node, &left, &key("doc"), b"text")
        .await
        .unwrap();
    let ask = || rig.client.ask(&rig.node, "POST", &left);
    let store = &rig.node.store;
    let upload = store
        .create_upload(
            ask().await.unwrap(),
            &left,
            &key("big"),
            UploadAsked::default(),
        )
        .await
        .unwrap();
    let part = bytes(5 * MIB, 1);
    let asked = sim::client::put_asked(part.len() as u64);
    store
        .upload_part(
            ask().await.unwrap(),
            &left,
            &key("big"),
            upload,
            1,
            asked,
            sim::client::body(&part),
        )
        .await
        .unwrap();
    assert!(matches!(
        store.delete_bucket(ask().await.unwrap(), &left).await,
        Err(StoreError::BucketNotEmpty)
    ));
    rig.client
        .delete(&rig.node, &left, &key("doc"))
        .await
        .unwrap();
    store
        .delete_bucket(ask().await.unwrap(), &left)
        .await
        .unwrap();
    assert!(matches!(
        rig.client.get(&rig.node, &left, &key("doc"), None).await,
        Err(StoreError::NoSuchBucket)
    ));
    rig.skip(CHUNK_GRACE_MS + 1);
    assert_eq!((swept(&rig).await, rig.chunks()), (1, [0, 0]));
    for tag in [b'U', b'P', b'M', b'G', b'O', b'D', b'N'] {
        assert_eq!(rig.rows(tag).await, 0, "{}", tag as char);
    }
    // A new bucket of the same name has nothing of the old one.
    rig.client.create_bucket(&rig.node, &left).await.unwrap();
    let page = store
        .list_objects(
            ask().await.unwrap(),
            &left,
            store::api::ListAsked {
                max: 10,
                ..Default::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(page.objects, []);
}

#[tokio::test(start_paused = true)]
async fn aborted_uploads_and_replaced_parts_go() {
    let rig = Rig::quick().await;
    let store = &rig.node.store;
    let upload = store
        .create_upload(
            rig.caller("POST").await,
            &rig.bucket,
            &key("big"),
            UploadAsked::default(),
        )
        .await
        .unwrap();
    for salt in 0..3 {
        let part = bytes(5 * MIB, salt);
        let asked = sim::client::put_asked(part.len() as u64);
        store
            .upload_part(
                rig.caller("PUT").await,
                &rig.bucket,
                &key("big"),
                upload,
                1,
                asked,
                sim::client::body(&part),
            )
            .await
            .unwrap();
    }
    assert_eq!(rig.chunks(), [3, 3]);
    rig.skip(CHUNK_GRACE_MS + 1);
    assert_eq!(
        (swept(&rig).await, rig.chunks()),
        (2, [1, 1]),
        "the two that were replaced"
    );
    store
        .abort_upload(rig.caller("DELETE").await, &rig.bucket, &key("big"), upload)
        .await
        .unwrap();
    let again = store
        .abort_upload(rig.caller("DELETE").await, &rig.bucket, &key("big"), upload)
        .await;
    assert!(matches!(again, Err(StoreError::NoSuchUpload)));
    rig.skip(CHUNK_GRACE_MS + 1);
    assert_eq!((swept(&rig).await, rig.chunks()), (1, [0, 0]));
    assert_eq!(rig.rows(b'P').await, 0);
}

/// A chunk that is swept while a site lacks it must not stay on that site's books: it could never be paid,
/// and the site could never be taken back.
#[tokio::test(start_paused = true)]
async fn a_swept_chunk_is_taken_off_the_books_of_a_site_that_is_away() {
    let rig = Rig::quick().await;
    rig.world
        .chunks(SiteId::B)
        .faults()
        .everywhere(chunks::Behaviour::FolderMissing);
    rig.put("doc", &bytes(MIB, 1)).await;
    rig.put("doc", &bytes(MIB, 2)).await;
    assert_eq!((rig.chunks(), rig.rows(b'H').await), ([2, 0], 2));
    rig.skip(CHUNK_GRACE_MS + 1);
    assert_eq!((swept(&rig).await, rig.chunks()), (1, [1, 0]));
    assert_eq!(rig.rows(b'H').await, 1, "only the living chunk is owed");
    rig.world.chunks(SiteId::B).faults().clear();
    let report = rig.node.heal(SiteId::B).await.unwrap();
    assert_eq!((report.healed, report.left), (1, 0));
    assert_eq!((rig.chunks(), rig.node.behind()), ([1, 1], None));
}

#[tokio::test(start_paused = true)]
async fn orphans_of_a_crash_go_when_they_are_old_and_nothing_else_does() {
    let rig = Rig::quick().await;
    rig.put("doc", &bytes(MIB, 1)).await;
    rig.put("old", &bytes(MIB, 2)).await;
    rig.client
        .delete(&rig.node, &rig.bucket, &key("old"))
        .await
        .unwrap();
    let upload = rig
        .node
        .store
        .create_upload(
            rig.caller("POST").await,
            &rig.bucket,
            &key("big"),
            UploadAsked::default(),
        )
        .await
        .unwrap();
    let part = bytes(5 * MIB, 3);
    let asked = sim::client::put_asked(part.len() as u64);
    rig.node
        .store
        .upload_part(
            rig.caller("PUT").await,
            &rig.bucket,
            &key("big"),
            upload,
            1,
            asked,
            sim::client::body(&part),
        )
        .await
        .unwrap();
    // The commit is lost on the way: the chunk has no owner.
    rig.world
        .disks
        .catalog
        .set_hook(Some(Box::new(|_| catalog::memory::Fault::LostBefore)));
    let lost = rig
        .client
        .put(&rig.node, &rig.bucket, &key("lost"), &bytes(MIB, 4))
        .await;
    assert!(matches!(lost, Err(StoreError::Unknown(_))));
    rig.world.disks.catalog.set_hook(None);
    assert_eq!(
        rig.chunks(),
        [4, 4],
        "it might have taken effect, so its chunk stays"
    );
    for (hours, left) in [(23, 4), (2, 3)] {
        rig.skip(hours * 3_600_000);
        let known = rig.node.store.known_chunks().await.unwrap();
        for site in SiteId::BOTH {
            mirror::sweep(&rig.node.mirror, site, &known).await.unwrap();
        }
        assert_eq!(rig.chunks(), [left; 2]);
    }
    assert!(rig.get("doc").await == bytes(MIB, 1));
}

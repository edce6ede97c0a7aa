//! Keys are renewed while everything goes on: old and new objects stay readable at every step, whatever is
//! written, deleted or interrupted meanwhile, and in the end nothing is left under an old key.

use crate::rig::{MIB, Rig, bytes, key};
use catalog::{Commit, KeyRange, Mutation, Order, Outcome};
use ledger::Kind;
use seal::ClaimedRecord;
use sim::world::Setup;
use store::api::{CompleteAsked, ListAsked, PartNamed, UploadAsked};
use vault::record::bucket::BucketRow;
use vault::record::rotation::RotationRow;
use vault::record::tenant::TenantRow;
use vault::{RotationState, SitePolicy};
use words::{OpId, TenantName};

fn tenant_name() -> TenantName {
    TenantName::parse("tax-office").unwrap()
}

async fn rows(rig: &Rig, prefix: &[u8]) -> Vec<(Vec<u8>, catalog::Row)> {
    rig.node
        .engine
        .scan(KeyRange::prefix(prefix), 1000, Order::Ascending)
        .await
        .unwrap()
}

/// The key versions that objects' records name.
async fn versions(rig: &Rig) -> Vec<u32> {
    let objects = rows(rig, b"O").await;
    let mut versions: Vec<u32> = objects
        .iter()
        .map(|(_, row)| {
            let claimed = ClaimedRecord::read(&row.value[1..513]).unwrap();
            claimed.kek().version
        })
        .collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

async fn bucket_row(rig: &Rig) -> BucketRow {
    BucketRow::decode(&rows(rig, b"B").await[0].1.value).unwrap()
}

async fn tenant_row(rig: &Rig) -> TenantRow {
    TenantRow::decode(&rows(rig, b"T").await[0].1.value).unwrap()
}

async fn put_row(rig: &Rig, key: Vec<u8>, value: Vec<u8>) {
    let commit = Commit {
        op: OpId::from_bytes(rig.node.host.random()),
        preconditions: vec![],
        mutations: vec![Mutation::Put {
            key,
            value: value.into(),
        }],
        entries: vec![],
    };
    let Outcome::Committed(_) = rig.node.engine.commit(commit).await else {
        panic!("not written")
    };
}

async fn to_the_end(rig: &Rig) {
    for _ in 0..1000 {
        if !rig.node.vault.advance_rotations().await.unwrap() {
            return;
        }
    }
    panic!("a rotation does not end")
}

async fn operations(rig: &Rig) -> Vec<String> {
    let entries = rig.entries(0).await;
    entries
        .into_iter()
        .filter_map(|(_, fields)| fields.operation)
        .filter(|operation| operation.starts_with("Rotate"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_bucket_key_is_renewed_and_the_old_one_dropped() {
    let rig = Rig::quick().await;
    for n in 0..600u64 {
        rig.put(&format!("old-{n}"), &bytes(100, n)).await;
    }
    rig.put("large", &bytes(3 * MIB, 7)).await;
    let chunks = rig.chunks();
    let begun = rig
        .node
        .vault
        .rotate_bucket(&tenant_name(), &rig.bucket)
        .await
        .unwrap();
    assert_eq!(begun.version, 2);
    // At once: what is new is under the new key, what is old still opens.
    rig.put("new", &bytes(100, 1000)).await;
    assert_eq!(versions(&rig).await, [1, 2]);
    assert_eq!(rig.get("old-17").await, bytes(100, 17));
    let listed = rig.node.vault.rotation_list().await.unwrap();
    assert_eq!(listed[0].name.as_deref(), Some("records"));

    to_the_end(&rig).await;
    assert_eq!(versions(&rig).await, [2]);
    let row = bucket_row(&rig).await;
    assert_eq!((row.newest.version, row.older.len()), (2, 0));
    for n in 0..600u64 {
        assert_eq!(rig.get(&format!("old-{n}")).await, bytes(100, n));
    }
    assert_eq!(rig.get("large").await, bytes(3 * MIB, 7));
    assert_eq!(rig.get("new").await, bytes(100, 1000));
    assert_eq!(rig.chunks(), chunks, "no data was rewritten");
    assert!(rig.node.vault.rotation_list().await.unwrap().is_empty());
    assert_eq!(operations(&rig).await, ["RotateBegin", "RotateEnd"]);
    // Names are found as before: their keys were kept, under the new bucket key.
    let asked = ListAsked {
        prefix: "large".into(),
        max: 10,
        ..ListAsked::default()
    };
    let caller = rig.caller("GET").await;
    let listed = rig
        .node
        .store
        .list_objects(caller, &rig.bucket, asked)
        .await;
    assert_eq!(listed.unwrap().objects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_granted_before_a_rotation_ends_after_it() {
    let rig = Rig::quick().await;
    rig.put("there", b"before").await;
    let grant = || async {
        let caller = rig.caller("PUT").await;
        rig.node
            .vault
            .admit_write(caller, vault::Action::PutObject, &rig.bucket, &key("late"))
            .await
            .unwrap()
    };
    let early = grant().await;
    assert_eq!(early.kek().version, 1);
    rig.node
        .vault
        .rotate_bucket(&tenant_name(), &rig.bucket)
        .await
        .unwrap();
    to_the_end(&rig).await;
    // The old version is gone; the record of the early grant is wrapped anew, under the key of its own object.
    let record = seal::ObjectRecord::new(&seal::NewRecord {
        place: *early.place(),
        kek: early.kek(),
        wrapped: early.wrapped(),
        guest_encrypted: false,
        shred_group: false,
        segments: &[seal::Segment {
            salt: [0; 24],
            plain_bytes: 0,
            sealed_bytes: seal::cobblestone::sealed_len(0),
            blake3: [0; 32],
        }],
    })
    .unwrap()
    .to_bytes(early.object_key());
    let again = rig.node.vault.stand_again(&early, &record).await.unwrap();
    let claimed = ClaimedRecord::read(&again.record).unwrap();
    assert_eq!(claimed.kek().version, 2);
    assert_ne!(again.bucket, early.bucket_stands());
    let later = grant().await;
    assert_eq!(later.bucket_stands(), again.bucket);
}

#[tokio::test(start_paused = true)]
async fn writes_and_deletes_go_on_while_keys_are_renewed() {
    for seed in 1..=6 {
        let rig = Rig::open(Setup {
            seed,
            policy: SitePolicy::Available,
            slow: true,
            tuning: None,
        })
        .await;
        for n in 0..40u64 {
            rig.put(&format!("k{n}"), &bytes(50, n)).await;
        }
        let rotate = async {
            for _ in 0..3 {
                rig.node
                    .vault
                    .rotate_bucket(&tenant_name(), &rig.bucket)
                    .await
                    .unwrap();
                rig.node.vault.rotate_tenant(&tenant_name()).await.unwrap();
                while rig.node.vault.advance_rotations().await.unwrap() {}
            }
        };
        let write = async {
            for round in 1..=6u64 {
                let puts = (0..10u64).map(|n| {
                    let rig = &rig;
                    async move {
                        rig.put(&format!("k{n}"), &bytes(50_000, n + 100 * round))
                            .await;
                    }
                });
                futures::future::join_all(puts).await;
                let name = format!("k{}", 10 + round);
                rig.client
                    .delete(&rig.node, &rig.bucket, &key(&name))
                    .await
                    .unwrap();
            }
        };
        let read = async {
            for n in 20..40u64 {
                assert_eq!(rig.get(&format!("k{n}")).await, bytes(50, n));
            }
        };
        tokio::join!(rotate, write, read);
        to_the_end(&rig).await;
        let row = bucket_row(&rig).await;
        assert_eq!((row.newest.version, row.older.len()), (4, 0));
        assert_eq!(versions(&rig).await, [4]);
        for n in 0..10u64 {
            assert_eq!(rig.get(&format!("k{n}")).await, bytes(50_000, n + 600));
        }
        for n in 20..40u64 {
            assert_eq!(rig.get(&format!("k{n}")).await, bytes(50, n));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_at_any_moment_goes_on_with_the_rotation() {
    for lived in [0u64, 1, 2, 5, 9, 14, 20, 27, 35, 60, 100] {
        let mut rig = Rig::open(Setup {
            seed: lived + 1,
            policy: SitePolicy::Available,
            slow: true,
            tuning: None,
        })
        .await;
        for n in 0..300u64 {
            rig.put(&format!("k{n}"), &bytes(50, n)).await;
        }
        let work = async {
            rig.node.vault.rotate_tenant(&tenant_name()).await.unwrap();
            rig.node
                .vault
                .rotate_bucket(&tenant_name(), &rig.bucket)
                .await
                .unwrap();
            while rig.node.vault.advance_rotations().await.unwrap() {}
        };
        let _ = tokio::time::timeout(std::time::Duration::from_millis(lived), work).await;
        rig.node.crash();
        let node = rig.world.start().unwrap();
        rig.world.unseal(&node, [0, 1]).await.unwrap();
        rig.node = node;
        for n in [0, 150, 299] {
            assert_eq!(rig.get(&format!("k{n}")).await, bytes(50, n), "{lived} ms");
        }
        to_the_end(&rig).await;
        let row = bucket_row(&rig).await;
        assert!(row.older.is_empty(), "{lived} ms");
        assert_eq!(versions(&rig).await, [row.newest.version], "{lived} ms");
        for n in 0..300 {
            assert_eq!(rig.get(&format!("k{n}")).await, bytes(50, n), "{lived} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_under_way_keeps_the_old_key_until_it_ends() {
    let rig = Rig::quick().await;
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
    rig.node
        .vault
        .rotate_bucket(&tenant_name(), &rig.bucket)
        .await
        .unwrap();
    to_the_end(&rig).await;
    assert_eq!(bucket_row(&rig).await.older.len(), 1);
    let listed = rig.node.vault.rotation_list().await.unwrap();
    assert_eq!(
        (listed[0].state, listed[0].waiting),
        (RotationState::Waiting, 1)
    );
    let content = bytes(100_000, 3);
    let done = rig
        .node
        .store
        .upload_part(
            rig.caller("PUT").await,
            &rig.bucket,
            &key("big"),
            upload,
            1,
            sim::client::put_asked(content.len() as u64),
            sim::client::body(&content),
        )
        .await
        .unwrap();
    let named = PartNamed {
        number: 1,
        etag: done.etag,
        checksums: Vec::new(),
    };
    rig.node
        .store
        .complete_upload(
            rig.caller("POST").await,
            &rig.bucket,
            &key("big"),
            upload,
            CompleteAsked {
                parts: vec![named],
                ..CompleteAsked::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(versions(&rig).await, [2]);
    rig.skip(120_000);
    to_the_end(&rig).await;
    assert_eq!(bucket_row(&rig).await.older.len(), 0);
    assert_eq!(rig.get("big").await, content);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_deleted_ends_its_rotation() {
    let rig = Rig::quick().await;
    rig.node
        .vault
        .rotate_bucket(&tenant_name(), &rig.bucket)
        .await
        .unwrap();
    rig.node
        .store
        .delete_bucket(rig.caller("DELETE").await, &rig.bucket)
        .await
        .unwrap();
    to_the_end(&rig).await;
    assert!(rig.node.vault.rotation_list().await.unwrap().is_empty());
    assert_eq!(operations(&rig).await, ["RotateBegin", "RotateEnd"]);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_key_is_renewed_without_touching_objects() {
    let rig = Rig::quick().await;
    rig.put("one", b"content").await;
    let objects = rows(&rig, b"O").await;
    rig.node.vault.rotate_tenant(&tenant_name()).await.unwrap();
    rig.client
        .create_bucket(&rig.node, &crate::rig::bucket("second"))
        .await
        .unwrap();
    to_the_end(&rig).await;
    let row = tenant_row(&rig).await;
    assert_eq!((row.newest.version, row.older.len()), (2, 0));
    assert_eq!(rows(&rig, b"O").await, objects);
    for (_, row) in rows(&rig, b"B").await {
        assert_eq!(BucketRow::decode(&row.value).unwrap().tenant_version, 2);
    }
    assert_eq!(rig.get("one").await, b"content");
    rig.put("two", b"more").await;
    assert_eq!(rig.get("two").await, b"more");
    // A node that knows nothing yet finds everything too.
    let node = rig.world.start().unwrap();
    rig.world.unseal(&node, [1, 2]).await.unwrap();
    let got = rig
        .client
        .get(&node, &rig.bucket, &key("one"), None)
        .await
        .unwrap();
    assert_eq!(got.body.unwrap(), b"content");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_object_keeps_the_old_key_alive() {
    let rig = Rig::quick().await;
    rig.put("one", b"content").await;
    rig.put("two", b"content").await;
    let (row_key, row) = rows(&rig, b"O").await.swap_remove(0);
    let mut bad = row.value.to_vec();
    bad[1 + 450] ^= 1;
    put_row(&rig, row_key.clone(), bad).await;
    rig.node
        .vault
        .rotate_bucket(&tenant_name(), &rig.bucket)
        .await
        .unwrap();
    to_the_end(&rig).await;
    assert_eq!(bucket_row(&rig).await.older.len(), 1, "the old key is kept");
    assert_eq!(rig.node.vault.rotation_list().await.unwrap()[0].waiting, 1);
    // The row is brought back: then the rotation ends.
    put_row(&rig, row_key, row.value.to_vec()).await;
    rig.skip(120_000);
    to_the_end(&rig).await;
    rig.skip(120_000);
    to_the_end(&rig).await;
    assert_eq!(bucket_row(&rig).await.older.len(), 0);
    assert_eq!(rig.get("one").await, b"content");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_was_altered_is_refused_and_recorded() {
    let rig = Rig::quick().await;
    rig.put("one", b"content").await;
    let from = rig.next_index().await;
    let fresh = || async {
        let node = rig.world.start().unwrap();
        rig.world.unseal(&node, [0, 1]).await.unwrap();
        node
    };
    // Bucket: the write policy, which stands in clear. The node opens; that bucket does not.
    let (row_key, row) = rows(&rig, b"B").await.swap_remove(0);
    let mut bad = row.value.to_vec();
    bad[25] = 1;
    BucketRow::decode(&bad).unwrap();
    put_row(&rig, row_key.clone(), bad).await;
    let node = fresh().await;
    let error = rig.client.get(&node, &rig.bucket, &key("one"), None).await;
    let error = error.err().unwrap().to_string();
    assert!(error.contains("altered in the catalog"), "{error}");
    put_row(&rig, row_key, row.value.to_vec()).await;
    // Tenant: the suspension.
    let (row_key, row) = rows(&rig, b"T").await.swap_remove(0);
    let at = 13 + TenantRow::decode(&row.value).unwrap().name.as_str().len();
    let mut bad = row.value.to_vec();
    bad[at] = 1;
    put_row(&rig, row_key.clone(), bad).await;
    let node = fresh().await;
    assert!(rig.client.caller(&node, "GET", "/records").await.is_err());
    let error = node.vault.tenant_list().await.unwrap_err().to_string();
    assert!(error.contains("altered in the catalog"), "{error}");
    assert!(
        node.vault
            .flush_later(std::time::Duration::from_secs(5))
            .await
    );
    put_row(&rig, row_key, row.value.to_vec()).await;
    let node = fresh().await;
    let got = rig
        .client
        .get(&node, &rig.bucket, &key("one"), None)
        .await
        .unwrap();
    assert_eq!(got.body.unwrap(), b"content");
    assert!(rig.count(from, Kind::Refuse).await >= 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_can_say_that_a_pass_is_done_that_was_not() {
    let rig = Rig::quick().await;
    rig.put("one", b"content").await;
    rig.node
        .vault
        .rotate_bucket(&tenant_name(), &rig.bucket)
        .await
        .unwrap();
    let (row_key, row) = rows(&rig, b"Cr").await.swap_remove(0);
    let mut done = RotationRow::decode(&row.value).unwrap();
    done.cursor = [b"O".as_slice(), &[255; 48]].concat();
    put_row(&rig, row_key.clone(), done.encode()).await;
    to_the_end(&rig).await;
    assert_eq!(bucket_row(&rig).await.older.len(), 1, "the old key is kept");
    assert_eq!(rig.get("one").await, b"content");
    put_row(&rig, row_key, row.value.to_vec()).await;
    rig.skip(120_000);
    to_the_end(&rig).await;
    assert_eq!(versions(&rig).await, [2]);
    assert_eq!(bucket_row(&rig).await.older.len(), 0);
}

/// A row of the first format, as a build before MACs wrote it, made from one of today by somebody who can only
/// write the catalog: its wraps are of the second format and do not open in the first.
#[tokio::test(start_paused = true)]
async fn a_row_cannot_be_turned_back_into_one_without_a_mac() {
    let rig = Rig::quick().await;
    rig.put("one", b"content").await;
    let (row_key, row) = rows(&rig, b"T").await.swap_remove(0);
    let mut first = TenantRow::decode(&row.value).unwrap();
    first.signed = None;
    put_row(&rig, row_key.clone(), first.encode()).await;
    let node = rig.world.start().unwrap();
    assert!(rig.world.unseal(&node, [0, 1]).await.is_err());
    put_row(&rig, row_key, row.value.to_vec()).await;
    let (row_key, row) = rows(&rig, b"B").await.swap_remove(0);
    let mut first = BucketRow::decode(&row.value).unwrap();
    first.mac = None;
    put_row(&rig, row_key, first.encode()).await;
    let node = rig.world.start().unwrap();
    assert!(rig.world.unseal(&node, [0, 1]).await.is_err());
}

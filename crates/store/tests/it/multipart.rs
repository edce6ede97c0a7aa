//! Multipart uploads.

use crate::rig::{MIB, Rig, bytes, key};
use sim::World;
use sim::world::Setup;
use store::StoreError;
use store::api::{
    ChecksumKind, CompleteAsked, Conditions, PartCopyAsked, PartNamed, PutDone, ReadAsked,
    UploadAsked,
};
use vault::SitePolicy;
use words::VersionId;

async fn begin(rig: &Rig, asked: UploadAsked) -> VersionId {
    rig.node
        .store
        .create_upload(rig.caller("POST").await, &rig.bucket, &key("big"), asked)
        .await
        .unwrap()
}

async fn part(
    rig: &Rig,
    upload: VersionId,
    number: u32,
    bytes: &[u8],
) -> Result<PutDone, StoreError> {
    let asked = sim::client::put_asked(bytes.len() as u64);
    rig.node
        .store
        .upload_part(
            rig.caller("PUT").await,
            &rig.bucket,
            &key("big"),
            upload,
            number,
            asked,
            sim::client::body(bytes),
        )
        .await
}

fn named(number: u32, done: &PutDone) -> PartNamed {
    PartNamed {
        number,
        etag: done.etag.clone(),
        checksums: Vec::new(),
    }
}

async fn complete(
    rig: &Rig,
    upload: VersionId,
    parts: Vec<PartNamed>,
) -> Result<PutDone, StoreError> {
    let asked = CompleteAsked {
        parts,
        ..CompleteAsked::default()
    };
    rig.node
        .store
        .complete_upload(
            rig.caller("POST").await,
            &rig.bucket,
            &key("big"),
            upload,
            asked,
        )
        .await
}

#[tokio::test(start_paused = true)]
async fn parts_become_one_object() {
    let rig = Rig::quick().await;
    let upload = begin(
        &rig,
        UploadAsked {
            checksum: Some(ChecksumKind::Crc32),
            ..UploadAsked::default()
        },
    )
    .await;
    let bodies = [bytes(5 * MIB, 1), bytes(9 * MIB + 1, 2), bytes(100, 3)];
    let numbers = [2, 7, 10_000];
    let mut parts = Vec::new();
    for (number, body) in numbers.into_iter().zip(&bodies) {
        parts.push(named(
            number,
            &part(&rig, upload, number, body).await.unwrap(),
        ));
    }
    part(&rig, upload, 9, &bytes(50, 9)).await.unwrap();
    let (listed, more) = rig
        .node
        .store
        .list_parts(
            rig.caller("GET").await,
            &rig.bucket,
            &key("big"),
            upload,
            0,
            3,
        )
        .await
        .unwrap();
    assert_eq!(
        (listed.iter().map(|p| p.number).collect::<Vec<_>>(), more),
        (vec![2, 7, 9], true)
    );
    let done = complete(&rig, upload, parts.clone()).await.unwrap();
    assert!(done.etag.ends_with("-3"));
    let whole = bodies.concat();
    assert!(rig.get("big").await == whole);
    for (n, body) in bodies.iter().enumerate() {
        let asked = ReadAsked {
            part: Some(n as u32 + 1),
            ..ReadAsked::default()
        };
        let got = rig
            .client
            .get_asked(&rig.node, &rig.bucket, &key("big"), asked)
            .await
            .unwrap();
        assert_eq!(got.info.parts, Some(3));
        assert!(got.body.unwrap() == *body);
    }
    let asked = ReadAsked {
        part: Some(4),
        ..ReadAsked::default()
    };
    assert!(matches!(
        rig.client
            .get_asked(&rig.node, &rig.bucket, &key("big"), asked)
            .await,
        Err(StoreError::NoSuchPart)
    ));
    for (first, last) in [
        (5 * MIB as u64 - 2, 5 * MIB as u64 + 1),
        (14 * MIB as u64 - 5, 14 * MIB as u64 + 90),
    ] {
        let range = store::api::RangeAsked::From {
            first,
            last: Some(last),
        };
        let got = rig
            .client
            .get(&rig.node, &rig.bucket, &key("big"), Some(range))
            .await
            .unwrap();
        assert!(got.body.unwrap() == whole[first as usize..=last as usize]);
    }
    assert!(
        matches!(
            complete(&rig, upload, parts).await,
            Err(StoreError::NoSuchUpload)
        ),
        "once only"
    );
    assert_eq!(
        rig.rows(b'P').await,
        3,
        "the part that was not named is gone"
    );
    rig.client
        .delete(&rig.node, &rig.bucket, &key("big"))
        .await
        .unwrap();
    rig.skip(words::limits::CHUNK_GRACE_MS + 1);
    rig.node.store.sweep().await.unwrap();
    assert_eq!(
        (rig.chunks(), rig.rows(b'P').await, rig.rows(b'M').await),
        ([0, 0], 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_and_the_upload_stays() {
    let rig = Rig::quick().await;
    let upload = begin(&rig, UploadAsked::default()).await;
    let small = part(&rig, upload, 1, b"small").await.unwrap();
    let last = part(&rig, upload, 2, b"last").await.unwrap();
    let parts = || vec![named(1, &small), named(2, &last)];
    assert!(matches!(
        complete(&rig, upload, parts()).await,
        Err(StoreError::PartTooSmall { number: 1 })
    ));
    let wrong = PartNamed {
        etag: "0".repeat(32),
        ..named(2, &last)
    };
    assert!(matches!(
        complete(&rig, upload, vec![wrong]).await,
        Err(StoreError::InvalidPart { number: 2 })
    ));
    assert!(matches!(
        complete(&rig, upload, vec![named(3, &last)]).await,
        Err(StoreError::InvalidPart { number: 3 })
    ));
    let backwards = parts().into_iter().rev().collect();
    assert!(matches!(
        complete(&rig, upload, backwards).await,
        Err(StoreError::InvalidPartOrder)
    ));
    assert!(matches!(
        complete(&rig, upload, Vec::new()).await,
        Err(StoreError::Invalid(_))
    ));
    let many: Vec<_> = (1..=10_001).map(|number| named(number, &last)).collect();
    assert!(
        matches!(complete(&rig, upload, many).await, Err(StoreError::Invalid(why)) if why.contains("10001 parts"))
    );
    for number in [0, 10_001] {
        assert!(matches!(
            part(&rig, upload, number, b"x").await,
            Err(StoreError::Invalid(_))
        ));
    }
    let other = VersionId::from_bytes([9; 16]);
    assert!(matches!(
        part(&rig, other, 1, b"x").await,
        Err(StoreError::NoSuchUpload)
    ));
    complete(&rig, upload, vec![named(2, &last)]).await.unwrap();
    assert_eq!(rig.get("big").await, b"last");
}

#[tokio::test(start_paused = true)]
async fn parts_are_copied_from_other_objects() {
    let rig = Rig::quick().await;
    let source = bytes(12 * MIB, 4);
    rig.put("source", &source).await;
    let upload = begin(&rig, UploadAsked::default()).await;
    let mut parts = Vec::new();
    for (number, range) in [
        (1, Some((1, 6 * MIB as u64))),
        (2, Some((6 * MIB as u64 + 1, 12 * MIB as u64 - 1))),
    ] {
        let asked = PartCopyAsked {
            source_bucket: rig.bucket.clone(),
            source_key: key("source"),
            source_conditions: Conditions::default(),
            range,
        };
        let done = rig
            .node
            .store
            .upload_part_copy(
                rig.caller("PUT").await,
                &rig.bucket,
                &key("big"),
                upload,
                number,
                asked,
            )
            .await
            .unwrap();
        parts.push(named(number, &done));
    }
    complete(&rig, upload, parts).await.unwrap();
    assert!(rig.get("big").await == source[1..]);
}

#[tokio::test(start_paused = true)]
async fn checksums_of_parts_become_that_of_the_whole() {
    let rig = Rig::quick().await;
    for (kind, full_object) in [
        (ChecksumKind::Crc32, false),
        (ChecksumKind::Crc32, true),
        (ChecksumKind::Crc64Nvme, false),
        (ChecksumKind::Sha256, false),
    ] {
        let upload = begin(
            &rig,
            UploadAsked {
                checksum: Some(kind),
                full_object,
                ..UploadAsked::default()
            },
        )
        .await;
        let bodies = [bytes(5 * MIB, 1), bytes(70_000, 2)];
        let mut parts = Vec::new();
        for (number, body) in (1..).zip(&bodies) {
            let done = part(&rig, upload, number, body).await.unwrap();
            parts.push(PartNamed {
                number,
                etag: done.etag,
                checksums: done.checksums,
            });
        }
        let done = complete(&rig, upload, parts).await.unwrap();
        let whole = full_object || kind == ChecksumKind::Crc64Nvme;
        assert_eq!(done.checksums[0].parts, (!whole).then_some(2));
        if whole {
            let mut hashes = store::checksum::BodyHashes::new(&Default::default(), Some(kind));
            bodies.iter().for_each(|body| hashes.update(body));
            assert_eq!(done.checksums, hashes.finish().checksums);
        }
    }
}

/// A part that is uploaded again while the upload is being completed: whichever came first, the object that
/// was acknowledged can be read.
#[tokio::test(start_paused = true)]
async fn a_part_replaced_during_completion_never_breaks_the_object() {
    let mut completed = 0;
    for seed in 0..60 {
        let setup = Setup {
            seed,
            policy: SitePolicy::Available,
            slow: true,
            tuning: None,
        };
        let rig = Rig::open(setup).await;
        let upload = begin(&rig, UploadAsked::default()).await;
        let first = part(&rig, upload, 1, &bytes(40_000, 1)).await.unwrap();
        let again = async {
            tokio::time::sleep(std::time::Duration::from_millis(seed % 12)).await;
            part(&rig, upload, 1, &bytes(40_000, 2)).await
        };
        let (done, again) = tokio::join!(complete(&rig, upload, vec![named(1, &first)]), again);
        match done {
            Ok(_) => {
                completed += 1;
                assert!(rig.get("big").await == bytes(40_000, 1), "seed {seed}");
                rig.skip(words::limits::CHUNK_GRACE_MS + 1);
                rig.node.store.sweep().await.unwrap();
                assert!(
                    rig.get("big").await == bytes(40_000, 1),
                    "seed {seed}, swept"
                );
            }
            Err(StoreError::InvalidPart { .. } | StoreError::ConditionalConflict) => {
                assert!(again.is_ok(), "seed {seed}")
            }
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    assert!(
        completed > 5 && completed < 60,
        "both orders came up: {completed}"
    );
}

/// An upload that outlives its bucket leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn a_part_that_arrives_after_its_bucket_was_deleted_is_refused() {
    let rig = Rig::quick().await;
    let upload = begin(&rig, UploadAsked::default()).await;
    let caller = rig.caller("PUT").await;
    let (store, vault_caller) = (
        std::sync::Arc::clone(&rig.node.store),
        rig.caller("DELETE").await,
    );
    let (deleting, name) = (std::sync::Arc::clone(&rig.node.store), rig.bucket.clone());
    let late = futures::stream::once(async move {
        deleting.delete_bucket(vault_caller, &name).await.unwrap();
        Ok(bytes::Bytes::from_static(b"late"))
    });
    let asked = sim::client::put_asked(4);
    let refused = store
        .upload_part(
            caller,
            &rig.bucket,
            &key("big"),
            upload,
            1,
            asked,
            futures::StreamExt::boxed(late),
        )
        .await;
    assert!(
        matches!(refused, Err(StoreError::NoSuchBucket)),
        "{refused:?}"
    );
    assert_eq!((rig.chunks(), rig.rows(b'P').await), ([0, 0], 0));
}

#[tokio::test(start_paused = true)]
async fn uploads_survive_a_restart() {
    let rig = Rig::quick().await;
    let upload = begin(&rig, UploadAsked::default()).await;
    let first = part(&rig, upload, 1, &bytes(5 * MIB, 1)).await.unwrap();
    rig.node.crash();
    let node = rig.world.start().unwrap();
    rig.world.unseal(&node, [0, 1]).await.unwrap();
    let rig = Rig { node, ..rig };
    let _: &World = &rig.world;
    let last = part(&rig, upload, 2, b"last").await.unwrap();
    complete(&rig, upload, vec![named(1, &first), named(2, &last)])
        .await
        .unwrap();
    assert!(rig.get("big").await == [bytes(5 * MIB, 1), b"last".to_vec()].concat());
}

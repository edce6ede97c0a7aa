//! Bodies that are not what the client said: refused, and nothing of them stays anywhere.

use crate::rig::{MIB, Rig, bytes, key};
use bytes::Bytes;
use futures::{StreamExt, stream};
use store::StoreError;
use store::api::{BodyError, Checksum, ChecksumKind, Expected, TrailerSlot};

async fn refused(
    rig: &Rig,
    length: u64,
    expected: Expected,
    body: store::api::BodyIn,
) -> StoreError {
    let asked = store::api::PutAsked {
        expected,
        ..sim::client::put_asked(length)
    };
    let outcome = rig
        .node
        .store
        .put_object(
            rig.caller("PUT").await,
            &rig.bucket,
            &key("bad"),
            asked,
            body,
        )
        .await;
    assert_eq!(rig.chunks(), [0, 0], "nothing of it stays");
    assert_eq!(
        rig.rows(b'O').await + rig.rows(b'G').await + rig.rows(b'D').await,
        0
    );
    outcome.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_wrong_digest_keeps_nothing() {
    let rig = Rig::quick().await;
    for size in [100, MIB, 20 * MIB] {
        let good = bytes(size, 1);
        let body = || sim::client::body(&good);
        let md5 = Expected {
            md5: Some([0; 16]),
            ..Expected::default()
        };
        assert!(matches!(
            refused(&rig, size as u64, md5, body()).await,
            StoreError::BadDigest("Content-MD5")
        ));
        let sha = Expected {
            payload_sha256: Some([0; 32]),
            ..Expected::default()
        };
        assert!(matches!(
            refused(&rig, size as u64, sha, body()).await,
            StoreError::Body(BodyError::Signature)
        ));
        let checksum = Checksum {
            kind: ChecksumKind::Crc32c,
            value: vec![0; 4],
            parts: None,
        };
        let crc = Expected {
            checksums: vec![checksum.clone()],
            ..Expected::default()
        };
        assert!(matches!(
            refused(&rig, size as u64, crc, body()).await,
            StoreError::BadDigest("CRC32C")
        ));
        let trailer = TrailerSlot::default();
        trailer.fill(vec![checksum]);
        let late = Expected {
            announced: Some(ChecksumKind::Crc32c),
            trailer,
            ..Expected::default()
        };
        assert!(matches!(
            refused(&rig, size as u64, late, body()).await,
            StoreError::BadDigest("CRC32C")
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_another_length_keeps_nothing() {
    let rig = Rig::quick().await;
    for size in [100u64, 40_000, 20 * MIB as u64] {
        let body = || sim::client::body(&bytes(size as usize, 1));
        assert!(matches!(
            refused(&rig, size + 1, Expected::default(), body()).await,
            StoreError::Body(BodyError::Incomplete)
        ));
        assert!(matches!(
            refused(&rig, size - 1, Expected::default(), body()).await,
            StoreError::Body(BodyError::TooLong)
        ));
        let cut = stream::iter([
            Ok(Bytes::from_static(b"abc")),
            Err(BodyError::Connection("gone".into())),
        ])
        .boxed();
        assert!(matches!(
            refused(&rig, size, Expected::default(), cut).await,
            StoreError::Body(BodyError::Connection(_))
        ));
    }
    let huge = refused(
        &rig,
        5 * 1024 * MIB as u64 + 1,
        Expected::default(),
        sim::client::body(b""),
    )
    .await;
    assert!(matches!(huge, StoreError::TooLarge { .. }));
}

#[tokio::test(start_paused = true)]
async fn right_checksums_are_kept_and_come_back() {
    let rig = Rig::quick().await;
    for kind in ChecksumKind::ALL {
        let body = bytes(2 * MIB, 5);
        let mut hashes = store::checksum::BodyHashes::new(&Expected::default(), Some(kind));
        hashes.update(&body);
        let right = hashes.finish().checksums;
        let mut asked = sim::client::put_asked(body.len() as u64);
        asked.expected.checksums.clone_from(&right);
        let done = rig
            .client
            .put_asked(&rig.node, &rig.bucket, &key("good"), &body, asked)
            .await
            .unwrap();
        assert_eq!(done.checksums, right);
        assert_eq!(
            rig.client
                .head(&rig.node, &rig.bucket, &key("good"))
                .await
                .unwrap()
                .checksums,
            right
        );
    }
}

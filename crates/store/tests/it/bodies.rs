//! Bytes that come back as they went in, whole and in ranges, at every size where something changes.

use crate::rig::{MIB, Rig, bytes, key};
use store::StoreError;
use store::api::{Expected, ListAsked, RangeAsked};
use store::checksum::{BodyHashes, etag_text};

const SIZES: [usize; 11] = [
    0,
    1,
    16_383,
    16_384,
    16_385,
    32 * 1024,
    32 * 1024 + 1,
    MIB,
    8 * MIB - 1,
    8 * MIB + 1,
    20 * MIB,
];

fn md5(bytes: &[u8]) -> String {
    let mut hashes = BodyHashes::new(&Expected::default(), None);
    hashes.update(bytes);
    etag_text(&hashes.finish().md5, None)
}

#[tokio::test(start_paused = true)]
async fn every_size_comes_back_whole() {
    let rig = Rig::quick().await;
    for (n, size) in SIZES.into_iter().enumerate() {
        let (name, body) = (format!("size/{size:09}"), bytes(size, n as u64));
        let before = rig.chunks();
        let done = rig.put(&name, &body).await;
        assert_eq!(done.etag, md5(&body), "{size}");
        let grown = rig.chunks()[0] - before[0];
        let chunks = if size <= 32 * 1024 {
            0
        } else {
            // A rest of less than one frame is not worth a file of its own.
            size.div_ceil(8 * MIB) - usize::from(size > 8 * MIB && size % (8 * MIB) < 16 * 1024)
        };
        assert_eq!(
            grown, chunks,
            "{size}: small bodies lie in the row, larger ones in chunks of 8 MiB"
        );
        let got = rig
            .client
            .get(&rig.node, &rig.bucket, &key(&name), None)
            .await
            .unwrap();
        assert_eq!((got.length, got.range), (size as u64, None));
        assert!(got.body.unwrap() == body, "{size}");
        let info = rig
            .client
            .head(&rig.node, &rig.bucket, &key(&name))
            .await
            .unwrap();
        assert_eq!(
            (info.size, info.etag, info.modified),
            (size as u64, done.etag, done.modified)
        );
    }
    let [a, b] = words::SiteId::BOTH.map(|site| rig.world.chunks(site).contents());
    assert_eq!(a, b, "both sites hold the same chunks");
    let asked = ListAsked {
        prefix: "size/".into(),
        max: 1000,
        ..ListAsked::default()
    };
    let page = rig
        .node
        .store
        .list_objects(rig.caller("GET").await, &rig.bucket, asked)
        .await
        .unwrap();
    assert_eq!(
        page.objects
            .iter()
            .map(|o| o.size as usize)
            .collect::<Vec<_>>(),
        SIZES
    );
    assert_eq!((page.truncated, page.next), (false, None));
}

#[tokio::test(start_paused = true)]
async fn every_range_is_exact() {
    let rig = Rig::quick().await;
    for size in [1, 16_384, 32 * 1024 + 1, 8 * MIB + 1] {
        let body = bytes(size, 7);
        rig.put("r", &body).await;
        let end = size as u64;
        let mut edges = vec![
            0,
            1,
            16_383,
            16_384,
            16_385,
            64 * 16_384,
            8 * MIB as u64 - 1,
            8 * MIB as u64,
            end - 1,
            end,
            end + 1,
        ];
        edges.sort_unstable();
        edges.dedup();
        for first in &edges {
            for last in &edges {
                check_range(
                    &rig,
                    &body,
                    RangeAsked::From {
                        first: *first,
                        last: Some(*last),
                    },
                )
                .await;
            }
            check_range(
                &rig,
                &body,
                RangeAsked::From {
                    first: *first,
                    last: None,
                },
            )
            .await;
            check_range(&rig, &body, RangeAsked::Last(*first)).await;
        }
    }
}

async fn check_range(rig: &Rig, body: &[u8], range: RangeAsked) {
    let size = body.len() as u64;
    let wanted = match range {
        RangeAsked::From { first, last }
            if first < size && last.is_none_or(|last| last >= first) =>
        {
            Some((first, last.unwrap_or(size - 1).min(size - 1)))
        }
        RangeAsked::Last(count) if count > 0 => Some((size.saturating_sub(count), size - 1)),
        _ => None,
    };
    let got = rig
        .client
        .get(&rig.node, &rig.bucket, &key("r"), Some(range))
        .await;
    match wanted {
        None => assert!(
            matches!(got, Err(StoreError::RangeNotSatisfiable { size: s }) if s == size),
            "{range:?} of {size}"
        ),
        Some((first, last)) => {
            let got = got.unwrap();
            assert_eq!(
                (got.range, got.length),
                (Some((first, last)), last + 1 - first),
                "{range:?} of {size}"
            );
            assert!(
                got.body.unwrap() == body[first as usize..=last as usize],
                "{range:?} of {size}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn names_and_metadata_come_back() {
    let rig = Rig::quick().await;
    let mut asked = sim::client::put_asked(3);
    asked.metadata.headers.content_type = Some("text/plain; charset=utf-8".into());
    asked.metadata.user = vec![("case".into(), "2026/17 ä".into())];
    let done = rig
        .client
        .put_asked(&rig.node, &rig.bucket, &key("ä/ö ü"), b"abc", asked.clone())
        .await
        .unwrap();
    let info = rig
        .client
        .head(&rig.node, &rig.bucket, &key("ä/ö ü"))
        .await
        .unwrap();
    assert_eq!(
        (info.metadata, info.etag),
        (asked.metadata.clone(), done.etag)
    );
    asked.metadata.user[0].1 = "x".repeat(2048);
    let refused = rig
        .client
        .put_asked(&rig.node, &rig.bucket, &key("n"), b"abc", asked)
        .await;
    assert!(matches!(refused, Err(StoreError::MetadataTooLarge)));
}

#[tokio::test(start_paused = true)]
async fn copies_share_nothing_with_their_source() {
    use store::api::{Conditions, CopyAsked, CopyMetadata};
    let rig = Rig::quick().await;
    for size in [10, 3 * MIB] {
        let body = bytes(size, 3);
        let done = rig.put("source", &body).await;
        let asked = |metadata| CopyAsked {
            source_bucket: rig.bucket.clone(),
            source_key: key("source"),
            source_conditions: Conditions::default(),
            metadata,
            conditions: Conditions::default(),
            checksum: None,
        };
        let copied = rig
            .node
            .store
            .copy_object(
                rig.caller("PUT").await,
                &rig.bucket,
                &key("copy"),
                asked(CopyMetadata::Keep),
            )
            .await
            .unwrap();
        assert_eq!(copied.etag, done.etag);
        assert_ne!(copied.version, done.version);
        let itself = rig
            .node
            .store
            .copy_object(
                rig.caller("PUT").await,
                &rig.bucket,
                &key("source"),
                asked(CopyMetadata::Keep),
            )
            .await;
        assert!(matches!(itself, Err(StoreError::Invalid(_))));
        rig.client
            .delete(&rig.node, &rig.bucket, &key("source"))
            .await
            .unwrap();
        rig.skip(words::limits::CHUNK_GRACE_MS + 1);
        rig.node.store.sweep().await.unwrap();
        assert!(rig.get("copy").await == body);
        assert!(matches!(
            rig.client
                .get(&rig.node, &rig.bucket, &key("source"), None)
                .await,
            Err(StoreError::NoSuchKey)
        ));
    }
}

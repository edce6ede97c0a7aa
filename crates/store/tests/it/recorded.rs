//! What the ledger says: a grant before the first byte, a close with exactly what left, denials, writes with
//! their facts.

use crate::rig::{MIB, Rig, bytes, key};
use futures::StreamExt;
use ledger::Kind;
use store::StoreError;
use store::api::{RangeAsked, ReadAsked};

#[tokio::test(start_paused = true)]
async fn a_read_is_granted_before_a_byte_leaves_and_closed_with_what_left() {
    let rig = Rig::quick().await;
    for size in [100usize, 3 * MIB] {
        rig.put("doc", &bytes(size, 1)).await;
        let from = rig.next_index().await;
        let range = RangeAsked::From {
            first: 10,
            last: Some(59),
        };
        let asked = ReadAsked {
            range: Some(range),
            ..ReadAsked::default()
        };
        let out = rig
            .node
            .store
            .get_object(rig.caller("GET").await, &rig.bucket, &key("doc"), asked)
            .await
            .unwrap();
        let granted = rig.entries(from).await;
        let [(grant, fields)] = granted.as_slice() else {
            panic!("{granted:?}")
        };
        assert_eq!(
            (fields.kind, fields.operation.as_deref()),
            (Kind::Grant, Some("GetObject"))
        );
        assert_eq!(fields.resource.as_deref(), Some("records/doc"));
        assert_eq!(
            fields.actor.as_deref(),
            Some(rig.client.access_key.as_str())
        );
        assert_eq!(
            (fields.tenant, fields.bytes),
            (Some(rig.client.tenant), Some(size as u64))
        );
        assert!(fields.request_digest.is_some() && fields.policy_digest.is_some());
        assert_eq!(sim::client::collect(out.body).await.unwrap().len(), 50);
        let closed = rig.entries(grant + 1).await;
        let [(_, close)] = closed.as_slice() else {
            panic!("{closed:?}")
        };
        assert_eq!((close.kind, close.link), (Kind::Close, Some(*grant)));
        assert_eq!(
            (close.ranges.clone(), close.bytes),
            (Some(vec![(10, 50)]), Some(50))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_goes_away_is_closed_with_what_he_had() {
    let rig = Rig::quick().await;
    rig.put("doc", &bytes(5 * MIB, 1)).await;
    let from = rig.next_index().await;
    let out = rig
        .node
        .store
        .get_object(
            rig.caller("GET").await,
            &rig.bucket,
            &key("doc"),
            ReadAsked::default(),
        )
        .await
        .unwrap();
    let mut body = out.body;
    let had = body.next().await.unwrap().unwrap().len() as u64
        + body.next().await.unwrap().unwrap().len() as u64;
    drop(body);
    let entries = rig.entries(from).await;
    let close = &entries
        .iter()
        .find(|(_, fields)| fields.kind == Kind::Close)
        .unwrap()
        .1;
    assert!(had < 5 * MIB as u64);
    assert_eq!(close.ranges, Some(vec![(0, had)]));
}

#[tokio::test(start_paused = true)]
async fn every_verb_leaves_its_entries() {
    let rig = Rig::quick().await;
    let from = rig.next_index().await;
    rig.put("doc", b"text").await;
    rig.client
        .head(&rig.node, &rig.bucket, &key("doc"))
        .await
        .unwrap();
    let missing = rig
        .client
        .get(&rig.node, &rig.bucket, &key("none"), None)
        .await;
    assert!(matches!(missing, Err(StoreError::NoSuchKey)));
    rig.client
        .delete(&rig.node, &rig.bucket, &key("doc"))
        .await
        .unwrap();
    rig.client
        .delete(&rig.node, &rig.bucket, &key("doc"))
        .await
        .unwrap();
    rig.node
        .store
        .list_buckets(rig.caller("GET").await)
        .await
        .unwrap();
    rig.node
        .store
        .delete_bucket(rig.caller("DELETE").await, &rig.bucket)
        .await
        .unwrap();
    let said: Vec<_> = rig
        .entries(from)
        .await
        .into_iter()
        .map(|(_, f)| {
            (
                f.kind,
                f.operation.unwrap_or_default(),
                f.decision.unwrap_or_default(),
            )
        })
        .collect();
    let wanted = [
        (Kind::Write, "PutObject", "permit"),
        (Kind::Grant, "HeadObject", "permit"),
        (Kind::Close, "", ""),
        (Kind::Grant, "GetObject", "permit; there is no such object"),
        (Kind::Delete, "DeleteObject", "permit"),
        (
            Kind::Delete,
            "DeleteObject",
            "permit; there is no such object",
        ),
        (Kind::List, "ListBuckets", "permit"),
        (Kind::Delete, "DeleteBucket", "permit"),
    ];
    let mut said = said;
    let mut wanted = wanted
        .map(|(kind, op, why)| (kind, op.to_owned(), why.to_owned()))
        .to_vec();
    // A close is written behind, so only its presence is sure.
    said.sort_by_key(|(kind, op, why)| (kind.code(), op.clone(), why.clone()));
    wanted.sort_by_key(|(kind, op, why)| (kind.code(), op.clone(), why.clone()));
    assert_eq!(said, wanted);
}

#[tokio::test(start_paused = true)]
async fn entries_that_nobody_waits_for_survive_a_catalog_that_refuses_for_a_while() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let from = rig.next_index().await;
    let out = rig
        .node
        .store
        .get_object(
            rig.caller("GET").await,
            &rig.bucket,
            &key("doc"),
            ReadAsked::default(),
        )
        .await
        .unwrap();
    for fault in [
        catalog::memory::Fault::Refuse,
        catalog::memory::Fault::LostBefore,
        catalog::memory::Fault::LostAfter,
    ] {
        let mut left = 2;
        rig.world.disks.catalog.set_hook(Some(Box::new(move |_| {
            left -= 1;
            if left >= 0 {
                fault
            } else {
                catalog::memory::Fault::None
            }
        })));
        let stranger = sim::Client {
            access_key: "CLRSTRANGER0000000000".into(),
            ..rig.client.clone()
        };
        assert!(
            stranger
                .caller(&rig.node, "GET", "/records/doc")
                .await
                .is_err()
        );
        tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    }
    rig.world.disks.catalog.set_hook(None);
    drop(out);
    let entries = rig.entries(from).await;
    let count = |kind| {
        entries
            .iter()
            .filter(|(_, fields)| fields.kind == kind)
            .count()
    };
    assert_eq!(
        (count(Kind::Refuse), count(Kind::Close)),
        (3, 1),
        "each once, none lost, none twice"
    );
}

//! Sites that fail, lie and lose: reads go on from the other one, writes go on or are refused as the bucket
//! has it, damaged bytes are never served.

use crate::rig::{MIB, Rig, bytes, key};
use chunks::{Behaviour, Step};
use sim::world::Setup;
use store::StoreError;
use vault::SitePolicy;
use words::SiteId;

#[tokio::test(start_paused = true)]
async fn writes_go_on_with_one_site_and_the_debt_is_paid() {
    for behaviour in [
        Behaviour::FolderMissing,
        Behaviour::Full,
        Behaviour::ReadOnly,
        Behaviour::Device,
        Behaviour::Hang,
    ] {
        for site in SiteId::BOTH {
            let rig = Rig::quick().await;
            rig.put("before", &bytes(MIB, 1)).await;
            for step in Step::WRITING {
                rig.world.chunks(site).faults().always(step, behaviour);
            }
            for n in 0..4 {
                rig.put("during", &bytes(MIB, n)).await;
            }
            assert!(
                rig.get("before").await == bytes(MIB, 1),
                "{behaviour:?} at {site}"
            );
            assert!(
                rig.get("during").await == bytes(MIB, 3),
                "{behaviour:?} at {site}"
            );
            assert!(rig.rows(b'H').await > 0, "{behaviour:?} at {site}");
            rig.world.chunks(site).faults().clear();
            rig.node.heal(site).await.unwrap();
            assert_eq!(
                (rig.rows(b'H').await, rig.node.behind()),
                (0, None),
                "{behaviour:?} at {site}"
            );
            let [a, b] = SiteId::BOTH.map(|site| rig.world.chunks(site).contents());
            assert_eq!(a.len(), 5, "{behaviour:?} at {site}");
            assert_eq!(a, b, "{behaviour:?} at {site}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_strict_bucket_refuses_and_keeps_nothing() {
    let rig = Rig::open(Setup {
        policy: SitePolicy::Strict,
        ..Setup::quick(3)
    })
    .await;
    rig.put("doc", &bytes(MIB, 1)).await;
    rig.world
        .chunks(SiteId::A)
        .faults()
        .everywhere(Behaviour::FolderMissing);
    let refused = rig
        .client
        .put(&rig.node, &rig.bucket, &key("doc"), &bytes(MIB, 2))
        .await;
    assert!(
        matches!(refused, Err(StoreError::SiteAway(_))),
        "{refused:?}"
    );
    assert!(rig.get("doc").await == bytes(MIB, 1));
    rig.world.chunks(SiteId::A).faults().clear();
    assert_eq!((rig.chunks(), rig.rows(b'H').await), ([1, 1], 0));
}

#[tokio::test(start_paused = true)]
async fn a_flipped_byte_anywhere_is_never_served_and_is_repaired() {
    let rig = Rig::quick().await;
    let body = bytes(2 * MIB, 1);
    rig.put("doc", &body).await;
    let (id, sealed) = rig.world.chunks(SiteId::A).contents().remove(0);
    for at in [
        0,
        23,
        24,
        55,
        56,
        57,
        16_455,
        16_456,
        sealed.len() / 2,
        sealed.len() - 17,
        sealed.len() - 1,
    ] {
        assert!(rig.world.chunks(SiteId::A).flip(id, at, 0x40));
        assert!(rig.get("doc").await == body, "byte {at}");
        assert_eq!(
            rig.node.mirror.repair_waiting().await,
            1,
            "byte {at} was noticed"
        );
        assert!(
            rig.world.chunks(SiteId::A).contents()[0].1 == sealed,
            "byte {at} was repaired"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_damaged_at_both_sites_breaks_the_stream_and_says_so() {
    let rig = Rig::quick().await;
    rig.put("doc", &bytes(3 * MIB, 1)).await;
    let from = rig.next_index().await;
    for site in SiteId::BOTH {
        let (id, sealed) = rig.world.chunks(site).contents().remove(0);
        rig.world.chunks(site).flip(id, sealed.len() - 100, 1);
    }
    let got = rig
        .client
        .get(&rig.node, &rig.bucket, &key("doc"), None)
        .await
        .unwrap();
    assert!(
        got.body.is_err(),
        "the connection breaks; what left before was right"
    );
    let entries = rig.entries(from).await;
    let close = &entries
        .iter()
        .find(|(_, f)| f.kind == ledger::Kind::Close)
        .unwrap()
        .1;
    assert!(close.reason.is_some() && close.bytes.unwrap() < 3 * MIB as u64);
}

/// A catalog that was tampered with: chunks dropped, lengths changed. Never a short body that looks whole,
/// never a crash.
#[tokio::test(start_paused = true)]
async fn a_tampered_row_never_gives_a_short_body() {
    use store::record::object::{Body, ObjectRow};
    let rig = Rig::quick().await;
    rig.put("doc", &bytes(20 * MIB, 1)).await;
    let (row_key, row) = rig.node.rows(b"O").await.unwrap().remove(0);
    let changes: [fn(&mut store::record::chunk_list::SegmentPlace); 5] = [
        |place| {
            place.chunks.pop();
        },
        |place| place.chunks.clear(),
        |place| place.chunks[0].bytes = 10,
        |place| place.chunks[2].bytes -= 16_400,
        |place| place.chunks.swap(0, 1),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut bad = ObjectRow::decode(&row.value).unwrap();
        let Body::Single(place) = &mut bad.body else {
            panic!("a body of 20 MiB lies in chunks")
        };
        change(place);
        let put = catalog::Mutation::Put {
            key: row_key.clone(),
            value: bad.encode().into(),
        };
        let op = words::OpId::from_bytes([n as u8; 16]);
        let commit = catalog::Commit {
            op,
            preconditions: vec![],
            mutations: vec![put],
            entries: vec![],
        };
        assert!(matches!(
            rig.node.engine.commit(commit).await,
            catalog::Outcome::Committed(_)
        ));
        match rig
            .client
            .get(&rig.node, &rig.bucket, &key("doc"), None)
            .await
        {
            Err(StoreError::Corrupt(_)) => {}
            Err(other) => panic!("change {n}: {other}"),
            Ok(got) => assert!(got.body.is_err(), "change {n}"),
        }
    }
}

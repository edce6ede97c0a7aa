//! Nothing that is anybody's lies in clear on any disk: rows, chunks and openings are searched.

use crate::rig::{Rig, bucket, bytes, key};
use ledger::Kind;
use store::api::{ContentHeaders, Metadata, UploadAsked};
use words::SiteId;

const BODY: &[u8] = b"CANARY-BODY-3f9a17";
const NAME: &str = "canary/NAME-of-a-person-77c1";
const VALUE: &str = "CANARY-METADATA-51be";
const TYPE: &str = "application/x-canary-a1b2";
const BUCKET: &str = "canary-bucket-9d04";

#[tokio::test(start_paused = true)]
async fn no_canary_on_any_disk() {
    let rig = Rig::quick().await;
    let home = bucket(BUCKET);
    rig.client.create_bucket(&rig.node, &home).await.unwrap();
    let metadata = Metadata {
        headers: ContentHeaders {
            content_type: Some(TYPE.into()),
            ..ContentHeaders::default()
        },
        user: vec![("note".into(), VALUE.into())],
    };
    for (n, size) in [BODY.len(), 20_000, 70_000, 6_000_000]
        .into_iter()
        .enumerate()
    {
        let body: Vec<u8> = BODY.iter().copied().cycle().take(size).collect();
        let mut asked = sim::client::put_asked(size as u64);
        asked.metadata = metadata.clone();
        let name = key(&format!("{NAME}/{n}"));
        rig.client
            .put_asked(&rig.node, &home, &name, &body, asked)
            .await
            .unwrap();
        assert!(
            rig.client
                .get(&rig.node, &home, &name, None)
                .await
                .unwrap()
                .body
                .unwrap()
                == body
        );
    }
    let store = &rig.node.store;
    let ask = || rig.client.ask(&rig.node, "POST", &home);
    let upload = UploadAsked {
        metadata,
        ..UploadAsked::default()
    };
    let upload = store
        .create_upload(ask().await.unwrap(), &home, &key(NAME), upload)
        .await
        .unwrap();
    let part = sim::client::put_asked(BODY.len() as u64);
    store
        .upload_part(
            ask().await.unwrap(),
            &home,
            &key(NAME),
            upload,
            1,
            part,
            sim::client::body(BODY),
        )
        .await
        .unwrap();
    rig.node.vault.fold_names(&rig.node.index).await.unwrap();
    let thief = sim::Client {
        secret: "x".into(),
        ..rig.client.clone()
    };
    assert!(
        thief
            .caller(&rig.node, "GET", &format!("/{BUCKET}/{NAME}"))
            .await
            .is_err()
    );
    // The openings do say it, to those who hold the key.
    let entries = rig.entries(0).await;
    assert!(
        entries.iter().any(|(_, f)| f.kind == Kind::Write
            && f.resource.as_deref().is_some_and(|r| r.contains(NAME)))
    );
    search(&rig).await;
}

async fn search(rig: &Rig) {
    let secret = rig.client.secret.as_bytes().to_vec();
    let canaries: Vec<Vec<u8>> = [
        BODY,
        NAME.as_bytes(),
        VALUE.as_bytes(),
        TYPE.as_bytes(),
        BUCKET.as_bytes(),
        &secret,
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .collect();
    let mut searched = 0;
    let mut look = |place: String, bytes: &[u8]| {
        searched += bytes.len();
        for canary in &canaries {
            assert!(
                !bytes.windows(canary.len()).any(|w| w == canary),
                "{} lies in {place}",
                String::from_utf8_lossy(canary)
            );
        }
    };
    for (key, row) in rig.node.rows(b"").await.unwrap() {
        look(
            format!("the key of row {:?}", key.first().map(|tag| *tag as char)),
            &key,
        );
        look(
            format!("row {:?}", key.first().map(|tag| *tag as char)),
            &row.value,
        );
    }
    for site in SiteId::BOTH {
        for (id, bytes) in rig.world.chunks(site).contents() {
            look(format!("chunk {id} at {site}"), &bytes);
        }
    }
    assert!(searched > 12_000_000);
}

/// The search finds what is there.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "lies in row")]
async fn the_search_would_find_a_canary() {
    let rig = Rig::quick().await;
    let put = catalog::Mutation::Put {
        key: b"Xleak".to_vec(),
        value: [&bytes(50, 1)[..], BODY].concat().into(),
    };
    let commit = catalog::Commit {
        op: words::OpId::from_bytes([1; 16]),
        preconditions: vec![],
        mutations: vec![put],
        entries: vec![],
    };
    assert!(matches!(
        rig.node.engine.commit(commit).await,
        catalog::Outcome::Committed(_)
    ));
    search(&rig).await;
}

//! Shred groups at the store: what is put under a subject is erased with it, whichever way it came in.

use crate::rig::{MIB, Rig, bytes, key};
use ledger::Kind;
use store::StoreError;
use store::api::{
    CompleteAsked, Conditions, CopyAsked, CopyMetadata, ListAsked, Metadata, PartCopyAsked,
    PartNamed, PutAsked, UploadAsked,
};
use vault::VaultError;
use vault::record::shred::erasure::Stage;
use words::{Subject, TenantName};

const HEADER: &str = "clarence-subject";

fn about(subject: &str) -> Metadata {
    Metadata {
        user: vec![(HEADER.to_owned(), subject.to_owned())],
        ..Metadata::default()
    }
}

pub async fn put_about(rig: &Rig, name: &str, subject: &str, content: &[u8]) {
    let asked = PutAsked {
        metadata: about(subject),
        ..sim::client::put_asked(content.len() as u64)
    };
    let (client, bucket) = (&rig.client, &rig.bucket);
    client
        .put_asked(&rig.node, bucket, &key(name), content, asked)
        .await
        .unwrap();
}

async fn copy(rig: &Rig, from: &str, to: &str, metadata: CopyMetadata) {
    let asked = CopyAsked {
        source_bucket: rig.bucket.clone(),
        source_key: key(from),
        source_conditions: Conditions::default(),
        metadata,
        conditions: Conditions::default(),
        checksum: None,
    };
    let caller = rig.caller("PUT").await;
    let to = key(to);
    let copied = rig.node.store.copy_object(caller, &rig.bucket, &to, asked);
    copied.await.unwrap();
}

async fn names(rig: &Rig) -> Vec<String> {
    let asked = ListAsked {
        max: 1000,
        ..ListAsked::default()
    };
    let caller = rig.caller("GET").await;
    let page = rig
        .node
        .store
        .list_objects(caller, &rig.bucket, asked)
        .await;
    page.unwrap()
        .objects
        .iter()
        .map(|o| o.key.clone())
        .collect()
}

async fn absent(rig: &Rig, name: &str) -> bool {
    let got = rig
        .client
        .get(&rig.node, &rig.bucket, &key(name), None)
        .await;
    let head = rig.client.head(&rig.node, &rig.bucket, &key(name)).await;
    matches!(got, Err(StoreError::NoSuchKey)) && matches!(head, Err(StoreError::NoSuchKey))
}

pub async fn erase(rig: &Rig, subject: &str) -> Result<[u8; 16], VaultError> {
    let tenant = TenantName::parse("tax-office").unwrap();
    let subject = Subject::parse(subject).unwrap();
    let begun = rig
        .node
        .vault
        .erase_subject(&tenant, &subject, "file 7")
        .await?;
    Ok(begun.id)
}

#[tokio::test(start_paused = true)]
async fn an_erased_subject_s_objects_are_gone_and_nobody_else_s() {
    let rig = Rig::quick().await;
    rig.put("plain", b"of nobody").await;
    put_about(&rig, "anna/small", "anna", b"small").await;
    put_about(&rig, "anna/large", "anna", &bytes(2 * MIB, 1)).await;
    put_about(&rig, "ben/small", "ben", b"ben's").await;
    copy(&rig, "anna/small", "kept", CopyMetadata::Keep).await;
    copy(
        &rig,
        "anna/small",
        "bare",
        CopyMetadata::Replace(Metadata::default()),
    )
    .await;
    put_about(&rig, "replaced", "anna", b"first").await;
    rig.put("replaced", b"second, of nobody").await;
    put_about(&rig, "deleted", "anna", b"short-lived").await;
    let name = key("deleted");
    let deleted = rig.client.delete(&rig.node, &rig.bucket, &name);
    deleted.await.unwrap();
    let head = rig
        .client
        .head(&rig.node, &rig.bucket, &key("bare"))
        .await
        .unwrap();
    assert_eq!(
        head.metadata.user,
        about("anna").user,
        "a copy says whom it is about"
    );
    assert_eq!(rig.get("anna/small").await, b"small");
    assert_eq!(rig.get("kept").await, b"small");

    let from = rig.next_index().await;
    let id = erase(&rig, "anna").await.unwrap();
    // From the order on, before anything is swept.
    for name in ["anna/small", "anna/large", "kept", "bare"] {
        assert!(absent(&rig, name).await, "{name}");
    }
    rig.node.store.sweep_erased(&id, |_| {}).await.unwrap();
    let erasure = rig.node.vault.erasure(&id).await.unwrap();
    assert_eq!((erasure.row.objects, erasure.row.uploads), (4, 0));
    assert_eq!(erasure.row.stage, Stage::Swept);
    assert_eq!(names(&rig).await, ["ben/small", "plain", "replaced"]);
    assert_eq!(rig.get("ben/small").await, b"ben's");
    assert_eq!(rig.get("plain").await, b"of nobody");
    assert_eq!(rig.get("replaced").await, b"second, of nobody");
    assert_eq!(rig.count(from, Kind::Destroy).await, 1);
    assert!(matches!(
        erase(&rig, "anna").await,
        Err(VaultError::NoSuchSubject)
    ));
    // Twice is once.
    rig.node.store.sweep_erased(&id, |_| {}).await.unwrap();
    assert_eq!(rig.node.vault.erasure(&id).await.unwrap().row.objects, 4);
    // The same subject begins anew, with a key that has nothing to do with the old one.
    put_about(&rig, "anna/small", "anna", b"a new beginning").await;
    assert_eq!(rig.get("anna/small").await, b"a new beginning");
}

#[tokio::test(start_paused = true)]
async fn uploads_belong_to_their_subject_from_the_first_part_on() {
    let rig = Rig::quick().await;
    put_about(&rig, "source", "anna", &bytes(MIB, 2)).await;
    let begin = |metadata: Metadata| {
        let asked = UploadAsked {
            metadata,
            ..UploadAsked::default()
        };
        let rig = &rig;
        async move {
            let caller = rig.caller("POST").await;
            let store = &rig.node.store;
            store
                .create_upload(caller, &rig.bucket, &key("big"), asked)
                .await
                .unwrap()
        }
    };
    let anna = begin(about("anna")).await;
    let nobody = begin(Metadata::default()).await;
    let from_anna = || PartCopyAsked {
        source_bucket: rig.bucket.clone(),
        source_key: key("source"),
        source_conditions: Conditions::default(),
        range: None,
    };
    let caller = rig.caller("PUT").await;
    let store = &rig.node.store;
    let refused = store
        .upload_part_copy(caller, &rig.bucket, &key("big"), nobody, 1, from_anna())
        .await;
    assert!(
        matches!(refused, Err(StoreError::Invalid(_))),
        "a subject's bytes leave its group"
    );
    let caller = rig.caller("PUT").await;
    let part = store
        .upload_part_copy(caller, &rig.bucket, &key("big"), anna, 1, from_anna())
        .await
        .unwrap();
    let complete = |upload| {
        let asked = CompleteAsked {
            parts: vec![PartNamed {
                number: 1,
                etag: part.etag.clone(),
                checksums: Vec::new(),
            }],
            ..CompleteAsked::default()
        };
        let rig = &rig;
        async move {
            let caller = rig.caller("POST").await;
            let store = &rig.node.store;
            store
                .complete_upload(caller, &rig.bucket, &key("big"), upload, asked)
                .await
        }
    };
    complete(anna).await.unwrap();
    assert_eq!(rig.get("big").await, bytes(MIB, 2));
    let second = begin(about("anna")).await;

    let id = erase(&rig, "anna").await.unwrap();
    assert!(matches!(
        complete(second).await,
        Err(StoreError::NoSuchUpload)
    ));
    rig.node.store.sweep_erased(&id, |_| {}).await.unwrap();
    assert!(absent(&rig, "big").await && absent(&rig, "source").await);
    let row = rig.node.vault.erasure(&id).await.unwrap().row;
    assert_eq!((row.objects, row.uploads), (2, 1));
    assert_eq!(rig.rows(b'U').await, 1, "only the upload of nobody is left");
    // Their chunks go like any garbage.
    rig.skip(words::limits::CHUNK_GRACE_MS + 1);
    while rig.node.store.sweep().await.unwrap().rows > 0 {}
    assert_eq!(rig.chunks(), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_an_erasure_overtakes_is_not_acknowledged() {
    let rig = Rig::quick().await;
    put_about(&rig, "first", "anna", b"x").await;
    let caller = rig.caller("PUT").await;
    let vault = &rig.node.vault;
    let grant = vault
        .admit_write(caller, vault::Action::PutObject, &rig.bucket, &key("late"))
        .await
        .unwrap();
    let subject = Subject::parse("anna").unwrap();
    let grant = vault.for_subject(grant, &subject).await.unwrap();
    let stands = grant.group_stands().unwrap();
    erase(&rig, "anna").await.unwrap();
    let commit = catalog::Commit {
        op: words::OpId::from_bytes([9; 16]),
        preconditions: vec![stands],
        mutations: Vec::new(),
        entries: Vec::new(),
    };
    let outcome = rig.node.engine.commit(commit).await;
    assert!(matches!(outcome, catalog::Outcome::Conflict { which: 0 }));
}

#[tokio::test(start_paused = true)]
async fn subjects_of_two_tenants_are_two_groups_and_no_subject_lies_in_clear() {
    let rig = Rig::quick().await;
    put_about(&rig, "doc", "1893120105732", b"x").await;
    let other = rig.node.client("weather-office").await.unwrap();
    let bucket = crate::rig::bucket("records");
    other.create_bucket(&rig.node, &bucket).await.unwrap();
    let asked = PutAsked {
        metadata: about("1893120105732"),
        ..sim::client::put_asked(1)
    };
    let doc = key("doc");
    let put = other.put_asked(&rig.node, &bucket, &doc, b"y", asked);
    put.await.unwrap();
    for (key, row) in rig.node.rows(&[]).await.unwrap() {
        for bytes in [&key[..], &row.value] {
            let shown = bytes.windows(13).any(|window| window == b"1893120105732");
            assert!(!shown, "row {:?}", key.first().map(|tag| *tag as char));
        }
    }
    let id = erase(&rig, "1893120105732").await.unwrap();
    rig.node.store.sweep_erased(&id, |_| {}).await.unwrap();
    assert!(absent(&rig, "doc").await);
    let theirs = other
        .get(&rig.node, &bucket, &key("doc"), None)
        .await
        .unwrap();
    assert_eq!(theirs.body.unwrap(), b"y");
    for bad in ["", " x", "a\tb"] {
        let asked = PutAsked {
            metadata: about(bad),
            ..sim::client::put_asked(1)
        };
        let name = key("bad");
        let put = rig
            .client
            .put_asked(&rig.node, &rig.bucket, &name, b"z", asked);
        assert!(matches!(put.await, Err(StoreError::Invalid(_))), "{bad:?}");
    }
}

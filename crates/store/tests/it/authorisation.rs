//! The attacks on authorisation (B) and on delegated administration (C), over the real road: a signed request,
//! the vault's decision, the store's verb. Each test's name carries the advisory that it answers.

use crate::rig::{Rig, bucket, bytes, key};
use ledger::Kind;
use sim::Client;
use store::api::{Conditions, CopyAsked, CopyMetadata, ListAsked, PartCopyAsked, UploadAsked};
use store::{PolicyAct, StoreError};
use vault::{KeyAsked, NewIdentity};
use words::{TenantName, UnixMillis};

/// A document that allows actions on resources.
pub fn allow(actions: &[&str], resources: &[&str]) -> String {
    let list = |all: &[&str]| {
        all.iter()
            .map(|one| format!("\"{one}\""))
            .collect::<Vec<_>>()
            .join(",")
    };
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{}],"Resource":[{}]}}]}}"#,
        list(actions),
        list(resources)
    )
}

pub fn tenant(name: &str) -> TenantName {
    TenantName::parse(name).unwrap()
}

/// A key of the tenant that a document narrows.
pub async fn narrowed(rig: &Rig, policy: &str) -> Client {
    let asked = KeyAsked {
        policy: Some(policy.to_owned()),
        ..KeyAsked::default()
    };
    let made = rig
        .node
        .vault
        .key_make(&tenant("tax-office"), asked)
        .await
        .unwrap();
    Client {
        access_key: made.id.to_string(),
        secret: made.secret.to_string(),
        tenant: made.tenant,
        token: None,
    }
}

/// Seals and opens the vault, which forgets what it had loaded.
async fn reopen(rig: &Rig) {
    rig.node.vault.seal();
    rig.world.unseal(&rig.node, [0, 1]).await.unwrap();
}

pub fn denied<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Denied)), "{outcome:?}");
}

fn copy_of(source: &str, name: &str) -> CopyAsked {
    CopyAsked {
        source_bucket: bucket(source),
        source_key: key(name),
        source_conditions: Conditions::default(),
        metadata: CopyMetadata::Keep,
        conditions: Conditions::default(),
        checksum: None,
    }
}

#[tokio::test(start_paused = true)]
async fn b2_ghsa_mx42_copy_from_a_bucket_one_cannot_read() {
    let rig = Rig::quick().await;
    let own = bucket("drop");
    rig.client.create_bucket(&rig.node, &own).await.unwrap();
    rig.put("secret", b"for few eyes").await;
    let thief = narrowed(
        &rig,
        &allow(&["s3:*"], &["arn:aws:s3:::drop", "arn:aws:s3:::drop/*"]),
    )
    .await;
    let (node, from) = (&rig.node, rig.next_index().await);
    let caller = thief.ask(node, "PUT", &own).await.unwrap();
    denied(
        node.store
            .copy_object(caller, &own, &key("copy"), copy_of("records", "secret"))
            .await,
    );
    // The same by UploadPartCopy, and the other way round: read allowed, target not.
    let caller = thief.ask(node, "POST", &own).await.unwrap();
    let upload = node
        .store
        .create_upload(caller, &own, &key("copy"), UploadAsked::default())
        .await
        .unwrap();
    let part = PartCopyAsked {
        source_bucket: bucket("records"),
        source_key: key("secret"),
        source_conditions: Conditions::default(),
        range: None,
    };
    let caller = thief.ask(node, "PUT", &own).await.unwrap();
    denied(
        node.store
            .upload_part_copy(caller, &own, &key("copy"), upload, 1, part)
            .await,
    );
    let reader = narrowed(&rig, &allow(&["s3:GetObject"], &["arn:aws:s3:::records/*"])).await;
    let caller = reader.ask(node, "PUT", &own).await.unwrap();
    denied(
        node.store
            .copy_object(caller, &own, &key("copy"), copy_of("records", "secret"))
            .await,
    );
    let outcome = rig.client.get(node, &own, &key("copy"), None).await;
    assert!(matches!(outcome, Err(StoreError::NoSuchKey)));
    // No grant of the secret was given to the thief: only denials stand in the ledger for it.
    let grants = rig.entries(from).await.into_iter().filter(|(_, fields)| {
        fields.kind == Kind::Grant
            && fields.actor.as_ref() == Some(&thief.access_key)
            && fields.resource.as_deref() == Some("records/secret")
    });
    assert_eq!(grants.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn b4_cve_2026_54917_dots_in_a_key_lead_nowhere() {
    let rig = Rig::quick().await;
    rig.put("private", b"text").await;
    rig.put("public/a", b"for all").await;
    let guest = narrowed(
        &rig,
        &allow(&["s3:GetObject"], &["arn:aws:s3:::records/public/*"]),
    )
    .await;
    let get = async |name: &str| guest.get(&rig.node, &rig.bucket, &key(name), None).await;
    assert_eq!(get("public/a").await.unwrap().body.unwrap(), b"for all");
    assert!(matches!(
        get("public/../private").await,
        Err(StoreError::NoSuchKey) // an object of that name, which there is not
    ));
    for name in [
        "private",
        "./public/a",
        "x/../public/a",
        "public",
        "/public/a",
    ] {
        denied(get(name).await.map(drop));
    }
}

#[tokio::test(start_paused = true)]
async fn b9_cve_2026_72921_a_prefix_is_not_a_neighbours() {
    let rig = Rig::quick().await;
    rig.put("tenant1/doc", b"one").await;
    rig.put("tenant1234/doc", b"other").await;
    let one = narrowed(
        &rig,
        r#"{"Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::records/tenant1/*"},
                {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::records","Condition":{"StringLike":{"s3:prefix":"tenant1/*"}}}]}"#,
    )
    .await;
    let node = &rig.node;
    let got = one.get(node, &rig.bucket, &key("tenant1/doc"), None).await;
    assert_eq!(got.unwrap().body.unwrap(), b"one");
    denied(
        one.get(node, &rig.bucket, &key("tenant1234/doc"), None)
            .await
            .map(drop),
    );
    denied(one.put(node, &rig.bucket, &key("tenant1234/x"), b"x").await);
    denied(one.delete(node, &rig.bucket, &key("tenant1234/doc")).await);
    let list = async |prefix: &str| {
        let caller = one.ask(node, "GET", &rig.bucket).await.unwrap();
        let asked = ListAsked {
            prefix: prefix.to_owned(),
            max: 100,
            ..ListAsked::default()
        };
        node.store.list_objects(caller, &rig.bucket, asked).await
    };
    assert_eq!(list("tenant1/").await.unwrap().objects.len(), 1);
    denied(list("tenant1").await.map(drop));
    denied(list("").await.map(drop));
    // DeleteObjects answers each name on its own.
    let caller = one.ask(node, "POST", &rig.bucket).await.unwrap();
    let names = ["tenant1234/doc", "tenant1/doc", "other"].map(key).to_vec();
    let answers = node
        .store
        .delete_objects(caller, &rig.bucket, names)
        .await
        .unwrap();
    assert!(matches!(
        answers.as_slice(),
        [Err(StoreError::Denied), Ok(()), Err(StoreError::Denied)]
    ));
    assert_eq!(rig.get("tenant1234/doc").await, b"other");
}

#[tokio::test(start_paused = true)]
async fn b6_ghsa_x298_what_is_refused_tells_nothing_of_what_is_there() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let narrow = narrowed(&rig, &allow(&["s3:GetObject"], &["arn:aws:s3:::other/*"])).await;
    let node = &rig.node;
    // Present or absent, with a condition or without, in a bucket that is there or not: one answer.
    let conditions = [
        Conditions::default(),
        Conditions {
            if_match: Some(store::api::EtagMatch::Any),
            ..Conditions::default()
        },
    ];
    for bucket in [rig.bucket.clone(), bucket("nowhere")] {
        for name in ["doc", "absent"] {
            for conditions in &conditions {
                let asked = store::api::ReadAsked {
                    conditions: conditions.clone(),
                    ..Default::default()
                };
                denied(
                    narrow
                        .get_asked(node, &bucket, &key(name), asked)
                        .await
                        .map(drop),
                );
                let caller = narrow.ask(node, "DELETE", &bucket).await.unwrap();
                denied(
                    node.store
                        .delete_object(caller, &bucket, &key(name), conditions.clone())
                        .await,
                );
            }
        }
    }
    // Another tenant's bucket and none at all are one and the same for whoever may ask.
    let foreign = rig.node.client("weather-office").await.unwrap();
    for name in [rig.bucket.clone(), bucket("nowhere")] {
        assert!(matches!(
            foreign.get(node, &name, &key("doc"), None).await,
            Err(StoreError::NoSuchBucket)
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn bucket_policies_narrow_and_end_with_their_bucket() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    rig.put("secret/doc", b"text").await;
    let policy = async |client: &Client, act| {
        let caller = client.ask(&rig.node, "PUT", &rig.bucket).await.unwrap();
        rig.node.store.bucket_policy(caller, &rig.bucket, act).await
    };
    let all = narrowed(&rig, &allow(&["s3:*"], &["*"])).await;
    let reader = narrowed(&rig, &allow(&["s3:GetObject"], &["*"])).await;
    assert!(matches!(
        policy(&rig.client, PolicyAct::Get).await,
        Err(StoreError::NoSuchBucketPolicy)
    ));
    let text = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::records/secret/*"]}}"#;
    denied(policy(&reader, PolicyAct::Put(text.into())).await);
    assert!(matches!(
        policy(&all, PolicyAct::Put("{}".into())).await,
        Err(StoreError::MalformedPolicy(_))
    ));
    policy(&all, PolicyAct::Put(text.into())).await.unwrap();
    assert_eq!(
        policy(&rig.client, PolicyAct::Get)
            .await
            .unwrap()
            .as_deref(),
        Some(text)
    );
    for client in [&rig.client, &all, &reader] {
        let get = async |name: &str| client.get(&rig.node, &rig.bucket, &key(name), None).await;
        assert_eq!(get("doc").await.unwrap().body.unwrap(), b"text");
        denied(get("secret/doc").await.map(drop));
    }
    // It outlives a restart, and an upload that it forbids while the bytes come in is not taken.
    let whole = bytes(64 * 1024, 3);
    let caller = rig.caller("PUT").await;
    let (vault, asks) = (
        std::sync::Arc::clone(&rig.node.vault),
        rig.caller("PUT").await,
    );
    let (half, rest) = (whole[..1000].to_vec(), whole[1000..].to_vec());
    let into = rig.bucket.clone();
    let body = futures::stream::once(async move { Ok(bytes::Bytes::from(half)) });
    let shut = futures::stream::once(async move {
        let text = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::records/*"}}"#;
        vault
            .bucket_policy(asks, &into, PolicyAct::Put(text.into()))
            .await
            .unwrap();
        Ok(bytes::Bytes::from(rest))
    });
    let body = futures::StreamExt::boxed(futures::StreamExt::chain(body, shut));
    let asked = sim::client::put_asked(whole.len() as u64);
    denied(
        rig.node
            .store
            .put_object(caller, &rig.bucket, &key("late"), asked, body)
            .await,
    );
    rig.node.crash();
    let node = rig.world.start().unwrap();
    rig.world.unseal(&node, [0, 1]).await.unwrap();
    denied(rig.client.put(&node, &rig.bucket, &key("late"), b"x").await);
    assert_eq!(node.rows(b"I").await.unwrap().len(), 1);
    for name in ["doc", "secret/doc"] {
        rig.client
            .delete(&node, &rig.bucket, &key(name))
            .await
            .unwrap();
    }
    let caller = rig.client.ask(&node, "DELETE", &rig.bucket).await.unwrap();
    node.store.delete_bucket(caller, &rig.bucket).await.unwrap();
    assert_eq!(node.rows(b"I").await.unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_changed_credential_row_opens_nothing_and_is_recorded() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let expires = Some(UnixMillis(rig.node.host.now().0 + 60_000));
    let asked = KeyAsked {
        policy: Some(allow(&["s3:GetObject"], &["*"])),
        expires,
        ..KeyAsked::default()
    };
    let made = rig
        .node
        .vault
        .key_make(&tenant("tax-office"), asked)
        .await
        .unwrap();
    let client = Client {
        access_key: made.id.to_string(),
        secret: made.secret.to_string(),
        tenant: made.tenant,
        token: None,
    };
    let row_key = vault::record::access_key::key(&made.id);
    let original = rig.node.rows(&row_key).await.unwrap().remove(0).1.value;
    // Each byte of what stands in clear, one of what is sealed, and the version put back to 1.
    for at in (0..34).chain([60, original.len() - 1]) {
        let mut changed = original.to_vec();
        changed[at] = if at == 0 { 1 } else { changed[at] ^ 1 };
        rig.node.overwrite(row_key.clone(), changed).await.unwrap();
        reopen(&rig).await;
        let from = rig.next_index().await;
        let refused = client
            .caller(&rig.node, "GET", "/records/doc")
            .await
            .unwrap_err();
        assert!(
            refused.status == 403 || refused.status == 503,
            "{at}: {refused:?}"
        );
        if refused.status == 403 && at != 33 {
            assert!(refused.message.contains(client.access_key.as_str()), "{at}");
            let entries = rig.entries(from).await;
            let found = entries.iter().any(|(_, fields)| {
                fields.kind == Kind::Refuse
                    && fields.reason.as_deref() == Some("tampered credential")
                    && fields.actor.as_ref() == Some(&client.access_key)
            });
            assert!(found, "{at}");
        }
    }
    // A damaged credential can still be stopped.
    rig.node.vault.key_suspend(&made.id).await.unwrap();
    rig.node
        .overwrite(row_key.clone(), original.to_vec())
        .await
        .unwrap();
    reopen(&rig).await;
    let got = client.get(&rig.node, &rig.bucket, &key("doc"), None).await;
    assert_eq!(got.unwrap().body.unwrap(), b"text");
}

#[tokio::test(start_paused = true)]
async fn a_credential_of_the_first_format_opens_and_is_renewed_when_it_is_stopped() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let (id, secret) = rig
        .world
        .first_format_key(&rig.node, rig.client.tenant)
        .await
        .unwrap();
    let client = Client {
        access_key: id.to_string(),
        secret,
        tenant: rig.client.tenant,
        token: None,
    };
    let got = client.get(&rig.node, &rig.bucket, &key("doc"), None).await;
    assert_eq!(got.unwrap().body.unwrap(), b"text");
    let row_key = vault::record::access_key::key(&id);
    let version = async || rig.node.rows(&row_key).await.unwrap().remove(0).1.value[0];
    assert_eq!(version().await, 1);
    rig.node.vault.key_suspend(&id).await.unwrap();
    assert_eq!(version().await, 2);
    let refused = client.caller(&rig.node, "GET", "/records/doc").await;
    assert_eq!(refused.unwrap_err().status, 403);
}

#[tokio::test(start_paused = true)]
async fn people_without_a_policy_may_nothing_and_a_change_reaches_their_keys() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let office = tenant("tax-office");
    let vault = &rig.node.vault;
    let anna = |policy: Option<String>| NewIdentity {
        name: "anna".into(),
        workload: false,
        policy,
        trust: None,
        session_seconds_max: 3600,
    };
    vault
        .identity_add(&office, false, anna(None))
        .await
        .unwrap();
    assert!(matches!(
        vault.identity_add(&office, false, anna(None)).await,
        Err(vault::VaultError::Exists(_))
    ));
    let asked = KeyAsked {
        identity: Some("anna".into()),
        policy: Some(allow(&["s3:*"], &["*"])),
        expires: None,
    };
    let made = vault.key_make(&office, asked).await.unwrap();
    let client = Client {
        access_key: made.id.to_string(),
        secret: made.secret.to_string(),
        tenant: made.tenant,
        token: None,
    };
    let get = async || client.get(&rig.node, &rig.bucket, &key("doc"), None).await;
    denied(get().await.map(drop));
    let reads = allow(&["s3:GetObject"], &["arn:aws:s3:::records/*"]);
    vault
        .identity_policy(&office, false, "anna", reads)
        .await
        .unwrap();
    assert_eq!(get().await.unwrap().body.unwrap(), b"text");
    denied(client.put(&rig.node, &rig.bucket, &key("doc"), b"x").await);
    let other = allow(&["s3:GetObject"], &["arn:aws:s3:::other/*"]);
    vault
        .identity_policy(&office, false, "anna", other)
        .await
        .unwrap();
    denied(get().await.map(drop));
    vault
        .identity_suspend(&office, false, "anna")
        .await
        .unwrap();
    let refused = client.caller(&rig.node, "GET", "/records/doc").await;
    assert_eq!(refused.unwrap_err().status, 403);
    // Names of people stand nowhere in clear.
    for (row_key, row) in rig.node.rows(b"I").await.unwrap() {
        for bytes in [row_key.as_slice(), row.value.as_ref()] {
            assert!(!bytes.windows(4).any(|window| window == b"anna"));
        }
    }
}

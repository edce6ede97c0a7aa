//! Who may: other tenants learn nothing, stopped credentials stop, a sealed node does nothing.

use crate::rig::{MIB, Rig, bytes, key};
use bytes::Bytes;
use futures::{StreamExt, stream};
use ledger::Kind;
use std::sync::Arc;
use store::StoreError;
use store::api::ListAsked;

#[tokio::test(start_paused = true)]
async fn another_tenant_gets_no_such_bucket_and_it_is_recorded() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let other = rig.node.client("weather-office").await.unwrap();
    let from = rig.next_index().await;
    let (node, bucket) = (&rig.node, &rig.bucket);
    assert!(matches!(
        other.get(node, bucket, &key("doc"), None).await,
        Err(StoreError::NoSuchBucket)
    ));
    assert!(matches!(
        other.put(node, bucket, &key("doc"), b"mine").await,
        Err(StoreError::NoSuchBucket)
    ));
    assert!(matches!(
        other.delete(node, bucket, &key("doc")).await,
        Err(StoreError::NoSuchBucket)
    ));
    let caller = other.ask(node, "GET", bucket).await.unwrap();
    assert!(matches!(
        node.store
            .list_objects(caller, bucket, ListAsked::default())
            .await,
        Err(StoreError::NoSuchBucket)
    ));
    let denied = rig.entries(from).await;
    assert_eq!(denied.len(), 4);
    for (_, fields) in denied {
        assert_eq!(
            (fields.kind, fields.tenant),
            (Kind::Deny, Some(other.tenant))
        );
    }
    // The same name is free for the other tenant, and the two never meet.
    other.create_bucket(node, bucket).await.unwrap();
    other
        .put(node, bucket, &key("doc"), b"theirs")
        .await
        .unwrap();
    assert_eq!(rig.get("doc").await, b"text");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_credential_is_refused_and_recorded() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let second = rig.node.client("tax-office").await.unwrap();
    rig.node.suspend(&rig.client).await.unwrap();
    let from = rig.next_index().await;
    let refused = rig
        .client
        .caller(&rig.node, "GET", "/records/doc")
        .await
        .unwrap_err();
    assert_eq!(refused.status, 403);
    let (_, fields) = rig.entries(from).await.remove(0);
    assert_eq!(
        (fields.kind, fields.actor),
        (Kind::Refuse, Some(rig.client.access_key.clone()))
    );
    assert_eq!(
        second
            .get(&rig.node, &rig.bucket, &key("doc"), None)
            .await
            .unwrap()
            .body
            .unwrap(),
        b"text"
    );
    let forger = sim::Client {
        secret: "wrong".into(),
        ..second
    };
    assert_eq!(
        forger
            .caller(&rig.node, "GET", "/records/doc")
            .await
            .unwrap_err()
            .code,
        "SignatureDoesNotMatch"
    );
}

#[tokio::test(start_paused = true)]
async fn a_credential_stopped_during_an_upload_wins_over_the_upload() {
    let rig = Rig::quick().await;
    let (vault, id) = (
        Arc::clone(&rig.node.vault),
        words::AccessKeyId::parse(&rig.client.access_key).unwrap(),
    );
    let caller = rig.caller("PUT").await;
    let whole = bytes(2 * MIB, 1);
    let half = Bytes::copy_from_slice(&whole[..MIB]);
    let rest = Bytes::copy_from_slice(&whole[MIB..]);
    let stop = stream::once(async move {
        vault.key_suspend(&id).await.unwrap();
        Ok(rest)
    });
    let body = stream::once(async move { Ok(half) }).chain(stop).boxed();
    let asked = sim::client::put_asked(whole.len() as u64);
    let refused = rig
        .node
        .store
        .put_object(caller, &rig.bucket, &key("doc"), asked, body)
        .await;
    assert!(matches!(refused, Err(StoreError::Denied)));
    assert_eq!(rig.chunks(), [0, 0], "nothing of it stays");
    assert_eq!(rig.rows(b'O').await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_sealed_node_does_nothing_until_two_shares_came() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let caller = rig.caller("GET").await;
    rig.node.vault.seal();
    assert!(matches!(
        rig.node
            .store
            .get_object(caller, &rig.bucket, &key("doc"), Default::default())
            .await,
        Err(StoreError::Sealed)
    ));
    assert!(matches!(
        rig.client.ask(&rig.node, "GET", &rig.bucket).await,
        Err(StoreError::Sealed)
    ));
    rig.world.unseal(&rig.node, [1, 2]).await.unwrap();
    assert_eq!(rig.get("doc").await, b"text");
    // A restart: another node over the same disks.
    rig.node.crash();
    let node = rig.world.start().unwrap();
    assert!(matches!(
        rig.client.ask(&node, "GET", &rig.bucket).await,
        Err(StoreError::Sealed)
    ));
    rig.world.unseal(&node, [0, 1]).await.unwrap();
    assert_eq!(
        rig.client
            .get(&node, &rig.bucket, &key("doc"), None)
            .await
            .unwrap()
            .body
            .unwrap(),
        b"text"
    );
}

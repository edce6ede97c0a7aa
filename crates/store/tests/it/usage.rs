//! Metering, quotas, and failures that are too many.

use crate::authorisation::tenant;
use crate::rig::{MIB, Rig, bytes, key};
use ledger::Kind;
use sim::Client;
use store::StoreError;
use vault::Quota;

/// What was read is counted when the read is closed, which nobody waits for.
async fn closed() {
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_tenant_uses_is_counted_by_the_hour_and_outlives_a_restart() {
    let rig = Rig::quick().await;
    let vault = &rig.node.vault;
    rig.put("doc", &bytes(1000, 1)).await;
    rig.get("doc").await;
    rig.get("doc").await;
    let missing = rig
        .client
        .get(&rig.node, &crate::rig::bucket("nowhere"), &key("x"), None)
        .await;
    assert!(missing.is_err());
    closed().await;
    let [line] = vault.meter_export(None).await.unwrap().try_into().unwrap();
    assert_eq!(line.tenant, tenant("tax-office"));
    assert_eq!((line.counts.bytes_in, line.counts.bytes_out), (1000, 2000));
    assert_eq!((line.counts.requests, line.counts.refused), (5, 1));
    // The same hour goes on in the same row, the next in another; another tenant has its own.
    rig.get("doc").await;
    closed().await;
    rig.skip(3_600_000);
    let other = rig.node.client("weather-office").await.unwrap();
    other.create_bucket(&rig.node, &rig.bucket).await.unwrap();
    vault.flush_meter().await.unwrap();
    rig.skip(3_600_000);
    rig.get("doc").await;
    closed().await;
    vault.flush_meter().await.unwrap();
    rig.node.vault.seal();
    rig.world.unseal(&rig.node, [0, 1]).await.unwrap();
    let lines = vault
        .meter_export(Some(&tenant("tax-office")))
        .await
        .unwrap();
    let out: Vec<u64> = lines.iter().map(|line| line.counts.bytes_out).collect();
    assert_eq!(out.iter().sum::<u64>(), 4000, "{out:?}");
    assert!(lines.windows(2).all(|pair| pair[0].hour < pair[1].hour));
    assert_eq!(
        vault
            .meter_export(Some(&tenant("weather-office")))
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_quota_refuses_new_writes_and_nothing_else() {
    let rig = Rig::quick().await;
    let vault = &rig.node.vault;
    let office = tenant("tax-office");
    rig.put("old", &bytes(MIB, 1)).await;
    let quota = Quota {
        stored_bytes: 2 * MIB as u64,
        requests_per_hour: 0,
    };
    vault.quota_set(&office, quota).await.unwrap();
    rig.put("new", &bytes(MIB, 2)).await;
    let put = async |name: &str| {
        rig.client
            .put(&rig.node, &rig.bucket, &key(name), b"x")
            .await
    };
    let from = rig.next_index().await;
    let refused = put("more").await.unwrap_err();
    assert!(matches!(&refused, StoreError::QuotaExceeded(_)));
    assert!(refused.to_string().contains("2097152"), "{refused}");
    assert_eq!(rig.count(from, Kind::Deny).await, 1);
    assert_eq!(rig.get("new").await.len(), MIB);
    // Another tenant is not touched; what is deleted is free again once it is added up.
    let other = rig.node.client("weather-office").await.unwrap();
    other.create_bucket(&rig.node, &rig.bucket).await.unwrap();
    other
        .put(&rig.node, &rig.bucket, &key("doc"), b"x")
        .await
        .unwrap();
    rig.client
        .delete(&rig.node, &rig.bucket, &key("old"))
        .await
        .unwrap();
    vault.measure().await.unwrap();
    put("more").await.unwrap();
    // Requests of the hour: reads go on, writes wait for the next one.
    let quota = Quota {
        stored_bytes: 0,
        requests_per_hour: 3,
    };
    vault.quota_set(&office, quota).await.unwrap();
    for _ in 0..3 {
        rig.get("more").await;
    }
    assert!(matches!(
        put("late").await,
        Err(StoreError::QuotaExceeded(_))
    ));
    rig.get("more").await;
    rig.skip(3_600_000);
    put("late").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a11_cve_2026_33419_failures_answer_alike_and_too_many_are_shut_out() {
    let rig = Rig::quick().await;
    let wrong = Client {
        secret: "wrong".into(),
        ..rig.client.clone()
    };
    let unknown = Client {
        access_key: "CLRNOBODY".into(),
        ..rig.client.clone()
    };
    let ask = async |client: &Client| client.caller(&rig.node, "GET", "/records/doc").await;
    let (one, other) = (
        ask(&wrong).await.unwrap_err(),
        ask(&unknown).await.unwrap_err(),
    );
    assert_eq!(one, other);
    let patience = std::time::Duration::from_secs(10);
    assert!(rig.node.vault.flush_later(patience).await);
    let from = rig.next_index().await;
    let mut last = one;
    for _ in 0..400 {
        last = ask(&wrong).await.unwrap_err();
    }
    assert_eq!((last.status, last.code), (503, "SlowDown"));
    // The right secret is shut out with it, for this minute; the ledger has one entry for each that was judged.
    assert_eq!(ask(&rig.client).await.unwrap_err().code, "SlowDown");
    assert!(rig.node.vault.flush_later(patience).await);
    assert_eq!(rig.count(from, Kind::Refuse).await, 200);
    let second = rig.node.client("tax-office").await.unwrap();
    assert!(ask(&second).await.is_ok());
    rig.skip(60_000);
    assert!(ask(&rig.client).await.is_ok());
}

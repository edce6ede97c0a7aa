//! Break-glass: it opens one bucket for one officer, loudly, and ends by itself.

use crate::house::{HOUR, House, bucket, object, word};
use sim::Client;
use vault::joint::Outcome;
use vault::record::joint::GlassState;

const WHAT: [(&str, &str); 3] = [
    ("tenant", "ministry"),
    ("bucket", "records"),
    ("prefix", "2026/"),
];

async fn open(house: &House) -> Client {
    let request = house.lodge("break-glass-read", &WHAT).await;
    let refused = house.carry(&request).await.err().unwrap();
    assert_eq!(word(&refused), "lacking", "the patron is missing");
    house.approve(&request, "minister").await.unwrap();
    let Outcome::Credential { key, expires } = house.carry(&request).await.unwrap().outcome else {
        panic!("no credential");
    };
    let lasts = expires.unwrap().0 - house.world.host.now().0;
    assert!(lasts <= 4 * 3_600_000, "{lasts}");
    Client {
        token: None,
        access_key: key.id.to_string(),
        secret: key.secret.to_string(),
        tenant: key.tenant,
    }
}

#[tokio::test(start_paused = true)]
async fn break_glass_reads_one_bucket_is_marked_at_every_use_and_ends_by_itself() {
    let mut house = House::new(40).await;
    let officer = open(&house).await;
    let node = &house.node;
    let (records, other) = (bucket("records"), bucket("other"));
    let got = officer
        .get(node, &records, &object("2026/a"), None)
        .await
        .unwrap();
    assert_eq!(got.body.unwrap(), b"what was written");
    // Neither beyond the prefix, nor another bucket, nor one that is not there, nor a write, nor a new bucket.
    assert!(
        officer
            .get(node, &records, &object("2025/b"), None)
            .await
            .is_err()
    );
    for name in [&other, &bucket("missing")] {
        let refused = officer
            .get(node, name, &object("2026/a"), None)
            .await
            .unwrap_err();
        assert!(format!("{refused:?}").contains("Denied"), "{refused:?}");
    }
    assert!(
        officer
            .put(node, &records, &object("2026/a"), b"x")
            .await
            .is_err()
    );
    assert!(
        officer
            .delete(node, &records, &object("2026/a"))
            .await
            .is_err()
    );
    assert!(officer.create_bucket(node, &bucket("mine")).await.is_err());
    // Every entry of the credential says so.
    let all = node.entries().await.unwrap();
    let uses: Vec<_> = (all.iter())
        .filter_map(|entry| entry.fields.as_ref())
        .filter(|fields| fields.actor.as_deref() == Some(&officer.access_key))
        .collect();
    assert!(uses.len() >= 7, "{uses:?}");
    for fields in &uses {
        assert_eq!(fields.purpose.as_deref(), Some("break-glass"), "{fields:?}");
        assert_eq!(fields.consumer.as_deref(), Some("anna of ctie"));
    }
    let acts = all.iter().filter_map(|entry| entry.fields.as_ref());
    let begun = acts.filter(|fields| fields.operation.as_deref() == Some("BreakGlass"));
    assert_eq!(
        begun.count(),
        2,
        "for the cloud, and for the tenant with its own key"
    );
    assert_eq!(node.vault.glass_shown()[0].row.state, GlassState::Open);
    // It survives a restart no better than anything else: still in sight, still bounded.
    house.restart().await;
    assert_eq!(house.node.vault.glass_shown().len(), 1);
    assert!(
        officer
            .get(&house.node, &other, &object("2026/a"), None)
            .await
            .is_err()
    );
    // Reporting comes after the end.
    let early = house
        .node
        .vault
        .report_glass(&officer.access_key, "read one")
        .await;
    assert_eq!(word(&early.unwrap_err()), "conflict");
    house.world.clock.skip(HOUR * 4);
    assert!(
        officer
            .get(&house.node, &records, &object("2026/a"), None)
            .await
            .is_err()
    );
    assert_eq!(house.node.vault.end_glasses().await.unwrap().ended, 1);
    assert_eq!(house.node.vault.end_glasses().await.unwrap().ended, 0);
    assert_eq!(
        house.node.vault.glass_shown()[0].row.state,
        GlassState::Ended
    );
    house
        .node
        .vault
        .report_glass(&officer.access_key, "read one list")
        .await
        .unwrap();
    assert!(house.node.vault.glass_shown().is_empty());
    let acts = house.entries("admin").await;
    for operation in ["BreakGlassEnded", "BreakGlassReport"] {
        assert_eq!(
            acts.iter().filter(|(name, _)| name == operation).count(),
            2,
            "{operation}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn break_glass_is_for_known_officers_and_buckets_and_can_be_stopped() {
    let house = House::new(41).await;
    let missing = [("tenant", "ministry"), ("bucket", "nowhere")];
    let request = house.lodge("break-glass-read", &missing).await;
    house.approve(&request, "minister").await.unwrap();
    assert_eq!(
        word(&house.carry(&request).await.err().unwrap()),
        "not-found"
    );
    let stranger = [
        ("tenant", "ministry"),
        ("bucket", "records"),
        ("officer", "eve of ctie"),
    ];
    let request = house.lodge("break-glass-read", &stranger).await;
    house.approve(&request, "minister").await.unwrap();
    assert_eq!(
        word(&house.carry(&request).await.err().unwrap()),
        "unknown-approver"
    );
    let officer = open(&house).await;
    house
        .done("key-suspend", &[("access-key", &officer.access_key)], &[])
        .await;
    let (records, name) = (bucket("records"), object("2026/a"));
    let read = officer.get(&house.node, &records, &name, None).await;
    assert!(read.is_err());
}

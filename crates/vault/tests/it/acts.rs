//! Acts: what they change, that plain verbs are closed, and that closing is easy.

use crate::house::{House, bucket, object, word};
use vault::VaultError;
use vault::joint::Outcome;
use words::{AccessKeyId, TenantName};

#[tokio::test(start_paused = true)]
async fn plain_verbs_that_ask_for_a_quorum_are_closed_and_closing_is_not() {
    let house = House::new(20).await;
    let vault = &house.node.vault;
    let name = TenantName::parse("treasury").unwrap();
    let refused = vault.tenant_add(name.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, VaultError::NeedsQuorum(why) if why.contains("ctie OR luxconnect OR proximus")),
        "{refused}"
    );
    assert!(matches!(
        vault.key_add(&name, None).await,
        Err(VaultError::NeedsQuorum(_))
    ));
    let id = AccessKeyId::parse(&house.tenant.access_key).unwrap();
    vault.key_suspend(&id).await.unwrap();
    let (records, name) = (bucket("records"), object("2026/a"));
    let read = house.tenant.get(&house.node, &records, &name, None).await;
    assert!(read.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_suspended_tenant_and_its_writes_under_way_stop_and_two_parties_let_it_go_on() {
    let house = House::new(21).await;
    let (node, tenant) = (&house.node, &house.tenant);
    let records = bucket("records");
    let caller = tenant.ask(node, "PUT", &records).await.unwrap();
    let under_way = node
        .vault
        .admit_write(caller, vault::Action::PutObject, &records, &object("c"))
        .await
        .unwrap();
    house
        .done("tenant-suspend", &[("tenant", "ministry")], &[])
        .await;
    assert!(
        tenant
            .get(node, &records, &object("2026/a"), None)
            .await
            .is_err()
    );
    let settled = node.vault.settle_step(&under_way, "PutObject", 1, &[]);
    assert!(matches!(settled, Err(VaultError::Denied)));
    house
        .done(
            "tenant-resume",
            &[("tenant", "ministry")],
            &["ben of ctie", "ben of proximus"],
        )
        .await;
    let got = tenant
        .get(node, &records, &object("2026/a"), None)
        .await
        .unwrap();
    assert_eq!(got.body.unwrap(), b"what was written");
    // A credential that was made by request works, until one alone stops it.
    let Outcome::Credential { key, expires } = house
        .done("key-add", &[("tenant", "ministry")], &["ben of ctie"])
        .await
    else {
        panic!("no credential");
    };
    assert_eq!(expires, None);
    let made = sim::Client {
        token: None,
        access_key: key.id.to_string(),
        secret: key.secret.to_string(),
        tenant: key.tenant,
    };
    made.get(node, &records, &object("2026/a"), None)
        .await
        .unwrap();
    house
        .done("key-suspend", &[("access-key", &made.access_key)], &[])
        .await;
    assert!(
        made.get(node, &records, &object("2026/a"), None)
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn sealing_by_request_forgets_everything_and_needs_one_alone() {
    let mut house = House::new(22).await;
    let wrong = house.lodge("seal", &[("node", "elsewhere")]).await;
    let refused = house.carry(&wrong).await.err().unwrap();
    assert_eq!(word(&refused), "other-node");
    assert!(matches!(
        house.done("seal", &[], &[]).await,
        Outcome::Sealed
    ));
    assert!(house.node.vault.is_sealed());
    assert!(house.node.vault.docket().await.is_err());
    house.restart().await;
    let docket = house.node.vault.docket().await.unwrap();
    assert!(
        docket
            .iter()
            .any(|one| one.verb == "seal" && one.carried_out.is_some())
    );
    assert_eq!(house.entries("seal").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cloud_without_keys_in_its_charter_has_no_docket() {
    let (_world, node) = sim::World::open(sim::world::Setup::quick(23))
        .await
        .unwrap();
    let refused = node.vault.hand_in(b"clarence request, format 1\n").await;
    assert_eq!(word(&refused.unwrap_err()), "no-keys");
}

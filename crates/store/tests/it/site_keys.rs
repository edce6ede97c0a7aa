//! The sites' keys are renewed while everything goes on: nobody notices, whenever the node dies it goes on, and in the end
//! nothing is left under the old ones.

use crate::rig::{Rig, bytes};
use catalog::{Commit, KeyRange, Mutation, Order, Outcome};
use sim::renewal::Renewed;
use sim::world::Setup;
use std::time::Duration;
use vault::record::rotation::RotationRow;
use vault::record::sites::{self, SitesRow};
use vault::record::tenant::TenantRow;
use vault::{RotationState, RotationTarget, SitePolicy};
use words::{OpId, TenantName};

fn tenant_name(text: &str) -> TenantName {
    TenantName::parse(text).unwrap()
}

async fn rows(rig: &Rig, prefix: &[u8]) -> Vec<(Vec<u8>, catalog::Row)> {
    rig.node
        .engine
        .scan(KeyRange::prefix(prefix), 1000, Order::Ascending)
        .await
        .unwrap()
}

async fn put_row(rig: &Rig, key: Vec<u8>, value: Vec<u8>) {
    let commit = Commit {
        op: OpId::from_bytes(rig.node.host.random()),
        preconditions: vec![],
        mutations: vec![Mutation::Put {
            key,
            value: value.into(),
        }],
        entries: vec![],
    };
    let Outcome::Committed(_) = rig.node.engine.commit(commit).await else {
        panic!("not written")
    };
}

async fn to_the_end(rig: &Rig) {
    for _ in 0..1000 {
        if !rig.node.vault.advance_rotations().await.unwrap() {
            return;
        }
    }
    panic!("a rotation does not end")
}

fn slow(seed: u64) -> Setup {
    Setup {
        seed,
        policy: SitePolicy::Available,
        slow: true,
        tuning: None,
    }
}

/// Every tenant lies under this version, and nothing else under another one.
async fn only_under(rig: &Rig, version: u32) {
    for (_, row) in rows(rig, b"T").await {
        let row = TenantRow::decode(&row.value).unwrap();
        assert_eq!(row.site_version, version, "{}", row.name);
    }
    assert!(rows(rig, b"Cl").await.is_empty() && rows(rig, b"Ck").await.is_empty());
    let found = rows(rig, sites::PREFIX).await;
    let [(key, row)] = &found[..] else {
        panic!("one version of the sites' keys has a row")
    };
    assert_eq!(sites::version_in(key), Ok(version));
    let row = SitesRow::decode(&row.value).unwrap();
    assert_eq!(row.older, None);
    assert!(!rig.node.vault.renews_sites());
    assert!(rig.node.vault.rotation_list().await.unwrap().is_empty());
}

async fn reopened(rig: &mut Rig, renewed: &Renewed) {
    rig.node.crash();
    let node = rig.world.start().unwrap();
    rig.world.unseal_renewed(&node, renewed).await.unwrap();
    rig.node = node;
}

#[tokio::test(start_paused = true)]
async fn nobody_notices_that_the_sites_keys_are_renewed() {
    for seed in 1..=6 {
        let mut rig = Rig::open(slow(seed)).await;
        for n in 0..20u64 {
            rig.put(&format!("k{n}"), &bytes(50, n)).await;
        }
        let renew = async {
            let renewed = rig.world.renew_sites(&rig.node, None).await.unwrap();
            to_the_end(&rig).await;
            renewed
        };
        let tenants = async {
            for n in 0..25 {
                let name = tenant_name(&format!("tenant-{n}"));
                rig.node.vault.tenant_add(name.clone()).await.unwrap();
                rig.node.vault.key_add(&name, None).await.unwrap();
                rig.node.vault.rotate_tenant(&name).await.unwrap();
            }
        };
        let objects = async {
            for n in 0..60u64 {
                rig.put(&format!("k{}", n % 30), &bytes(50_000, n)).await;
                let at = n % 30;
                assert_eq!(rig.get(&format!("k{at}")).await, bytes(50_000, n));
            }
        };
        let (renewed, (), ()) = tokio::join!(renew, tenants, objects);
        to_the_end(&rig).await;
        only_under(&rig, 2).await;
        reopened(&mut rig, &renewed).await;
        assert_eq!(rig.node.vault.tenant_list().await.unwrap().len(), 26);
        for n in 0..25 {
            let name = tenant_name(&format!("tenant-{n}"));
            rig.node.vault.key_add(&name, None).await.unwrap();
        }
        assert_eq!(rig.get("k29").await, bytes(50_000, 59));
        // The old keys open nothing more, even where the old header still lies.
        rig.node.crash();
        let node = rig.world.start().unwrap();
        assert!(rig.world.unseal(&node, [0, 1]).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_at_any_moment_goes_on_with_the_sites_keys() {
    for lived in [0u64, 1, 2, 4, 7, 11, 16, 22, 30, 45, 70] {
        let mut rig = Rig::open(slow(lived + 1)).await;
        rig.put("there", b"before").await;
        for n in 0..120 {
            let name = tenant_name(&format!("tenant-{n}"));
            rig.node.vault.tenant_add(name).await.unwrap();
        }
        let renewed = rig.world.renew_sites(&rig.node, None).await.unwrap();
        assert_eq!(renewed.header.key_version, 2);
        let work = async { while rig.node.vault.advance_rotations().await.unwrap() {} };
        let _ = tokio::time::timeout(Duration::from_millis(lived), work).await;
        reopened(&mut rig, &renewed).await;
        assert_eq!(rig.get("there").await, b"before", "{lived} ms");
        to_the_end(&rig).await;
        only_under(&rig, 2).await;
        reopened(&mut rig, &renewed).await;
        assert_eq!(rig.get("there").await, b"before", "{lived} ms");
        let began = rig.entries(0).await;
        let operations: Vec<String> = began
            .into_iter()
            .filter_map(|(_, fields)| fields.operation)
            .filter(|operation| operation == "RotateBegin" || operation == "RotateEnd")
            .collect();
        assert_eq!(operations, ["RotateBegin", "RotateEnd"], "{lived} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn an_altered_tenant_keeps_the_old_keys_and_a_second_renewal_waits() {
    let rig = Rig::quick().await;
    let (key, row) = rows(&rig, b"T").await.remove(0);
    let whole = row.value.to_vec();
    let mut altered = whole.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    let first = rig.world.renew_sites(&rig.node, None).await.unwrap();
    assert!(rig.world.renew_sites(&rig.node, None).await.is_err());
    put_row(&rig, key.clone(), altered).await;
    to_the_end(&rig).await;
    let listed = rig.node.vault.rotation_list().await.unwrap();
    assert_eq!(
        (listed[0].target, listed[0].state, listed[0].waiting),
        (RotationTarget::Sites, RotationState::Waiting, 1)
    );
    assert!(rig.node.vault.renews_sites());
    assert!(rig.world.renew_sites(&rig.node, None).await.is_err());
    // Put back as it was, it is renewed, and then the old keys go.
    put_row(&rig, key, whole).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    rig.skip(61_000);
    to_the_end(&rig).await;
    only_under(&rig, 2).await;
    let (second, counts) = (
        rig.world.renew_sites(&rig.node, Some(&first)).await,
        rig.node.vault.key_counts().await.unwrap(),
    );
    assert!(second.is_ok() && !counts.sites[&2].1 && counts.sites.contains_key(&3));
}

#[tokio::test(start_paused = true)]
async fn a_forged_progress_does_not_have_the_old_keys_dropped() {
    let rig = Rig::quick().await;
    rig.world.renew_sites(&rig.node, None).await.unwrap();
    assert_eq!(
        rig.node.vault.begin_sites().await.unwrap().unwrap().version,
        2
    );
    let (key, row) = rows(&rig, b"Cr").await.remove(0);
    let mut forged = RotationRow::decode(&row.value).unwrap();
    forged.cursor = vec![b'T', 0xff];
    put_row(&rig, key, forged.encode()).await;
    let (at, row) = rows(&rig, b"T").await.remove(0);
    to_the_end(&rig).await;
    assert!(rig.node.vault.renews_sites(), "the old keys were dropped");
    assert_eq!(rows(&rig, b"T").await, [(at, row)]);
}

/// Under a lease the erasure key is not at hand: a root that moved then would leave every group's key behind.
#[tokio::test(start_paused = true)]
async fn a_node_that_opened_itself_moves_no_root_and_opens_under_new_keys_too() {
    let mut rig = Rig::quick().await;
    rig.put("there", b"before").await;
    let (key, lease) = ([7; 32], [1; 16]);
    for version in [1, 2] {
        let keys = rig.node.vault.keys_for_restart(&key, lease).unwrap();
        assert_eq!(keys.key_version, version);
        rig.node.crash();
        rig.node = rig.world.start().unwrap();
        let vault = &rig.node.vault;
        vault
            .open_by_restart(&key, lease, &keys, "a test".into())
            .await
            .unwrap();
        assert_eq!(rig.get("there").await, b"before");
        let refused = rig.world.renew_sites(&rig.node, None).await.err().unwrap();
        assert!(
            refused.0.contains("the erasure key is not at hand"),
            "{refused:?}"
        );
        if version == 1 {
            rig.node.crash();
            rig.node = rig.world.start().unwrap();
            rig.world.unseal(&rig.node, [0, 1]).await.unwrap();
            rig.world.renew_sites(&rig.node, None).await.unwrap();
        } else {
            // The renewal goes on under the lease.
            to_the_end(&rig).await;
            only_under(&rig, 2).await;
        }
    }
}

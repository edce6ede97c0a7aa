//! The sites' keys renewed over real folders: broken off at every step as a crash would, with one site away, and what an
//! old copy of the folders gives afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // proof, not product

use super::tests::{STEPS, Scene, break_off, started, unseal};
use super::{Step, files};
use crate::layout::Layout;
use crate::open::header_of;
use vault::shred::Sites;
use words::{SiteId, TenantName};

async fn renewed(scene: &Scene) {
    for _ in 0..1000 {
        if !scene.node.rooms.vault.advance_rotations().await.unwrap() {
            break;
        }
    }
    assert!(!scene.node.rooms.vault.renews_sites());
    let listed = scene.node.rooms.vault.rotation_list().await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_is_broken_off_at_any_step_has_not_happened_or_is_finished() {
    let mut scene = Scene::new().await;
    let (mut version, mut shares) = (1, "share.clarence".to_owned());
    for step in STEPS {
        let work = scene.node.root_work.lock().await;
        let broken = scene
            .node
            .move_root_with(Sites::Renewed, "a test", &mut break_off(step))
            .await;
        assert!(broken.is_err(), "{step:?}");
        drop(work);
        scene.restart().await;
        let folder = scene.folder.path();
        if matches!(step, Step::OneSwitched | Step::Switched | Step::Adopted) {
            version += 1;
            let old = unseal(&scene.node, folder, &shares).await;
            assert!(old.is_err(), "{step:?}: shares of an older root were taken");
            shares = format!("share-{version}-1.clarence");
        }
        unseal(&scene.node, folder, &shares).await.unwrap();
        scene.reads(&["anna", "ben", "nobody"]).await;
        scene.node.resume_root_work().await.unwrap();
        // Every root that took over brought new keys with it.
        scene.agrees(version);
        assert_eq!(scene.node.held().header.key_version, version, "{step:?}");
        renewed(&scene).await;
        scene.restart().await;
        unseal(&scene.node, scene.folder.path(), &shares)
            .await
            .unwrap();
        scene.reads(&["anna", "ben", "nobody"]).await;
        scene.put("anna", Some("anna")).await;
    }
    let more = TenantName::parse("land-registry").unwrap();
    scene.node.rooms.vault.tenant_add(more).await.unwrap();
    let answer = scene.node.rekey_sites("a test").await.unwrap();
    assert_eq!(answer["version"], version + 1);
    renewed(&scene).await;
    let inventory = scene.node.inventory().await.unwrap().to_string();
    assert!(
        inventory.contains(&format!("{{\"{}\":2}}", version + 1)),
        "{inventory}"
    );
    scene.node.opened.engine.shutdown().await;
}

/// Who has the shares of today and a copy of the folders of before has nothing; the shares of before open the copy.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_header_opens_with_old_shares_only() {
    let scene = Scene::new().await;
    let layout = Layout::in_folder(scene.folder.path());
    let old = SiteId::BOTH.map(|site| header_of(layout.site(site)).unwrap().unwrap());
    scene.node.rekey_sites("a test").await.unwrap();
    renewed(&scene).await;
    let now = scene.node.held().header;
    let root = |file: &str| {
        let custody = charter::ShareFile::parse(&scene.share_text("ctie", file)).unwrap();
        let mut unsealing = charter::Unsealing::new(custody.custody().clone());
        let mut root = None;
        for party in ["ctie", "proximus"] {
            let share = charter::ShareFile::parse(&scene.share_text(party, file)).unwrap();
            if let charter::Progress::Complete(found) = unsealing.add(share).unwrap() {
                root = Some(found);
            }
        }
        root.unwrap()
    };
    let (before, today) = (root("share.clarence"), root("share-2-1.clarence"));
    for header in &old {
        assert!(vault::header_opens(header, &before) && !vault::header_opens(header, &today));
    }
    assert!(vault::header_opens(&now, &today) && !vault::header_opens(&now, &before));
    assert_ne!(old[0].key_version, now.key_version);
    scene.node.opened.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_site_away_nothing_is_renewed_and_nothing_changes() {
    let scene = Scene::new().await;
    let layout = Layout::in_folder(scene.folder.path());
    let before = header_of(layout.site(SiteId::A)).unwrap();
    scene
        .node
        .opened
        .engine
        .give_up(SiteId::B, "a test")
        .await
        .unwrap();
    let refused = scene.node.rekey_sites("a test").await.unwrap_err();
    assert!(
        refused.message.contains("one site is behind"),
        "{refused:?}"
    );
    assert_eq!(header_of(layout.site(SiteId::A)).unwrap(), before);
    assert!(!scene.node.rooms.vault.renews_sites());
    scene.reads(&["anna", "ben", "nobody"]).await;
    assert!(
        files::shares_of(&scene.folder.path().join("parents/ctie"))
            .unwrap()
            .len()
            == 1
    );
    scene.node.opened.engine.shutdown().await;
    let again = started(scene.folder.path()).await;
    unseal(&again, scene.folder.path(), "share.clarence")
        .await
        .unwrap();
    again.opened.engine.shutdown().await;
}

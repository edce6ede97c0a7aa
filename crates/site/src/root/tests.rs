//! A move of the root and an erasure, broken off at every step as a crash would, over real folders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // proof, not product

use super::{Held, Step, files};
use crate::config::NodeConfig;
use crate::control::Failure;
use crate::layout::Layout;
use crate::node::{Node, assemble};
use crate::open::{header_of, open};
use authn::{Caller, RequestHead};
use charter::Charter;
use host::Host;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::StoreError;
use store::api::{Metadata, PutAsked, ReadAsked};
use tempfile::TempDir;
use vault::record::shred::erasure::Stage;
use words::{AccessKeyId, BucketName, ObjectKey, SiteId, Subject, TenantName};

pub(super) const STEPS: [Step; 7] = [
    Step::Made,
    Step::Copied,
    Step::HandedOut,
    Step::Prepared,
    Step::OneSwitched,
    Step::Switched,
    Step::Adopted,
];

pub(super) struct Scene {
    pub folder: TempDir,
    pub node: Arc<Node>,
    access_key: AccessKeyId,
    secret: String,
}

fn name(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn bucket() -> BucketName {
    BucketName::parse("files").unwrap()
}

pub(super) async fn started(folder: &Path) -> Arc<Node> {
    let config = NodeConfig::new(Layout::in_folder(folder));
    let host = Host::real();
    let opened = open(&config, &host).await.unwrap();
    assemble(config, host, opened, "http://127.0.0.1:1".into(), None)
}

fn share(folder: &Path, party: &str, file: &str) -> PathBuf {
    folder.join("parents").join(party).join(file)
}

pub(super) async fn unseal(node: &Node, folder: &Path, file: &str) -> Result<(), Failure> {
    for party in ["ctie", "proximus"] {
        let path = share(folder, party, file);
        let text = host::files::read(&path, 64 * 1024).unwrap().unwrap();
        node.take_share(&text).await?;
    }
    assert!(!node.rooms.vault.is_sealed());
    Ok(())
}

impl Scene {
    /// A cloud with an object about Anna, one about Ben and one about nobody.
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (layout, host) = (Layout::in_folder(folder.path()), Host::real());
        crate::found::found(
            &layout,
            &Charter::default(),
            &host,
            "clarence.example/t",
            None,
            &[None, None],
        )
        .await
        .unwrap();
        let node = started(folder.path()).await;
        unseal(&node, folder.path(), "share.clarence")
            .await
            .unwrap();
        let tenant = TenantName::parse("tax-office").unwrap();
        node.rooms.vault.tenant_add(tenant.clone()).await.unwrap();
        let made = node.rooms.vault.key_add(&tenant, None).await.unwrap();
        let scene = Self {
            folder,
            node,
            access_key: made.id,
            secret: made.secret.to_string(),
        };
        let caller = scene.caller("PUT").await;
        scene
            .node
            .rooms
            .store
            .create_bucket(caller, bucket())
            .await
            .unwrap();
        scene.put("anna", Some("anna")).await;
        scene.put("ben", Some("ben")).await;
        scene.put("nobody", None).await;
        scene
    }

    async fn caller(&self, method: &str) -> Caller {
        let now = Host::real().now();
        let client = sim::Client {
            access_key: self.access_key.to_string(),
            secret: self.secret.clone(),
            tenant: words::TenantId::from_bytes([0; 16]),
            token: None,
        };
        let signed = sim::sign::Signed {
            method,
            path: "/files",
            client: &client,
            region: "lu-1",
            service: "s3",
            payload: "UNSIGNED-PAYLOAD",
        };
        let headers = sim::sign::headers(&signed, now);
        let head = RequestHead {
            via: authn::Via::default(),
            method,
            raw_path: "/files",
            raw_query: "",
            headers: &headers,
        };
        let identified = self.node.rooms.vault.identify(&head).await;
        identified
            .map_err(|refusal| refusal.message)
            .unwrap()
            .caller
    }

    pub async fn put(&self, key: &str, subject: Option<&str>) {
        let pair = |subject: &str| ("clarence-subject".to_owned(), subject.to_owned());
        let asked = PutAsked {
            metadata: Metadata {
                user: subject.map(pair).into_iter().collect(),
                ..Metadata::default()
            },
            ..sim::client::put_asked(key.len() as u64)
        };
        let (caller, body) = (self.caller("PUT").await, sim::client::body(key.as_bytes()));
        let store = &self.node.rooms.store;
        store
            .put_object(caller, &bucket(), &name(key), asked, body)
            .await
            .unwrap();
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let caller = self.caller("GET").await;
        let store = &self.node.rooms.store;
        let out = store
            .get_object(caller, &bucket(), &name(key), ReadAsked::default())
            .await?;
        Ok(sim::client::collect(out.body).await.unwrap())
    }

    pub async fn reads(&self, keys: &[&str]) {
        for key in keys {
            assert_eq!(self.get(key).await.unwrap(), key.as_bytes());
        }
    }

    pub fn share_text(&self, party: &str, file: &str) -> Vec<u8> {
        let path = share(self.folder.path(), party, file);
        host::files::read(&path, 64 * 1024).unwrap().unwrap()
    }

    /// The process is gone, and another one begins over the same folders.
    pub async fn restart(&mut self) {
        self.node.opened.engine.shutdown().await;
        self.node = started(self.folder.path()).await;
    }

    /// Both sites and the node say the same about the root.
    pub fn agrees(&self, root: u32) {
        let Held { header, custody } = self.node.held();
        assert_eq!(header.root_version(), root);
        for site in SiteId::BOTH {
            let layout = Layout::in_folder(self.folder.path());
            let there = header_of(layout.site(site)).unwrap().unwrap();
            assert_eq!(there, files::header_for(&header, site));
            assert_eq!(
                charter::files::load_custody(layout.site(site)).unwrap(),
                custody
            );
            assert!(!layout.site(site).join("custody.next.json").exists());
        }
    }
}

pub(super) fn break_off(at: Step) -> impl FnMut(Step) -> Result<(), Failure> + Send {
    move |step| match step == at {
        true => Err(Failure::new("internal", "the process is gone")),
        false => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_broken_off_at_any_step_has_not_happened_or_is_finished() {
    let mut scene = Scene::new().await;
    let mut root = 1;
    let mut shares = "share.clarence".to_owned();
    for step in STEPS {
        let work = scene.node.root_work.lock().await;
        let broken = scene.node.move_root("a test", &mut break_off(step)).await;
        assert!(broken.is_err(), "{step:?}");
        drop(work);
        scene.restart().await;
        let switched = matches!(step, Step::OneSwitched | Step::Switched | Step::Adopted);
        let folder = scene.folder.path();
        if switched {
            root += 1;
            let old = unseal(&scene.node, folder, &shares).await;
            assert!(old.is_err(), "{step:?}: shares of an older root were taken");
            shares = format!("share-{root}-1.clarence");
        }
        unseal(&scene.node, folder, &shares).await.unwrap();
        scene.reads(&["anna", "ben", "nobody"]).await;
        scene.node.resume_root_work().await.unwrap();
        scene.agrees(root);
        assert!(
            !scene.node.rooms.vault.has_older_groups().await.unwrap(),
            "{step:?}"
        );
        scene.reads(&["anna", "ben", "nobody"]).await;
        scene.put("anna", Some("anna")).await;
    }
    let work = scene.node.root_work.lock().await;
    let moved = scene
        .node
        .move_root("a test", &mut |_| Ok(()))
        .await
        .unwrap();
    drop(work);
    assert_eq!((moved.root, moved.groups), (root + 1, 2));
    scene.agrees(root + 1);
    scene.reads(&["anna", "ben", "nobody"]).await;
    let dealings = scene.node.rooms.vault.dealings().await.unwrap();
    let known: Vec<u32> = dealings.iter().map(|dealing| dealing.root).collect();
    assert_eq!(known, (1..=root + 1).collect::<Vec<_>>());
    scene.node.opened.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_is_broken_off_is_finished_after_the_next_unsealing() {
    let tenant = TenantName::parse("tax-office").unwrap();
    let mut scene = Scene::new().await;
    let (mut root, mut shares) = (1, "share.clarence".to_owned());
    let held = scene.node.held();
    let vault = &scene.node.rooms.vault;
    vault.record_dealing(1, &held.custody).await.unwrap();
    // `None`: before the sweep; otherwise swept, and the move broken off there.
    for step in std::iter::once(None).chain(STEPS.map(Some)) {
        let name = format!("case-{root}");
        scene.put(&name, Some(&name)).await;
        let subject = Subject::parse(&name).unwrap();
        let vault = &scene.node.rooms.vault;
        let begun = vault.erase_subject(&tenant, &subject, "a test").await;
        let id = begun.unwrap().id;
        if let Some(step) = step {
            scene.node.sweep(&id).await.unwrap();
            let work = scene.node.root_work.lock().await;
            let broken = scene.node.move_root("a test", &mut break_off(step)).await;
            assert!(broken.is_err());
            drop(work);
        }
        scene.restart().await;
        let next = format!("share-{}-1.clarence", root + 1);
        if matches!(
            step,
            Some(Step::OneSwitched | Step::Switched | Step::Adopted)
        ) {
            shares.clone_from(&next);
        }
        unseal(&scene.node, scene.folder.path(), &shares)
            .await
            .unwrap();
        let gone = scene.get(&name).await;
        assert!(matches!(gone, Err(StoreError::NoSuchKey)), "{step:?}");
        scene.node.resume_root_work().await.unwrap();
        scene.agrees(root + 1);
        let row = scene.node.rooms.vault.erasure(&id).await.unwrap().row;
        assert_eq!((row.stage, row.objects), (Stage::Moved, 1), "{step:?}");
        let roots = (row.born, row.last, row.moved_to);
        assert_eq!(roots, (root, root, root + 1), "{step:?}");
        scene.reads(&["anna", "ben", "nobody"]).await;
        assert!(matches!(scene.get(&name).await, Err(StoreError::NoSuchKey)));
        (root, shares) = (root + 1, next);
    }
    scene.node.opened.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_of_an_earlier_build_gets_its_erasure_key_at_the_next_unsealing() {
    let mut scene = Scene::new().await;
    scene.put("plain", None).await;
    scene.restart().await;
    let layout = Layout::in_folder(scene.folder.path());
    for site in SiteId::BOTH {
        // As the earlier build wrote it. What was put under subjects here is lost with its key; an earlier
        // build has none.
        let mut header = header_of(layout.site(site)).unwrap().unwrap();
        header.root = None;
        files::put_header(&layout, &header).unwrap();
    }
    scene.restart().await;
    unseal(&scene.node, scene.folder.path(), "share.clarence")
        .await
        .unwrap();
    scene.agrees(1);
    assert!(scene.node.held().header.root.is_some());
    scene.reads(&["plain", "nobody"]).await;
    scene.put("carl", Some("carl")).await;
    scene.restart().await;
    unseal(&scene.node, scene.folder.path(), "share.clarence")
        .await
        .unwrap();
    scene.reads(&["carl", "plain"]).await;
    scene.node.opened.engine.shutdown().await;
}

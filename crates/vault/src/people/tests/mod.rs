//! Deferral, which no door reaches without an agreement: what an order defers is not shown before its day, leaves no
//! gap, and is shown then with its own time.

mod load;

use super::reads::sort_of;
use crate::entries::{Under, Who};
use crate::{Vault, VaultConfig, VaultError};
use ::people::record::whole::{Extent, WholeRow};
use ::people::{Checked, OPERATION, verify};
use catalog::{Commit, Engine, Memory, Outcome};
use charter::{Charter, Contribution};
use host::{Clock, Host, Random};
use ledger::{Kind, VerifierKeys};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use words::{BucketName, CloudId, ObjectKey, OpId, Subject, TenantName, UnixMillis};

const DAY_MS: u64 = 24 * 3_600_000;

struct Days(AtomicU64);

impl Clock for Days {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_800_000_000_000 + self.0.load(Ordering::Relaxed))
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

struct Counted(Mutex<u64>);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        let mut count = self.0.lock().unwrap();
        for piece in bytes.chunks_mut(32) {
            *count += 1;
            let hash = ledger::sha256(&count.to_be_bytes());
            piece.copy_from_slice(&hash[..piece.len()]);
        }
    }
}

struct Scene {
    days: Arc<Days>,
    host: Host,
    vault: Arc<Vault>,
    cloud: CloudId,
    office: TenantName,
    who: Who,
}

async fn scene() -> Scene {
    scene_over(|_, _| Arc::new(Memory::new())).await
}

async fn scene_over(engine: impl FnOnce(CloudId, &Host) -> Arc<dyn Engine>) -> Scene {
    let days = Arc::new(Days(AtomicU64::new(0)));
    let host = Host::new(Arc::clone(&days) as _, Arc::new(Counted(Mutex::new(0))));
    let charter = Charter::default();
    let drawn = Contribution::draw_for_all(charter.parties(), &host);
    let founding = charter::found(&charter, &host, drawn).unwrap();
    let ceremony = *founding.transcript.custody().ceremony().as_bytes();
    let digest = *charter.digest().as_bytes();
    let cloud = founding.cloud;
    let made = crate::found(
        &host,
        cloud,
        &founding.root,
        ceremony,
        digest,
        "example/log",
        "{}",
    )
    .unwrap();
    let engine = engine(cloud, &host);
    let first = Commit {
        op: OpId::from_bytes(host.random()),
        preconditions: Vec::new(),
        mutations: made.rows,
        entries: vec![made.entry],
    };
    assert!(matches!(engine.commit(first).await, Outcome::Committed(_)));
    let config = VaultConfig {
        region: "lu-1".into(),
        node: "test".into(),
        site_policy: crate::SitePolicy::Available,
    };
    let vault = Vault::new(host.clone(), engine, config).unwrap();
    vault
        .unseal(founding.root, &made.headers[0], &[])
        .await
        .unwrap();
    let office = TenantName::parse("tax-office").unwrap();
    let id = vault.tenant_add(office.clone()).await.unwrap().id;
    let tenant = vault.tenant(&vault.secrets().unwrap(), id).await.unwrap();
    let who = Who {
        owner: Arc::clone(&tenant),
        tenant,
        under: None,
        access_key: "CLRKEY".into(),
        request_digest: [1; 32],
        policy_digest: [2; 32],
    };
    Scene {
        days,
        host,
        vault,
        cloud,
        office,
        who,
    }
}

impl Scene {
    /// Reads an object about a person under an order that defers it by some days.
    async fn read(&self, of: &Subject, days: u64) {
        let secrets = self.vault.secrets().unwrap();
        let group = self
            .vault
            .group_of(&secrets, &self.who.tenant, of)
            .await
            .unwrap();
        let visible_from = match days {
            0 => UnixMillis(0),
            days => self.host.now().plus(days * DAY_MS),
        };
        let who = Who {
            under: Some(Arc::new(Under {
                agreement: "1f2e3d4c5b6a7988".into(),
                provider: "tax-office".into(),
                consumer: "police".into(),
                purpose: "investigation".into(),
                legal_basis: "code/cic#art_66".into(),
                visible_from,
            })),
            ..self.who.clone()
        };
        let mut fields = self.vault.fields_of(Kind::Grant, &who, "GetObject");
        fields.resource = Some(format!("files/{days}"));
        let place = (
            BucketName::parse("files").unwrap(),
            ObjectKey::parse("x").unwrap(),
        );
        let read = self
            .vault
            .record_read(&who, fields, (&place.0, &place.1), Some(&group));
        drop(read.await.unwrap());
    }

    /// Lets a statement read a whole dataset, deferred by some days.
    async fn read_whole(&self, days: u64) {
        let mut fields = self.vault.fields_of(Kind::Grant, &self.who, "Query");
        fields.resource = Some(format!("residents/{days}"));
        let entry = self.vault.entry_for(&self.who.owner, &fields);
        let row = WholeRow {
            extent: Extent::Whole,
            index: None,
            visible: self.host.now().plus(days * DAY_MS),
        };
        let leaf = entry.leaf().hash();
        let put = self.vault.whole_put(&self.who.owner, &leaf, row);
        let done = self.vault.record_with(vec![], vec![put], entry);
        drop(done.await.unwrap());
    }

    async fn told(&self, of: &Subject) -> Result<Checked, VaultError> {
        let vault = &self.vault;
        let record = vault
            .person_record(self.cloud, &self.office, of, None)
            .await?;
        let folder = tempfile::tempdir().unwrap();
        let mut log = vault.publisher(folder.path())?;
        log.publish(0, &vault.leaves(0).await?).unwrap();
        log.checkpoint(self.host.now()).unwrap();
        let answer = vault.person_answer(record, folder.path()).await?;
        let keys = VerifierKeys::parse(&vault.verifier_keys()?).unwrap();
        Ok(verify(&answer, &keys, Some(of.as_str())).unwrap())
    }

    /// Days that the shown reads were deferred by, in the order shown, and when each was.
    async fn shown(&self, of: &Subject) -> Vec<(String, String)> {
        let checked = self.told(of).await.unwrap();
        let reads = checked.accesses.into_iter().map(|(_, access)| access);
        let reads = reads.filter(|access| access.operation != OPERATION);
        reads
            .map(|access| (access.data.unwrap(), access.time))
            .collect()
    }
}

#[tokio::test]
async fn what_is_deferred_is_shown_on_its_day_with_its_own_time() {
    let scene = scene().await;
    let anna = Subject::parse("1893120105732").unwrap();
    for days in [30, 0, 10, 0] {
        scene.read(&anna, days).await;
        scene.days.0.fetch_add(1000, Ordering::Relaxed);
    }
    let names = |shown: &[(String, String)]| {
        shown
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    // Two are not there, and nothing tells of them: every counter of the chain is.
    assert_eq!(names(&scene.shown(&anna).await), ["files/0", "files/0"]);
    scene.days.0.fetch_add(9 * DAY_MS, Ordering::Relaxed);
    assert_eq!(scene.shown(&anna).await.len(), 2);
    scene.days.0.fetch_add(2 * DAY_MS, Ordering::Relaxed);
    let shown = scene.shown(&anna).await;
    assert_eq!(names(&shown), ["files/0", "files/0", "files/10"]);
    // Proven to have been before the last of the others.
    assert!(shown[2].1 < shown[1].1 && shown[2].1 > shown[0].1);
    scene.days.0.fetch_add(30 * DAY_MS, Ordering::Relaxed);
    for _ in 0..2 {
        let shown = scene.shown(&anna).await;
        assert_eq!(
            names(&shown),
            ["files/0", "files/0", "files/10", "files/30"]
        );
        assert!(shown[3].1 < shown[0].1);
    }
    let ben = Subject::parse("1901010100011").unwrap();
    assert!(scene.shown(&ben).await.is_empty());
    let none = TenantName::parse("none").unwrap();
    let nobody = scene.vault.person_record(scene.cloud, &none, &ben, None);
    assert!(matches!(
        nobody.await.err(),
        Some(VaultError::NoSuchTenant(_))
    ));
}

#[tokio::test]
async fn a_deferred_access_to_a_whole_dataset_is_shown_on_its_day() {
    let scene = scene().await;
    let anna = Subject::parse("1893120105732").unwrap();
    for days in [20, 0, 10] {
        scene.read_whole(days).await;
        scene.days.0.fetch_add(1000, Ordering::Relaxed);
    }
    let mut counts = Vec::new();
    for _ in 0..4 {
        counts.push(scene.shown(&anna).await.len());
        scene.days.0.fetch_add(10 * DAY_MS, Ordering::Relaxed);
    }
    // In the order of the ledger, and numbered without a gap.
    assert_eq!(counts, [1, 2, 3, 3]);
    let names = scene.shown(&anna).await.into_iter().map(|(name, _)| name);
    let names: Vec<String> = names.collect();
    assert_eq!(names, ["residents/20", "residents/0", "residents/10"]);
}

#[test]
fn a_line_is_deferred_until_its_day_and_not_on_it() {
    use crate::people::chains::Sort;
    assert_eq!(sort_of(UnixMillis(0), UnixMillis(7)), Sort::Plain);
    assert_eq!(sort_of(UnixMillis(7), UnixMillis(7)), Sort::Plain);
    assert_eq!(sort_of(UnixMillis(8), UnixMillis(7)), Sort::Deferred);
}

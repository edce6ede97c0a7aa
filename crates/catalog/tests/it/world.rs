//! A small cloud for tests: two site folders, three witnesses, an engine on them.
#![allow(dead_code)] // a world has more ills than each suite asks for

use catalog::embedded::{DiskHook, Moment, OpenError, Options};
use catalog::{
    Commit, Committed, Embedded, Engine, KeyRange, Mutation, Order, Outcome, Precondition, Row,
};
use epoch::{EpochRecord, Places, StartError, Tenure};
use host::Host;
use ledger::{Entry, Fields, Kind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;
use words::{CloudId, OpId, SiteId, UnixMillis};

pub const CLOUD: CloudId = CloudId::from_bytes([0xc1; 16]);

/// What a disk does to the next batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ill {
    Fails,
    FailsAfterWriting,
    Hangs(Duration),
}

pub struct World {
    folder: TempDir,
    pub host: Host,
    pub ill: Arc<Mutex<[Option<Ill>; 2]>>,
    pub options: Options,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ill: Arc<Mutex<[Option<Ill>; 2]>> = Arc::default();
        let there = Arc::clone(&ill);
        let hook: DiskHook = Arc::new(move |site, moment, _seq| {
            let ill = there.lock().unwrap()[site.index()];
            match (ill, moment) {
                (Some(Ill::Fails), Moment::BeforeWrite) => Err("the disk failed".to_owned()),
                (Some(Ill::FailsAfterWriting), Moment::AfterWrite) => {
                    Err("the disk failed late".to_owned())
                }
                (Some(Ill::Hangs(time)), Moment::BeforeWrite) => {
                    std::thread::sleep(time);
                    Ok(())
                }
                _ => Ok(()),
            }
        });
        let options = Options {
            cache_bytes: 4 << 20,
            memtable_bytes: 4 << 20,
            deadline: Duration::from_millis(700),
            free_bytes_min: 1 << 20,
            disk_hook: Some(hook),
            ..Options::default()
        };
        let world = Self {
            folder,
            host: Host::real(),
            ill,
            options,
        };
        for name in ["site-a", "site-b", "p0", "p1", "p2"] {
            host::files::make_folder(&world.path(name), 0o700).unwrap();
        }
        world.places().found().unwrap();
        Embedded::create(
            [&world.site(SiteId::A), &world.site(SiteId::B)],
            CLOUD,
            &world.options,
        )
        .unwrap();
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub fn site(&self, site: SiteId) -> PathBuf {
        self.path(&site.to_string())
    }
    pub fn database(&self, site: SiteId) -> PathBuf {
        let catalog = self.site(site).join("catalog");
        let current = host::files::read(&catalog.join("current"), 100)
            .unwrap()
            .unwrap();
        catalog.join(String::from_utf8(current).unwrap().trim())
    }
    pub fn places(&self) -> Places {
        places(self.folder.path(), &self.host)
    }
    pub fn make_ill(&self, site: SiteId, ill: Option<Ill>) {
        self.ill.lock().unwrap()[site.index()] = ill;
    }
    pub fn start(&self) -> Result<Arc<Tenure>, StartError> {
        Tenure::start(self.places()).map(Arc::new)
    }
    pub fn open(&self) -> (Embedded, Arc<Tenure>) {
        let tenure = self.start().unwrap();
        (self.open_with(&tenure).unwrap(), tenure)
    }
    pub fn open_with(&self, tenure: &Arc<Tenure>) -> Result<Embedded, OpenError> {
        let folder = |site| Some(self.site(site)).filter(|f| f.is_dir());
        Embedded::open(
            [folder(SiteId::A), folder(SiteId::B)],
            Arc::clone(tenure),
            self.options.clone(),
            self.host.clone(),
        )
    }
    /// Takes a site's folder away, as a lost disk does.
    pub fn hide(&self, site: SiteId) {
        host::files::rename(&self.site(site), &self.path(&format!("hidden-{site}"))).unwrap();
    }
    pub fn unhide(&self, site: SiteId) {
        host::files::rename(&self.path(&format!("hidden-{site}")), &self.site(site)).unwrap();
    }
    pub fn witnesses_away(&self, names: &[&str]) {
        for name in names {
            host::files::rename(&self.path(name), &self.path(&format!("hidden-{name}"))).unwrap();
        }
    }
    pub fn witnesses_back(&self, names: &[&str]) {
        for name in names {
            host::files::rename(&self.path(&format!("hidden-{name}")), &self.path(name)).unwrap();
        }
    }
    pub fn highest(&self) -> EpochRecord {
        self.places().survey().unwrap().highest().unwrap()
    }
}

pub fn places(folder: &Path, host: &Host) -> Places {
    let witnesses: Vec<_> = ["p0", "p1", "p2"]
        .map(|n| (n.to_owned(), folder.join(n)))
        .into();
    Places::folders(
        CLOUD,
        [&folder.join("site-a"), &folder.join("site-b")],
        &witnesses,
        host.clone(),
    )
}

pub fn op() -> OpId {
    OpId::from_bytes(Host::real().random())
}

pub fn entry(text: &str) -> Entry {
    let commitment = Fields::new(Kind::Write, UnixMillis(7)).commit(&[3; 32]);
    Entry::prepare(commitment, text.as_bytes().to_vec())
}

pub fn put(key: &[u8], value: &[u8]) -> Mutation {
    Mutation::Put {
        key: key.to_vec(),
        value: value.to_vec().into(),
    }
}

pub fn delete(key: &[u8]) -> Mutation {
    Mutation::Delete { key: key.to_vec() }
}

pub fn commit(preconditions: Vec<Precondition>, mutations: Vec<Mutation>) -> Commit {
    Commit {
        op: op(),
        preconditions,
        mutations,
        entries: Vec::new(),
    }
}

pub async fn put_one(engine: &dyn Engine, key: &[u8], value: &[u8]) -> Committed {
    committed(engine.commit(commit(vec![], vec![put(key, value)])).await)
}

#[track_caller]
pub fn committed(outcome: Outcome) -> Committed {
    match outcome {
        Outcome::Committed(committed) => committed,
        other => panic!("not committed: {other:?}"),
    }
}

pub async fn value(engine: &dyn Engine, key: &[u8]) -> Option<Vec<u8>> {
    engine.get(key).await.unwrap().map(|row| row.value.to_vec())
}

/// Everything an engine tells, read page by page.
pub async fn all_rows(engine: &dyn Engine) -> Vec<(Vec<u8>, Row)> {
    let mut range = KeyRange {
        start: vec![],
        end: None,
    };
    let mut rows = Vec::new();
    loop {
        let page = engine
            .scan(range.clone(), 1000, Order::Ascending)
            .await
            .unwrap();
        let Some((last, _)) = page.last() else {
            return rows;
        };
        range = range.after(last);
        rows.extend(page);
    }
}

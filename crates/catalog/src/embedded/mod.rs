//! The engine a cloud runs on: two databases, one in each site's folder, written together by one thread.
//! A commit is acknowledged when it is durable at every site that is current; a site that fails is given
//! up, which is recorded first; readers see nothing that is not acknowledged.
//!
//! Never here: deciding who is current (`epoch` does), what a row means, opening what is sealed.
//!
//! Reading order: [`writer`], [`batch`], [`site`], [`site_thread`], [`journal`], [`recover`], [`heal`],
//! [`catch_up`], [`scrub`], [`follow`], [`snapshot`].

mod batch;
mod catch_up;
mod error;
mod folder;
pub mod follow;
mod heal;
mod journal;
mod options;
mod recover;
mod scrub;
mod shared;
mod site;
mod site_thread;
mod snapshot;
mod status;
mod tail;
mod writer;

pub use error::{HealError, OpenError, SiteError};
pub use heal::HealReport;
pub use options::{DiskHook, Moment, Options};
pub use scrub::ScrubReport;
pub use status::{Probe, SiteStatus, Status};

use crate::engine::{Commit, Engine, KeyRange, Order, ReadError, Row};
use crate::outcome::{Outcome, Refused};
use crate::plan::{check_limits, commit_bytes};
use async_trait::async_trait;
use epoch::{Tenure, Trouble, TroubleKind};
use folder::{CatalogFolder, Unfit};
use host::Host;
use recover::{Opened, Recovered};
use shared::{Published, Shared};
use site::{SiteDb, View};
use site_thread::SiteThread;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, mpsc, oneshot};
use words::limits::SCAN_ROWS_MAX;
use words::{CloudId, OpId, SiteId};
use writer::{Message, Waiting, Writer};

/// How many commits may wait.
const QUEUE_MAX: usize = 4096;
/// How many KiB of commits may wait.
const QUEUE_KIB_MAX: usize = 32 * 1024;

/// The engine a cloud runs on.
pub struct Embedded {
    shared: Arc<Shared>,
    messages: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
    folders: Mutex<[Option<PathBuf>; 2]>,
    options: Options,
    /// One heal or scrub at a time.
    busy: Arc<AtomicBool>,
}

impl Embedded {
    /// Makes an empty catalog in each site's folder.
    pub fn create(folders: [&Path; 2], cloud: CloudId, options: &Options) -> Result<(), OpenError> {
        for path in folders {
            let folder = CatalogFolder::of(path);
            match folder.check(&cloud) {
                Err(Unfit::Absent) => {}
                _ => {
                    return Err(OpenError::NotEmpty {
                        path: folder.path().to_owned(),
                    });
                }
            }
        }
        for (site, path) in SiteId::BOTH.into_iter().zip(folders) {
            let folder = CatalogFolder::of(path);
            let failed = |source| OpenError::Site { site, source };
            folder.create(&cloud).map_err(failed)?;
            SiteDb::open(site, folder.clone(), 1, options).map_err(|e| failed(e.into()))?;
            folder.set_current(1).map_err(failed)?;
        }
        Ok(())
    }

    /// Opens the catalog in the folders of the sites (each site's own folder; the catalog lies in its
    /// `catalog`). What the tenure counts as current is opened, checked and brought to the same batch; a
    /// site that cannot be opened is given up, if the other can. Blocks.
    pub fn open(
        folders: [Option<PathBuf>; 2],
        tenure: Arc<Tenure>,
        options: Options,
        host: Host,
    ) -> Result<Self, OpenError> {
        let Recovered { sites } = recover::recover(&folders, &tenure, &options)?;
        let mut threads = Vec::new();
        let mut base = Vec::new();
        let mut checked = None;
        for Opened { db, checked: found } in sites {
            base.push(View::now(&db));
            let site = db.site();
            let thread = SiteThread::start(db, found.head.seq, options.disk_hook.clone())
                .map_err(|source| OpenError::Site { site, source })?;
            threads.push(thread);
            checked.get_or_insert(found);
        }
        let checked = checked.ok_or_else(|| OpenError::NoSite {
            why: "none was opened".to_owned(),
        })?;
        tenure.note_head(checked.head.seq);
        let published = Published {
            seq: checked.head.seq,
            views: base.clone(),
        };
        let shared = Arc::new(Shared::new(tenure, published, checked.ops));
        let writer = Writer {
            shared: Arc::clone(&shared),
            host,
            options: options.clone(),
            sites: threads,
            base,
            head: checked.head,
            first: checked.first,
            marks: VecDeque::from(checked.marks),
            limbo: None,
            last_try: None,
            looked_at_space: None,
            stopped: None,
        };
        let (messages, taken) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("catalog-writer".to_owned());
        thread
            .spawn(move || writer.run(taken))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            shared,
            messages,
            room: Arc::new(Semaphore::new(QUEUE_KIB_MAX)),
            folders: Mutex::new(folders),
            options,
            busy: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Tells where a site's folder is, if it was not known when the engine was opened.
    pub fn set_folder(&self, site: SiteId, path: PathBuf) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = folders.get_mut(site.index()) {
            *slot = Some(path);
        }
    }

    fn folder(&self, site: SiteId) -> Option<CatalogFolder> {
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders
            .get(site.index())
            .and_then(Option::as_ref)
            .map(|path| CatalogFolder::of(path))
    }

    /// Checks that the site's folder is still the one that was opened, which writes into an open file do
    /// not notice. A site that does not serve is looked for only.
    pub fn probe(&self, site: SiteId) -> Result<Probe, SiteError> {
        let folder = self
            .folder(site)
            .ok_or_else(|| SiteError::new(TroubleKind::Gone, "it has no folder"))?;
        let published = self
            .shared
            .published()
            .map_err(|e| SiteError::new(TroubleKind::Failed, e.to_string()))?;
        match published.of(site) {
            Some(view) => view.db().same_folder()?,
            None => drop(folder.identity()?),
        }
        Ok(Probe {
            serving: published.of(site).is_some(),
            free_bytes: folder.free_bytes()?,
        })
    }

    /// Gives a site up: records it with the tenure and writes at the other from then on.
    pub async fn give_up(&self, site: SiteId, why: &str) -> Result<(), HealError> {
        self.ask(|answer| Message::GiveUp(site, why.to_owned(), answer))
            .await?
    }

    /// Brings a site that is away to where the other is and takes it back, or rebuilds the database of a
    /// site that serves. Commits go on meanwhile.
    pub async fn heal(&self, site: SiteId) -> Result<HealReport, HealError> {
        let _busy = Busy::claim(&self.busy).ok_or(HealError::Busy)?;
        let folder = self.folder(site).ok_or(HealError::NoFolder(site))?;
        let healer = heal::Healer {
            shared: Arc::clone(&self.shared),
            options: self.options.clone(),
            cloud: self.shared.tenure.record().cloud,
            site,
            folder,
        };
        let prepared = blocking(move || healer.prepare()).await?;
        let healed = match prepared {
            Ok((candidate, report)) => {
                let admitted = self
                    .ask(|answer| Message::Admit(Box::new(candidate), answer))
                    .await;
                admitted.and_then(|result| result).map(|()| report)
            }
            Err(error) => Err(error),
        };
        self.shared.hold.store(u64::MAX, Ordering::Relaxed);
        if let Err(error) = &healed {
            self.shared.tenure.healing_stopped(site, &error.to_string());
        }
        healed
    }

    /// Reads everything at a site, compares it with the other, and puts right what differs. A site that
    /// needs more than that is remembered as damaged; then [`Embedded::heal`] rebuilds it.
    pub async fn scrub(&self, site: SiteId) -> Result<ScrubReport, HealError> {
        let _busy = Busy::claim(&self.busy).ok_or(HealError::Busy)?;
        let shared = Arc::clone(&self.shared);
        let found = blocking(move || {
            let published = shared.published().map_err(|_| HealError::Stopped)?;
            scrub::read_all(&shared, &published, site)
        });
        let mut findings = found.await??;
        if !findings.wrong.is_empty() {
            let count = findings.wrong.len();
            let what =
                format!("catalog: {count} rows were wrong and are taken from the other site");
            self.shared.tenure.report(
                site,
                Trouble {
                    kind: TroubleKind::Damaged,
                    what,
                },
            );
            for keys in findings.wrong.chunks(256) {
                findings.report.mended += self
                    .ask(|answer| Message::Mend(site, keys.to_vec(), answer))
                    .await??;
            }
            let what = format!("catalog: {} rows were put right", findings.report.mended);
            self.shared.tenure.report(
                site,
                Trouble {
                    kind: TroubleKind::Repaired,
                    what,
                },
            );
        }
        Ok(findings.report)
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.shared)
    }

    /// Ends the writer after what it has taken, and lets go of the databases. Reads fail from then on.
    pub async fn shutdown(&self) {
        let _ = self.ask(Message::Stop).await;
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<T>) -> Message,
    ) -> Result<T, HealError> {
        let (answer, answered) = oneshot::channel();
        self.messages
            .send(message(answer))
            .await
            .map_err(|_| HealError::Stopped)?;
        answered.await.map_err(|_| HealError::Stopped)
    }
}

/// Marks that a heal or scrub runs.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn claim(flag: &Arc<AtomicBool>) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(flag)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HealError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| HealError::Stopped)
}

#[async_trait]
impl Engine for Embedded {
    async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        if key.first() == Some(&crate::plan::RESERVED_TAG) {
            return Ok(None);
        }
        self.shared.get(key)
    }

    async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        let limit = limit.min(SCAN_ROWS_MAX);
        self.shared
            .read(|view| view.rows(&range, order).take(limit).collect())
    }

    async fn commit(&self, request: Commit) -> Outcome {
        if let Err(refused) = check_limits(&request) {
            return Outcome::Refused(refused);
        }
        let kib = u32::try_from(commit_bytes(&request) / 1024 + 1).unwrap_or(u32::MAX);
        let stopped = || Outcome::Refused(Refused::NotWritable("it has stopped".to_owned()));
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(kib).await else {
            return stopped();
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            request,
            answer,
            room,
        };
        if self.messages.send(Message::Commit(waiting)).await.is_err() {
            return stopped();
        }
        answered.await.unwrap_or_else(|_| {
            Outcome::Unknown("the catalog stopped before it answered".to_owned())
        })
    }

    async fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError> {
        self.shared.lookup(op)
    }
}

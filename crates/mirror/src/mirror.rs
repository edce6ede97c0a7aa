//! The mirror itself: two stores, what is known about them, and the verbs that are not files of their own.

use crate::error::MirrorError;
use crate::health::{Signal, SiteHealth, Writing};
use crate::lane::{Miss, deadline, signal_of};
use crate::metrics::{Counts, Metrics};
use crate::repair::Waiting;
use crate::standing::{SiteLoss, Stance, Standing};
use crate::writer::MirrorWriter;
use chunks::{ChunkError, ChunkStore};
use epoch::{Trouble, TroubleKind};
use host::Host;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use words::limits::{
    CHUNK_PLAINTEXT_BYTES, MIRROR_BYTES_MAX, MIRROR_SYNC_BYTES_LEAST, MIRROR_SYNC_BYTES_MAX,
    SITE_DEADLINE_MS,
};
use words::{ChunkId, SiteId};

/// Longest chunk that is read or written, in sealed bytes.
pub const CHUNK_SEALED_BYTES_MAX: u64 = 2 * CHUNK_PLAINTEXT_BYTES;

/// What a bucket wants of its writes while a site is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SitePolicy {
    /// Refuse them: every acknowledged byte is at both sites.
    Strict,
    /// Take them with one copy, and record the debt.
    Available,
}

/// Chunks at two sites.
pub struct Mirror {
    pub(crate) shared: Arc<Shared>,
}

/// What the mirror and its writers share.
pub struct Shared {
    sites: [Site; 2],
    standing: Arc<dyn Standing>,
    loss: Arc<dyn SiteLoss>,
    /// One question about a loss at a time; holds when and why the last one was refused.
    loss_turn: tokio::sync::Mutex<Option<(Duration, String)>>,
    pub(crate) host: Host,
    /// Bytes on their way, in KiB.
    budget: Arc<Semaphore>,
    near: AtomicUsize,
    pub(crate) waiting: Waiting,
    pub(crate) counts: Counts,
}

struct Site {
    store: Arc<dyn ChunkStore>,
    health: Mutex<SiteHealth>,
    /// Bytes that are being made durable, in KiB.
    syncs: Semaphore,
}

impl Mirror {
    /// A mirror of two stores, site A's first. Site A is near until [`Mirror::prefer`] says otherwise.
    #[must_use]
    pub fn new(
        stores: [Arc<dyn ChunkStore>; 2],
        standing: Arc<dyn Standing>,
        loss: Arc<dyn SiteLoss>,
        host: Host,
    ) -> Arc<Self> {
        let sites = stores.map(|store| Site {
            store,
            health: Mutex::default(),
            syncs: Semaphore::new(MIRROR_SYNC_BYTES_MAX / 1024),
        });
        let shared = Shared {
            sites,
            standing,
            loss,
            loss_turn: tokio::sync::Mutex::new(None),
            host,
            budget: Arc::new(Semaphore::new(MIRROR_BYTES_MAX / 1024)),
            near: AtomicUsize::new(SiteId::A.index()),
            waiting: Waiting::default(),
            counts: Counts::default(),
        };
        Arc::new(Self {
            shared: Arc::new(shared),
        })
    }

    /// Makes a site the one that reads ask first.
    pub fn prefer(&self, site: SiteId) {
        self.shared.near.store(site.index(), Ordering::Relaxed);
    }

    /// Begins a chunk. With [`SitePolicy::Strict`] it is refused at once while a site is away.
    pub async fn begin(&self, policy: SitePolicy) -> Result<MirrorWriter, MirrorError> {
        MirrorWriter::begin(&self.shared, policy)
    }

    /// Removes a chunk at every site that is not away. What stays behind there is swept when it is back.
    pub async fn delete(&self, id: ChunkId) -> Result<(), MirrorError> {
        let [a, b] = SiteId::BOTH.map(|site| async move {
            if self.shared.stance(site) == Stance::Away {
                return Ok(());
            }
            deadline("removing a chunk", self.shared.store(site).delete(id))
                .await
                .map_err(|miss| MirrorError::SiteAway {
                    site,
                    why: miss.why,
                })
        });
        let (a, b) = tokio::join!(a, b);
        a.and(b)
    }

    /// Asks a site whether it can be used, and forgets what was held against it if so. For the loop that
    /// looks whether a site is back.
    pub async fn probe(&self, site: SiteId) -> Result<(), ChunkError> {
        let store = self.shared.store(site);
        timed(&self.shared, site, store.probe()).await?;
        self.shared.health(site).trust();
        Ok(())
    }

    /// Takes a site's folder into use again after it was away or exchanged. The caller has made sure that
    /// the folder belongs to this cloud and site, and heals and scrubs it afterwards.
    pub async fn adopt(&self, site: SiteId) -> Result<(), ChunkError> {
        let store = self.shared.store(site);
        timed(&self.shared, site, store.adopt()).await?;
        self.shared.health(site).trust();
        Ok(())
    }

    /// How the writing side of a site is judged now.
    #[must_use]
    pub fn writing(&self, site: SiteId) -> Writing {
        self.shared.health(site).writing().clone()
    }

    /// Counts since the node started.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.counts.snapshot(self.shared.waiting.len())
    }
}

async fn timed(
    shared: &Shared,
    site: SiteId,
    step: impl Future<Output = Result<(), ChunkError>>,
) -> Result<(), ChunkError> {
    let began = shared.host.elapsed();
    let outcome = tokio::time::timeout(Duration::from_millis(SITE_DEADLINE_MS), step).await;
    let error = match outcome {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error,
        Err(_) => ChunkError::Other {
            place: site.to_string().into(),
            doing: "probing",
            source: std::io::ErrorKind::TimedOut.into(),
        },
    };
    if let Some(signal) = signal_of(&error) {
        shared.note_write(site, began, signal, &error.to_string());
    }
    Err(error)
}

impl Shared {
    pub(crate) fn store(&self, site: SiteId) -> &Arc<dyn ChunkStore> {
        &self.site(site).store
    }

    fn site(&self, site: SiteId) -> &Site {
        let [a, b] = &self.sites;
        match site {
            SiteId::A => a,
            SiteId::B => b,
        }
    }

    pub(crate) fn health(&self, site: SiteId) -> MutexGuard<'_, SiteHealth> {
        self.site(site)
            .health
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stance(&self, site: SiteId) -> Stance {
        self.standing.stance(site)
    }

    pub(crate) fn note_trouble(&self, site: SiteId, trouble: Trouble) {
        self.standing.note(site, trouble);
    }

    pub(crate) fn near(&self) -> SiteId {
        if self.near.load(Ordering::Relaxed) == SiteId::A.index() {
            SiteId::A
        } else {
            SiteId::B
        }
    }

    /// A turn at making a chunk of so many bytes durable; `None` only if the mirror is being taken down.
    pub(crate) async fn sync_turn(
        &self,
        site: SiteId,
        bytes: usize,
    ) -> Option<SemaphorePermit<'_>> {
        let bytes = bytes.clamp(MIRROR_SYNC_BYTES_LEAST, MIRROR_SYNC_BYTES_MAX);
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        self.site(site).syncs.acquire_many(kib).await.ok()
    }

    /// Counts bytes against the limit; waits while too many are on their way.
    pub(crate) async fn count_bytes(&self, bytes: usize) -> Option<Arc<OwnedSemaphorePermit>> {
        let kib =
            u32::try_from(bytes.div_ceil(1024).min(MIRROR_BYTES_MAX / 1024)).unwrap_or(u32::MAX);
        Arc::clone(&self.budget)
            .acquire_many_owned(kib)
            .await
            .ok()
            .map(Arc::new)
    }

    pub(crate) fn note_write(&self, site: SiteId, began: Duration, signal: Signal, why: &str) {
        let mut health = self.health(site);
        let before = health.writing().clone();
        let after = health
            .wrote(self.host.elapsed(), began, signal, why)
            .clone();
        drop(health);
        if before == after {
            return;
        }
        tracing::warn!(%site, ?after, "the judgement on writing to a site changed");
        let kind = match signal {
            Signal::Well => TroubleKind::Repaired,
            Signal::Trouble => TroubleKind::Failed,
            Signal::Slow => TroubleKind::Slow,
            Signal::FolderAway => TroubleKind::Gone,
            Signal::CannotWrite => TroubleKind::Full,
        };
        let what = if why.is_empty() {
            "it takes writes again".to_owned()
        } else {
            why.to_owned()
        };
        self.note_trouble(site, Trouble { kind, what });
    }

    /// Asks that a site be recorded as behind, once for all writers that need it.
    pub(crate) async fn declare_lost(&self, site: SiteId, why: &str) -> Result<(), Miss> {
        let asked = self.host.elapsed();
        let mut turn = self.loss_turn.lock().await;
        if self.stance(site) != Stance::Serving {
            return Ok(());
        }
        if let Some((at, why)) = &*turn
            && *at > asked
        {
            return Err(Miss {
                signal: None,
                why: why.clone(),
            });
        }
        let question = self.loss.lost(site, why.to_owned());
        let why = match tokio::time::timeout(Duration::from_millis(2 * SITE_DEADLINE_MS), question)
            .await
        {
            Ok(Ok(())) => {
                self.counts.sites_lost.add(1);
                *turn = None;
                return Ok(());
            }
            Ok(Err(refused)) => format!("{why}; and it could not be recorded as behind: {refused}"),
            Err(_) => format!("{why}; and recording it as behind took too long"),
        };
        *turn = Some((self.host.elapsed(), why.clone()));
        Err(Miss { signal: None, why })
    }
}

//! The thread that writes at one site, so that the two sites work at the same time and one that hangs
//! holds back nobody but itself.

use super::batch::Prepared;
use super::error::SiteError;
use super::options::{DiskHook, Moment};
use super::site::{SiteDb, View};
use crate::record::reached;
use epoch::TroubleKind;
use host::files::OpenFile;
use std::sync::{Arc, mpsc};
use words::SiteId;

/// What a site made of a batch.
pub struct Done {
    /// Which site.
    pub site: SiteId,
    /// The batch.
    pub seq: u64,
    /// The view that holds it, once it is durable.
    pub result: Result<View, SiteError>,
}

/// A site that takes batches. Dropping it ends the thread when its batch is done.
pub struct SiteThread {
    jobs: mpsc::SyncSender<Arc<Prepared>>,
    results: mpsc::Receiver<Done>,
    db: Arc<SiteDb>,
}

impl SiteThread {
    /// Starts the thread for a database that has come to batch `seq`.
    pub fn start(db: Arc<SiteDb>, seq: u64, hook: Option<DiskHook>) -> Result<Self, SiteError> {
        let (jobs, taken) = mpsc::sync_channel::<Arc<Prepared>>(1);
        let (sender, results) = mpsc::sync_channel(1);
        let reached = db.folder().keep_reached(seq)?;
        let there = Arc::clone(&db);
        std::thread::Builder::new()
            .name(format!("catalog-{}", db.site()))
            .spawn(move || {
                while let Ok(batch) = taken.recv() {
                    let result = write(&there, &batch, &reached, hook.as_ref());
                    if sender
                        .send(Done {
                            site: there.site(),
                            seq: batch.seq,
                            result,
                        })
                        .is_err()
                    {
                        break;
                    }
                }
            })
            .map_err(|e| SiteError::io("no thread could be started", &e))?;
        Ok(Self { jobs, results, db })
    }

    /// The database.
    pub fn db(&self) -> &Arc<SiteDb> {
        &self.db
    }

    /// Hands a batch over.
    pub fn begin(&self, batch: &Arc<Prepared>) -> Result<(), SiteError> {
        self.jobs
            .try_send(Arc::clone(batch))
            .map_err(|_| SiteError::new(TroubleKind::Failed, "its writer has stopped"))
    }

    /// Waits for the batch that was handed over, at most `wait`; `None` if it is not done by then.
    pub fn finish(&self, seq: u64, wait: std::time::Duration) -> Option<Result<View, SiteError>> {
        match self.results.recv_timeout(wait) {
            Ok(done) if done.seq == seq && done.site == self.db.site() => Some(done.result),
            Ok(_) => Some(Err(SiteError::new(
                TroubleKind::Failed,
                "its writer answered out of turn",
            ))),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Err(SiteError::new(
                TroubleKind::Failed,
                "its writer has stopped",
            ))),
        }
    }
}

fn write(
    db: &Arc<SiteDb>,
    batch: &Prepared,
    reached: &OpenFile,
    hook: Option<&DiskHook>,
) -> Result<View, SiteError> {
    let ask = |moment| match hook {
        Some(hook) => hook(db.site(), moment, batch.seq)
            .map_err(|why| SiteError::new(TroubleKind::Failed, why)),
        None => Ok(()),
    };
    ask(Moment::BeforeWrite)?;
    db.write(&batch.changes, true)?;
    host::blocks::write_at(reached, 0, &reached::encode(batch.seq))
        .map_err(|e| SiteError::io("its file reached.clr could not be written", &e))?;
    ask(Moment::AfterWrite)?;
    Ok(View::now(db))
}

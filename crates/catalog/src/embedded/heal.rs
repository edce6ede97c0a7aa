//! Bringing a site back, live: its rows are copied while commits go on; the rest is copied inside the
//! writer, which then takes the site back. A site that still serves but has damaged rows is rebuilt the
//! same way beside its old database, and the new one is taken over.

use super::catch_up::{self, Failed, STRAY_MAX};
use super::error::{HealError, SiteError};
use super::folder::{CatalogFolder, Unfit};
use super::journal;
use super::options::Options;
use super::shared::{Published, Shared};
use super::site::{SiteDb, View};
use super::site_thread::SiteThread;
use super::writer::Writer;
use crate::record::journal_row::JournalRow;
use epoch::{Standing, Trouble, TroubleKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use words::{CloudId, SiteId};

/// How few batches may be left for the writer to copy while it holds everything back.
const REST_MAX: u64 = 32;
/// How often the database of a site that was just given up is tried while its last batch ends.
const OPEN_TRIES: u32 = 50;

/// A site's database that is nearly where the source is.
pub struct Candidate {
    pub db: Arc<SiteDb>,
    /// The last batch it has.
    pub seq: u64,
    /// Whether it is a new database that has to be taken into use.
    pub rebuilt: bool,
}

/// What a heal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealReport {
    /// The last batch both sites had in common at the start; `None` if everything was copied.
    pub common: Option<u64>,
    /// Batches, or rows if everything was copied, that were brought over before the writer took the rest.
    pub copied: u64,
}

/// What the healer needs.
pub struct Healer {
    pub shared: Arc<Shared>,
    pub options: Options,
    pub cloud: CloudId,
    pub site: SiteId,
    pub folder: CatalogFolder,
}

impl Healer {
    /// Copies all but the rest. Runs on a thread of its own.
    pub fn prepare(&self) -> Result<(Candidate, HealReport), HealError> {
        let source = self.source()?;
        self.shared.hold.store(source.seq, Ordering::Relaxed);
        // A database that gave a read error or stopped by itself would do so again.
        if !self.shared.tenure.serving(self.site)
            && !self.shared.is_damaged(self.site)
            && let Some(ready) = self.catch_up(&source)?
        {
            return Ok(ready);
        }
        self.rebuild(&source)
    }

    fn source(&self) -> Result<Arc<Published>, HealError> {
        let source = self.shared.published().map_err(|_| HealError::Stopped)?;
        match source.of(self.site.other()) {
            Some(_) => Ok(source),
            None => Err(HealError::NoSource(self.site)),
        }
    }

    fn view(&self) -> Result<(View, u64), HealError> {
        let source = self.source()?;
        let view = source
            .of(self.site.other())
            .ok_or(HealError::NoSource(self.site))?;
        Ok((view.clone(), source.seq))
    }

    /// Goes on with the database that is there; `None` if it has to be rebuilt.
    fn catch_up(&self, source: &Published) -> Result<Option<(Candidate, HealReport)>, HealError> {
        let Some(db) = self.open_old()? else {
            return Ok(None);
        };
        let view = source
            .of(self.site.other())
            .ok_or(HealError::NoSource(self.site))?;
        let Some((common, strays)) = self.compare(&db, view) else {
            return Ok(None);
        };
        self.failed(db.folder().set_half_healed(true))?;
        if !strays.is_empty() {
            catch_up::take_back(&db, view, common, &strays).map_err(HealError::from)?;
        }
        let seq = match self.follow(&db, common) {
            Ok(seq) => seq,
            Err(HealError::Site { site, source }) if site == self.site => {
                tracing::warn!(%site, "catching up failed, everything is copied instead: {source}");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let report = HealReport {
            common: Some(common),
            copied: seq - common,
        };
        Ok(Some((
            Candidate {
                db,
                seq,
                rebuilt: false,
            },
            report,
        )))
    }

    /// The old database, if it can be opened and its journal is whole.
    fn open_old(&self) -> Result<Option<Arc<SiteDb>>, HealError> {
        let generation = match self.folder.check(&self.cloud) {
            Ok(generation) => generation,
            Err(Unfit::OtherCloud(found)) => {
                return Err(self.foreign(format!("it belongs to the cloud {found}")));
            }
            Err(Unfit::Format(e @ crate::record::format::FormatError::Version { .. })) => {
                return Err(self.foreign(e.to_string()));
            }
            Err(Unfit::Absent | Unfit::Format(_) | Unfit::Unreadable(_)) => return Ok(None),
        };
        if !host::files::is_folder(&self.folder.database(generation)) {
            return Ok(None);
        }
        for _ in 0..OPEN_TRIES {
            match SiteDb::open(self.site, self.folder.clone(), generation, &self.options) {
                Ok(db) => return Ok(Some(Arc::new(db))),
                Err(fjall::Error::Locked) => {
                    std::thread::sleep(std::time::Duration::from_millis(100))
                }
                Err(error) => {
                    tracing::warn!(site = %self.site, "the database cannot be opened, everything is copied: {error:?}");
                    return Ok(None);
                }
            }
        }
        Err(self.foreign(
            "another process has this folder open, or its last write has not come back yet"
                .to_owned(),
        ))
    }

    /// The last batch in common and what only the site knows behind it; `None` if it has to be rebuilt.
    fn compare(&self, db: &Arc<SiteDb>, source: &View) -> Option<(u64, Vec<JournalRow>)> {
        let view = View::now(db);
        let found = journal::check(&view, &self.cloud).and_then(|checked| {
            let Some(common) = journal::common(&view, source, &self.cloud)? else {
                return Ok(None);
            };
            if checked.head.seq - common > STRAY_MAX {
                return Ok(None);
            }
            let strays: Result<Vec<_>, _> =
                journal::rows(&view, common + 1, checked.head.seq).collect();
            Ok(Some((common, strays?)))
        });
        found.unwrap_or_else(|error| {
            self.shared.tenure.report(self.site, error.trouble());
            None
        })
    }

    /// Copies batches until few are left.
    fn follow(&self, db: &Arc<SiteDb>, from: u64) -> Result<u64, HealError> {
        let mut at = from;
        loop {
            let (view, seq) = self.view()?;
            if seq - at <= REST_MAX {
                return Ok(at);
            }
            catch_up::follow(db, &view, at, seq, &|done| {
                self.shared.tenure.healing(self.site, done, seq)
            })?;
            at = seq;
            self.shared.hold.store(at, Ordering::Relaxed);
        }
    }

    /// Copies everything into a new database beside the old one.
    fn rebuild(&self, source: &Published) -> Result<(Candidate, HealReport), HealError> {
        match self.folder.check(&self.cloud) {
            Err(Unfit::OtherCloud(found)) => {
                return Err(self.foreign(format!("it belongs to the cloud {found}")));
            }
            Err(Unfit::Absent) => self.failed(self.folder.create(&self.cloud))?,
            Err(Unfit::Format(_)) => self.failed(self.folder.create(&self.cloud))?,
            Err(Unfit::Unreadable(_)) | Ok(_) => {}
        }
        let generation = self.failed(self.folder.next_generation())?;
        let opened = SiteDb::open(self.site, self.folder.clone(), generation, &self.options);
        let db = Arc::new(self.failed(opened.map_err(SiteError::from))?);
        let result = self.copy(&db, source);
        if result.is_err() {
            db.retire();
        }
        result
    }

    fn copy(
        &self,
        db: &Arc<SiteDb>,
        source: &Published,
    ) -> Result<(Candidate, HealReport), HealError> {
        let mut views: Vec<_> = source.views.clone();
        views.sort_by_key(|v| v.db().site() == self.site);
        let total: u64 = views.first().map_or(0, |v| v.db().rows_about());
        let copied = std::cell::Cell::new(0);
        catch_up::copy_all(db, &views, &|done| {
            copied.set(done);
            self.shared.tenure.healing(self.site, done, total.max(done));
        })?;
        let head = self
            .failed(journal::check(&View::now(db), &self.cloud))?
            .head;
        if head.seq != source.seq {
            return Err(self.site_failed(SiteError::damaged(
                "the copy does not end where the source does",
            )));
        }
        let seq = self.follow(db, head.seq)?;
        let report = HealReport {
            common: None,
            copied: copied.get(),
        };
        Ok((
            Candidate {
                db: Arc::clone(db),
                seq,
                rebuilt: true,
            },
            report,
        ))
    }

    fn failed<T>(&self, result: Result<T, SiteError>) -> Result<T, HealError> {
        result.map_err(|source| self.site_failed(source))
    }
    fn site_failed(&self, source: SiteError) -> HealError {
        HealError::Site {
            site: self.site,
            source,
        }
    }
    fn foreign(&self, why: String) -> HealError {
        HealError::Foreign {
            site: self.site,
            why,
        }
    }
}

impl From<Failed> for HealError {
    fn from(failed: Failed) -> Self {
        Self::Site {
            site: failed.site,
            source: failed.error,
        }
    }
}

impl Writer {
    /// Copies the rest while nothing else writes, and takes the site back.
    pub(super) fn admit(&mut self, candidate: Candidate) -> Result<(), HealError> {
        let db = Arc::clone(&candidate.db);
        let site = db.site();
        let admitted = self.finish(candidate);
        if let Err(error) = &admitted {
            self.shared.tenure.healing_stopped(site, &error.to_string());
        }
        admitted
    }

    fn finish(&mut self, candidate: Candidate) -> Result<(), HealError> {
        let Candidate { db, seq, rebuilt } = candidate;
        let site = db.site();
        let failed = |source| HealError::Site { site, source };
        let Some(source) = self.base.iter().find(|v| v.db().site() != site).cloned() else {
            return Err(HealError::NoSource(site));
        };
        if self.limbo.is_some() || self.stopped.is_some() {
            return Err(HealError::NoSource(site));
        }
        catch_up::follow(&db, &source, seq, self.head.seq, &|_| {})?;
        self.drop_older(&db).map_err(failed)?;
        db.sync().map_err(failed)?;
        let head = journal::head(&View::now(&db), &self.cloud()).map_err(failed)?;
        if head != self.head {
            return Err(failed(SiteError::damaged(
                "after the heal its journal does not end where the source's does",
            )));
        }
        let thread = SiteThread::start(Arc::clone(&db), head.seq, self.options.disk_hook.clone())
            .map_err(failed)?;
        if rebuilt {
            db.folder().set_current(db.generation()).map_err(failed)?;
        }
        db.folder().set_half_healed(false).map_err(failed)?;
        if self.shared.tenure.standing() == Standing::Only(site.other()) {
            self.shared.tenure.readmit(site, self.head.seq)?;
        }
        self.install(thread);
        let what = "catalog: the site was healed".to_owned();
        self.shared.tenure.report(
            site,
            Trouble {
                kind: TroubleKind::Repaired,
                what,
            },
        );
        Ok(())
    }

    /// Puts a site's new database in the place of its old one, if it had one.
    fn install(&mut self, thread: SiteThread) {
        let site = thread.db().site();
        for old in self.sites.iter().filter(|s| s.db().site() == site) {
            old.db().retire();
        }
        self.base.retain(|v| v.db().site() != site);
        self.sites.retain(|s| s.db().site() != site);
        self.base.push(View::now(thread.db()));
        self.sites.push(thread);
        self.base.sort_by_key(|v| v.db().site());
        self.sites.sort_by_key(|s| s.db().site());
        self.shared.clear_damaged(site);
        self.publish();
    }

    /// Journal rows that the source has pruned since.
    fn drop_older(&self, db: &Arc<SiteDb>) -> Result<(), SiteError> {
        let view = View::now(db);
        let Some(first) = journal::first(&view)? else {
            return Ok(());
        };
        let changes: Vec<_> = (first..self.first)
            .map(|seq| super::site::Change::new(&crate::record::journal_row::key(seq), None))
            .collect();
        for slice in changes.chunks(10_000) {
            db.write(slice, false)?;
        }
        Ok(())
    }

    fn cloud(&self) -> CloudId {
        self.shared.tenure.record().cloud
    }

    /// Writes rows of the other site over those of `site` where they still differ.
    pub(super) fn mend(&mut self, site: SiteId, keys: &[Vec<u8>]) -> Result<u64, HealError> {
        let Some(source) = self.base.iter().find(|v| v.db().site() != site).cloned() else {
            return Err(HealError::NoSource(site));
        };
        let Some(target) = self.base.iter().find(|v| v.db().site() == site).cloned() else {
            return Ok(0);
        };
        let mut changes = Vec::new();
        for key in keys {
            let failed = |source_error| HealError::Site {
                site: source.db().site(),
                source: source_error,
            };
            let right = source.get(key).map_err(failed)?;
            if target.get(key).is_ok_and(|row| row == right) {
                continue;
            }
            let stored = right.map(|r| crate::record::row::encode(key, r.version, &r.value).0);
            changes.push(super::site::Change::new(key, stored));
        }
        target
            .db()
            .write(&changes, true)
            .map_err(|source| HealError::Site { site, source })?;
        if let Some(view) = self.base.iter_mut().find(|v| v.db().site() == site) {
            *view = View::now(target.db());
        }
        self.publish();
        Ok(changes.len() as u64)
    }
}

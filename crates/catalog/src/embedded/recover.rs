//! Opening: which sites can serve, and bringing the two to the same batch before the first commit.

use super::batch::Head;
use super::catch_up;
use super::error::{OpenError, SiteError};
use super::folder::{CatalogFolder, Unfit};
use super::journal::{self, Checked};
use super::options::Options;
use super::site::{SiteDb, View};
use epoch::{Standing, Tenure, Trouble, TroubleKind};
use std::path::PathBuf;
use std::sync::Arc;
use words::{CloudId, SiteId};

/// A site that was opened and whose journal is whole.
pub struct Opened {
    pub db: Arc<SiteDb>,
    pub checked: Checked,
}

/// What stands after recovery.
pub struct Recovered {
    /// The sites that serve, all at the same batch.
    pub sites: Vec<Opened>,
}

struct Recovery<'a> {
    folders: &'a [Option<PathBuf>; 2],
    tenure: &'a Tenure,
    options: &'a Options,
    cloud: CloudId,
}

/// Opens what the standing lets serve, gives up what cannot, and evens out the two sites.
pub fn recover(
    folders: &[Option<PathBuf>; 2],
    tenure: &Tenure,
    options: &Options,
) -> Result<Recovered, OpenError> {
    let record = tenure.record();
    let recovery = Recovery {
        folders,
        tenure,
        options,
        cloud: record.cloud,
    };
    match record.standing {
        Standing::Only(site) => {
            let opened = recovery
                .open(site)?
                .and_then(|opened| recent(opened, record.head, options));
            let opened = opened.map_err(|e| OpenError::NoSite {
                why: format!("{site}: {e}"),
            })?;
            Ok(Recovered {
                sites: vec![opened],
            })
        }
        Standing::BothCurrent => {
            let a = recovery
                .open(SiteId::A)?
                .and_then(|opened| recent(opened, record.head, options));
            let b = recovery
                .open(SiteId::B)?
                .and_then(|opened| recent(opened, record.head, options));
            recovery.both(a, b)
        }
    }
}

/// A catalog that ends before the batch of the standing's record is a copy from before, or has lost some.
fn recent(opened: Opened, head: u64, options: &Options) -> Result<Opened, SiteError> {
    if opened.checked.head.seq >= head || options.accept_loss {
        return Ok(opened);
    }
    Err(SiteError::damaged(format!(
        "the catalog ends at batch {}, but batch {head} was acknowledged: it is an old copy or has lost batches",
        opened.checked.head.seq
    )))
}

impl Recovery<'_> {
    /// Opens one site and checks its journal. The outer error is one that must not be overcome by going on
    /// with the other site.
    fn open(&self, site: SiteId) -> Result<Result<Opened, SiteError>, OpenError> {
        let Some(path) = self.folders.get(site.index()).and_then(Option::as_ref) else {
            return Ok(Err(SiteError::new(
                TroubleKind::Gone,
                "its folder is not there",
            )));
        };
        let folder = CatalogFolder::of(path);
        let generation = match folder.check(&self.cloud) {
            Ok(generation) => generation,
            Err(Unfit::OtherCloud(found)) => {
                return Err(OpenError::OtherCloud {
                    path: folder.path().to_owned(),
                    found,
                    expected: self.cloud,
                });
            }
            Err(Unfit::Format(source @ crate::record::format::FormatError::Version { .. })) => {
                return Err(OpenError::Format {
                    path: folder.path().to_owned(),
                    source,
                });
            }
            Err(Unfit::Format(e)) => return Ok(Err(SiteError::damaged(e.to_string()))),
            Err(Unfit::Absent) => {
                return Ok(Err(SiteError::new(
                    TroubleKind::Gone,
                    "its folder holds no catalog",
                )));
            }
            Err(Unfit::Unreadable(error)) => return Ok(Err(error)),
        };
        if !host::files::is_folder(&folder.database(generation)) {
            return Ok(Err(SiteError::new(
                TroubleKind::Gone,
                "the folder of its database is not there",
            )));
        }
        match SiteDb::open(site, folder.clone(), generation, self.options) {
            Ok(db) => Ok(self.checked(Arc::new(db))),
            Err(fjall::Error::Locked) => Err(OpenError::InUse {
                path: folder.path().to_owned(),
            }),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn checked(&self, db: Arc<SiteDb>) -> Result<Opened, SiteError> {
        let half_healed = db.folder().half_healed()?;
        if half_healed && !self.options.accept_loss {
            return Err(SiteError::damaged(
                "it was being healed when the node stopped, and its rows are of different times",
            ));
        }
        let checked = journal::check(&View::now(&db), &self.cloud)?;
        let reached = db.folder().reached()?.unwrap_or(0);
        if checked.head.seq < reached && !self.options.accept_loss {
            return Err(SiteError::damaged(format!(
                "the catalog ends at batch {}, but it had come to batch {reached}: its log is damaged",
                checked.head.seq
            )));
        }
        if half_healed {
            db.folder().set_half_healed(false)?;
        }
        db.folder().remove_others(db.generation())?;
        Ok(Opened { db, checked })
    }

    fn both(
        &self,
        a: Result<Opened, SiteError>,
        b: Result<Opened, SiteError>,
    ) -> Result<Recovered, OpenError> {
        match (a, b) {
            (Ok(a), Ok(b)) => self.even_out(a, b),
            (Ok(a), Err(error)) => self.go_on_with(a, &error),
            (Err(error), Ok(b)) => self.go_on_with(b, &error),
            (Err(a), Err(b)) => Err(OpenError::NoSite {
                why: format!("site-a: {a}; site-b: {b}"),
            }),
        }
    }

    fn go_on_with(&self, opened: Opened, error: &SiteError) -> Result<Recovered, OpenError> {
        let away = opened.db.site().other();
        self.tenure.report(away, error.trouble());
        self.tenure
            .drop_site(away, opened.checked.head.seq, &error.what)?;
        Ok(Recovered {
            sites: vec![opened],
        })
    }

    /// Both sites opened. If one has batches the other lacks, these were not acknowledged, or the other
    /// has lost them; either way they are rolled forward.
    fn even_out(&self, a: Opened, b: Opened) -> Result<Recovered, OpenError> {
        if a.checked.head == b.checked.head {
            return Ok(Recovered { sites: vec![a, b] });
        }
        let (ahead, mut behind) = if b.checked.head.seq > a.checked.head.seq {
            (b, a)
        } else {
            (a, b)
        };
        let source = View::now(&ahead.db);
        if let Err(error) = self.roll_forward(&mut behind, &source, &ahead.checked.head) {
            return self.go_on_with(ahead, &error);
        }
        let site = behind.db.site();
        let what = format!(
            "catalog: {site} was brought to batch {} from the other site",
            ahead.checked.head.seq
        );
        self.tenure.report(
            site,
            Trouble {
                kind: TroubleKind::Repaired,
                what,
            },
        );
        let mut sites = vec![ahead, behind];
        sites.sort_by_key(|s| s.db.site());
        Ok(Recovered { sites })
    }

    fn roll_forward(
        &self,
        behind: &mut Opened,
        source: &View,
        head: &Head,
    ) -> Result<(), SiteError> {
        let db = &behind.db;
        let from = behind.checked.head;
        match journal::common(&View::now(db), source, &self.cloud)? {
            Some(common) if common == from.seq => {}
            _ => {
                return Err(SiteError::damaged(
                    "its catalog went another way than the other site's",
                ));
            }
        }
        db.folder().set_half_healed(true)?;
        catch_up::follow(db, source, from.seq, head.seq, &|_| {}).map_err(|failed| failed.error)?;
        db.sync()?;
        behind.checked = journal::check(&View::now(db), &self.cloud)?;
        if behind.checked.head != *head {
            return Err(SiteError::damaged(
                "its journal does not end where the other's does",
            ));
        }
        db.folder().set_half_healed(false)
    }
}

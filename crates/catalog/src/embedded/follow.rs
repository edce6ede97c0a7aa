//! What somebody needs who keeps a twin of the catalog elsewhere: all rows of a moment, then batch after batch
//! what changed, and the way back into two empty folders. The follower sees acknowledged batches only, and
//! rows as they are stored, check included.
//!
//! Never here: where the twin is kept, and how it is sealed.

use super::batch::Head;
use super::error::{OpenError, SiteError};
use super::folder::{CatalogFolder, Unfit};
use super::journal;
use super::options::Options;
use super::shared::Published;
use super::site::{Change, SiteDb, View, checked};
use super::{Embedded, blocking};
use crate::engine::{ReadError, Row};
use crate::plan::RESERVED_TAG;
use crate::record::{journal_row, journal_row::JournalRow, reached, row};
use crate::snapshot::Point;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use words::{CloudId, SiteId};

/// A row as it is stored, or its absence.
pub type FollowedRow = (Vec<u8>, Option<Vec<u8>>);

/// How far a catalog had come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The last batch.
    pub seq: u64,
    /// The hash of everything up to it.
    pub chain: [u8; 32],
    /// The batch's row in the journal, as it is stored.
    pub journal: Vec<u8>,
}

/// What changed in some batches that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The last batch before them.
    pub after: u64,
    /// The hash of everything up to that.
    pub before: [u8; 32],
    /// How far the catalog has come with them.
    pub reached: Reached,
    /// Whether the rows are exactly those of the last batch. If not, some are newer, and what follows makes
    /// them right.
    pub settled: bool,
    /// The newest row of everything the batches touched.
    pub rows: Vec<FollowedRow>,
}

/// Why a follower got nothing.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The journal does not reach back so far.
    #[error("the catalog's journal does not reach back to batch {0}; everything has to be copied")]
    TooFarBack(u64),
    /// The catalog never was where the follower says.
    #[error("the catalog has not come as far as batch {after}: it ends at batch {head}")]
    Ahead {
        /// Where the follower is.
        after: u64,
        /// Where the catalog is.
        head: u64,
    },
    /// The catalog could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A site's database could not be read.
    #[error(transparent)]
    Site(#[from] SiteError),
}

impl Embedded {
    /// The last batch that readers see.
    pub fn head(&self) -> Result<u64, ReadError> {
        Ok(self.shared.published()?.seq)
    }

    /// The hash of everything up to a batch; `None` if the journal does not hold it.
    pub fn chain_at(&self, seq: u64) -> Result<Option<[u8; 32]>, ReadError> {
        self.shared
            .read(|view| Ok(journal::row(view, seq)?.map(|row| row.chain)))
    }

    /// What changed behind batch `after`, at most about `bytes_max` of it; `None` if nothing did. Blocks.
    pub fn follow(&self, after: u64, bytes_max: usize) -> Result<Option<Followed>, FollowError> {
        let published = self.shared.published()?;
        let head = published.seq;
        if after > head {
            return Err(FollowError::Ahead { after, head });
        }
        if after == head {
            return Ok(None);
        }
        let mut failed = None;
        for view in &published.views {
            match follow(view, after, head, bytes_max) {
                Ok(followed) => return Ok(Some(followed)),
                Err(FollowError::Site(error)) => {
                    self.shared.found_damaged(view.db().site(), &error);
                    failed = Some(FollowError::Site(error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or(FollowError::TooFarBack(after)))
    }

    /// Every row of this moment, to be taken piece by piece.
    pub fn everything(&self) -> Result<Everything, FollowError> {
        let published = self.shared.published()?;
        let reached = match published.views.first() {
            Some(view) => reached_at(view, published.seq)?,
            None => return Err(FollowError::TooFarBack(published.seq)),
        };
        Ok(Everything {
            published,
            reached,
            ledger: false,
            behind: Some(vec![RESERVED_TAG + 1]),
            started: false,
        })
    }

    /// Begins a catalog in each of two folders that have none, to be filled with rows as they are stored.
    pub fn import(
        folders: [&Path; 2],
        cloud: CloudId,
        options: &Options,
    ) -> Result<Import, OpenError> {
        let mut sites = Vec::new();
        for (site, path) in SiteId::BOTH.into_iter().zip(folders) {
            let folder = CatalogFolder::of(path);
            if !matches!(folder.check(&cloud), Err(Unfit::Absent)) {
                return Err(OpenError::NotEmpty {
                    path: folder.path().to_owned(),
                });
            }
            let failed = |source| OpenError::Site { site, source };
            folder.create(&cloud).map_err(failed)?;
            let db = SiteDb::open(site, folder, 1, options).map_err(|e| failed(e.into()))?;
            sites.push(Arc::new(db));
        }
        Ok(Import { sites, cloud })
    }
}

fn reached_at(view: &View, seq: u64) -> Result<Reached, FollowError> {
    let row = journal::row(view, seq)?.ok_or(FollowError::TooFarBack(seq))?;
    let stored = view.stored(&journal_row::key(seq))?;
    Ok(Reached {
        seq,
        chain: row.chain,
        journal: stored.map(|s| s.to_vec()).unwrap_or_default(),
    })
}

fn follow(view: &View, after: u64, head: u64, bytes_max: usize) -> Result<Followed, FollowError> {
    let before = match journal::row(view, after)? {
        Some(row) => row.chain,
        None => return Err(FollowError::TooFarBack(after)),
    };
    let mut keys: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut last: Option<JournalRow> = None;
    let mut bytes = 0_u64;
    let start = journal::row(view, after)?.map_or(0, |row| row.bytes);
    for row in journal::rows(view, after + 1, head) {
        let row = row?;
        let expected = last.as_ref().map_or(after + 1, |row| row.seq + 1);
        if row.seq != expected {
            return Err(FollowError::TooFarBack(after));
        }
        keys.extend(row.keys.iter().cloned());
        keys.extend((row.first_index..row.next_index).map(|i| ledger::row_key(i).to_vec()));
        bytes = bytes.max(row.bytes.saturating_sub(start));
        last = Some(row);
        if bytes >= bytes_max as u64 {
            break;
        }
    }
    let last = last.ok_or(FollowError::TooFarBack(after))?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let stored = view.stored(&key)?;
        if let Some(stored) = &stored {
            checked(&key, stored.clone())?;
        }
        rows.push((key, stored.map(|s| s.to_vec())));
    }
    Ok(Followed {
        after,
        before,
        reached: reached_at(view, last.seq)?,
        settled: last.seq == head,
        rows,
    })
}

/// Every row of one moment.
pub struct Everything {
    published: Arc<Published>,
    reached: Reached,
    ledger: bool,
    /// The next key, or the last one that was given.
    behind: Option<Vec<u8>>,
    started: bool,
}

impl Everything {
    /// The moment.
    #[must_use]
    pub const fn reached(&self) -> &Reached {
        &self.reached
    }

    /// The next rows, about `bytes_max` of them; none at the end.
    pub async fn next(mut self, bytes_max: usize) -> Result<(Self, Vec<FollowedRow>), FollowError> {
        let taken = blocking(move || {
            let rows = self.take(bytes_max)?;
            Ok::<_, SiteError>((self, rows))
        });
        let (rest, rows) = taken
            .await
            .map_err(|_| ReadError::Stopped("it is shutting down".into()))??;
        Ok((rest, rows))
    }

    fn take(&mut self, bytes_max: usize) -> Result<Vec<FollowedRow>, SiteError> {
        let mut rows = Vec::new();
        let mut bytes = 0;
        let published = Arc::clone(&self.published);
        let Some(view) = published.views.first() else {
            return Ok(rows);
        };
        loop {
            let from = match &self.behind {
                Some(key) if self.started => Bound::Excluded(key.clone()),
                Some(key) => Bound::Included(key.clone()),
                None => Bound::Unbounded,
            };
            for stored in view.everything(self.ledger, from) {
                let (key, stored) = stored?;
                checked(&key, stored.clone())?;
                bytes += key.len() + stored.len();
                self.behind = Some(key.to_vec());
                self.started = true;
                rows.push((key.to_vec(), Some(stored.to_vec())));
                if bytes >= bytes_max {
                    return Ok(rows);
                }
            }
            if self.ledger {
                return Ok(rows);
            }
            (self.ledger, self.behind, self.started) = (true, None, false);
        }
    }
}

/// A catalog that is being filled. Until it is finished it is none.
pub struct Import {
    sites: Vec<Arc<SiteDb>>,
    cloud: CloudId,
}

impl Import {
    /// Writes rows, each checked against its own check; later ones take the place of earlier ones.
    pub fn write(&self, rows: &[FollowedRow]) -> Result<(), SiteError> {
        let mut changes = Vec::with_capacity(rows.len());
        for (key, stored) in rows {
            if key.first().is_none_or(|tag| *tag == RESERVED_TAG) {
                return Err(SiteError::damaged(
                    "a row has a key that is the engine's own",
                ));
            }
            if let Some(stored) = stored {
                decoded(key, stored)?;
            }
            changes.push(Change::new(key, stored.clone()));
        }
        self.sites
            .iter()
            .try_for_each(|db| db.write(&changes, false))
    }

    /// Writes rows of a snapshot, which know nothing of checks.
    pub fn put(&self, rows: &[(Vec<u8>, Row)]) -> Result<(), SiteError> {
        let stored = rows.iter().map(|(key, row)| {
            let (stored, _) = row::encode(key, row.version, &row.value);
            (key.clone(), Some(stored))
        });
        self.write(&stored.collect::<Vec<_>>())
    }

    /// The same as [`Import::finish`] for rows of a snapshot: a journal of its own begins behind them. Gives the number of
    /// its first batch. Batches are never more than commits, so that number is one that no batch of theirs had.
    pub fn finish_at(self, point: Point) -> Result<u64, SiteError> {
        // A journal that begins with batch 1 would have to follow from nothing.
        let seq = point.version.saturating_add(1).max(2);
        let journal = JournalRow {
            chain: [0; 32],
            seq,
            epoch: 0,
            content: *blake3::Hasher::new().finalize().as_bytes(),
            next_version: point.version.saturating_add(1),
            first_index: point.next_index,
            next_index: point.next_index,
            bytes: 0,
            ops: Vec::new(),
            keys: Vec::new(),
        }
        .chained(&journal_row::genesis(&self.cloud));
        let (stored, _) = row::encode(&journal_row::key(seq), seq, &journal.encode());
        self.finish(&Reached {
            seq,
            chain: journal.chain,
            journal: stored,
        })?;
        Ok(seq)
    }

    /// Puts the last batch's journal row in place and checks that what came in is whole; then the catalog can
    /// be opened.
    pub fn finish(self, reached: &Reached) -> Result<(), SiteError> {
        let key = journal_row::key(reached.seq);
        decoded(&key, &reached.journal)?;
        let change = [Change::new(&key, Some(reached.journal.clone()))];
        for db in &self.sites {
            db.write(&change, true)?;
            db.sync()?;
            let view = View::now(db);
            let found = journal::check(&view, &self.cloud)?.head;
            // The journal that came with the rows is one batch long; the ledger has to be whole from its start.
            journal::check_ledger(&view, 0, found.next_index)?;
            if (found.seq, found.chain) != (reached.seq, reached.chain) || !plausible(&found) {
                return Err(SiteError::damaged(
                    "the rows do not end where their journal does",
                ));
            }
            let path = db.folder().path().join("reached.clr");
            host::files::write_durable(&path, &reached::encode(reached.seq), 0o600)
                .map_err(|e| SiteError::io("its file reached.clr could not be written", &e))?;
            db.folder().set_current(1)?;
        }
        Ok(())
    }
}

fn plausible(head: &Head) -> bool {
    head.next_version > 0 && head.seq > 0
}

fn decoded(key: &[u8], stored: &[u8]) -> Result<(), SiteError> {
    match row::decode(key, &Bytes::copy_from_slice(stored)) {
        Some(_) => Ok(()),
        None => Err(SiteError::damaged("a row's check does not fit its content")),
    }
}

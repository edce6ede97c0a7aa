//! Brings a site's rows to where the other's are: by the journal, row by row, or by copying everything.

use super::error::SiteError;
use super::journal;
use super::site::{Change, SiteDb, Stored, View, checked};
use crate::record::{journal_row, journal_row::JournalRow, row};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use words::SiteId;

/// How many bytes are copied in one batch.
const SLICE_BYTES: usize = 2 * 1024 * 1024;
/// How many batches of the journal are caught up in one.
const SLICE_BATCHES: u64 = 64;
/// More batches than this that only the site knows, and it is copied whole.
pub const STRAY_MAX: u64 = 4096;

/// Something failed at one of the two sites.
#[derive(Debug)]
pub struct Failed {
    pub site: SiteId,
    pub error: SiteError,
}

fn at<T>(site: SiteId, result: Result<T, SiteError>) -> Result<T, Failed> {
    result.map_err(|error| Failed { site, error })
}

/// Brings `target` from batch `from`, which both have in common, to batch `to` of the source. The rows are
/// the source's newest, so they may be ahead of `to`; what is ahead is written again by later slices. Tells
/// progress by the number of the batch reached.
pub fn follow(
    target: &Arc<SiteDb>,
    source: &View,
    from: u64,
    to: u64,
    told: &dyn Fn(u64),
) -> Result<(), Failed> {
    let mut at_batch = from;
    while at_batch < to {
        let until = to.min(at_batch + SLICE_BATCHES);
        let rows: Result<Vec<_>, _> = journal::rows(source, at_batch + 1, until).collect();
        let rows = at(source.db().site(), rows)?;
        if rows.len() as u64 != until - at_batch {
            let error = SiteError::damaged("the journal does not reach back far enough");
            return Err(Failed {
                site: source.db().site(),
                error,
            });
        }
        copy_touched(target, source, &rows, Vec::new())?;
        at_batch = until;
        told(at_batch);
    }
    Ok(())
}

/// Takes back what only the target knows: batches behind the last one in common, never acknowledged or
/// given up by the parties. One batch of the database, so that a crash leaves all of it or nothing.
pub fn take_back(
    target: &Arc<SiteDb>,
    source: &View,
    common: u64,
    strays: &[JournalRow],
) -> Result<(), Failed> {
    let mut changes: Vec<_> = strays
        .iter()
        .map(|r| Change::new(&journal_row::key(r.seq), None))
        .collect();
    let (first, next) = strays.iter().fold((u64::MAX, 0), |(first, next), r| {
        (first.min(r.first_index), next.max(r.next_index))
    });
    for index in first..next {
        changes.push(copied(source, &ledger::row_key(index))?);
    }
    let mut keys = BTreeSet::new();
    keys.extend(strays.iter().flat_map(|r| r.keys.iter().cloned()));
    for key in keys {
        changes.push(copied(source, &key)?);
    }
    tracing::warn!(site = %target.site(), common, strays = strays.len(), "batches that only this site knew are taken back");
    at(target.site(), target.write(&changes, true))
}

/// Writes the source's newest rows of everything that some batches touched, and their journal rows.
fn copy_touched(
    target: &Arc<SiteDb>,
    source: &View,
    rows: &[JournalRow],
    mut changes: Vec<Change>,
) -> Result<(), Failed> {
    let keys: BTreeSet<_> = rows.iter().flat_map(|r| r.keys.iter()).collect();
    let mut bytes = 0;
    let mut push = |changes: &mut Vec<Change>, change: Change| {
        bytes += change.bytes();
        changes.push(change);
        if bytes < SLICE_BYTES {
            return Ok(());
        }
        bytes = 0;
        at(target.site(), target.write(&std::mem::take(changes), false))
    };
    for key in keys {
        push(&mut changes, copied(source, key)?)?;
    }
    for index in rows.iter().flat_map(|r| r.first_index..r.next_index) {
        push(&mut changes, copied(source, &ledger::row_key(index))?)?;
    }
    // The journal rows come last: while they are not there, the site counts as not having the batches.
    for row in rows {
        changes.push(copied(source, &journal_row::key(row.seq))?);
    }
    at(target.site(), target.write(&changes, false))
}

fn copied(source: &View, key: &[u8]) -> Result<Change, Failed> {
    let row = at(source.db().site(), source.get(key))?;
    Ok(Change::new(
        key,
        row.map(|r| row::encode(key, r.version, &r.value).0),
    ))
}

/// Copies everything of a moment into an empty database. Where the first source cannot be read, the second
/// is asked, and the other way round; only what neither can read stops the copy.
pub fn copy_all(target: &Arc<SiteDb>, sources: &[View], told: &dyn Fn(u64)) -> Result<(), Failed> {
    let mut copied = 0;
    for ledger in [false, true] {
        let mut reader = Sources::new(sources, ledger);
        let mut changes = Vec::new();
        let mut bytes = 0;
        while let Some((key, stored)) = reader.next()? {
            changes.push(Change {
                ledger,
                key,
                stored: Some(stored),
            });
            bytes += changes.last().map_or(0, Change::bytes);
            copied += 1;
            if bytes >= SLICE_BYTES {
                at(target.site(), target.write(&changes, false))?;
                changes.clear();
                bytes = 0;
                told(copied);
            }
        }
        at(target.site(), target.write(&changes, false))?;
    }
    at(target.site(), target.sync())
}

/// Reads one keyspace in order, from whichever source can be read.
struct Sources<'a> {
    sources: &'a [View],
    ledger: bool,
    last: Option<Vec<u8>>,
    open: Option<(usize, Reading)>,
}

type Reading = Box<dyn Iterator<Item = Result<Stored, SiteError>>>;

impl<'a> Sources<'a> {
    fn new(sources: &'a [View], ledger: bool) -> Self {
        Self {
            sources,
            ledger,
            last: None,
            open: None,
        }
    }

    /// The next row, checked. Where a source fails, the next one goes on behind the last row; when all
    /// have failed at the same place, that is the end.
    fn next(&mut self) -> Result<Option<Stored>, Failed> {
        let mut failed = None;
        for _ in 0..=self.sources.len() {
            let (index, rows) = match &mut self.open {
                Some(open) => open,
                None => {
                    let Some(view) = self.sources.first() else {
                        return Ok(None);
                    };
                    self.open
                        .insert((0, Box::new(view.everything(self.ledger, self.behind()))))
                }
            };
            let index = *index;
            let row = rows.next().map(|row| {
                let (key, stored) = row?;
                checked(&key, stored.clone())?;
                Ok((key, stored))
            });
            match row {
                None => return Ok(None),
                Some(Ok((key, stored))) => {
                    self.last = Some(key.to_vec());
                    return Ok(Some((key, stored)));
                }
                Some(Err(error)) => {
                    let next = (index + 1) % self.sources.len().max(1);
                    let site = self.sources.get(index).map_or(SiteId::A, |v| v.db().site());
                    failed = Some(Failed { site, error });
                    let behind = self.behind();
                    self.open = self
                        .sources
                        .get(next)
                        .map(|v| (next, Box::new(v.everything(self.ledger, behind)) as Reading));
                }
            }
        }
        failed.map_or(Ok(None), Err)
    }

    fn behind(&self) -> Bound<Vec<u8>> {
        self.last.clone().map_or(Bound::Unbounded, Bound::Excluded)
    }
}

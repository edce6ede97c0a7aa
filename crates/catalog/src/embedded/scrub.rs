//! Reads everything and compares the two sites row by row, at one moment and with little memory.

use super::error::{HealError, SiteError};
use super::shared::{Published, Shared};
use super::site::{Stored, View, checked};
use crate::plan::RESERVED_TAG;
use fjall::Slice;
use std::ops::Bound;
use words::SiteId;

/// How many differing rows are put right; more, and a site is rebuilt.
const DIFFERENCES_MAX: usize = 10_000;

/// What a scrub found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Rows read at the site.
    pub rows: u64,
    /// Bytes read at the site.
    pub bytes: u64,
    /// Rows of the site that are missing, too many, or not what they should be.
    pub wrong: u64,
    /// Rows that were put right.
    pub mended: u64,
    /// Rows in which the sites differ while neither is damaged: which is right is not known.
    pub undecided: u64,
    /// Why the site has to be rebuilt, if it has to.
    pub rebuild: Option<String>,
    /// Whether there was another site to compare with.
    pub compared: bool,
}

/// What has to be put right.
#[derive(Default)]
pub struct Findings {
    pub report: ScrubReport,
    /// Keys of rows that are wrong at the site and right at the other.
    pub wrong: Vec<Vec<u8>>,
}

/// Reads all rows of a site at one moment and, if both serve, compares them with the other's.
pub fn read_all(
    shared: &Shared,
    published: &Published,
    site: SiteId,
) -> Result<Findings, HealError> {
    let view = published
        .of(site)
        .ok_or(HealError::NoSource(site.other()))?;
    let other = published.of(site.other());
    let mut findings = Findings::default();
    findings.report.compared = other.is_some();
    for ledger in [false, true] {
        if let Err(error) = keyspace(&mut findings, view, other, ledger) {
            shared.found_damaged(site, &error);
            findings.report.rebuild = Some(error.what);
        }
    }
    findings.report.wrong = findings.wrong.len() as u64;
    if findings.wrong.len() > DIFFERENCES_MAX {
        let error = SiteError::damaged("more rows are wrong than can be put right one by one");
        shared.found_damaged(site, &error);
        findings.report.rebuild = Some(error.what);
        findings.wrong.clear();
    }
    Ok(findings)
}

/// One side of the comparison. A row whose check fails counts as there, with nothing in it.
struct Side<I> {
    rows: I,
    next: Option<Stored>,
}

impl<I: Iterator<Item = Result<Stored, SiteError>>> Side<I> {
    fn new(mut rows: I) -> Result<Self, SiteError> {
        let next = rows.next().transpose()?;
        Ok(Self { rows, next })
    }
    fn advance(&mut self) -> Result<Option<Stored>, SiteError> {
        let next = self.rows.next().transpose()?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}

/// Everything, or everything behind the journal rows, which are checked as a chain.
fn start(ledger: bool) -> Bound<Vec<u8>> {
    if ledger {
        Bound::Unbounded
    } else {
        Bound::Included(vec![RESERVED_TAG + 1])
    }
}

fn keyspace(
    findings: &mut Findings,
    view: &View,
    other: Option<&View>,
    ledger: bool,
) -> Result<(), SiteError> {
    let mut ours = Side::new(view.everything(ledger, start(ledger)))?;
    // If the other cannot be read, that is its own trouble; this site is read on without it.
    let mut theirs = other.and_then(|o| Side::new(o.everything(ledger, start(ledger))).ok());
    while let Some((key, stored)) = ours.advance()? {
        findings.report.rows += 1;
        findings.report.bytes += (key.len() + stored.len()) as u64;
        let Some(other) = &mut theirs else {
            checked(&key, stored)?;
            continue;
        };
        if compare(findings, other, &key, &stored).is_err() {
            theirs = None;
        }
    }
    if let Some(mut other) = theirs {
        while let Ok(Some((key, _))) = other.advance() {
            note(findings, &key);
        }
    }
    Ok(())
}

fn compare<I: Iterator<Item = Result<Stored, SiteError>>>(
    findings: &mut Findings,
    other: &mut Side<I>,
    key: &[u8],
    stored: &Slice,
) -> Result<(), SiteError> {
    // Rows of the other that come before ours are missing here.
    while let Some((theirs, _)) = &other.next {
        if theirs.as_ref() >= key {
            break;
        }
        let theirs = theirs.to_vec();
        other.advance()?;
        note(findings, &theirs);
    }
    let same_key = other
        .next
        .as_ref()
        .is_some_and(|(theirs, _)| theirs.as_ref() == key);
    if !same_key {
        // The other lacks it. Nothing is taken away on that ground; the other's own scrub restores it.
        findings.report.undecided += 1;
        return Ok(());
    }
    let Some((_, theirs)) = other.advance()? else {
        return Ok(());
    };
    if theirs == *stored && checked(key, stored.clone()).is_ok() {
        return Ok(());
    }
    let theirs = checked(key, theirs).ok().map(|row| row.version);
    let ours = checked(key, stored.clone()).ok().map(|row| row.version);
    match (ours, theirs) {
        (None, Some(_)) => note(findings, key),
        (Some(ours), Some(theirs)) if ours < theirs => note(findings, key),
        (Some(ours), Some(theirs)) if ours > theirs => {}
        (Some(_), None) => {}
        _ => findings.report.undecided += 1,
    }
    Ok(())
}

fn note(findings: &mut Findings, key: &[u8]) {
    if findings.wrong.len() <= DIFFERENCES_MAX {
        findings.wrong.push(key.to_vec());
    }
}

//! The journal of one site as it lies in the database: read, checked, compared with the other's.

use super::batch::Head;
use super::error::SiteError;
use super::site::View;
use crate::engine::{Order, Row};
use crate::record::journal_row::{self, JournalRow};
use words::{CloudId, OpId};

/// What checking a whole journal gave.
pub struct Checked {
    /// How far it reaches.
    pub head: Head,
    /// Its oldest batch; behind the head if it holds none.
    pub first: u64,
    /// Numbers and cumulative bytes of batches now and then, for pruning.
    pub marks: Vec<(u64, u64)>,
    /// The newest ops, oldest first.
    pub ops: Vec<(OpId, u64)>,
}

/// How many ops are remembered for look-ups.
pub const OPS_MAX: usize = 131_072;
/// How far apart pruning marks are, in batches.
pub const MARK_EVERY: u64 = 64;

fn parse((key, row): &(Vec<u8>, Row)) -> Result<JournalRow, SiteError> {
    let parsed = JournalRow::decode(&row.value)
        .map_err(|e| SiteError::damaged(format!("a journal row: {e}")))?;
    if journal_row::seq_of(key) != Some(parsed.seq) {
        return Err(SiteError::damaged(
            "a journal row stands in the wrong place",
        ));
    }
    Ok(parsed)
}

/// The journal rows of some batches, smallest first.
pub fn rows(
    view: &View,
    from: u64,
    to: u64,
) -> impl Iterator<Item = Result<JournalRow, SiteError>> + use<> {
    view.own_rows(
        journal_row::key(from),
        journal_row::key(to),
        Order::Ascending,
    )
    .map(|row| parse(&row?))
}

/// The journal row of one batch.
pub fn row(view: &View, seq: u64) -> Result<Option<JournalRow>, SiteError> {
    match view.get(&journal_row::key(seq))? {
        Some(row) => parse(&(journal_row::key(seq), row)).map(Some),
        None => Ok(None),
    }
}

/// The oldest batch the journal holds.
pub fn first(view: &View) -> Result<Option<u64>, SiteError> {
    let oldest = view
        .own_rows(
            journal_row::key(0),
            journal_row::key(u64::MAX),
            Order::Ascending,
        )
        .next();
    Ok(oldest
        .transpose()?
        .and_then(|(key, _)| journal_row::seq_of(&key)))
}

/// Where the catalog stands by the newest journal row; genesis if there is none.
pub fn head(view: &View, cloud: &CloudId) -> Result<Head, SiteError> {
    let newest = view
        .own_rows(
            journal_row::key(0),
            journal_row::key(u64::MAX),
            Order::Descending,
        )
        .next();
    match newest {
        Some(row) => Ok(Head::behind(&parse(&row?)?)),
        None => Ok(Head::genesis(cloud)),
    }
}

/// Reads the whole journal and checks that no batch is missing: a damaged log of the database may lose
/// some in the middle without a word. Ledger rows lie in another keyspace, so they are counted too.
pub fn check(view: &View, cloud: &CloudId) -> Result<Checked, SiteError> {
    let mut checked = Checked {
        head: Head::genesis(cloud),
        first: 1,
        marks: Vec::new(),
        ops: Vec::new(),
    };
    let mut first_index = None;
    for row in rows(view, 0, u64::MAX) {
        let row = row?;
        if first_index.is_none() && row.seq > 1 {
            // What came before was pruned; the chain starts here.
            checked.first = row.seq;
        } else if row.seq != checked.head.seq + 1 || !row.follows(&checked.head.chain) {
            return Err(SiteError::damaged(format!(
                "batch {} does not follow batch {}: batches are missing",
                row.seq, checked.head.seq
            )));
        }
        first_index.get_or_insert(row.first_index);
        if row.seq.is_multiple_of(MARK_EVERY) {
            checked.marks.push((row.seq, row.bytes));
        }
        checked.head = Head::behind(&row);
        checked.ops.extend(row.ops);
        if checked.ops.len() > 2 * OPS_MAX {
            checked.ops.drain(..OPS_MAX);
        }
    }
    check_ledger(view, first_index.unwrap_or(0), checked.head.next_index)?;
    Ok(checked)
}

/// Whether every ledger row from index `first` on is there, up to the one before `next`.
pub fn check_ledger(view: &View, first: u64, next: u64) -> Result<(), SiteError> {
    let range = crate::engine::KeyRange {
        start: ledger::row_key(first).to_vec(),
        end: Some(vec![crate::plan::LEDGER_TAG + 1]),
    };
    let mut expected = first;
    for key in view.keys(&range) {
        if key? != ledger::row_key(expected) {
            return Err(SiteError::damaged(format!(
                "ledger row {expected} is missing"
            )));
        }
        expected += 1;
    }
    if expected == next {
        return Ok(());
    }
    Err(SiteError::damaged(format!(
        "the ledger has rows up to {expected}, the journal speaks of {next}"
    )))
}

/// Whether `behind` came along the same way as `source`: tells the last batch both have in common, or
/// `None` if the journals do not reach back that far.
pub fn common(behind: &View, source: &View, cloud: &CloudId) -> Result<Option<u64>, SiteError> {
    let (ours, theirs) = (head(behind, cloud)?, head(source, cloud)?);
    let oldest = first(source)?.unwrap_or(1);
    let mut seq = ours.seq.min(theirs.seq);
    while seq >= oldest && seq > 0 {
        match (row(behind, seq)?, row(source, seq)?) {
            (Some(a), Some(b)) if a.chain == b.chain => return Ok(Some(seq)),
            (Some(_), Some(_)) => seq -= 1,
            _ => return Ok(None),
        }
    }
    Ok((seq == 0 && oldest <= 1).then_some(0))
}

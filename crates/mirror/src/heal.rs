//! Pays a site's debts: copies what it lacks from the other site and takes the debt off the books. Works
//! page by page, may stop at any moment, and goes on where it stopped; doing a chunk twice does no harm.

use crate::error::{HealError, RepairError};
use crate::mirror::Mirror;
use crate::record::debt::{DebtRow, debt_prefix, parse_key};
use crate::repair::restore;
use crate::standing::Stance;
use catalog::{Commit, Engine, KeyRange, Mutation, Order, Outcome};
use chunks::ChunkRef;
use futures::StreamExt;
use serde::Serialize;
use std::time::Duration;
use words::{ChunkId, OpId, SiteId, UnixMillis};

/// Debts that are read and settled together.
const PAGE: usize = 256;
/// Failed chunks that are named in a report.
const NAMED_MAX: usize = 100;

/// How fast background work may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Sealed bytes per second; no limit if absent.
    pub bytes_per_second: Option<u64>,
    /// Chunks under way at once; each takes up to 8 MiB of memory.
    pub in_flight: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            bytes_per_second: None,
            in_flight: 4,
        }
    }
}

impl Pace {
    /// Waits until `bytes` since `began` are not more than allowed.
    pub(crate) async fn keep(&self, now: Duration, began: Duration, bytes: u64) {
        let Some(rate) = self.bytes_per_second.filter(|rate| *rate > 0) else {
            return;
        };
        let due = Duration::from_millis(bytes.saturating_mul(1000) / rate);
        let ahead = due.saturating_sub(now.saturating_sub(began));
        if !ahead.is_zero() {
            tokio::time::sleep(ahead).await;
        }
    }
}

/// What a site lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Backlog {
    /// Chunks.
    pub chunks: u64,
    /// Sealed bytes.
    pub bytes: u64,
    /// Since when the oldest is lacking, in milliseconds since 1970.
    pub oldest_since: Option<u64>,
}

/// How far healing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct HealProgress {
    /// Debts looked at.
    pub chunks: u64,
    /// Sealed bytes copied.
    pub bytes: u64,
    /// Debts there were at the start.
    pub of_chunks: u64,
    /// Sealed bytes of these.
    pub of_bytes: u64,
}

/// What healing came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HealReport {
    /// Chunks copied and taken off the books.
    pub healed: u64,
    /// Sealed bytes of these.
    pub bytes: u64,
    /// Debts that stay.
    pub left: u64,
    /// Why, for the first of them.
    pub failures: Vec<String>,
}

/// Adds up a site's debts.
pub async fn backlog(engine: &dyn Engine, site: SiteId) -> Result<Backlog, HealError> {
    let mut sum = Backlog::default();
    let mut range = KeyRange::prefix(&debt_prefix(site));
    loop {
        let page = page(engine, &mut range).await?;
        if page.is_empty() {
            return Ok(sum);
        }
        for debt in &page {
            sum.chunks += 1;
            sum.bytes += u64::from(debt.chunk.bytes);
            let oldest = sum
                .oldest_since
                .map_or(debt.since.0, |oldest| oldest.min(debt.since.0));
            sum.oldest_since = Some(oldest);
        }
    }
}

/// Pays debts that are not on the books yet, because the commit that would record them comes next: a site
/// may have come back while a long body was received. Gives the rows of those that stay.
pub async fn pay_at_once(mirror: &Mirror, owed: Vec<Mutation>) -> Vec<Mutation> {
    let mut stay = Vec::new();
    for mutation in owed {
        if !pay(mirror, &mutation).await {
            stay.push(mutation);
        }
    }
    stay
}

async fn pay(mirror: &Mirror, owed: &Mutation) -> bool {
    let Mutation::Put { key, value } = owed else {
        return false;
    };
    let parsed =
        parse_key(key).and_then(|(site, id)| Ok((site, DebtRow::decode(value)?.chunk(id))));
    match parsed {
        Ok((site, chunk)) if mirror.shared.stance(site) != Stance::Away => {
            restore(&mirror.shared, site, &chunk).await.is_ok()
        }
        _ => false,
    }
}

/// Copies to a site what it lacks by the books. The site has to be reachable; whether it may serve again
/// afterwards is decided elsewhere. `progress` is called after every chunk.
pub async fn heal(
    engine: &dyn Engine,
    mirror: &Mirror,
    site: SiteId,
    pace: Pace,
    progress: &mut (dyn FnMut(HealProgress) + Send),
) -> Result<HealReport, HealError> {
    ready(mirror, site).await?;
    let books = backlog(engine, site).await?;
    let mut at = HealProgress {
        of_chunks: books.chunks,
        of_bytes: books.bytes,
        ..HealProgress::default()
    };
    let mut report = HealReport::default();
    let began = mirror.shared.host.elapsed();
    let mut range = KeyRange::prefix(&debt_prefix(site));
    loop {
        let page = page(engine, &mut range).await?;
        if page.is_empty() {
            return Ok(report);
        }
        let mut settled = Vec::new();
        let mut failed = 0;
        let mut copies = futures::stream::iter(page)
            .map(|debt| async move { (restore(&mirror.shared, site, &debt.chunk).await, debt) })
            .buffer_unordered(pace.in_flight.max(1));
        while let Some((outcome, debt)) = copies.next().await {
            at.chunks += 1;
            match outcome {
                Ok(()) => {
                    at.bytes += u64::from(debt.chunk.bytes);
                    settled.push(debt);
                }
                Err(error) => {
                    failed += 1;
                    report.fail(debt.chunk.id, &error);
                }
            }
            progress(at);
            pace.keep(mirror.shared.host.elapsed(), began, at.bytes)
                .await;
        }
        drop(copies);
        settle(engine, mirror, &settled, &mut report).await?;
        if failed > 0 {
            // If the site went away again there is no use in going through all debts.
            ready(mirror, site).await?;
        }
    }
}

impl HealReport {
    fn fail(&mut self, chunk: ChunkId, error: &RepairError) {
        self.left += 1;
        if self.failures.len() < NAMED_MAX {
            self.failures.push(error.to_string());
        }
        tracing::warn!(%chunk, %error, "a debt stays");
    }
}

async fn ready(mirror: &Mirror, site: SiteId) -> Result<(), HealError> {
    mirror
        .probe(site)
        .await
        .map_err(|error| HealError::NotReady {
            site,
            why: error.to_string(),
        })
}

struct BookedDebt {
    key: Vec<u8>,
    chunk: ChunkRef,
    since: UnixMillis,
}

/// The next debts; moves the range behind them.
async fn page(engine: &dyn Engine, range: &mut KeyRange) -> Result<Vec<BookedDebt>, HealError> {
    let rows = engine.scan(range.clone(), PAGE, Order::Ascending).await?;
    if let Some((last, _)) = rows.last() {
        *range = range.clone().after(last);
    }
    let mut debts = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        let parsed = parse_key(&key).and_then(|(_, id)| Ok((id, DebtRow::decode(&row.value)?)));
        match parsed {
            Ok((id, debt)) => debts.push(BookedDebt {
                chunk: debt.chunk(id),
                since: debt.since,
                key,
            }),
            Err(source) => {
                return Err(HealError::Record {
                    key: words::hex::encode(&key),
                    source,
                });
            }
        }
    }
    Ok(debts)
}

async fn settle(
    engine: &dyn Engine,
    mirror: &Mirror,
    settled: &[BookedDebt],
    report: &mut HealReport,
) -> Result<(), HealError> {
    if settled.is_empty() {
        return Ok(());
    }
    let request = Commit {
        op: OpId::from_bytes(mirror.shared.host.random()),
        preconditions: Vec::new(),
        mutations: settled
            .iter()
            .map(|debt| Mutation::Delete {
                key: debt.key.clone(),
            })
            .collect(),
        entries: Vec::new(),
    };
    let why = match engine.commit(request).await {
        Outcome::Committed(_) => {
            let bytes: u64 = settled.iter().map(|debt| u64::from(debt.chunk.bytes)).sum();
            report.healed += settled.len() as u64;
            report.bytes += bytes;
            mirror.shared.counts.chunks_healed.add(settled.len() as u64);
            mirror.shared.counts.bytes_healed.add(bytes);
            return Ok(());
        }
        Outcome::Conflict { .. } => "another commit came first".to_owned(),
        Outcome::Refused(why) => why.to_string(),
        Outcome::Unknown(why) => why,
    };
    Err(HealError::NotSettled {
        chunks: settled.len(),
        why,
    })
}

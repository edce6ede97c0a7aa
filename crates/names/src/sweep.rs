//! Removes rows that nothing refers to any more.

use crate::error::NamesError;
use crate::fold::Worker;
use crate::index::Index;
use crate::position::Position;
use crate::record::{RunId, What};
use crate::rows::{self, NodeKind};
use catalog::{KeyRange, Mutation, Order};
use words::BucketId;
use words::limits::{COMMIT_MUTATIONS_MAX, SCAN_ROWS_MAX};

/// Garbage beyond this is swept without waiting for the grace, so that the manifest stays small. A listing
/// that is still on it starts anew.
const GARBAGE_MAX: usize = 256;
/// Pages that one scan brings when only their keys are wanted.
const PAGES_PER_SCAN: usize = 64;

impl Worker<'_> {
    /// How many of the manifest's garbage items, which are in the order of their times, may go.
    pub(crate) fn garbage_due(&self) -> usize {
        let garbage = &self.read.manifest.garbage;
        let due = garbage
            .iter()
            .take_while(|item| self.index.grace_over(item.since))
            .count();
        due.max(garbage.len().saturating_sub(GARBAGE_MAX))
    }

    /// Removes the rows that are due, then takes them off the manifest. Stopped in between, it starts
    /// again with rows that are gone already, which does no harm.
    pub(crate) async fn sweep(&mut self) -> Result<(), NamesError> {
        let due = self.garbage_due();
        if due == 0 {
            return Ok(());
        }
        let mut manifest = self.read.manifest.clone();
        let mut deltas = None;
        for item in manifest.garbage.drain(..due) {
            match item.what {
                What::Deltas(upto) => deltas = deltas.max(Some(upto)),
                What::Run(run, pages, fences) => self.sweep_run(run, pages, fences).await?,
                What::Unfinished(run) => self.sweep_unfinished(run).await?,
            }
        }
        if let Some(upto) = deltas {
            self.sweep_deltas(&upto).await?;
        }
        self.save(manifest).await
    }

    async fn sweep_run(&mut self, run: RunId, pages: u32, fences: u32) -> Result<(), NamesError> {
        let pages = (0..pages).map(|number| rows::node(self.bucket, NodeKind::Page, run, number));
        let fences =
            (0..fences).map(|number| rows::node(self.bucket, NodeKind::Fences, run, number));
        let keys: Vec<_> = pages.chain(fences).collect();
        self.delete(keys).await
    }

    async fn sweep_unfinished(&mut self, run: RunId) -> Result<(), NamesError> {
        for kind in [NodeKind::Page, NodeKind::Fences] {
            let prefix = rows::nodes(self.bucket, kind, run);
            self.sweep_range(prefix.clone(), rows::after_prefix(&prefix), PAGES_PER_SCAN)
                .await?;
        }
        Ok(())
    }

    async fn sweep_deltas(&mut self, upto: &Position) -> Result<(), NamesError> {
        let end = rows::just_after(rows::delta(self.bucket, upto));
        self.sweep_range(rows::deltas(self.bucket), end, SCAN_ROWS_MAX)
            .await
    }

    async fn sweep_range(
        &mut self,
        mut start: Vec<u8>,
        end: Vec<u8>,
        step: usize,
    ) -> Result<(), NamesError> {
        loop {
            let range = KeyRange {
                start: start.clone(),
                end: Some(end.clone()),
            };
            let found = self
                .index
                .engine
                .scan(range, step, Order::Ascending)
                .await?;
            let full = found.len() == step;
            let keys: Vec<_> = found.into_iter().map(|(key, _)| key).collect();
            if let Some(last) = keys.last() {
                start = rows::just_after(last.clone());
            }
            self.delete(keys).await?;
            if !full {
                return Ok(());
            }
        }
    }

    async fn delete(&mut self, keys: Vec<Vec<u8>>) -> Result<(), NamesError> {
        for keys in keys.chunks(COMMIT_MUTATIONS_MAX) {
            let mutations = keys
                .iter()
                .map(|key| Mutation::Delete { key: key.clone() })
                .collect();
            self.commit(Vec::new(), mutations).await?;
            self.report.swept += keys.len() as u64;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

impl Index {
    /// The next slice of mutations that remove a deleted bucket's rows. The caller commits each slice and
    /// asks again until a slice is empty. The bucket must be deleted already, so that nothing is added.
    pub async fn erase_bucket(&self, bucket: BucketId) -> Result<Vec<Mutation>, NamesError> {
        self.forget(bucket);
        for (prefix, step) in [
            (rows::deltas(bucket), SCAN_ROWS_MAX),
            (rows::runs(bucket), PAGES_PER_SCAN),
        ] {
            let found = self
                .engine
                .scan(KeyRange::prefix(&prefix), step, Order::Ascending)
                .await?;
            if !found.is_empty() {
                return Ok(found
                    .into_iter()
                    .map(|(key, _)| Mutation::Delete { key })
                    .collect());
            }
        }
        Ok(Vec::new())
    }
}

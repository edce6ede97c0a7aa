//! The worker's side: deltas become runs, runs become fewer runs.
//!
//! A worker claims the bucket by writing the manifest anew, with the id of the run that it is about to
//! write. Every further commit of it demands the manifest's version, so that a worker that was overtaken
//! cannot write another row. The run counts from the commit that puts it into the manifest; a worker that
//! stops anywhere before leaves the listing as it was, and the next one sweeps what it left.

use crate::api::FoldReport;
use crate::error::NamesError;
use crate::index::Index;
use crate::list::Read;
use crate::merge::Merge;
use crate::record::{Garbage, Manifest, RunId, RunRecord, What};
use crate::rows;
use crate::run_writer::RunWriter;
use crate::sealing::{self, Place};
use crate::view::{Delta, keep_newest};
use catalog::{Commit, Mutation, Outcome, Precondition};
use seal::IndexKey;
use std::ops::Range;
use words::limits::{COMMIT_MUTATIONS_MAX, SCAN_ROWS_MAX};
use words::{BucketId, OpId};

/// Commits of a merge after which it looks whether deltas have piled up beside it.
const LOOK_EVERY: usize = 16;

impl Index {
    /// Folds what waits, merges runs where there are many, and sweeps what nothing refers to any more.
    /// Does nothing while there is little to do. Safe beside listings, puts and other folds, and safe to
    /// stop or to run again at any point.
    pub async fn fold(&self, key: &IndexKey, bucket: BucketId) -> Result<FoldReport, NamesError> {
        let _one = self.stripe(&self.folding, bucket).lock().await;
        let mut worker = Worker::begin(self, key, bucket).await?;
        worker.sweep().await?;
        loop {
            let folded = worker.fold_deltas(self.tuning.fold_deltas_min).await?;
            let merged = match pick(&worker.read.manifest.runs, self.tuning.fan_out) {
                Some(group) => {
                    worker.merge(group).await?;
                    true
                }
                None => false,
            };
            if !folded && !merged {
                break;
            }
        }
        worker.end().await
    }

    /// Folds every delta and merges all runs into one, however little there is to do.
    pub async fn compact(
        &self,
        key: &IndexKey,
        bucket: BucketId,
    ) -> Result<FoldReport, NamesError> {
        let _one = self.stripe(&self.folding, bucket).lock().await;
        let mut worker = Worker::begin(self, key, bucket).await?;
        worker.sweep().await?;
        while worker.fold_deltas(1).await? {}
        let runs = worker.read.manifest.runs.len();
        if runs > 1 {
            worker.merge(0..runs).await?;
        }
        worker.end().await
    }
}

/// The runs to merge next, as a range of the manifest's list; `None` if they are few enough.
pub(crate) fn pick(runs: &[RunRecord], fan_out: usize) -> Option<Range<usize>> {
    let entries: u64 = runs.iter().map(|run| run.entries).sum();
    let tombstones: u64 = runs.iter().map(|run| run.tombstones).sum();
    if runs.len() > 1 && tombstones * 2 > entries {
        return Some(0..runs.len());
    }
    // Levels never fall from newer to older runs, so runs of one level are neighbours.
    let mut start = 0;
    while let Some(first) = runs.get(start) {
        let same = runs
            .iter()
            .skip(start)
            .take_while(|run| run.level == first.level)
            .count();
        if same >= fan_out {
            return Some(start..start + same);
        }
        start += same;
    }
    None
}

/// A fold under way.
pub(crate) struct Worker<'a> {
    pub(crate) index: &'a Index,
    pub(crate) key: &'a IndexKey,
    pub(crate) bucket: BucketId,
    pub(crate) read: Read,
    pub(crate) report: FoldReport,
}

impl<'a> Worker<'a> {
    async fn begin(
        index: &'a Index,
        key: &'a IndexKey,
        bucket: BucketId,
    ) -> Result<Self, NamesError> {
        let read = index.read_manifest(key, bucket).await?;
        let mut worker = Self {
            index,
            key,
            bucket,
            read,
            report: FoldReport::default(),
        };
        if !worker.read.manifest.building.is_empty() {
            worker.take_over().await?;
        }
        Ok(worker)
    }

    async fn end(mut self) -> Result<FoldReport, NamesError> {
        self.sweep().await?;
        self.index.tallies.recount(self.bucket);
        self.report.more = !self.read.manifest.garbage.is_empty();
        Ok(self.report)
    }

    /// Another worker began a run and did not end it. From this commit on it cannot write any more.
    async fn take_over(&mut self) -> Result<(), NamesError> {
        let since = self.index.host.now();
        let mut manifest = self.read.manifest.clone();
        for id in std::mem::take(&mut manifest.building) {
            manifest.garbage.push(Garbage {
                since,
                what: What::Unfinished(id),
            });
        }
        self.save(manifest).await
    }

    /// Makes one level-0 run of the oldest deltas, if there are at least `enough`; says whether it did.
    pub(crate) async fn fold_deltas(&mut self, enough: usize) -> Result<bool, NamesError> {
        let mut deltas = self.collect(enough).await?;
        let Some(newest) = deltas.last().map(|delta| delta.position) else {
            return Ok(false);
        };
        self.report.deltas += deltas.len() as u64;
        keep_newest(&mut deltas);
        let mut writer = self.claim().await?;
        let keep_tombstones = !self.read.manifest.runs.is_empty();
        for delta in deltas
            .iter()
            .filter(|delta| keep_tombstones || delta.facts.is_some())
        {
            writer.push(&delta.name, delta.facts.as_ref());
            self.write_if_full(&mut writer).await?;
        }
        let run = writer.finish(0);
        self.write(&mut writer).await?;
        let mut manifest = self.unclaimed(writer.id());
        manifest.watermark = Some(newest);
        if let Some(run) = run {
            manifest.runs.insert(0, run);
        }
        manifest.garbage.push(Garbage {
            since: self.index.host.now(),
            what: What::Deltas(newest),
        });
        self.save(manifest).await?;
        Ok(true)
    }

    /// The oldest deltas after the watermark; none if they are fewer than `enough`.
    async fn collect(&self, enough: usize) -> Result<Vec<Delta>, NamesError> {
        let most = self.index.tuning.fold_deltas_max;
        let mut deltas: Vec<Delta> = Vec::new();
        let mut after = self.read.manifest.watermark;
        while deltas.len() < most {
            let limit = SCAN_ROWS_MAX.min(most - deltas.len());
            let found = self
                .index
                .scan_deltas(self.key, self.bucket, after, limit)
                .await?;
            let full = found.len() == limit;
            deltas.extend(found);
            after = deltas.last().map(|delta| delta.position).or(after);
            if !full {
                break;
            }
        }
        if deltas.len() < enough {
            deltas.clear();
        }
        Ok(deltas)
    }

    /// Merges neighbouring runs into one of the next level.
    async fn merge(&mut self, group: Range<usize>) -> Result<(), NamesError> {
        let runs = self
            .read
            .manifest
            .runs
            .get(group.clone())
            .unwrap_or_default()
            .to_vec();
        let with_oldest = group.end == self.read.manifest.runs.len();
        let level = runs
            .iter()
            .map(|run| run.level)
            .max()
            .unwrap_or(0)
            .saturating_add(1);
        let mut writer = self.claim().await?;
        let opener = self.index.opener(self.key, self.bucket, false);
        let mut merge = Merge::new(opener, &[], &runs);
        let mut writes = 0;
        merge.seek(&[]).await?;
        while merge.step().await? {
            self.report.merged += 1;
            if with_oldest && merge.facts().is_none() {
                continue;
            }
            writer.push(merge.name(), merge.facts());
            if self.write_if_full(&mut writer).await? {
                writes += 1;
                if writes % LOOK_EVERY == 0 {
                    self.fold_beside().await?;
                }
            }
        }
        let merged = writer.finish(level);
        self.write(&mut writer).await?;
        let manifest = self.replaced(writer.id(), &runs, merged)?;
        self.save(manifest).await
    }

    /// Deltas must not pile up while a long merge runs, or writers would be asked to wait for it.
    async fn fold_beside(&mut self) -> Result<(), NamesError> {
        let pending = self.index.pending(self.key, self.bucket).await?;
        if pending.deltas >= self.index.tuning.fold_deltas_max as u64 {
            Box::pin(self.fold_deltas(self.index.tuning.fold_deltas_max)).await?;
            self.index.tallies.recount(self.bucket);
        }
        Ok(())
    }

    /// The manifest with `merged` in the place of the runs it was made of.
    fn replaced(
        &self,
        id: RunId,
        runs: &[RunRecord],
        merged: Option<RunRecord>,
    ) -> Result<Manifest, NamesError> {
        let mut manifest = self.unclaimed(id);
        let gone = |run: &RunRecord| runs.iter().any(|input| input.id == run.id);
        let at = manifest
            .runs
            .iter()
            .position(gone)
            .ok_or(NamesError::TakenOver {
                bucket: self.bucket,
            })?;
        manifest.runs.retain(|run| !gone(run));
        if let Some(merged) = merged {
            manifest.runs.insert(at, merged);
        }
        let since = self.index.host.now();
        let garbage = runs
            .iter()
            .map(|run| What::Run(run.id, run.pages, run.fences));
        manifest
            .garbage
            .extend(garbage.map(|what| Garbage { since, what }));
        Ok(manifest)
    }

    async fn claim(&mut self) -> Result<RunWriter, NamesError> {
        let id = RunId::from_bytes(self.index.host.random());
        let mut manifest = self.read.manifest.clone();
        manifest.building.push(id);
        self.save(manifest).await?;
        Ok(RunWriter::new(id, self.index.tuning.page_bytes))
    }

    fn unclaimed(&self, id: RunId) -> Manifest {
        let mut manifest = self.read.manifest.clone();
        manifest.building.retain(|building| *building != id);
        manifest
    }

    async fn write_if_full(&mut self, writer: &mut RunWriter) -> Result<bool, NamesError> {
        if writer.ready_bytes() < self.index.tuning.commit_bytes {
            return Ok(false);
        }
        self.write(writer).await?;
        // A fold is long and the engine may answer at once: let others have their turn.
        tokio::task::yield_now().await;
        Ok(true)
    }

    /// Seals and commits the rows that are ready.
    async fn write(&mut self, writer: &mut RunWriter) -> Result<(), NamesError> {
        let nodes = writer.take_ready();
        for nodes in nodes.chunks(COMMIT_MUTATIONS_MAX / 2) {
            let mut mutations = Vec::with_capacity(nodes.len());
            for node in nodes {
                let place = Place::Node(node.kind, writer.id(), node.number);
                let salt = self.index.host.random();
                let value = sealing::seal(self.key, self.bucket, place, salt, &node.plain);
                let key = rows::node(self.bucket, node.kind, writer.id(), node.number);
                mutations.push(Mutation::Put {
                    key,
                    value: value.into(),
                });
            }
            self.report.pages += mutations.len() as u64;
            self.commit(vec![self.standing()], mutations).await?;
        }
        Ok(())
    }

    /// Writes the manifest anew, if it still is the one that was read.
    pub(crate) async fn save(&mut self, mut manifest: Manifest) -> Result<(), NamesError> {
        manifest.generation = self.read.manifest.generation.saturating_add(1);
        let salt = self.index.host.random();
        let value = sealing::seal(
            self.key,
            self.bucket,
            Place::Manifest,
            salt,
            &manifest.encode(),
        );
        let put = Mutation::Put {
            key: rows::manifest(self.bucket),
            value: value.into(),
        };
        let version = self.commit(vec![self.standing()], vec![put]).await?;
        self.read = Read {
            manifest,
            version: Some(version),
        };
        Ok(())
    }

    /// That the manifest is as this worker left it.
    fn standing(&self) -> Precondition {
        let key = rows::manifest(self.bucket);
        match self.read.version {
            Some(version) => Precondition::Version(key, version),
            None => Precondition::Absent(key),
        }
    }

    /// Commits and gives the version. An unknown outcome is looked up, never repeated.
    pub(crate) async fn commit(
        &self,
        preconditions: Vec<Precondition>,
        mutations: Vec<Mutation>,
    ) -> Result<u64, NamesError> {
        let bucket = self.bucket;
        let op = OpId::from_bytes(self.index.host.random());
        let request = Commit {
            op,
            preconditions,
            mutations,
            entries: Vec::new(),
        };
        match self.index.engine.commit(request).await {
            Outcome::Committed(committed) => Ok(committed.version()),
            Outcome::Conflict { .. } => Err(NamesError::TakenOver { bucket }),
            Outcome::Refused(why) => Err(NamesError::Commit {
                bucket,
                why: why.to_string(),
            }),
            Outcome::Unknown(why) => match self.index.engine.lookup(op).await? {
                Some(version) => Ok(version),
                None => Err(NamesError::Commit { bucket, why }),
            },
        }
    }
}

//! Making a backup, or a newer one in the same folder. The rows are written anew each time; a chunk never changes, so what
//! an earlier backup or an interrupted one has is not copied again. The backup that was there before counts until the new
//! one is whole.

use crate::Told;
use crate::block::{self, BLOCK_BYTES_MAX};
use crate::error::{BackupError, io};
use crate::folder;
use crate::manifest::{Block, Manifest, PAPER_BYTES_MAX, PAPERS_MAX, Paper, is_paper_name};
use crate::pace::Pace;
use crate::verify::{CHECKPOINT, Chunks, VERIFIER_KEYS};
use crate::walk::{Rows, Walk, Walked};
use async_trait::async_trait;
use bytes::Bytes;
use catalog::Point;
use chunks::ChunkRef;
use host::{Host, files};
use ledger::VerifierKeys;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use tokio::task::JoinSet;
use words::{ChunkId, CloudId, UnixMillis};

/// Chunks that are asked for and not there yet; each takes up to 8 MiB of memory.
const ASKED_MAX: usize = 4;
/// Chunks that are written and synced at once.
const WRITES_MAX: usize = 4;

/// What a backup begins with.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The cloud.
    pub cloud: CloudId,
    /// The moment, by the clock.
    pub taken: UnixMillis,
    /// The engine that keeps the rows, in a word.
    pub engine: String,
    /// The epoch in force.
    pub epoch: u64,
    /// How far the catalog had come.
    pub point: Point,
    /// Names and contents of the papers. The checkpoint among them is not newer than the rows.
    pub papers: Vec<(String, Vec<u8>)>,
}

/// What was given for a chunk.
#[derive(Clone, Debug)]
pub enum Given {
    /// Its bytes.
    Whole(Bytes),
    /// No site has it whole.
    Lacking(String),
}

/// Why no more is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OriginError {
    /// A stable word.
    pub kind: String,
    /// What happened, what is safe, what to do next.
    pub message: String,
}

/// What gives the rows of one moment and the chunks that they name. No chunk of that moment goes away before the end.
#[async_trait]
pub trait Origin: Send {
    /// Begins.
    async fn begin(&mut self) -> Result<Begun, OriginError>;
    /// The next rows in the order of their keys, as a block; none at the end.
    async fn rows(&mut self) -> Result<Option<Vec<u8>>, OriginError>;
    /// Asks for a chunk.
    async fn ask(&mut self, chunk: &ChunkRef) -> Result<(), OriginError>;
    /// Waits for the chunk that was asked for first of those not given yet.
    async fn given(&mut self) -> Result<Given, OriginError>;
    /// Nothing more is asked for.
    async fn end(&mut self) -> Result<(), OriginError>;
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What belongs to it.
    pub manifest: Manifest,
    /// Chunks that were copied by this run.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Chunks that were there already.
    pub kept: u64,
    /// Files in the folder of chunks that no row names any more.
    pub removed: u64,
}

/// Makes a backup in `folder`, no faster than `rate` bytes in a second.
pub async fn take(
    origin: &mut dyn Origin,
    folder: &Path,
    rate: Option<u64>,
    host: &Host,
    told: &Told,
) -> Result<Taken, BackupError> {
    let _lock = folder::hold(folder)?;
    let before = folder::manifest_of(folder)?;
    let begun = origin.begin().await?;
    folder::begin(folder, begun.cloud, before.as_ref())?;
    let old = before.as_ref().map(|manifest| manifest.generation);
    folder::remove_others(folder, old.as_slice())?;
    let mut taking = Taking {
        folder,
        told,
        generation: old.unwrap_or(0).saturating_add(1),
        pace: Pace::new(rate, host),
        lacking: Vec::new(),
        copied: (0, 0),
        kept: 0,
    };
    let papers = taking.papers(&begun.papers)?;
    let checkpoint = checkpoint(&begun.papers)?;
    let blocks = taking.rows(origin).await?;
    let (walked, chunks, known) = taking.chunks(origin, &blocks, &begun, checkpoint).await?;
    // Everything is here: whether the other side hears it does not matter.
    let _ = origin.end().await;
    let manifest = Manifest {
        cloud: begun.cloud,
        taken: begun.taken,
        generation: taking.generation,
        engine: begun.engine,
        epoch: begun.epoch,
        point: begun.point,
        root: walked.root,
        checkpoint,
        rows: walked.rows,
        chunks: chunks.finish(),
        lacking: taking.lacking,
        papers,
        blocks,
    };
    folder::finish(folder, &manifest)?;
    folder::remove_others(folder, &[manifest.generation])?;
    let removed = folder::remove_chunks(folder, |id| known.binary_search(&short(id)).is_ok())?;
    Ok(Taken {
        manifest,
        copied: taking.copied.0,
        copied_bytes: taking.copied.1,
        kept: taking.kept,
        removed,
    })
}

/// Size and root of the signed checkpoint, which has to be the log's.
fn checkpoint(papers: &[(String, Vec<u8>)]) -> Result<Option<(u64, [u8; 32])>, BackupError> {
    let find = |name: &str| papers.iter().find(|(found, _)| found == name);
    let Some((_, note)) = find(CHECKPOINT) else {
        return Ok(None);
    };
    let keys = find(VERIFIER_KEYS).map(|(_, text)| text.as_slice());
    let keys = std::str::from_utf8(keys.unwrap_or_default()).unwrap_or_default();
    let opened = VerifierKeys::parse(keys)
        .map_err(|e| e.to_string())
        .and_then(|keys| keys.open(note).map_err(|e| e.to_string()));
    match opened {
        Ok(checkpoint) => Ok(Some((checkpoint.size, checkpoint.root))),
        Err(why) => Err(unfit(format!(
            "the published log's checkpoint cannot be used: {why}; `clarence ledger verify` tells more"
        ))
        .into()),
    }
}

fn unfit(message: String) -> OriginError {
    OriginError {
        kind: "internal".into(),
        message,
    }
}

/// The first eight bytes of a random id stand for it: ten million chunks take 80 MB.
fn short(id: ChunkId) -> u64 {
    let first = id.as_bytes().first_chunk();
    first.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// A generation that is being written.
struct Taking<'t> {
    folder: &'t Path,
    told: &'t Told,
    generation: u32,
    pace: Pace,
    lacking: Vec<ChunkId>,
    copied: (u64, u64),
    kept: u64,
}

impl Taking<'_> {
    fn papers(&self, given: &[(String, Vec<u8>)]) -> Result<Vec<Paper>, BackupError> {
        let fits = |(name, bytes): &(String, Vec<u8>)| {
            is_paper_name(name) && bytes.len() as u64 <= PAPER_BYTES_MAX
        };
        if given.len() > PAPERS_MAX || !given.iter().all(fits) {
            return Err(unfit("the node gave papers that no backup may hold".into()).into());
        }
        let mut listed = Vec::with_capacity(given.len());
        for (name, bytes) in given {
            let path = folder::paper(self.folder, self.generation, name);
            write(&path, bytes)?;
            listed.push(Paper {
                name: name.clone(),
                bytes: bytes.len() as u64,
                blake3: *blake3::hash(bytes).as_bytes(),
            });
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    async fn rows(&mut self, origin: &mut dyn Origin) -> Result<Vec<Block>, BackupError> {
        let (mut blocks, mut count) = (Vec::new(), 0);
        while let Some(bytes) = origin.rows().await? {
            if bytes.len() as u64 > BLOCK_BYTES_MAX {
                return Err(unfit("the node gave a block that is too long".into()).into());
            }
            let rows = block::decode(&bytes).map_err(|e| unfit(e.to_string()))?;
            let path = folder::rows(self.folder, self.generation, blocks.len());
            write(&path, &bytes)?;
            blocks.push(Block {
                rows: rows.len() as u64,
                bytes: bytes.len() as u64,
                blake3: *blake3::hash(&bytes).as_bytes(),
            });
            count += rows.len() as u64;
            (self.told)("rows", count, None);
            self.pace.keep(bytes.len() as u64).await;
        }
        Ok(blocks)
    }

    /// Reads the rows back, checks them, and copies every chunk that they name and that is not there.
    async fn chunks(
        &mut self,
        origin: &mut dyn Origin,
        blocks: &[Block],
        begun: &Begun,
        checkpoint: Option<(u64, [u8; 32])>,
    ) -> Result<(Walked, Chunks, Vec<u64>), BackupError> {
        let mut walk = Walk::of(Rows {
            folder: self.folder,
            generation: self.generation,
            blocks,
            point: begun.point,
            mark: checkpoint.map(|(size, _)| size),
        });
        let (mut digest, mut known) = (Chunks::default(), Vec::new());
        let mut copying = Copying::default();
        while let Some(rows) = walk.next()? {
            for (key, row) in &rows {
                for chunk in walk.chunks(key, row)? {
                    known.push(short(chunk.id));
                    digest.add(&chunk);
                    self.chunk(origin, &mut copying, &chunk).await?;
                }
            }
            let (done, of) = walk.progress();
            (self.told)("chunks", done, Some(of));
        }
        while let Some(chunk) = copying.asked.pop_front() {
            self.receive(origin, &mut copying, chunk).await?;
        }
        copying.settle(0).await?;
        let walked = walk.end()?;
        if let Some((_, root)) = checkpoint
            && walked.marked != Some(root)
        {
            let why = "the ledger's rows do not come to the root that was signed; `clarence ledger verify` and `clarence scrub` tell more";
            return Err(unfit(why.into()).into());
        }
        known.sort_unstable();
        Ok((walked, digest, known))
    }

    async fn chunk(
        &mut self,
        origin: &mut dyn Origin,
        copying: &mut Copying,
        chunk: &ChunkRef,
    ) -> Result<(), BackupError> {
        let path = folder::chunk(self.folder, chunk.id);
        let there = files::stat(&path).map_err(io(&path))?;
        if there.is_some_and(|(bytes, _)| bytes == u64::from(chunk.bytes)) {
            self.kept += 1;
            return Ok(());
        }
        origin.ask(chunk).await?;
        copying.asked.push_back(*chunk);
        if copying.asked.len() >= ASKED_MAX
            && let Some(first) = copying.asked.pop_front()
        {
            self.receive(origin, copying, first).await?;
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        origin: &mut dyn Origin,
        copying: &mut Copying,
        chunk: ChunkRef,
    ) -> Result<(), BackupError> {
        let bytes = match origin.given().await? {
            Given::Whole(bytes) => bytes,
            Given::Lacking(why) => {
                tracing::warn!(chunk = %chunk.id, why, "no site has a chunk that a row names: the backup lacks it as well");
                if !self.lacking.contains(&chunk.id) {
                    self.lacking.push(chunk.id);
                }
                return Ok(());
            }
        };
        if blake3::hash(&bytes).as_bytes() != &chunk.blake3 {
            let why = format!("the node gave other bytes than those of chunk {}", chunk.id);
            return Err(unfit(why).into());
        }
        let length = bytes.len() as u64;
        self.copied = (self.copied.0 + 1, self.copied.1 + length);
        copying.settle(WRITES_MAX - 1).await?;
        let path = folder::chunk(self.folder, chunk.id);
        copying.writes.spawn_blocking(move || write(&path, &bytes));
        self.pace.keep(length).await;
        Ok(())
    }
}

/// Chunks on their way.
#[derive(Default)]
struct Copying {
    asked: VecDeque<ChunkRef>,
    writes: JoinSet<Result<(), BackupError>>,
}

impl Copying {
    /// Waits until no more than `left` writes are under way.
    async fn settle(&mut self, left: usize) -> Result<(), BackupError> {
        while self.writes.len() > left {
            match self.writes.join_next().await {
                Some(Ok(written)) => written?,
                Some(Err(_)) => return Err(BackupError::Stopped),
                None => break,
            }
        }
        Ok(())
    }
}

/// Writes a file, and the folder that it lies in; both are durable when this returns.
fn write(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let above: PathBuf = path.parent().map(Path::to_path_buf).unwrap_or_default();
    files::make_folder(&above, 0o700).map_err(io(&above))?;
    files::write_durable(path, bytes, 0o600).map_err(io(path))
}

//! Checking a backup without any key: every file against its hash, the rows against each other, the ledger's tree against
//! the checkpoint that was signed. What only keys can tell (that a value opens) is for a drill.

use crate::Told;
use crate::error::BackupError;
use crate::folder::{self, Backup};
use crate::manifest;
use crate::walk::Walk;
use chunks::ChunkRef;
use ledger::VerifierKeys;
use words::wire::Writer;

/// Wrong chunks that are named.
const NAMED_MAX: usize = 100;

/// A backup that was looked through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Papers that are right.
    pub papers: u64,
    /// Rows that are right.
    pub rows: u64,
    /// Chunks that are right.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Ledger entries whose tree was computed.
    pub entries: u64,
    /// How many of these the signed checkpoint covers; none, if there is no checkpoint.
    pub signed: Option<u64>,
    /// The log's name.
    pub log: Option<String>,
    /// Whether the log's keys were given by the caller, and not only found in the backup.
    pub keys_trusted: bool,
    /// Chunks that no site had when the backup was taken.
    pub lacking: u64,
    /// Chunks that are not right, the first of them by name.
    pub wrong: Vec<String>,
    /// How many are not right.
    pub wrong_count: u64,
}

/// Looks through a backup. What is wrong with manifest, papers or rows ends it, naming the file; chunks are all looked at.
pub fn verify(
    backup: &Backup,
    keys: Option<&VerifierKeys>,
    told: &Told,
) -> Result<Verified, BackupError> {
    let mut verified = Verified::default();
    for paper in &backup.manifest().papers {
        backup.paper(&paper.name)?;
        verified.papers += 1;
    }
    checkpoint(backup, keys, &mut verified)?;
    let mut walk = Walk::new(backup);
    let mut digest = Chunks::default();
    while let Some(rows) = walk.next()? {
        for (key, row) in &rows {
            for chunk in walk.chunks(key, row)? {
                digest.add(&chunk);
                look(backup, &chunk, &mut verified);
                told("chunks", verified.chunks, Some(backup.manifest().chunks.0));
            }
        }
    }
    compare(backup, walk, &digest, &mut verified)?;
    Ok(verified)
}

fn look(backup: &Backup, chunk: &ChunkRef, verified: &mut Verified) {
    if backup.lacks(chunk.id) {
        verified.lacking += 1;
        return;
    }
    match backup.chunk(chunk) {
        Ok(bytes) => {
            verified.chunks += 1;
            verified.bytes += bytes.len() as u64;
        }
        Err(error) => {
            verified.wrong_count += 1;
            if verified.wrong.len() < NAMED_MAX {
                verified.wrong.push(error.to_string());
            }
        }
    }
}

/// The signed checkpoint among the papers has to be the one of the manifest.
fn checkpoint(
    backup: &Backup,
    trusted: Option<&VerifierKeys>,
    verified: &mut Verified,
) -> Result<(), BackupError> {
    let number = backup.manifest().generation;
    let altered = |name: &str, why: String| BackupError::Altered {
        path: folder::paper(backup.folder(), number, name),
        why,
    };
    let expected = backup.manifest().checkpoint;
    let Some(note) = backup.paper(CHECKPOINT)? else {
        return match expected {
            None => Ok(()),
            Some(_) => Err(altered(CHECKPOINT, "it is not among the papers".into())),
        };
    };
    let text = backup.paper(VERIFIER_KEYS)?.unwrap_or_default();
    let text = String::from_utf8(text).unwrap_or_default();
    let keys = VerifierKeys::parse(&text).map_err(|e| altered(VERIFIER_KEYS, e.to_string()))?;
    if trusted.is_some_and(|trusted| *trusted != keys) {
        let why = "it does not hold the keys that you trust: this is another log, or someone replaced its keys";
        return Err(altered(VERIFIER_KEYS, why.into()));
    }
    let signed = keys
        .open(&note)
        .map_err(|e| altered(CHECKPOINT, e.to_string()))?;
    if expected != Some((signed.size, signed.root)) {
        return Err(altered(
            CHECKPOINT,
            "it is not the one of the manifest".into(),
        ));
    }
    verified.signed = Some(signed.size);
    verified.log = Some(signed.origin);
    verified.keys_trusted = trusted.is_some();
    Ok(())
}

fn compare(
    backup: &Backup,
    walk: Walk<'_>,
    chunks: &Chunks,
    verified: &mut Verified,
) -> Result<(), BackupError> {
    let manifest = backup.manifest();
    let walked = walk.end()?;
    let altered = |why: &str| BackupError::Altered {
        path: backup.folder().join(manifest::FILE),
        why: why.into(),
    };
    verified.rows = walked.rows;
    verified.entries = manifest.point.next_index;
    if walked.rows != manifest.rows {
        return Err(altered("it speaks of another number of rows"));
    }
    if walked.root != manifest.root {
        return Err(altered("the rows of the ledger do not come to its root"));
    }
    if let Some((_, root)) = manifest.checkpoint
        && walked.marked != Some(root)
    {
        return Err(altered(
            "the rows of the ledger do not come to the root that was signed: one was changed or taken away",
        ));
    }
    match chunks.finish() == manifest.chunks {
        true => Ok(()),
        false => Err(altered("the rows name other chunks than it says")),
    }
}

/// The name of the signed checkpoint among the papers.
pub const CHECKPOINT: &str = "ledger/checkpoint";
/// The name of the log's public keys among the papers.
pub const VERIFIER_KEYS: &str = "ledger/verifier-keys";

/// Number, bytes and hash of the chunks that rows name.
#[derive(Clone, Default)]
pub(crate) struct Chunks {
    count: u64,
    bytes: u64,
    hash: blake3::Hasher,
}

impl Chunks {
    pub fn add(&mut self, chunk: &ChunkRef) {
        self.count += 1;
        self.bytes += u64::from(chunk.bytes);
        self.hash.update(&chunk.write(Writer::bare()).finish());
    }

    pub fn finish(&self) -> (u64, u64, [u8; 32]) {
        (self.count, self.bytes, *self.hash.finalize().as_bytes())
    }
}

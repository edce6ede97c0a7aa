//! Everything that lies at the host in a folder of one's own: the same objects as files under the same names,
//! and a manifest with the hash of each. No key takes part. It can be interrupted and gone on with; what a
//! run has fetched and written down is not fetched again.

use crate::source::{Source, SourceError};
use crate::twin::record::{Generation, OBJECT_BYTES_MAX, PREFIX as TWIN};
use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use host::files;
use s3::plain::PREFIX as CHUNKS;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use words::{ChunkId, hex};

/// The list of what belongs to an export, with hashes. Written last.
pub const MANIFEST: &str = "MANIFEST";
/// The same while the export is not complete.
pub const PARTIAL: &str = "MANIFEST.partial";
const FIRST_LINE: &str = "clarence embassy export, format 1";
const MANIFEST_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
const IN_FLIGHT: usize = 8;
/// How often everything is listed anew because the guest removed what was listed.
const LISTINGS_MAX: u32 = 4;

/// Why an export was not made or not read. The file is named.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file could not be written or read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
    /// The folder is no export, or not a complete one.
    #[error("{}: {why}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file is not the one of the manifest.
    #[error("{} is not the file that the manifest lists: {why}; the export was truncated or altered: take another copy of it", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is no such file in the manifest.
    #[error("{}: the export holds no {name}", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
        /// The object.
        name: String,
    },
    /// The host did not give something.
    #[error("{0}; what was fetched is kept: give the same command again")]
    Host(String),
}

/// What is known of a file.
type Known = (u64, [u8; 32]);

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evacuated {
    /// Objects in the export.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that an earlier run had fetched.
    pub kept: u64,
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> ExportError + '_ {
    |error| ExportError::File {
        path: path.to_path_buf(),
        error,
    }
}

/// Whether it is a name that a guest gives. Others in the bucket are left alone.
fn is_ours(name: &str) -> bool {
    let chunk = name.strip_prefix(CHUNKS).and_then(ChunkId::parse);
    chunk.is_some_and(|id| s3::plain::name(id) == name) || Generation::parse(name).is_some()
}

/// Copies everything from the source into `folder`. The twin comes before the chunks, so that every chunk it
/// speaks of is still there, even if the guest goes on meanwhile.
pub async fn evacuate(
    source: &dyn Source,
    folder: &Path,
    told: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Evacuated, ExportError> {
    let host = |e: SourceError| ExportError::Host(e.to_string());
    files::make_folder(folder, 0o700).map_err(io(folder))?;
    let manifest = folder.join(MANIFEST);
    if files::stat(&manifest).map_err(io(&manifest))?.is_some() {
        return Err(ExportError::Manifest {
            path: manifest,
            why: "the folder holds a complete export already; choose an empty one".into(),
        });
    }
    let log = Log::open(folder)?;
    for _ in 0..LISTINGS_MAX {
        let mut names = source.names(TWIN).await.map_err(host)?;
        names.retain(|(name, _)| is_ours(name));
        let twin: BTreeSet<String> = names.iter().map(|(name, _)| name.clone()).collect();
        if twin.is_empty() {
            return Err(ExportError::Host(format!(
                "{} holds no twin of a guest's catalog",
                source.shown()
            )));
        }
        if !fetch_all(source, &log, &names, 0, told).await?.is_empty() {
            // A generation was removed meanwhile; the one that took its place is listed now.
            continue;
        }
        let mut chunks = source.names(CHUNKS).await.map_err(host)?;
        chunks.retain(|(name, _)| is_ours(name));
        let gone = fetch_all(source, &log, &chunks, names.len() as u64, told).await?;
        names.extend(chunks.into_iter().filter(|(name, _)| !gone.contains(name)));
        return finish(folder, &log, names);
    }
    Err(ExportError::Host(format!(
        "{} changes faster than it can be read",
        source.shown()
    )))
}

/// Fetches what is not there yet; gives the names that are not at the source any more.
async fn fetch_all(
    source: &dyn Source,
    log: &Log,
    names: &[(String, u64)],
    before: u64,
    told: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<BTreeSet<String>, ExportError> {
    let done = std::sync::atomic::AtomicU64::new(before);
    let total = before + names.len() as u64;
    let fetches = stream::iter(names).map(|(name, bytes)| {
        let done = &done;
        async move {
            let gone = !fetch(source, log, name, *bytes).await?;
            told(
                done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1,
                total,
            );
            Ok::<_, ExportError>(gone.then(|| name.clone()))
        }
    });
    let gone: Vec<Option<String>> = fetches.buffer_unordered(IN_FLIGHT).try_collect().await?;
    Ok(gone.into_iter().flatten().collect())
}

async fn fetch(
    source: &dyn Source,
    log: &Log,
    name: &str,
    bytes: u64,
) -> Result<bool, ExportError> {
    if log.has(name, bytes)? {
        return Ok(true);
    }
    let object = match source.object(name, OBJECT_BYTES_MAX).await {
        Ok(object) => object,
        Err(error) if error.is_missing() => return Ok(false),
        Err(error) => return Err(ExportError::Host(error.to_string())),
    };
    if object.len() as u64 != bytes {
        return Err(ExportError::Host(format!(
            "{} listed {name} with {bytes} bytes and gave {}",
            source.shown(),
            object.len()
        )));
    }
    log.write(name, &object)?;
    Ok(true)
}

/// Reads every file back, and writes the manifest.
fn finish(
    folder: &Path,
    log: &Log,
    mut names: Vec<(String, u64)>,
) -> Result<Evacuated, ExportError> {
    names.sort_unstable();
    let mut text = format!("{FIRST_LINE}\n");
    let mut report = Evacuated {
        kept: log.kept(),
        ..Evacuated::default()
    };
    for (name, _) in &names {
        let (bytes, hash) = log.known(name).ok_or_else(|| ExportError::Missing {
            path: folder.to_path_buf(),
            name: name.clone(),
        })?;
        read_checked(folder, name, (bytes, hash))?;
        text.push_str(&format!("{} {bytes} {name}\n", hex::encode(&hash)));
        report.objects += 1;
        report.bytes += bytes;
    }
    text.push_str(&format!(
        "end {} {}\n",
        names.len(),
        hex::encode(&sha256(text.as_bytes()))
    ));
    log.remove_all_but(&names)?;
    let manifest = folder.join(MANIFEST);
    files::write_durable(&manifest, text.as_bytes(), 0o600).map_err(io(&manifest))?;
    let partial = folder.join(PARTIAL);
    files::remove(&partial).map_err(io(&partial))?;
    Ok(report)
}

fn read_checked(folder: &Path, name: &str, known: Known) -> Result<Bytes, ExportError> {
    let path = folder.join(name);
    let altered = |why: String| ExportError::Altered {
        path: path.clone(),
        why,
    };
    let bytes = files::read(&path, OBJECT_BYTES_MAX)
        .map_err(io(&path))?
        .ok_or_else(|| altered("it is not there".into()))?;
    if bytes.len() as u64 != known.0 {
        return Err(altered(format!(
            "it has {} bytes instead of {}",
            bytes.len(),
            known.0
        )));
    }
    if sha256(&bytes) != known.1 {
        return Err(altered("its SHA-256 is another one".into()));
    }
    Ok(bytes.into())
}

fn parse_line(line: &str) -> Option<(String, Known)> {
    let mut words = line.splitn(3, ' ');
    let hash = hex::decode_array(words.next()?)?;
    let bytes = words.next()?.parse().ok()?;
    let name = words.next()?;
    is_ours(name).then(|| (name.to_owned(), (bytes, hash)))
}

/// What the runs so far have written down.
struct Log {
    folder: PathBuf,
    known: Mutex<(BTreeMap<String, Known>, files::OpenFile)>,
    kept: std::sync::atomic::AtomicU64,
}

impl Log {
    fn open(folder: &Path) -> Result<Self, ExportError> {
        let path = folder.join(PARTIAL);
        let text = files::read(&path, MANIFEST_BYTES_MAX).map_err(io(&path))?;
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        // A line that a crash cut short is none, and its file is fetched again.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let known = whole.lines().filter_map(parse_line).collect();
        let mut file = files::open_append(&path, 0o600).map_err(io(&path))?;
        file.write_all(b"\n").map_err(io(&path))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            known: Mutex::new((known, file)),
            kept: std::sync::atomic::AtomicU64::new(0),
        })
    }

    fn known(&self, name: &str) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.get(name).copied()
    }

    fn kept(&self) -> u64 {
        self.kept.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn has(&self, name: &str, bytes: u64) -> Result<bool, ExportError> {
        if self.known(name).is_none_or(|known| known.0 != bytes) {
            return Ok(false);
        }
        let path = self.folder.join(name);
        let there = files::stat(&path).map_err(io(&path))?;
        let has = there.is_some_and(|(length, _)| length == bytes);
        if has {
            self.kept.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(has)
    }

    fn write(&self, name: &str, object: &[u8]) -> Result<(), ExportError> {
        let path = self.folder.join(name);
        if let Some(above) = path.parent() {
            files::make_folder(above, 0o700).map_err(io(above))?;
        }
        files::write_durable(&path, object, 0o600).map_err(io(&path))?;
        let entry = (object.len() as u64, sha256(object));
        let line = format!("{} {} {name}\n", hex::encode(&entry.1), entry.0);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let log = self.folder.join(PARTIAL);
        known.1.write_all(line.as_bytes()).map_err(io(&log))?;
        known.0.insert(name.to_owned(), entry);
        Ok(())
    }

    /// Removes what earlier runs fetched and the guest has removed since.
    fn remove_all_but(&self, names: &[(String, u64)]) -> Result<(), ExportError> {
        let keep: BTreeSet<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for name in known.0.keys().filter(|name| !keep.contains(name.as_str())) {
            let path = self.folder.join(name);
            files::remove(&path).map_err(io(&path))?;
        }
        Ok(())
    }
}

/// A complete export in a folder.
pub struct Export {
    folder: PathBuf,
    shown: Arc<str>,
    files: BTreeMap<String, Known>,
}

impl Export {
    /// Reads the manifest; the files are compared with it when they are read.
    pub fn open(folder: &Path) -> Result<Self, ExportError> {
        let path = folder.join(MANIFEST);
        let wrong = |why: &str| ExportError::Manifest {
            path: path.clone(),
            why: why.to_owned(),
        };
        let bytes = files::read(&path, MANIFEST_BYTES_MAX).map_err(io(&path))?;
        let bytes = bytes.ok_or_else(|| {
            wrong("there is no such file: the folder holds no export, or one that was interrupted; finish it with `clarence embassy evacuate`")
        })?;
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is not text"))?;
        let body = text.strip_suffix('\n').and_then(|t| t.rsplit_once('\n'));
        let (body, end) = body.ok_or_else(|| wrong("it is cut short"))?;
        let body = format!("{body}\n");
        let mut lines = body.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong(
                "its first line is another one: it is no export, or of a newer format",
            ));
        }
        let mut files = BTreeMap::new();
        for line in lines {
            let (name, known) =
                parse_line(line).ok_or_else(|| wrong("a line of it is malformed"))?;
            files.insert(name, known);
        }
        let expected = format!(
            "end {} {}",
            files.len(),
            hex::encode(&sha256(body.as_bytes()))
        );
        if end != expected {
            return Err(wrong(
                "it was truncated or altered: its last line does not fit",
            ));
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            shown: folder.display().to_string().into(),
            files,
        })
    }

    /// Compares every file with the manifest; names the first that is another one.
    pub fn check(&self, told: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<Evacuated, ExportError> {
        let mut report = Evacuated::default();
        for (name, known) in &self.files {
            read_checked(&self.folder, name, *known)?;
            report.objects += 1;
            report.bytes += known.0;
            told(report.objects, self.files.len() as u64);
        }
        Ok(report)
    }
}

#[async_trait]
impl Source for Export {
    fn shown(&self) -> Arc<str> {
        Arc::clone(&self.shown)
    }
    async fn names(&self, prefix: &str) -> Result<Vec<(String, u64)>, SourceError> {
        let all = self.files.iter();
        Ok(all
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, known)| (name.clone(), known.0))
            .collect())
    }
    async fn object(&self, name: &str, bytes_max: u64) -> Result<Bytes, SourceError> {
        let Some(known) = self.files.get(name).filter(|known| known.0 <= bytes_max) else {
            return Err(SourceError::Export(ExportError::Missing {
                path: self.folder.clone(),
                name: name.to_owned(),
            }));
        };
        Ok(read_checked(&self.folder, name, *known)?)
    }
    async fn length(&self, name: &str) -> Result<Option<u64>, SourceError> {
        Ok(self.files.get(name).map(|known| known.0))
    }
}

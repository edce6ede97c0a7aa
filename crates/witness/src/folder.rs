//! A witness's folder: its key, the logs it knows, what it cosigned last of each, what speaks against them.
//! One process holds it at a time.
//!
//! ```text
//! witness.key             0600  SECRET: the key
//! witness.vkey            0644  its public half, for whoever checks the log
//! lock                    0600
//! logs/<origin hash>/     0755  one for each log; the hash is SHA-256 of its name
//!   verifier-keys         0644  its public keys
//!   latest.clr            0600  what was cosigned last
//! evidence/<origin hash>/ 0755  two checkpoints that prove a fork
//! suspects/<origin hash>/<n>/   two whose proof failed
//! ```

use crate::clock::{self, ClockError};
use crate::decide::{No, decide};
use crate::evidence::Fork;
use crate::key::{CosignKey, KEY_BYTES_MAX, KeyError};
use crate::latest::{LATEST_BYTES_MAX, Latest, LatestError};
use crate::limits::{LOGS_MAX, SUSPECTS_MAX};
use crate::request::{Request, RequestError};
use host::{Host, files};
use ledger::folder::VERIFIER_FILE;
use ledger::keys::{KeysError, VERIFIER_FILE_BYTES_MAX};
use ledger::note::{Note, SignatureLine};
use ledger::{VerifierKeys, WitnessKey, sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use words::hex;

const KEY_FILE: &str = "witness.key";
const PUBLIC_FILE: &str = "witness.vkey";
const LOCK_FILE: &str = "lock";
const LOGS: &str = "logs";
const EVIDENCE: &str = "evidence";
const SUSPECTS: &str = "suspects";
const LATEST_FILE: &str = "latest.clr";
const SECRET_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// Why a witness's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no witness.
    #[error("there is no witness in {}; `clarence witness init` makes one", .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("{} holds a witness's key already; nothing was changed", .0.display())]
    Occupied(PathBuf),
    /// Another process holds it.
    #[error("another process uses the witness in {}; end it first. Nothing was changed", .0.display())]
    Busy(PathBuf),
    /// Others can read the key.
    #[error("{} can be read by others (mode {mode:03o}); make it 600, and make a new key if others had access", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key is damaged.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: KeyError,
    },
    /// A log's keys are damaged.
    #[error("{}: {source}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: KeysError,
    },
    /// What was cosigned last is missing or damaged.
    #[error(
        "{}: {why}. Without it the witness does not know what it cosigned, and it cosigns nothing; an older copy would let it cosign a second history: make a new key instead", path.display()
    )]
    Latest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The log is known with other keys.
    #[error(
        "the log {0:?} is known here with other keys; nothing was changed. A log with new keys needs a new name"
    )]
    OtherKeys(String),
    /// There are too many logs.
    #[error("a witness has at most {LOGS_MAX} logs")]
    Many,
    /// The disk refused.
    #[error("{} could not be read or written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// Why nothing was cosigned.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The request cannot be read.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// The log is not known.
    #[error("the log {0:?} is not known to this witness; nothing was cosigned")]
    UnknownLog(String),
    /// The log showed two histories.
    #[error(
        "the log {0:?} signed two histories; the evidence is kept, and its keys are trusted no more"
    )]
    Forked(String),
    /// A check failed.
    #[error("{0}")]
    No(#[from] No),
    /// The clock is wrong.
    #[error("{0}")]
    Clock(#[from] ClockError),
    /// The disk refused.
    #[error("nothing was cosigned, since it could not be written down: {0}")]
    Disk(#[from] FolderError),
}

/// A checkpoint that is on record and may be cosigned. Only [`Witness::record`] makes one, when the record is
/// durable.
#[derive(Debug)]
pub struct Recorded {
    text: String,
    seconds: u64,
}

struct Log {
    keys: VerifierKeys,
    latest: Latest,
    is_forked: bool,
}

/// What a witness knows of one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// The log's name.
    pub origin: String,
    /// A digest of its keys.
    pub fingerprint: String,
    /// How many cosignatures were recorded.
    pub cosignatures: u64,
    /// The time of the last one in seconds since 1970; 0 if there was none.
    pub seconds: u64,
    /// Size and root that were cosigned last.
    pub last: Option<(u64, [u8; 32])>,
    /// Where the evidence lies, if the log forked.
    pub evidence: Option<PathBuf>,
}

/// A witness.
pub struct Witness {
    folder: PathBuf,
    key: CosignKey,
    logs: BTreeMap<String, Log>,
    host: Host,
    _lock: files::Lock,
}

impl Witness {
    /// Makes a witness in a folder that holds none, and gives its public key.
    pub fn init(folder: &Path, name: &str, host: &Host) -> Result<WitnessKey, FolderError> {
        let path = folder.join(KEY_FILE);
        let key = CosignKey::generate(name, host).map_err(|source| FolderError::Key {
            path: path.clone(),
            source,
        })?;
        files::make_folder(folder, 0o700).map_err(at(folder))?;
        let _lock = lock(folder)?;
        if files::stat(&path).map_err(at(&path))?.is_some() {
            return Err(FolderError::Occupied(folder.to_owned()));
        }
        let logs = folder.join(LOGS);
        files::make_folder(&logs, FOLDER_MODE).map_err(at(&logs))?;
        let public = folder.join(PUBLIC_FILE);
        let line = format!("{}\n", key.public().to_text());
        files::write_durable(&public, line.as_bytes(), PUBLIC_MODE).map_err(at(&public))?;
        files::write_durable(&path, &key.to_bytes(), SECRET_MODE).map_err(at(&path))?;
        Ok(key.public().clone())
    }

    /// Opens a witness's folder and holds it.
    pub fn open(folder: &Path, host: Host) -> Result<Self, FolderError> {
        let path = folder.join(KEY_FILE);
        if files::stat(&path).map_err(at(&path))?.is_none() {
            return Err(FolderError::Missing(folder.to_owned()));
        }
        let _lock = lock(folder)?;
        let mode = files::mode(&path).map_err(at(&path))?;
        if mode & 0o077 != 0 {
            return Err(FolderError::Open { path, mode });
        }
        let bytes = files::read(&path, KEY_BYTES_MAX).map_err(at(&path))?;
        let bytes = zeroize::Zeroizing::new(bytes.unwrap_or_default());
        let key = CosignKey::from_bytes(&bytes);
        let key = key.map_err(|source| FolderError::Key { path, source })?;
        Ok(Self {
            logs: logs(folder)?,
            folder: folder.to_owned(),
            key,
            host,
            _lock,
        })
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &WitnessKey {
        self.key.public()
    }

    /// Lets the witness know a log; `false` if it knew it already.
    pub fn add_log(&mut self, keys: VerifierKeys) -> Result<bool, FolderError> {
        let origin = keys.name().to_owned();
        match self.logs.get(&origin) {
            Some(log) if log.keys == keys => return Ok(false),
            Some(_) => return Err(FolderError::OtherKeys(origin)),
            None if self.logs.len() >= LOGS_MAX => return Err(FolderError::Many),
            None => {}
        }
        let place = log_folder(&self.folder, &origin);
        let beside = place.with_extension("new");
        files::remove_tree(&beside).map_err(at(&beside))?;
        files::make_folder(&beside, FOLDER_MODE).map_err(at(&beside))?;
        let latest = Latest::default();
        for (name, bytes, mode) in [
            (VERIFIER_FILE, keys.to_text().into_bytes(), PUBLIC_MODE),
            (LATEST_FILE, latest.to_bytes(), SECRET_MODE),
        ] {
            let file = beside.join(name);
            files::write_durable(&file, &bytes, mode).map_err(at(&file))?;
        }
        files::rename(&beside, &place).map_err(at(&place))?;
        let log = Log {
            keys,
            latest,
            is_forked: false,
        };
        self.logs.insert(origin, log);
        Ok(true)
    }

    /// Cosigns the checkpoint of a request, if everything is right: the lines of the answer.
    pub fn cosign(&mut self, request: &[u8]) -> Result<Vec<SignatureLine>, Refused> {
        let recorded = self.record(request)?;
        Ok(self.sign(&recorded))
    }

    /// Does all checks and writes down what is going to be cosigned, durably.
    pub fn record(&mut self, request: &[u8]) -> Result<Recorded, Refused> {
        let request = Request::parse(request)?;
        let origin = request.checkpoint.origin.clone();
        let Some(log) = self.logs.get_mut(&origin) else {
            return Err(Refused::UnknownLog(origin));
        };
        if log.is_forked {
            return Err(Refused::Forked(origin));
        }
        let consistent = match decide(&log.keys, log.latest.last(), &request) {
            Ok(consistent) => consistent,
            Err(refusal) => {
                if let Some(fork) = refusal.against {
                    log.is_forked = keep(&self.folder, &origin, &fork, &log.keys)?;
                }
                return Err(refusal.no.into());
            }
        };
        let seconds = clock::seconds(self.host.now(), log.latest.seconds())?;
        let text = consistent.note().text.clone();
        let latest = log.latest.then(consistent, seconds);
        let file = log_folder(&self.folder, &origin).join(LATEST_FILE);
        files::write_durable(&file, &latest.to_bytes(), SECRET_MODE).map_err(at(&file))?;
        log.latest = latest;
        Ok(Recorded { text, seconds })
    }

    /// The cosignature of what is on record.
    #[must_use]
    pub fn sign(&self, recorded: &Recorded) -> Vec<SignatureLine> {
        vec![self.key.line(recorded.seconds, &recorded.text)]
    }

    /// The checkpoint cosigned last of the log whose name has this SHA-256 in hexadecimal, with the log's
    /// signatures and this witness's.
    #[must_use]
    pub fn latest(&self, origin_hash: &str) -> Option<Note> {
        let mut logs = self.logs.iter();
        let (_, log) = logs.find(|(origin, _)| hash(origin) == origin_hash)?;
        let (note, _) = log.latest.last()?;
        let mut note = note.clone();
        let line = self.key.line(log.latest.seconds(), &note.text);
        note.signatures.push(line);
        Some(note)
    }
}

/// What lies in a witness's folder: its public key and what it knows of each log. Needs no key, and does not
/// disturb a witness that serves.
pub fn look(folder: &Path) -> Result<(WitnessKey, Vec<Known>), FolderError> {
    let path = folder.join(PUBLIC_FILE);
    let line = files::read(&path, KEY_BYTES_MAX * 2).map_err(at(&path))?;
    let line = line.ok_or_else(|| FolderError::Missing(folder.to_owned()))?;
    let line = String::from_utf8(line).unwrap_or_default();
    let key = WitnessKey::parse(line.trim_end()).map_err(|error| FolderError::Key {
        path,
        source: error.into(),
    })?;
    let known = logs(folder)?.into_iter().map(|(origin, log)| Known {
        fingerprint: log.keys.fingerprint(),
        cosignatures: log.latest.count(),
        seconds: log.latest.seconds(),
        last: log.latest.last().map(|(_, last)| (last.size, last.root)),
        evidence: log
            .is_forked
            .then(|| folder.join(EVIDENCE).join(hash(&origin))),
        origin,
    });
    Ok((key, known.collect()))
}

fn logs(folder: &Path) -> Result<BTreeMap<String, Log>, FolderError> {
    let place = folder.join(LOGS);
    let mut logs = BTreeMap::new();
    for name in files::list(&place).map_err(at(&place))? {
        // What a crash left of a log that was being added.
        if name.ends_with(".new") {
            continue;
        }
        let (origin, log) = log(folder, &name)?;
        logs.insert(origin, log);
    }
    Ok(logs)
}

fn log(folder: &Path, name: &str) -> Result<(String, Log), FolderError> {
    let path = folder.join(LOGS).join(name).join(VERIFIER_FILE);
    let wrong = |source| FolderError::Keys {
        path: path.clone(),
        source,
    };
    let text = files::read(&path, VERIFIER_FILE_BYTES_MAX).map_err(at(&path))?;
    let text = String::from_utf8(text.unwrap_or_default())
        .map_err(|_| wrong(KeysError::Verifier("it is not text")))?;
    let keys = VerifierKeys::parse(&text).map_err(wrong)?;
    let origin = keys.name().to_owned();
    if hash(&origin) != name {
        return Err(wrong(KeysError::Verifier("they are of another log")));
    }
    let file = log_folder(folder, &origin).join(LATEST_FILE);
    let lost = |why: String| FolderError::Latest {
        path: file.clone(),
        why,
    };
    let bytes = files::read(&file, LATEST_BYTES_MAX).map_err(at(&file))?;
    let bytes = bytes.ok_or_else(|| lost("it is missing".to_owned()))?;
    let latest = Latest::from_bytes(&bytes, &keys);
    let latest = latest.map_err(|error: LatestError| lost(error.to_string()))?;
    let is_forked = files::is_folder(&folder.join(EVIDENCE).join(name));
    let log = Log {
        keys,
        latest,
        is_forked,
    };
    Ok((origin, log))
}

/// Keeps two checkpoints; whether they prove a fork.
fn keep(
    folder: &Path,
    origin: &str,
    fork: &Fork,
    keys: &VerifierKeys,
) -> Result<bool, FolderError> {
    let disk = |(path, source)| FolderError::Io { path, source };
    if fork.verify(keys).is_ok() {
        fork.keep(&folder.join(EVIDENCE), &hash(origin))
            .map_err(disk)?;
        return Ok(true);
    }
    let place = folder.join(SUSPECTS).join(hash(origin));
    let named = hash(&format!("{}{}", fork.first.text, fork.second.text));
    let kept = files::list(&place).map_err(at(&place))?;
    if kept.len() < SUSPECTS_MAX {
        let name = named.get(..16).unwrap_or_default();
        fork.keep(&place, name).map_err(disk)?;
    }
    Ok(false)
}

fn lock(folder: &Path) -> Result<files::Lock, FolderError> {
    let path = folder.join(LOCK_FILE);
    let lock = files::lock(&path).map_err(at(&path))?;
    lock.ok_or_else(|| FolderError::Busy(folder.to_owned()))
}

fn log_folder(folder: &Path, origin: &str) -> PathBuf {
    folder.join(LOGS).join(hash(origin))
}

/// SHA-256 of a log's name in hexadecimal.
fn hash(origin: &str) -> String {
    hex::encode(&sha256(origin.as_bytes()))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { path, source }
}

//! What the tests share: a log in memory that may fork, witnesses in folders, a clock that is set by hand.

use host::{Clock, Host, OsRandom};
use ledger::note::{Checkpoint, Note, SignatureLine};
use ledger::tree::{Frontier, Hash, Nodes, consistency_proof, leaf_hash, node_hash};
use ledger::{LogKeys, VerifierKeys};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use witness::{Request, Witness};
use words::UnixMillis;

pub const ORIGIN: &str = "clarence.example/ledger";
/// 2025-11-24, in seconds.
pub const NOW: u64 = 1_764_000_000;

/// A clock that stands where it is put.
pub struct Hands(pub AtomicU64);

impl Clock for Hands {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed) * 1000)
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

pub fn clock() -> (Arc<Hands>, Host) {
    let hands = Arc::new(Hands(AtomicU64::new(NOW)));
    (Arc::clone(&hands), Host::new(hands, Arc::new(OsRandom)))
}

pub fn keys() -> LogKeys {
    LogKeys::from_seeds(ORIGIN, &[9; 64]).unwrap()
}

pub fn verifier() -> VerifierKeys {
    keys().verifier().clone()
}

/// A log: `leaves[i]` of history 0 and of another one agree below `fork`.
pub struct History(Vec<Hash>);

impl History {
    pub fn new(size: u64, fork: u64, branch: u8) -> Self {
        let leaf = |index: u64| {
            let branch = if index < fork { 0 } else { branch };
            leaf_hash(&[&index.to_be_bytes()[..], &[branch]].concat())
        };
        Self((0..size).map(leaf).collect())
    }
    pub fn root(&self, size: u64) -> Hash {
        Frontier::of(&self.0[..usize::try_from(size).unwrap()]).root()
    }
    pub fn note(&self, size: u64) -> Note {
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root: self.root(size),
            time: Some(UnixMillis(NOW * 1000)),
        };
        keys().sign(&checkpoint).unwrap()
    }
    pub fn proof(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency_proof(self, old, new).unwrap()
    }
    pub fn request(&self, old: u64, new: u64) -> Request {
        Request::new(old, self.proof(old, new), self.note(new)).unwrap()
    }
    pub fn body(&self, old: u64, new: u64) -> Vec<u8> {
        self.request(old, new).to_text().into_bytes()
    }
}

impl Nodes for History {
    type Error = Infallible;
    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        if level == 0 {
            return Ok(self.0[usize::try_from(index).unwrap()]);
        }
        let left = self.node(level - 1, index * 2)?;
        Ok(node_hash(&left, &self.node(level - 1, index * 2 + 1)?))
    }
}

/// A new witness that knows the log.
pub fn witness(folder: &Path, name: &str, host: &Host) -> Witness {
    Witness::init(folder, name, host).unwrap();
    let mut witness = Witness::open(folder, host.clone()).unwrap();
    assert!(witness.add_log(verifier()).unwrap());
    witness
}

/// The time of an answer that has one good line over this text.
pub fn good(witness: &Witness, text: &str, lines: &[SignatureLine]) -> u64 {
    let [line] = lines else {
        panic!("{} lines", lines.len())
    };
    witness.public().check(text, line).unwrap()
}

pub fn read(path: &Path) -> Vec<u8> {
    host::files::read(path, u64::MAX).unwrap().unwrap()
}

/// Every file below a folder with its bytes, the lock aside.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for name in host::files::list(folder).unwrap() {
        let path = folder.join(&name);
        if host::files::is_folder(&path) {
            let below = files(&path).into_iter();
            found.extend(below.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else if name != "lock" {
            found.push((name, read(&path)));
        }
    }
    found
}

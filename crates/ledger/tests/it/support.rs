//! What the tests share: leaves, keys and a log in a folder.

use ledger::{Fields, Kind, Leaf, LogKeys, Publisher};
use std::path::Path;
use std::sync::Arc;
use words::UnixMillis;

pub const NOW: UnixMillis = UnixMillis(1_764_000_000_123);

/// The leaf at `index` of the test's history; `seed` makes another history.
pub fn leaf(seed: u8, index: u64) -> Leaf {
    let mut key = [seed; 32];
    key[..8].copy_from_slice(&index.to_be_bytes());
    Leaf::new(&Fields::new(Kind::Grant, UnixMillis(index)).commit(&key))
}

pub fn leaves(range: std::ops::Range<u64>) -> Vec<Leaf> {
    range.map(|index| leaf(7, index)).collect()
}

pub fn keys() -> Arc<LogKeys> {
    Arc::new(LogKeys::from_seeds("clarence.example/ledger", &[9; 64]).unwrap())
}

/// A log of `size` entries with one checkpoint.
pub fn log(folder: &Path, size: u64) -> Publisher {
    let mut publisher = Publisher::open(folder, keys()).unwrap();
    publisher.publish(0, &leaves(0..size)).unwrap();
    publisher.checkpoint(NOW).unwrap();
    publisher
}

/// Every file below a folder, as paths below it.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for name in host::files::list(folder).unwrap() {
        let path = folder.join(&name);
        if host::files::is_folder(&path) {
            found.extend(
                files(&path)
                    .into_iter()
                    .map(|below| format!("{name}/{below}")),
            );
        } else {
            found.push(name);
        }
    }
    found
}

pub fn read(path: &Path) -> Vec<u8> {
    host::files::read(path, u64::MAX).unwrap().unwrap()
}

pub fn write(path: &Path, bytes: &[u8]) {
    host::files::write_durable(path, bytes, 0o644).unwrap();
}

pub fn copy(from: &Path, to: &Path) {
    for name in files(from) {
        let target = to.join(&name);
        host::files::make_folder(target.parent().unwrap(), 0o755).unwrap();
        write(&target, &read(&from.join(&name)));
    }
}

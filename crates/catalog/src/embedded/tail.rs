//! The end of the database's own log after a power cut. A batch that was being written may lie there in
//! part, with holes where sectors did not arrive. The database cuts off a batch that ends early, but takes
//! one with holes for damage and does not open (fjall 3.1.13), although such a batch was never durable and
//! nobody was told of it. It is cut off here first.
//!
//! If damage in the middle of the log were mistaken for such an end, the catalog would end before the batch
//! that it had come to, which [`super::recover`] refuses.

use host::files;
use std::io;
use std::path::{Path, PathBuf};

/// No log is longer: one is begun anew at 64 MB, after at most one more batch.
const LOG_FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// Behind the checksum of every batch.
const TRAILER: &[u8; 4] = b"FJL\x03";

/// Cuts a torn last batch off the newest log in a database's folder. Gives the bytes that were cut off.
pub fn cut_torn_batch(database: &Path) -> io::Result<u64> {
    let Some(log) = newest_log(database)? else {
        return Ok(0);
    };
    let bytes = files::read(&log, LOG_FILE_BYTES_MAX)?.unwrap_or_default();
    let whole = whole_batches(&bytes);
    // Zeros behind the last batch are room that was taken beforehand.
    if bytes.get(whole) != Some(&START) {
        return Ok(0);
    }
    let file = files::open_rw(&log)?;
    file.set_len(whole as u64)?;
    file.sync_all()?;
    Ok((bytes.len() - whole) as u64)
}

fn newest_log(database: &Path) -> io::Result<Option<PathBuf>> {
    if !files::is_folder(database) {
        return Ok(None);
    }
    let number = |name: &String| name.strip_suffix(".jnl")?.parse::<u64>().ok();
    let newest = files::list(database)?
        .into_iter()
        .filter_map(|name| Some((number(&name)?, name)))
        .max();
    Ok(newest.map(|(_, name)| database.join(name)))
}

/// Where the last whole batch ends.
fn whole_batches(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(next) = bytes.get(end..).and_then(batch_bytes) {
        end += next;
    }
    end
}

/// The length of the batch that `bytes` begin with; `None` if it is not whole.
/// start ‖ u32 items ‖ u64 number ‖ items ‖ end ‖ u64 XXH3 of the items ‖ trailer, little-endian.
fn batch_bytes(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes.strip_prefix(&[START])?;
    let items = u32::from_le_bytes(take(&mut rest)?);
    take::<8>(&mut rest)?;
    let body = rest;
    for _ in 0..items {
        item(&mut rest)?;
    }
    let body = body.get(..body.len() - rest.len())?;
    let [END] = take::<1>(&mut rest)? else {
        return None;
    };
    let checksum = u64::from_le_bytes(take(&mut rest)?);
    let trailer: [u8; 4] = take(&mut rest)?;
    let whole = trailer == *TRAILER && xxhash_rust::xxh3::xxh3_64(body) == checksum;
    whole.then(|| bytes.len() - rest.len())
}

/// item ‖ type ‖ compression ‖ u64 keyspace ‖ u16 key length ‖ u32 length ‖ u32 stored length ‖ key ‖ value, or
/// clear ‖ u64 keyspace.
fn item(rest: &mut &[u8]) -> Option<()> {
    match take(rest)? {
        [ITEM] => {
            take::<10>(rest)?;
            let key = u16::from_le_bytes(take(rest)?);
            take::<4>(rest)?;
            let stored = u32::from_le_bytes(take(rest)?);
            *rest = rest.get(usize::from(key).checked_add(stored as usize)?..)?;
        }
        [CLEAR] => {
            take::<8>(rest)?;
        }
        _ => return None,
    }
    Some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*taken)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, clippy::unwrap_used)] // plays the power cut on real files
mod tests {
    use super::*;
    use fjall::{Database, KeyspaceCreateOptions, PersistMode};

    fn open(path: &Path) -> Result<(Database, fjall::Keyspace), fjall::Error> {
        let db = Database::builder(path)
            .journal_compression(fjall::CompressionType::None)
            .open()?;
        let rows = db.keyspace("rows", KeyspaceCreateOptions::default)?;
        Ok((db, rows))
    }

    /// A log of ten batches whose last one has a hole at `hole` of its length, in 64ths.
    fn torn(hole: usize) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let (db, rows) = open(&path).unwrap();
        let mut before = 0;
        for n in 0..10u8 {
            before = whole_batches(&std::fs::read(newest_log(&path).unwrap().unwrap()).unwrap());
            let mut batch = db.batch().durability(Some(PersistMode::SyncAll));
            for row in 0..20u8 {
                batch.insert(&rows, [n, row], [n; 300]);
            }
            batch.commit().unwrap();
        }
        drop((db, rows));
        let log = newest_log(&path).unwrap().unwrap();
        let mut bytes = std::fs::read(&log).unwrap();
        let end = whole_batches(&bytes);
        assert!(before > 0 && end > before + 6000);
        let at = before + 13 + (end - before - 100) * hole / 64;
        bytes[at..at + 64].fill(0);
        std::fs::write(&log, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn a_torn_last_batch_is_cut_off_and_the_others_stay() {
        for hole in [0, 1, 5, 17, 32, 50, 63] {
            let (_folder, path) = torn(hole);
            assert!(cut_torn_batch(&path).unwrap() > 0, "hole {hole}");
            assert_eq!(
                cut_torn_batch(&path).unwrap(),
                0,
                "a second look finds nothing"
            );
            let (_db, rows) = open(&path).unwrap();
            for n in 0..10u8 {
                let there = (0..20u8).filter(|row| rows.get([n, *row]).unwrap().is_some());
                assert_eq!(
                    there.count(),
                    if n < 9 { 20 } else { 0 },
                    "hole {hole}, batch {n}"
                );
            }
        }
    }

    #[test]
    fn a_whole_log_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        assert_eq!(cut_torn_batch(&path).unwrap(), 0);
        let (db, rows) = open(&path).unwrap();
        rows.insert("a", "b").unwrap();
        db.persist(PersistMode::SyncAll).unwrap();
        drop((db, rows));
        let log = newest_log(&path).unwrap().unwrap();
        let before = std::fs::read(&log).unwrap();
        assert!(whole_batches(&before) > 0);
        assert_eq!(cut_torn_batch(&path).unwrap(), 0);
        assert_eq!(std::fs::read(&log).unwrap(), before);
    }
}

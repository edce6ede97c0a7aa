//! A log in which anything at all was changed is found out, and the first bad entry is named.

use crate::support::{NOW, copy, files, keys, leaf, leaves, log, read, write};
use ledger::keys::{Algorithm, CheckpointError, SignatureError};
use ledger::tile::Tile;
use ledger::verify::{Culprit, VerifyError};
use ledger::{Publisher, Trust, verify};
use std::path::Path;
use tempfile::tempdir;

fn check(folder: &Path) -> Result<u64, VerifyError> {
    let keys = keys();
    let trust = Trust {
        keys: Some(keys.verifier()),
        ..Trust::default()
    };
    verify(folder, &trust).map(|verified| verified.checkpoint.size)
}

/// The first entry that a byte of a bundle belongs to: each has two bytes of length and 33 of leaf.
fn entry_at(tile: &Tile, byte: usize) -> u64 {
    tile.first_entry(byte as u64 / 35)
}

#[test]
fn a_whole_log_of_any_size_is_whole() {
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 1000] {
        let folder = tempdir().unwrap();
        log(folder.path(), size);
        assert_eq!(check(folder.path()).unwrap(), size);
        let without = verify(folder.path(), &Trust::default()).unwrap();
        assert!(!without.keys_trusted);
    }
}

#[test]
fn every_flipped_byte_is_named() {
    flip_bytes(20, 1);
}

#[test]
fn every_flipped_byte_is_named_where_tiles_are_full() {
    flip_bytes(259, 13);
}

/// Flips one bit in every `step`-th byte of every file.
fn flip_bytes(size: u64, step: usize) {
    let folder = tempdir().unwrap();
    log(folder.path(), size);
    for name in files(folder.path()) {
        let path = folder.path().join(&name);
        let good = read(&path);
        for place in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[place] ^= 1 << (place % 8);
            host::files::overwrite_at(&path, 0, &bad).unwrap();
            let error = check(folder.path()).expect_err(&format!("{name} byte {place}"));
            expect(&name, place, &error);
        }
        host::files::overwrite_at(&path, 0, &good).unwrap();
    }
    assert_eq!(check(folder.path()).unwrap(), size);
}

fn expect(name: &str, place: usize, error: &VerifyError) {
    let Some(tile) = Tile::parse(name) else {
        let fits = match name {
            "checkpoint" => matches!(error, VerifyError::Checkpoint { .. }),
            _ => matches!(error, VerifyError::Keys { .. } | VerifyError::OtherKeys(_)),
        };
        return assert!(fits, "{name} byte {place}: {error}");
    };
    match (name.split('/').nth(1), error) {
        (
            Some("entries"),
            VerifyError::Entry {
                index,
                culprit: Culprit::Entry,
                file,
            },
        ) => {
            assert_eq!(*index, entry_at(&tile, place), "{name} byte {place}");
            assert!(file.ends_with(name));
        }
        // A changed length can make all that follows unreadable.
        (Some("entries"), VerifyError::Bundle { index, .. }) => {
            assert_eq!(*index, entry_at(&tile, place), "{name} byte {place}");
            assert!(place % 35 < 2);
        }
        (
            Some("0"),
            VerifyError::Entry {
                index,
                culprit: Culprit::Tile,
                ..
            },
        ) => {
            assert_eq!(
                *index,
                tile.first_entry(place as u64 / 32),
                "{name} byte {place}"
            );
        }
        (Some("1"), VerifyError::Tile { index, file }) => {
            assert_eq!(*index, tile.first_entry(place as u64 / 32));
            assert!(file.ends_with(name));
        }
        _ => panic!("{name} byte {place}: {error}"),
    }
}

#[test]
fn missing_cut_and_lengthened_files_are_named() {
    let folder = tempdir().unwrap();
    log(folder.path(), 600);
    for name in files(folder.path()) {
        let path = folder.path().join(&name);
        let good = read(&path);
        let first = Tile::parse(&name).map(|tile| tile.first_entry(0));
        host::files::remove(&path).unwrap();
        let error = check(folder.path()).expect_err(&name);
        assert_eq!(error.first_bad(), first, "{name}: {error}");
        assert!(error.to_string().contains(&name), "{error}");
        for length in [0, 1, good.len() / 2, good.len() - 1] {
            write(&path, &good[..length]);
            let error = check(folder.path()).expect_err(&name);
            assert_eq!(
                error.first_bad().is_some(),
                first.is_some(),
                "{name}: {error}"
            );
            if name.starts_with("tile/entries") {
                let tile = Tile::parse(&name).unwrap();
                assert_eq!(
                    error.first_bad(),
                    Some(entry_at(&tile, length)),
                    "{name}: {error}"
                );
            }
        }
        write(&path, &[good.as_slice(), b"\0"].concat());
        assert!(check(folder.path()).is_err(), "{name} with a byte more");
        write(&path, &good);
    }
    assert_eq!(check(folder.path()).unwrap(), 600);
}

#[test]
fn a_stripped_signature_is_named() {
    let folder = tempdir().unwrap();
    log(folder.path(), 5);
    let path = folder.path().join("checkpoint");
    let good = String::from_utf8(read(&path)).unwrap();
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    for (line, algorithm) in [(5, Algorithm::Ed25519), (6, Algorithm::MlDsa65)] {
        let mut kept = lines.clone();
        kept.remove(line);
        write(&path, kept.concat().as_bytes());
        match check(folder.path()) {
            Err(VerifyError::Checkpoint {
                error: CheckpointError::Signature(error),
                ..
            }) => {
                assert_eq!(error, SignatureError::Missing(algorithm));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_history_written_anew_is_found_by_its_root() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    log(folder.path(), 300);
    let mut changed = leaves(0..300);
    changed[41] = leaf(8, 41);
    let mut publisher = Publisher::open(other.path(), keys()).unwrap();
    publisher.publish(0, &changed).unwrap();
    publisher.checkpoint(NOW).unwrap();
    // The forger has entries and tiles that agree, and the old checkpoint, since he cannot sign.
    let signed = read(&folder.path().join("checkpoint"));
    write(&other.path().join("checkpoint"), &signed);
    assert!(matches!(
        check(other.path()),
        Err(VerifyError::Root { size: 300 })
    ));
    // With one of the upper tiles kept, the entry range under it is named.
    let forged = tempdir().unwrap();
    copy(other.path(), forged.path());
    let name = "tile/1/000.p/1";
    write(&forged.path().join(name), &read(&folder.path().join(name)));
    assert!(matches!(
        check(forged.path()),
        Err(VerifyError::Tile { index: 0, .. })
    ));
}

#[test]
fn swapped_keys_need_the_trusted_file() {
    let folder = tempdir().unwrap();
    let own = std::sync::Arc::new(
        ledger::LogKeys::from_seeds("clarence.example/ledger", &[1; 64]).unwrap(),
    );
    let mut publisher = Publisher::open(folder.path(), own).unwrap();
    publisher.publish(0, &leaves(0..3)).unwrap();
    publisher.checkpoint(NOW).unwrap();
    assert!(verify(folder.path(), &Trust::default()).is_ok());
    assert!(matches!(
        check(folder.path()),
        Err(VerifyError::OtherKeys(_))
    ));
}

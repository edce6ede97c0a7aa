//! A publisher that was killed at any step takes up its work, and the log is whole in the end and, under
//! its last checkpoint, at every moment.

use crate::support::{NOW, copy, files, keys, leaves, log, read, write};
use ledger::tile::Tile;
use ledger::{Publisher, Trust, verify};
use std::path::Path;
use tempfile::tempdir;

/// Opens, publishes up to `size` and signs; the log must be whole then and hold what a log that was never
/// disturbed holds.
fn go_on(folder: &Path, size: u64) -> u64 {
    let mut publisher = Publisher::open(folder, keys()).unwrap();
    let from = publisher.next_index();
    publisher.publish(from, &leaves(from..size)).unwrap();
    let head = publisher.checkpoint(NOW).unwrap();
    assert_eq!(verify(folder, &Trust::default()).unwrap().checkpoint, head);
    let straight = tempdir().unwrap();
    log(straight.path(), size);
    for name in files(straight.path())
        .iter()
        .filter(|name| name.starts_with("tile"))
    {
        assert_eq!(
            read(&folder.join(name)),
            read(&straight.path().join(name)),
            "{name}"
        );
    }
    from
}

#[test]
#[allow(clippy::disallowed_methods)] // what an accident does to a folder is not synced
fn a_folder_that_went_away_is_not_made_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("ledger");
    assert!(Publisher::open(&folder, keys()).is_err() && !folder.exists());
    std::fs::create_dir(&folder).unwrap();
    let mut publisher = Publisher::open(&folder, keys()).unwrap();
    publisher.publish(0, &leaves(0..100)).unwrap();
    std::fs::rename(&folder, place.path().join("taken")).unwrap();
    let written = publisher.publish(100, &leaves(100..300));
    assert!(written.is_err() || publisher.checkpoint(NOW).is_err());
    assert!(!folder.exists(), "the folder was made again");
}

#[test]
fn killed_before_the_checkpoint_at_every_step() {
    // What lies there after publishing 300..1000 and writing the partial tiles, under the old checkpoint.
    let (old, new) = (tempdir().unwrap(), tempdir().unwrap());
    log(old.path(), 300);
    copy(old.path(), new.path());
    let mut publisher = Publisher::open(new.path(), keys()).unwrap();
    publisher.publish(300, &leaves(300..1000)).unwrap();
    publisher.checkpoint(NOW).unwrap();
    let before = files(old.path());
    let written: Vec<String> = files(new.path())
        .into_iter()
        .filter(|name| !before.contains(name))
        .collect();
    assert!(written.len() > 6);
    for damage in ["whole", "missing", "empty", "half", "zeroes"] {
        for step in 0..written.len() {
            let folder = tempdir().unwrap();
            copy(old.path(), folder.path());
            // The files before this step are there; the one of this step is damaged; the rest is not there.
            for name in &written[..=step] {
                let (from, to) = (new.path().join(name), folder.path().join(name));
                host::files::make_folder(to.parent().unwrap(), 0o755).unwrap();
                write(&to, &read(&from));
            }
            let path = folder.path().join(&written[step]);
            let bytes = read(&path);
            match damage {
                "missing" => host::files::remove(&path).unwrap(),
                "empty" => write(&path, b""),
                "half" => write(&path, &bytes[..bytes.len() / 2]),
                "zeroes" => write(&path, &vec![0; bytes.len()]),
                _ => {}
            }
            assert_eq!(
                verify(folder.path(), &Trust::default())
                    .unwrap()
                    .checkpoint
                    .size,
                300
            );
            assert_eq!(go_on(folder.path(), 900 + step as u64), 300);
        }
    }
}

#[test]
fn files_beyond_the_checkpoint_are_removed_on_opening() {
    let folder = tempdir().unwrap();
    log(folder.path(), 300);
    let before = files(folder.path());
    for name in [
        "tile/0/001.p/99",
        "tile/entries/001.p/200",
        "tile/0/001",
        "tile/entries/002",
        "tile/1/000.p/3",
        "tile/0/002.p/4",
        "tile/0/000.p/255",
    ] {
        let path = folder.path().join(name);
        host::files::make_folder(path.parent().unwrap(), 0o755).unwrap();
        write(&path, b"garbage");
    }
    Publisher::open(folder.path(), keys()).unwrap();
    assert_eq!(files(folder.path()), before);
}

#[test]
fn partial_tiles_go_when_the_full_one_is_signed() {
    let folder = tempdir().unwrap();
    let mut publisher = log(folder.path(), 250);
    publisher.publish(250, &leaves(250..600)).unwrap();
    assert!(
        files(folder.path()).contains(&"tile/0/000.p/250".to_owned()),
        "the checkpoint still needs it"
    );
    assert_eq!(
        verify(folder.path(), &Trust::default())
            .unwrap()
            .checkpoint
            .size,
        250
    );
    publisher.checkpoint(NOW).unwrap();
    let partial: Vec<String> = files(folder.path())
        .into_iter()
        .filter(|name| name.contains(".p/"))
        .collect();
    assert_eq!(
        partial,
        ["tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88"]
    );
}

#[test]
fn a_damaged_right_edge_is_written_again() {
    let whole = tempdir().unwrap();
    log(whole.path(), 700);
    let names: Vec<String> = files(whole.path())
        .into_iter()
        .filter(|name| name.starts_with("tile"))
        .collect();
    for name in names {
        for damage in ["missing", "half", "flipped"] {
            let folder = tempdir().unwrap();
            copy(whole.path(), folder.path());
            let path = folder.path().join(&name);
            let mut bytes = read(&path);
            match damage {
                "missing" => host::files::remove(&path).unwrap(),
                "half" => write(&path, &bytes[..bytes.len() / 2]),
                _ => {
                    bytes[11] ^= 1;
                    write(&path, &bytes);
                }
            }
            let mut publisher = Publisher::open(folder.path(), keys()).unwrap();
            let from = publisher.next_index();
            let on_the_edge = Tile::parse(&name).is_some_and(|tile| !tile.is_full());
            assert_eq!(from < 700, on_the_edge, "{name} {damage}");
            publisher.publish(0, &leaves(0..900)).unwrap();
            publisher.checkpoint(NOW).unwrap();
            let verified = verify(folder.path(), &Trust::default());
            // A full tile is not read on opening; `verify` finds its damage.
            assert_eq!(verified.is_ok(), on_the_edge, "{name} {damage}");
        }
    }
}

#[test]
fn a_damaged_folder_is_rebuilt_from_the_catalog() {
    let folder = tempdir().unwrap();
    log(folder.path(), 700);
    for (name, flip) in [
        ("tile/0/001", true),
        ("tile/entries/001", false),
        ("tile/0/002.p/188", false),
    ] {
        let path = folder.path().join(name);
        let mut bytes = read(&path);
        bytes[100] ^= 0x10;
        if flip {
            write(&path, &bytes)
        } else {
            host::files::remove(&path).unwrap()
        }
    }
    let mut publisher = Publisher::open(folder.path(), keys()).unwrap();
    assert_eq!(publisher.next_index(), 256, "the first full pair is whole");
    publisher.publish(0, &leaves(0..700)).unwrap();
    publisher.checkpoint(NOW).unwrap();
    assert_eq!(
        verify(folder.path(), &Trust::default())
            .unwrap()
            .checkpoint
            .size,
        700
    );
}

#[test]
fn a_lost_checkpoint_is_signed_again() {
    let folder = tempdir().unwrap();
    log(folder.path(), 700);
    host::files::remove(&folder.path().join("checkpoint")).unwrap();
    assert_eq!(go_on(folder.path(), 710), 0);
}

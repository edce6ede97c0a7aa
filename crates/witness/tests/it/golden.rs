//! A folder that an earlier build wrote opens, and goes on where it was.

use crate::support::{History, NOW, ORIGIN, clock, files, good, keys, read};
use ledger::WitnessKey;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tempfile::tempdir;
use witness::folder::look;
use witness::{CosignKey, Witness, verify_evidence};
use zeroize::Zeroizing;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folder-1")
}

/// A checkout knows no mode 0600, so the folder is copied before it is opened.
fn copied() -> tempfile::TempDir {
    let folder = tempdir().unwrap();
    for (name, bytes) in files(&golden()) {
        let path = folder.path().join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let mode = if name.ends_with("witness.key") {
            0o600
        } else {
            0o644
        };
        host::files::set_mode(&path, mode).unwrap();
    }
    folder
}

#[test]
fn version_1_opens_and_goes_on() {
    let folder = copied();
    let (key, known) = look(folder.path()).unwrap();
    assert_eq!(
        key.to_text(),
        "golden.example/witness+7e6ef911+BIqHX/8es4RRV3rNWv7kBUVlaN18ieCQhjoFV7x69J8X"
    );
    let [forked, open] = known.as_slice() else {
        panic!("{known:?}")
    };
    assert_eq!((open.origin.as_str(), open.cosignatures), (ORIGIN, 2));
    let history = History::new(40, 40, 0);
    assert_eq!(open.last, Some((21, history.root(21))));
    assert_eq!(open.seconds, NOW);
    let forked_keys = ledger::LogKeys::from_seeds("a.example/forked", &[5; 64]).unwrap();
    verify_evidence(forked.evidence.as_ref().unwrap(), forked_keys.verifier()).unwrap();
    let (hands, host) = clock();
    hands.0.store(NOW + 9, Ordering::Relaxed);
    let mut witness = Witness::open(folder.path(), host).unwrap();
    let request = history.request(21, 40);
    let lines = witness.cosign(request.to_text().as_bytes()).unwrap();
    assert_eq!(good(&witness, &request.note.text, &lines), NOW + 9);
}

#[test]
fn the_key_is_written_as_before() {
    let key = CosignKey::from_seed("golden.example/witness", Zeroizing::new([6; 32])).unwrap();
    let stored = read(&golden().join("witness.key"));
    assert_eq!(*key.to_bytes(), stored);
    assert_eq!(
        CosignKey::from_bytes(&stored).unwrap().public(),
        key.public()
    );
    for place in 0..stored.len() {
        let mut bad = stored.clone();
        bad[place] ^= 1;
        let opened = CosignKey::from_bytes(&bad).map(|key| key.public().clone());
        // A name is not bound to the key; its file of public keys says whose it is.
        let renamed = |key: WitnessKey| {
            place >= 69 && key != *CosignKey::from_bytes(&stored).unwrap().public()
        };
        assert!(opened.is_err() || opened.is_ok_and(renamed), "byte {place}");
    }
}

/// Writes the folder anew: `cargo test -p witness -- --ignored write_the_golden_folder`, for a new version.
#[test]
#[ignore = "writes into the checkout"]
fn write_the_golden_folder() {
    let folder = tempdir().unwrap();
    let (_, host) = clock();
    let at = folder.path();
    std::fs::create_dir(at.join("logs")).unwrap();
    let key = CosignKey::from_seed("golden.example/witness", Zeroizing::new([6; 32])).unwrap();
    host::files::write_durable(&at.join("witness.key"), &key.to_bytes(), 0o600).unwrap();
    std::fs::write(
        at.join("witness.vkey"),
        format!("{}\n", key.public().to_text()),
    )
    .unwrap();
    let mut witness = Witness::open(at, host).unwrap();
    witness.add_log(keys().verifier().clone()).unwrap();
    let history = History::new(40, 40, 0);
    witness.cosign(&history.body(0, 7)).unwrap();
    witness.cosign(&history.body(7, 21)).unwrap();
    let forked = ledger::LogKeys::from_seeds("a.example/forked", &[5; 64]).unwrap();
    witness.add_log(forked.verifier().clone()).unwrap();
    for branch in 0..2 {
        let root = History::new(9, 3, branch).root(9);
        let head = ledger::Checkpoint {
            origin: "a.example/forked".to_owned(),
            size: 9,
            root,
            time: None,
        };
        let note = forked.sign(&head).unwrap();
        let old = if branch == 0 { 0 } else { 9 };
        let request = witness::Request::new(old, Vec::new(), note).unwrap();
        let done = witness.cosign(request.to_text().as_bytes());
        assert_eq!(done.is_ok(), branch == 0);
    }
    let _ = std::fs::remove_dir_all(golden());
    for (name, bytes) in files(at) {
        let path = golden().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

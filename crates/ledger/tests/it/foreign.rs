//! Foreign programs check a log: PyPI `aics-tlog` and `cryptography`, by `tests/interop/check_log.py`. They
//! live in a Python environment that `tests/interop/setup.sh` makes. Without it these tests say so and pass,
//! unless `CLARENCE_INTEROP=required` is set.

use crate::cost::typical;
use crate::support::{NOW, keys, leaves, log, read, write};
use ledger::{Leaf, Publisher};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::{TempDir, tempdir};

fn python() -> Option<PathBuf> {
    let place = std::env::var_os("CLARENCE_INTEROP_PYTHON")
        .map(PathBuf::from)
        .or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".cache/clarence/interop/bin/python"))
        });
    let found = place.filter(|python| python.exists());
    if found.is_none() {
        let required = std::env::var("CLARENCE_INTEROP").is_ok_and(|word| word == "required");
        assert!(!required, "run crates/ledger/tests/interop/setup.sh first");
        println!(
            "SKIPPED: run crates/ledger/tests/interop/setup.sh to let foreign programs check the log"
        );
    }
    found
}

fn check(python: &Path, folder: &Path, more: &[&str]) -> Value {
    let trusted = tempdir().unwrap();
    let trusted = trusted.path().join("trusted");
    write(&trusted, keys().verifier().to_text().as_bytes());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/check_log.py");
    let output = Command::new(python)
        .arg(script)
        .arg(folder)
        .arg(&trusted)
        .args(more)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn grown() -> (TempDir, TempDir) {
    let (folder, old) = (tempdir().unwrap(), tempdir().unwrap());
    let mut publisher = log(folder.path(), 700);
    write(
        &old.path().join("checkpoint"),
        &read(&folder.path().join("checkpoint")),
    );
    publisher.publish(700, &leaves(700..70_000)).unwrap();
    publisher.checkpoint(NOW).unwrap();
    (folder, old)
}

#[test]
fn aics_tlog_accepts_a_log() {
    let Some(python) = python() else { return };
    let (folder, old) = grown();
    let old = old.path().join("checkpoint");
    let answer = check(&python, folder.path(), &[old.to_str().unwrap()]);
    assert_eq!(answer["error"], Value::Null);
    assert_eq!(answer["size"], 70_000);
    // The example of the specification: 273 full and 1 partial tile at level 0, 1 and 1, and 1.
    assert_eq!(
        (&answer["tiles"], &answer["bundles"]),
        (&277.into(), &274.into())
    );
    assert_eq!(answer["proofs"], 7);
    for size in [1, 255, 256, 257] {
        let folder = tempdir().unwrap();
        log(folder.path(), size);
        assert_eq!(check(&python, folder.path(), &["-"])["size"], size);
    }
}

#[test]
fn aics_tlog_and_clarence_refuse_the_same() {
    let Some(python) = python() else { return };
    let folder = tempdir().unwrap();
    log(folder.path(), 600);
    for name in [
        "checkpoint",
        "tile/0/000",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ] {
        let path = folder.path().join(name);
        let good = read(&path);
        // The last byte of the checkpoint's text, signatures aside, and any byte of a tile.
        for place in [20, good.len() / 2, good.len() - 3] {
            let mut bad = good.clone();
            bad[place] ^= 1;
            write(&path, &bad);
            assert!(ledger::verify(folder.path(), &ledger::Trust::default()).is_err());
            assert_eq!(
                check(&python, folder.path(), &["-"])["ok"],
                false,
                "{name} byte {place}"
            );
        }
        write(&path, &good);
    }
    assert_eq!(check(&python, folder.path(), &["-"])["ok"], true);
}

#[test]
fn python_checks_a_disclosed_field() {
    let Some(python) = python() else { return };
    let folder = tempdir().unwrap();
    let mut publisher = Publisher::open(folder.path(), keys()).unwrap();
    let mut all = leaves(0..9);
    all.push(Leaf::new(&typical().commit(&[4; 32])));
    publisher.publish(0, &all).unwrap();
    publisher.checkpoint(NOW).unwrap();
    let disclosure = typical().disclose(&[4; 32], &[5, 7]).to_bytes();
    let disclosed = format!("9:{}", words::hex::encode(&disclosure));
    let answer = check(&python, folder.path(), &["-", &disclosed]);
    assert_eq!(answer["error"], Value::Null);
    assert_eq!(answer["shown"]["9"]["5"], "AKIAEXAMPLE123456789");
    assert_eq!(answer["shown"]["9"]["7"], "GetObject");
    let elsewhere = disclosed.replacen("9:", "8:", 1);
    assert_eq!(
        check(&python, folder.path(), &["-", &elsewhere])["ok"],
        false
    );
}

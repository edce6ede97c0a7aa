//! Foreign programs: PyPI `aics-witness` sends checkpoints to this witness and takes its answers, and is asked
//! as a witness itself; `aics-tlog` counts, `cryptography` checks a line over bytes put together by hand. They live in the
//! environment that `crates/ledger/tests/interop/setup.sh` makes. Without it this test says so and passes,
//! unless `CLARENCE_INTEROP=required` is set.

use crate::http::served;
use crate::support::{History, ORIGIN, verifier};
use host::Host;
use ledger::Quorum;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::tempdir;
use witness::client::{AskError, Place, ask};
use words::hex;

fn python() -> Option<PathBuf> {
    let place = std::env::var_os("CLARENCE_INTEROP_PYTHON")
        .map(PathBuf::from)
        .or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".cache/clarence/interop/bin/python"))
        });
    let has_witness = |python: &PathBuf| {
        let ran = Command::new(python)
            .args(["-c", "import aics_witness"])
            .output();
        ran.is_ok_and(|ran| ran.status.success())
    };
    let found = place.filter(has_witness);
    if found.is_none() {
        let required = std::env::var("CLARENCE_INTEROP").is_ok_and(|word| word == "required");
        assert!(!required, "run crates/ledger/tests/interop/setup.sh first");
        println!(
            "SKIPPED: run crates/ledger/tests/interop/setup.sh to let foreign programs ask the witness"
        );
    }
    found
}

#[test]
fn foreign_programs_ask_and_count() {
    let Some(python) = python() else { return };
    // The foreign client asks that answers are fresh: the real clock.
    let names = ["ctie.example/witness", "proximus.example/witness"];
    let served = names.map(|name| served(Host::real(), name));
    let history = History::new(300, 300, 0);
    let steps: Vec<Value> = [(0, 5), (5, 21), (21, 21), (21, 256), (256, 300)]
        .into_iter()
        .map(|(old, size)| {
            let proof = history.proof(old, size);
            json!({
                "old": old,
                "proof": proof.iter().map(|hash| hex::encode(hash)).collect::<Vec<_>>(),
                "note": history.note(size).to_text(),
            })
        })
        .collect();
    let witnesses: Vec<Value> = served
        .iter()
        .map(|one| json!({ "url": format!("http://{}", one.address), "vkey": one.vkey }))
        .collect();
    let fork = History::new(300, 9, 1).note(300).to_text();
    let task = json!({
        "log_vkey": verifier().to_text().lines().next(),
        "witnesses": witnesses,
        "steps": steps,
        "fork": fork,
    });
    let folder = tempdir().unwrap();
    let file = folder.path().join("task.json");
    std::fs::write(&file, task.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/ask_witness.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&file)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(answer["error"], Value::Null, "{told}");
    // Each step from both witnesses, and the one that the foreign client found out by itself from 0.
    assert_eq!(answer["cosigned"], 2 * steps.len());
    assert_eq!(answer["counted"], 2);
    assert_eq!(answer["fork_status"], json!([422, 422]));
    for one in &served {
        let evidence = one.folder.path().join("evidence");
        let name = host::files::list(&evidence).unwrap().remove(0);
        witness::verify_evidence(&evidence.join(name), &verifier()).unwrap();
    }
}

/// A foreign witness that knows the log by its Ed25519 key, its address, and its verifier key.
fn foreign_witness(python: &Path, folder: &Path) -> (Child, Place, String) {
    let config = folder.join("witness.json");
    let command = |verb: &str| {
        let mut command = Command::new(python);
        command
            .args(["-m", "aics_witness", verb, "--config"])
            .arg(&config);
        command
    };
    let made = command("init")
        .args(["--name", "foreign.example/w"])
        .output();
    let vkey = String::from_utf8(made.unwrap().stdout).unwrap();
    let key = verifier().to_text().lines().next().unwrap().to_owned();
    let log = ["--origin", ORIGIN, "--vkey", &key];
    let added = command("add-log").args(log).output().unwrap();
    assert!(added.status.success());
    // Our checkpoints say their time in an extension line.
    let mut settings: Value = serde_json::from_slice(&crate::support::read(&config)).unwrap();
    settings["logs"][0]["extension_lines"] = true.into();
    std::fs::write(&config, settings.to_string()).unwrap();
    let mut child = command("serve")
        .args(["--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let listening = told.find_map(|line| {
        let line = line.unwrap();
        let (_, rest) = line.split_once("listening on ")?;
        Some(rest.split(' ').next().unwrap().to_owned())
    });
    // What it says later must not fill the pipe.
    std::thread::spawn(move || told.for_each(drop));
    let place = listening.unwrap().parse().unwrap();
    (child, place, vkey.trim_end().to_owned())
}

#[test]
fn a_foreign_witness_cosigns_our_log() {
    let Some(python) = python() else { return };
    let folder = tempdir().unwrap();
    let (mut child, place, vkey) = foreign_witness(&python, folder.path());
    let quorum = Quorum::parse(&vkey, 1).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let history = History::new(300, 300, 0);
    for (guess, size) in [(0, 5), (0, 21), (21, 21), (7, 300)] {
        let mut note = history.note(size);
        let proof = |old, new| Ok(history.proof(old, new));
        let asked = runtime.block_on(ask(&place, None, &note, guess, proof));
        note.signatures.extend(asked.unwrap());
        let by = quorum.enough(&note).unwrap();
        assert_eq!(by[0].name, "foreign.example/w");
    }
    let other = History::new(300, 9, 1);
    let proof = |old, new| Ok(other.proof(old, new));
    let forked = runtime.block_on(ask(&place, None, &other.note(300), 300, proof));
    assert!(matches!(forked, Err(AskError::Refused { status, .. }) if status == 422));
    child.kill().unwrap();
    child.wait().unwrap();
}

//! Foreign programs: PyPI `aics-witness` sends checkpoints to this witness and takes its answers, `aics-tlog`
//! counts its cosignatures, `cryptography` checks one over bytes put together by hand. They live in the
//! environment that `crates/ledger/tests/interop/setup.sh` makes. Without it this test says so and passes,
//! unless `CLARENCE_INTEROP=required` is set.

use crate::http::served;
use crate::support::{History, verifier};
use host::Host;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::tempdir;
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

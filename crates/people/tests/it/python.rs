//! `docs/verify_person.py` says of every answer what [`people::verify`] says. It needs `cryptography`; without it these
//! tests say so and pass, unless `CLARENCE_INTEROP=required` is set.

use crate::scene::{ANNA, Scene, keys};
use people::Answer;
use std::path::{Path, PathBuf};
use std::process::Command;

fn python() -> Option<PathBuf> {
    let given = std::env::var_os("CLARENCE_INTEROP_PYTHON").map(PathBuf::from);
    let cached = std::env::var_os("HOME")
        .map(|home| Path::new(&home).join(".cache/clarence/interop/bin/python"));
    let has = |python: &PathBuf| {
        let import = "from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey";
        let tried = Command::new(python).args(["-c", import]).output();
        tried.is_ok_and(|done| done.status.success())
    };
    let found = [given, cached, Some("python3".into())]
        .into_iter()
        .flatten()
        .find(has);
    if found.is_none() {
        let required = std::env::var("CLARENCE_INTEROP").is_ok_and(|word| word == "required");
        assert!(!required, "run crates/ledger/tests/interop/setup.sh first");
        println!("SKIPPED: there is no python with cryptography's ML-DSA");
    }
    found
}

fn ask(python: &Path, answer: &Answer, subject: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let (file, trusted) = (
        folder.path().join("answer.json"),
        folder.path().join("ledger.keys"),
    );
    host::files::write_durable(&file, answer.to_text().as_bytes(), 0o644).unwrap();
    host::files::write_durable(&trusted, keys().verifier().to_text().as_bytes(), 0o644).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_person.py");
    let done = Command::new(python)
        .arg(script)
        .arg(&file)
        .args(["--subject", subject])
        .arg("--keys")
        .arg(&trusted)
        .output()
        .unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn python_accepts_an_answer_and_names_what_was_done_to_it() {
    let Some(python) = python() else { return };
    let answer = Scene::new().answer();
    let (held, said) = ask(&python, &answer, ANNA);
    assert!(held, "{said}");
    for part in [
        "5 accesses",
        "land-registry",
        "tax/assessment",
        "2025-11-24T16:00:00.126Z",
        "perhaps-you",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let refused = |change: &dyn Fn(&mut Answer), expected: &str| {
        let mut changed = answer.clone();
        change(&mut changed);
        let (held, said) = ask(&python, &changed, ANNA);
        assert!(!held && said.contains(expected), "{expected}: {said}");
        assert!(!said.contains("Traceback"), "{said}");
    };
    for (at, line) in answer.lines.iter().enumerate() {
        let name = &line.name;
        refused(
            &|a| drop(a.lines.remove(at)),
            &format!("the line {name} was removed"),
        );
        refused(
            &|a| a.lines.push(line.clone()),
            &format!("the line {name} was added"),
        );
        let altered = format!("the line {name} was altered");
        refused(
            &|a| a.lines[at].access.recipient = "nobody".into(),
            &altered,
        );
        refused(
            &|a| a.lines[at].proof = a.lines[(at + 1) % 5].proof.clone(),
            &altered,
        );
        refused(&|a| a.lines[at].access.rows = Some(77), &altered);
    }
    refused(
        &|a| a.statement = a.statement.replacen("whole      2", "whole      1", 1),
        "not signed by the log",
    );
    refused(
        &|a| a.checkpoint = a.checkpoint.replacen("310", "311", 1),
        "checkpoint",
    );
    refused(
        &|a| a.lines[0].proof.push(' '),
        "the line tenant/0 was altered",
    );
    let (held, said) = ask(&python, &answer, "1901010100011");
    assert!(!held && said.contains("not about this person"), "{said}");
}

/// Statements that a dishonest log signs over entries that do not say so: Rust refuses to sign them, so they are signed
/// by hand here.
#[test]
fn python_believes_the_entries_and_not_the_statement() {
    let Some(python) = python() else { return };
    let scene = Scene::new();
    let refused = |change: &dyn Fn(&mut people::Draft), expected: &str| {
        let mut draft = scene.draft();
        change(&mut draft);
        let mut answer = scene.answer();
        draft.said.log = (310, ledger::sha256(answer.checkpoint.as_bytes()));
        let of =
            |line: &people::LineProof| (line.name.clone(), ledger::sha256(line.text().as_bytes()));
        draft.said.lines = draft.lines.iter().map(of).collect();
        answer.statement = keys().sign_text(&draft.said.text()).unwrap().to_text();
        answer.lines.truncate(draft.lines.len());
        for (line, proof) in answer.lines.iter_mut().zip(&draft.lines) {
            (line.name, line.proof) = (proof.name.clone(), proof.text());
        }
        let (held, said) = ask(&python, &answer, ANNA);
        assert!(
            !held && said.contains(expected) && !said.contains("Traceback"),
            "{expected}: {said}"
        );
    };
    refused(&|d| drop(d.lines.remove(1)), "leaves out the line tenant/1");
    refused(&|d| d.said.asked = 8, "is not among its lines");
    let tenant0 = "the line tenant/0 was altered";
    refused(&|d| d.said.chains[0].label_key = [1; 32], tenant0);
    refused(&|d| d.lines[0].grant = d.lines[1].grant.clone(), tenant0);
    refused(&|d| d.lines[0].grant.index = 4, tenant0);
    refused(&|d| d.lines[0].grant.path[0] = [0; 32], tenant0);
    refused(
        &|d| d.lines[0].grant.shown = d.lines[1].grant.shown.clone(),
        tenant0,
    );
    refused(&|d| d.lines[0].close = d.lines[3].close.clone(), tenant0);
    refused(&|d| d.lines[0].close = None, tenant0);
    refused(&|d| d.lines[0].state = people::State::Whole, tenant0);
    refused(
        &|d| d.lines[3].state = people::State::You,
        "the line whole/0 was altered",
    );
}

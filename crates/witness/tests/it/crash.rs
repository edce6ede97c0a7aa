//! A witness that is killed between its record and its answer: the record stands, and no second history gets
//! a cosignature afterwards.

use crate::support::{History, NOW, ORIGIN, clock, good, witness};
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;
use witness::answer::Answer;
use witness::folder::{Refused, look};
use witness::{Witness, decide::No};

const FOLDER: &str = "WITNESS_CRASH_FOLDER";

#[test]
fn the_record_is_durable_before_the_cosignature_exists() {
    let folder = tempdir().unwrap();
    let (_, host) = clock();
    drop(witness(folder.path(), "w1.example", &host));
    // A process of its own records a checkpoint and dies before it signs.
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::a_process_that_dies", "--ignored"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(!ended.status.success());
    let (_, known) = look(folder.path()).unwrap();
    let history = History::new(30, 30, 0);
    assert_eq!(known[0].last, Some((21, history.root(21))));
    assert_eq!((known[0].seconds, known[0].cosignatures), (NOW, 1));
    after(folder.path(), &history);
}

/// What the log's side meets after the crash.
fn after(folder: &Path, history: &History) {
    let (_, host) = clock();
    let mut witness = Witness::open(folder, host).unwrap();
    let refused = witness.cosign(&history.body(0, 21)).unwrap_err();
    assert!(matches!(
        refused,
        Refused::No(No::Recorded { recorded: 21, .. })
    ));
    // The other history, from where the crash found it: refused.
    let other = History::new(30, 3, 1);
    assert!(witness.cosign(&other.body(0, 12)).is_err());
    // The same checkpoint is cosigned when it is asked for from the recorded size.
    let request = history.request(21, 21);
    let lines = witness.cosign(request.to_text().as_bytes()).unwrap();
    good(&witness, &request.note.text, &lines);
    let answer = Answer::to_request(witness.cosign(&other.body(21, 25)));
    assert_eq!(answer.status.as_u16(), 422);
}

/// Run by the test above in a process of its own.
#[test]
#[ignore = "dies by design; another test runs it"]
fn a_process_that_dies() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let (_, host) = clock();
    let mut witness = Witness::open(Path::new(&folder), host).unwrap();
    let body = History::new(30, 30, 0).body(0, 21);
    let _recorded = witness.record(&body).unwrap();
    std::process::abort();
}

#[test]
fn what_a_crash_leaves_beside_is_not_read() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut first = witness(folder.path(), "w1.example", &host);
    let history = History::new(30, 30, 0);
    first.cosign(&history.body(0, 9)).unwrap();
    drop(first);
    let hash = words::hex::encode(&ledger::sha256(ORIGIN.as_bytes()));
    let log = folder.path().join("logs").join(&hash);
    std::fs::write(log.join("latest.clr.new"), b"half a rec").unwrap();
    let half = folder
        .path()
        .join("logs")
        .join(format!("{}.new", "0".repeat(64)));
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("verifier-keys"), b"half").unwrap();
    let mut again = Witness::open(folder.path(), host).unwrap();
    again.cosign(&history.body(9, 30)).unwrap();
}

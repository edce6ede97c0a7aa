//! Help, usage errors and exit codes.

use crate::run::{Cloud, command, run};
use std::process::Stdio;

#[test]
fn help_goes_to_stdout_with_examples_and_exit_codes() {
    let home = tempfile::tempdir().unwrap();
    let ran = run(home.path(), &["--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    for word in [
        "Examples:",
        "Exit codes:",
        "up",
        "unseal",
        "ledger",
        "accept-loss",
        "doctor",
        "--json",
        "--data",
    ] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    let ran = run(home.path(), &["ledger", "verify", "--help"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("Examples:") && ran.stdout.contains("--earlier"));
}

#[test]
fn a_wrong_command_line_is_a_usage_error_for_people_and_scripts() {
    let home = tempfile::tempdir().unwrap();
    let ran = run(home.path(), &["stauts"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("status"),
        "{}",
        ran.stderr
    );
    let ran = run(
        home.path(),
        &["key", "add", "--tenant", "t", "--expires", "soon", "--json"],
    );
    assert_eq!(ran.code, 2);
    let envelope = ran.envelope();
    assert_eq!(envelope["type"], "usage");
    assert!(
        envelope["error"]["message"]
            .as_str()
            .unwrap()
            .contains("90s"),
        "{envelope}"
    );
}

#[test]
fn sealed_and_unsafe_exclude_each_other() {
    let home = tempfile::tempdir().unwrap();
    let ran = run(
        home.path(),
        &["up", "--sealed", "--unsafe-unseal-from-this-machine"],
    );
    assert_eq!(ran.code, 2);
}

#[test]
fn without_a_node_every_verb_that_needs_one_says_so() {
    let cloud = Cloud::new();
    for verb in [
        &["status"][..],
        &["seal"],
        &["stop"],
        &["scrub"],
        &["heal", "--site", "b"],
        &["tenant", "add", "t"],
        &["tenant", "list"],
        &["key", "add", "--tenant", "t"],
        &["key", "suspend", "CLAAAAAAAAAAAAAAAAAA"],
        &["ledger", "tail"],
        &["ledger", "publish"],
    ] {
        let ran = cloud.json(verb);
        let envelope = ran.envelope();
        assert_eq!(ran.code, 3, "{verb:?} {envelope}");
        assert_eq!(envelope["error"]["type"], "not-running", "{verb:?}");
        assert_eq!(envelope["error"]["retryable"], true, "{verb:?}");
    }
}

#[test]
fn version_and_completions_are_data() {
    let home = tempfile::tempdir().unwrap();
    let ran = run(home.path(), &["version", "--json"]);
    assert_eq!(ran.data()["version"], env!("CARGO_PKG_VERSION"));
    for shell in ["bash", "zsh", "fish", "elvish"] {
        let ran = run(home.path(), &["completions", shell]);
        assert!(
            ran.code == 0 && ran.stdout.contains("accept-loss"),
            "{shell}"
        );
        run(home.path(), &["completions", shell, "--json"]).data();
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut child = command(home.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn no_output_is_coloured_where_nobody_looks() {
    let cloud = Cloud::new();
    let ran = cloud.plain(&["status"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stdout.is_empty() && !ran.stderr.contains('\u{1b}'),
        "{:?}",
        ran.stderr
    );
}

#[test]
fn shares_that_cannot_be_read_are_named() {
    let cloud = Cloud::new();
    let missing = cloud.json(&["unseal", "--share", "/nowhere/share.clarence"]);
    assert_eq!(missing.code, 5, "{}", missing.stdout);
    assert!(
        missing.envelope()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("/nowhere/share.clarence")
    );
    let file = cloud.home.path().join("not-a-share");
    std::fs::write(&file, "hello").unwrap();
    let damaged = cloud.json(&["unseal", "--share", file.to_str().unwrap()]);
    assert_eq!(damaged.code, 2, "{}", damaged.stdout);
    assert!(
        damaged.envelope()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("not-a-share")
    );
}

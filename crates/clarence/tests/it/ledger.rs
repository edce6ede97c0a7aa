//! `ledger verify` on logs made here, without any node.

use crate::run::{Cloud, run};
use host::Host;
use ledger::{Entry, Fields, Kind, LogKeys, Publisher};
use std::path::Path;
use std::sync::Arc;

const ENTRIES: u64 = 300;

fn leaves(first: u64, last: u64) -> Vec<ledger::Leaf> {
    (first..last)
        .map(|index| {
            let fields = Fields::new(Kind::Grant, words::UnixMillis(index));
            *Entry::prepare(fields.commit(&[7; 32]), Vec::new()).leaf()
        })
        .collect()
}

pub fn publish(folder: &Path, keys: &Arc<LogKeys>, entries: u64) {
    std::fs::create_dir_all(folder).unwrap();
    let mut publisher = Publisher::open(folder, Arc::clone(keys)).unwrap();
    publisher
        .publish(
            publisher.next_index(),
            &leaves(publisher.next_index(), entries),
        )
        .unwrap();
    publisher
        .checkpoint(words::UnixMillis(1_700_000_000_000))
        .unwrap();
}

pub fn two_logs(cloud: &Cloud) -> Arc<LogKeys> {
    let keys = Arc::new(LogKeys::generate("test.example/log", &Host::real()).unwrap());
    for site in ["site-a", "site-b"] {
        publish(&cloud.data().join(site).join("ledger"), &keys, ENTRIES);
    }
    std::fs::write(cloud.data().join("ledger.keys"), keys.verifier().to_text()).unwrap();
    keys
}

#[test]
fn whole_logs_are_whole_and_the_same() {
    let cloud = Cloud::new();
    let keys = two_logs(&cloud);
    let data = cloud.json(&["ledger", "verify"]).data();
    assert_eq!(data["logs"][0]["entries"], ENTRIES);
    assert_eq!(data["logs"][1]["keys_trusted"], true);
    assert_eq!(data["logs"][0]["root"], data["logs"][1]["root"]);
    assert_eq!(data["relation"], "both sites hold the same log");
    publish(&cloud.data().join("site-b/ledger"), &keys, ENTRIES + 20);
    let data = cloud.json(&["ledger", "verify"]).data();
    assert!(
        data["relation"]
            .as_str()
            .unwrap()
            .contains("20 entries more"),
        "{data}"
    );
}

#[test]
fn folders_can_be_given_and_keys_come_from_elsewhere() {
    let cloud = Cloud::new();
    two_logs(&cloud);
    let site = cloud.data().join("site-a");
    let keys = cloud.data().join("ledger.keys");
    let (site, keys) = (site.to_str().unwrap(), keys.to_str().unwrap());
    let alone = run(
        cloud.home.path(),
        &["ledger", "verify", "--site", site, "--json"],
    );
    assert_eq!(alone.data()["logs"][0]["keys_trusted"], false);
    assert!(alone.stderr.contains("not whose it is"), "{}", alone.stderr);
    let log = format!("{site}/ledger");
    let trusted = run(
        cloud.home.path(),
        &["ledger", "verify", "--site", &log, "--keys", keys, "--json"],
    );
    assert_eq!(trusted.data()["logs"][0]["keys_trusted"], true);
    let other = LogKeys::generate("test.example/log", &Host::real()).unwrap();
    std::fs::write(
        cloud.home.path().join("other.keys"),
        other.verifier().to_text(),
    )
    .unwrap();
    let refused = run(
        cloud.home.path(),
        &[
            "ledger",
            "verify",
            "--site",
            &log,
            "--keys",
            "other.keys",
            "--json",
        ],
    );
    assert_eq!(refused.code, 1);
    refused.envelope();
}

#[test]
fn the_first_bad_entry_is_named() {
    let cloud = Cloud::new();
    two_logs(&cloud);
    // Bundle 0 holds entries 0 to 255; each is a 2-byte length and 33 bytes.
    let bundle = cloud.data().join("site-b/ledger/tile/entries/000");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[35 * 41 + 10] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let ran = cloud.json(&["ledger", "verify"]);
    assert_eq!(ran.code, 1);
    let envelope = ran.envelope();
    assert_eq!(envelope["error"]["type"], "ledger-bad");
    let logs = &envelope["error"]["details"]["logs"];
    assert_eq!(logs[0]["whole"], true);
    assert_eq!(logs[1]["first_bad_entry"], 41, "{envelope:#}");
    let plain = cloud.plain(&["ledger", "verify"]);
    assert!(
        plain.stdout.contains("NOT WHOLE") && plain.stderr.contains("entry 41"),
        "{} {}",
        plain.stdout,
        plain.stderr
    );
}

#[test]
fn an_earlier_checkpoint_has_to_be_contained() {
    let cloud = Cloud::new();
    let keys = two_logs(&cloud);
    let log = cloud.data().join("site-a/ledger");
    std::fs::copy(log.join("checkpoint"), cloud.home.path().join("earlier")).unwrap();
    publish(&log, &keys, ENTRIES + 50);
    let continued = cloud.json(&[
        "ledger",
        "verify",
        "--site",
        log.to_str().unwrap(),
        "--earlier",
        "earlier",
    ]);
    continued.data();
    std::fs::copy(log.join("checkpoint"), cloud.home.path().join("later")).unwrap();
    let other = cloud.data().join("site-b");
    let rolled_back = cloud.json(&[
        "ledger",
        "verify",
        "--site",
        other.to_str().unwrap(),
        "--earlier",
        "later",
    ]);
    assert_eq!(rolled_back.code, 1);
    assert!(
        rolled_back.envelope()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("rolled back")
    );
}

#[test]
fn one_site_that_is_away_leaves_the_other_to_be_checked() {
    let cloud = Cloud::new();
    two_logs(&cloud);
    std::fs::remove_dir_all(cloud.data().join("site-a")).unwrap();
    let ran = cloud.json(&["ledger", "verify"]);
    assert_eq!(ran.data()["logs"].as_array().unwrap().len(), 1);
    assert!(ran.stderr.contains("site-a"));
    std::fs::remove_dir_all(cloud.data().join("site-b")).unwrap();
    assert_eq!(cloud.json(&["ledger", "verify"]).code, 5);
}

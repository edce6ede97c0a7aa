//! Witnesses on the command line: three of them, over HTTP and by files, and a log that forks. No node runs.

use crate::ledger::{publish, two_logs};
use crate::run::{Cloud, Ran, command, run};
use host::Host;
use ledger::LogKeys;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;

const NAMES: [&str; 3] = ["ctie.example", "luxconnect.example", "proximus.example"];

fn witness(cloud: &Cloud, arguments: &[&str]) -> Ran {
    run(cloud.home.path(), &[arguments, &["--json"]].concat())
}

/// Three witnesses that know the log; their folders are called as they are, their keys are in `vkeys`.
fn three(cloud: &Cloud) -> Arc<LogKeys> {
    let keys = two_logs(cloud);
    let mut vkeys = "# the three parents\n".to_owned();
    for name in NAMES {
        let made = witness(cloud, &["witness", "init", "--dir", name, "--name", name]).data();
        vkeys.push_str(&format!("{}\n", made["vkey"].as_str().unwrap()));
        let added = witness(
            cloud,
            &[
                "witness",
                "add-log",
                "--dir",
                name,
                "--keys",
                "d/ledger.keys",
            ],
        );
        assert_eq!(added.data()["added"], true);
    }
    std::fs::write(cloud.home.path().join("vkeys"), vkeys).unwrap();
    keys
}

fn sign(cloud: &Cloud, name: &str, request: &str, out: &str) -> Ran {
    witness(
        cloud,
        &[
            "witness",
            "sign",
            "--dir",
            name,
            "--request",
            request,
            "--out",
            out,
        ],
    )
}

fn verify(cloud: &Cloud, threshold: &str) -> Ran {
    cloud.json(&[
        "ledger",
        "verify",
        "--witnesses",
        "vkeys",
        "--threshold",
        threshold,
    ])
}

#[test]
fn requests_and_answers_are_carried_as_files() {
    let cloud = Cloud::new();
    let keys = three(&cloud);
    let before = verify(&cloud, "2");
    assert_eq!(before.code, 1);
    assert_eq!(before.envelope()["error"]["type"], "unwitnessed");
    let asked = cloud.json(&["ledger", "ask", "--out", "ask"]).data();
    assert_eq!(
        (&asked["entries"], &asked["since"]),
        (&300.into(), &0.into())
    );
    assert_eq!(sign(&cloud, NAMES[0], "ask", "one").data()["entries"], 300);
    let cosign = |takes: &[&str], request: &str| {
        let mut all = vec![
            "ledger",
            "cosign",
            "--witnesses",
            "vkeys",
            "--request",
            request,
        ];
        all.extend(takes.iter().flat_map(|take| ["--take", take]));
        cloud.json(&all)
    };
    let few = cosign(&["one", "one"], "ask");
    assert_eq!(few.envelope()["error"]["type"], "unwitnessed");
    assert!(sign(&cloud, NAMES[1], "ask", "one").code == 6);
    sign(&cloud, NAMES[1], "ask", "two").data();
    let kept = cosign(&["one", "two"], "ask").data();
    assert_eq!(kept["cosigned_by"][1]["witness"], NAMES[1]);
    assert_eq!(kept["files"].as_array().unwrap().len(), 2);
    // The log grows; what was witnessed stays, and is continued.
    for site in ["site-a", "site-b"] {
        publish(&cloud.data().join(site).join("ledger"), &keys, 321);
    }
    let data = verify(&cloud, "2").data();
    for log in data["logs"].as_array().unwrap() {
        let witnessed = &log["witnessed"];
        assert_eq!(
            (&witnessed["entries"], &witnessed["entries_since"]),
            (&300.into(), &21.into())
        );
    }
    assert_eq!(verify(&cloud, "3").code, 1);
    // The third one is at 0, the first two at 300: two requests for one checkpoint.
    cloud.json(&["ledger", "ask", "--out", "ask-0"]).data();
    let late = sign(&cloud, NAMES[0], "ask-0", "late");
    assert_eq!(late.code, 6);
    assert!(late.stdout.contains("--since 300"), "{}", late.stdout);
    cloud
        .json(&["ledger", "ask", "--since", "300", "--out", "ask-300"])
        .data();
    sign(&cloud, NAMES[2], "ask-0", "three").data();
    sign(&cloud, NAMES[0], "ask-300", "four").data();
    assert_eq!(cosign(&["three", "four"], "ask-0").data()["entries"], 321);
    let mut trailing = std::fs::read(cloud.home.path().join("ask-300")).unwrap();
    trailing.push(b'\n');
    std::fs::write(cloud.home.path().join("trailing"), trailing).unwrap();
    assert_eq!(sign(&cloud, NAMES[1], "trailing", "five").code, 2);
    let log = witness(&cloud, &["witness", "log", "--dir", NAMES[0]]).data();
    assert_eq!(log["logs"][0]["entries"], 321);
}

/// A witness that serves, and where.
fn serve(cloud: &Cloud, name: &str) -> (Child, String) {
    let mut child = command(cloud.home.path())
        .args([
            "witness",
            "serve",
            "--dir",
            name,
            "--listen",
            "127.0.0.1:0",
            "--json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    crate::schema::assert_envelope(&said);
    (child, said["data"]["endpoint"].as_str().unwrap().to_owned())
}

#[test]
fn witnesses_are_asked_over_http_and_one_may_be_away() {
    let cloud = Cloud::new();
    let keys = three(&cloud);
    let mut served: Vec<_> = NAMES[..2].iter().map(|name| serve(&cloud, name)).collect();
    let cosign = |threshold: &str| {
        let from = |place: usize| served[place].1.as_str();
        cloud.json(&[
            "ledger",
            "cosign",
            "--witnesses",
            "vkeys",
            "--threshold",
            threshold,
            "--from",
            from(0),
            "--from",
            from(1),
            "--from",
            "http://127.0.0.1:9",
        ])
    };
    for entries in [300, 300, 640] {
        for site in ["site-a", "site-b"] {
            publish(&cloud.data().join(site).join("ledger"), &keys, entries);
        }
        let kept = cosign("2").data();
        assert_eq!(kept["entries"], entries);
        assert_eq!(kept["problems"].as_array().unwrap().len(), 1);
        verify(&cloud, "2").data();
    }
    assert_eq!(cosign("3").envelope()["error"]["type"], "unwitnessed");
    let busy = witness(
        &cloud,
        &[
            "witness",
            "add-log",
            "--dir",
            NAMES[0],
            "--keys",
            "d/ledger.keys",
        ],
    );
    assert_eq!(busy.code, 6);
    let outside = witness(
        &cloud,
        &[
            "witness",
            "serve",
            "--dir",
            NAMES[2],
            "--listen",
            "0.0.0.0:0",
        ],
    );
    assert_eq!(outside.code, 2);
    for (child, _) in &mut served {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_log_that_forks_is_cosigned_by_nobody_and_leaves_evidence() {
    let cloud = Cloud::new();
    let keys = three(&cloud);
    cloud.json(&["ledger", "ask", "--out", "ask"]).data();
    for (name, out) in NAMES.iter().zip(["one", "two", "three"]) {
        sign(&cloud, name, "ask", out).data();
    }
    // Whoever has the log's keys writes another history of the same length.
    let fork = cloud.home.path().join("fork");
    let other = LogKeys::from_bytes(&keys.to_bytes()).unwrap();
    fork_log(&fork, &Arc::new(other));
    run(
        cloud.home.path(),
        &[
            "ledger", "ask", "--site", "fork", "--since", "300", "--out", "ask-fork", "--json",
        ],
    )
    .data();
    for name in NAMES {
        let refused = sign(&cloud, name, "ask-fork", "never");
        assert_eq!(refused.envelope()["error"]["type"], "ledger-bad");
        let log = witness(&cloud, &["witness", "log", "--dir", name]).data();
        let evidence = log["logs"][0]["evidence"].as_str().unwrap();
        let proven = witness(
            &cloud,
            &[
                "witness",
                "verify-evidence",
                evidence,
                "--keys",
                "d/ledger.keys",
            ],
        )
        .data();
        assert_ne!(proven["first"]["root"], proven["second"]["root"]);
        let proof = cloud.home.path().join(evidence).join("second");
        let mut bad = std::fs::read(&proof).unwrap();
        bad[60] ^= 1;
        std::fs::write(proof, bad).unwrap();
        let bad = witness(
            &cloud,
            &[
                "witness",
                "verify-evidence",
                evidence,
                "--keys",
                "d/ledger.keys",
            ],
        );
        assert_eq!(bad.envelope()["error"]["type"], "evidence-bad");
    }
    // The forked log beside what was witnessed of the first one.
    let all = ["--request", "ask", "--take", "one", "--take", "two"];
    cloud
        .json(&[&["ledger", "cosign", "--witnesses", "vkeys"], &all[..]].concat())
        .data();
    let seen = cloud.data().join("site-a/ledger/checkpoint.witnessed");
    std::fs::copy(seen, fork.join("checkpoint.witnessed")).unwrap();
    let ran = run(
        cloud.home.path(),
        &[
            "ledger",
            "verify",
            "--site",
            "fork",
            "--witnesses",
            "vkeys",
            "--json",
        ],
    );
    assert_eq!(ran.envelope()["error"]["type"], "ledger-bad");
}

fn fork_log(folder: &Path, keys: &Arc<LogKeys>) {
    std::fs::create_dir_all(folder).unwrap();
    let host = Host::real();
    let mut publisher = ledger::Publisher::open(folder, Arc::clone(keys)).unwrap();
    let leaves: Vec<ledger::Leaf> = (0..300)
        .map(|index| {
            let fields = ledger::Fields::new(ledger::Kind::Deny, words::UnixMillis(index));
            ledger::Leaf::new(&fields.commit(&[8; 32]))
        })
        .collect();
    publisher.publish(0, &leaves).unwrap();
    publisher.checkpoint(host.now()).unwrap();
}

//! Erasure end to end, over the command line and S3 only: what an old copy of the site folders still gives,
//! before and after the parties have destroyed their old shares. E6 of the list of attacks: shred a group's
//! key, bring every backup back, and read.

use crate::run::{Cloud, run};
use crate::s3::S3;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const PARTIES: [&str; 3] = ["ctie", "luxconnect", "proximus"];
const SERVE: [&str; 3] = ["serve", "--s3", "127.0.0.1:0"];

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_tree(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn path(cloud: &Cloud, party: &str, file: &str) -> String {
    let path = cloud.data().join("parents").join(party).join(file);
    path.to_str().unwrap().to_owned()
}

/// Gives shares to the running node; gives the exit code.
pub fn unseal(cloud: &Cloud, shares: &[String]) -> i32 {
    let mut asked = vec!["unseal"];
    for share in shares {
        asked.extend(["--share", share]);
    }
    cloud.json(&asked).code
}

fn is_sealed(cloud: &Cloud) -> bool {
    cloud.json(&["status"]).data()["sealed"] == Value::Bool(true)
}

/// A client of the node that runs now, with the credential of an earlier one.
pub fn client(cloud: &Cloud, credential: &Value) -> S3 {
    let mut connect = credential.clone();
    connect["endpoint"] = cloud.json(&["status"]).data()["endpoint"].clone();
    S3::of(&connect)
}

/// A cloud of its own over a copy of older folders, with its parties' folders as they are now.
pub fn restored(backup: &Path, live: &Cloud) -> Cloud {
    let cloud = Cloud::new();
    copy_tree(backup, &cloud.data());
    let _ = fs::remove_file(cloud.data().join("control.sock"));
    // Epoch witnesses lie in the parties' folders: those of the backup, so that it starts.
    for party in PARTIES {
        for entry in fs::read_dir(live.data().join("parents").join(party)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("share-") {
                let to = cloud.data().join("parents").join(party).join(name);
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    cloud
}

pub struct Scene {
    pub cloud: Cloud,
    pub credential: Value,
    pub backup: tempfile::TempDir,
}

/// A cloud with data about Anna, Ben and nobody, and a copy of its folders from that time.
pub fn scene() -> Scene {
    let mut cloud = Cloud::new();
    cloud.json(&["found"]).data();
    cloud.start(&SERVE);
    let quorum = [
        path(&cloud, "ctie", "share.clarence"),
        path(&cloud, "proximus", "share.clarence"),
    ];
    assert_eq!(unseal(&cloud, &quorum), 0);
    let credential = cloud.json(&["tenant", "add", "tax-office"]).data();
    let s3 = client(&cloud, &credential);
    assert_eq!(s3.ask("PUT", "/files", "", &[], &[]).status, 200);
    s3.put("/files/anna", Some("anna-1893"), b"about anna");
    s3.put("/files/anna-large", Some("anna-1893"), &vec![7; 200_000]);
    s3.put("/files/ben", Some("ben-1901"), b"about ben");
    s3.put("/files/nobody", None, b"about nobody");
    assert_eq!(cloud.signal("TERM"), 0, "{}", cloud.log());
    let backup = tempfile::Builder::new()
        .prefix("cb")
        .tempdir_in("/tmp")
        .unwrap();
    copy_tree(&cloud.data(), backup.path());
    for party in PARTIES {
        // The parties have their shares; a backup of a cloud has none.
        fs::remove_file(
            backup
                .path()
                .join("parents")
                .join(party)
                .join("share.clarence"),
        )
        .unwrap();
    }
    cloud.start(&SERVE);
    assert_eq!(unseal(&cloud, &quorum), 0);
    Scene {
        cloud,
        credential,
        backup,
    }
}

fn erase(cloud: &Cloud, subject: &str) -> Value {
    let reason = "request 7";
    let asked = [
        "subject",
        "erase",
        "--tenant",
        "tax-office",
        "--subject",
        subject,
        "--reason",
        reason,
    ];
    cloud.json(&asked).data()
}

fn destroy(cloud: &Cloud, party: &str, old: &str, newer: &str) -> PathBuf {
    let out = cloud.home.path().join(format!("{party}-{old}.destroyed"));
    let (old, newer) = (path(cloud, party, old), path(cloud, party, newer));
    let out_text = out.to_str().unwrap();
    let asked = [
        "share", "destroy", &old, "--newer", &newer, "--out", out_text,
    ];
    cloud.json(&asked).data();
    assert!(!Path::new(&old).exists());
    out
}

#[test]
fn e6_a_restored_backup_gives_nothing_of_an_erased_subject() {
    let Scene {
        mut cloud,
        credential,
        backup,
    } = scene();
    let erased = erase(&cloud, "anna-1893");
    assert_eq!(
        (&erased["objects"], &erased["root"]),
        (&2.into(), &2.into()),
        "{erased}"
    );
    assert_eq!(erased["state"], "waiting for shares to be destroyed");
    let s3 = client(&cloud, &credential);
    for gone in ["/files/anna", "/files/anna-large"] {
        let reply = s3.get(gone);
        assert_eq!(reply.status, 404);
        assert!(reply.text().contains("NoSuchKey"), "{}", reply.text());
    }
    assert_eq!(s3.get("/files/ben").body, b"about ben");
    assert_eq!(s3.get("/files/nobody").body, b"about nobody");
    let listed = s3.ask("GET", "/files", "list-type=2", &[], &[]).text();
    assert!(
        listed.contains("<Key>ben</Key>") && !listed.contains("anna"),
        "{listed}"
    );

    // The positive control: while the old shares exist, an old copy opens and gives everything.
    let old = |cloud: &Cloud, party: &str| path(cloud, party, "share.clarence");
    let mut control = restored(backup.path(), &cloud);
    control.start(&SERVE);
    let shares = [old(&cloud, "ctie"), old(&cloud, "luxconnect")];
    assert_eq!(unseal(&control, &shares), 0);
    let from_backup = client(&control, &credential);
    assert_eq!(from_backup.get("/files/anna").body, b"about anna");
    drop(control);

    // The live cloud refuses old shares by name, and opens with new ones.
    cloud.json(&["seal"]).data();
    let refused = cloud.json(&["unseal", "--share", &old(&cloud, "ctie")]);
    assert_eq!(refused.code, 4);
    assert!(
        refused.stdout.contains("ctie") && refused.stdout.contains("of root 1"),
        "{}",
        refused.stdout
    );
    let new = |party: &str| path(&cloud, party, "share-2-1.clarence");
    assert_eq!(unseal(&cloud, &[new("ctie"), new("luxconnect")]), 0);
    assert_eq!(
        client(&cloud, &credential).get("/files/ben").body,
        b"about ben"
    );

    receipts(&cloud, &erased);

    // One old share is left of three, two are needed; all new shares are at hand, and the live cloud too.
    let mut late = restored(backup.path(), &cloud);
    late.start(&SERVE);
    let mut given = vec![old(&cloud, "proximus")];
    given.extend(PARTIES.map(new));
    assert_ne!(unseal(&late, &given), 0);
    assert!(
        is_sealed(&late),
        "an old copy opened with fewer old shares than it takes"
    );
    drop(late);
    // Nor do today's headers help: they open the sites' keys, and the old groups lie under a key that is gone.
    let mut mixed = restored(backup.path(), &cloud);
    for site in ["site-a", "site-b"] {
        for file in ["site.clr", "custody.json"] {
            let from = cloud.data().join(site).join(file);
            fs::copy(from, mixed.data().join(site).join(file)).unwrap();
        }
    }
    mixed.start(&SERVE);
    assert_eq!(
        unseal(&mixed, &[new("ctie"), new("luxconnect")]),
        0,
        "{}",
        mixed.log()
    );
    let from_mixed = client(&mixed, &credential);
    assert_eq!(from_mixed.get("/files/anna").status, 404);
    assert_eq!(from_mixed.get("/files/nobody").body, b"about nobody");
    assert_eq!(cloud.signal("TERM"), 0, "{}", cloud.log());
}

/// The receipt before, between and after the parties have destroyed their old shares.
fn receipts(cloud: &Cloud, erased: &Value) {
    let id = erased["erasure"].as_str().unwrap();
    let keys = cloud.data().join("ledger.keys");
    let keys = keys.to_str().unwrap();
    let write = |name: &str| {
        let file = cloud.home.path().join(name);
        let file = file.to_str().unwrap().to_owned();
        cloud
            .json(&["subject", "receipt", id, "--out", &file])
            .data();
        file
    };
    let verify = |file: &str, more: &[&str]| {
        let asked = [&["subject", "verify", file, "--keys", keys, "--json"], more].concat();
        run(cloud.home.path(), &asked)
    };
    let first = write("first.receipt");
    let ran = verify(&first, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("not-complete"), "{}", ran.stdout);

    // Today's share must not be destroyed by mistake, and a statement about it is not taken.
    let swapped = [
        "share",
        "destroy",
        &path(cloud, "ctie", "share-2-1.clarence"),
        "--newer",
        &path(cloud, "luxconnect", "share-2-1.clarence"),
        "--out",
        "x.destroyed",
    ];
    assert_eq!(cloud.json(&swapped).code, 6);
    for (party, left) in [("ctie", 2), ("luxconnect", 1)] {
        let statement = destroy(cloud, party, "share.clarence", "share-2-1.clarence");
        let statement = statement.to_str().unwrap();
        for _ in 0..2 {
            let taken = cloud.json(&["share", "attest", statement]).data();
            assert_eq!(taken["shares_left"], left, "twice is once");
        }
    }
    let listed = cloud.json(&["subject", "list"]).data();
    assert_eq!(listed["erasures"][0]["state"], "complete", "{listed}");
    let last = write("last.receipt");
    let charter = path(cloud, "ctie", "charter.toml");
    let data = verify(&last, &["--charter", &charter]).data();
    assert_eq!(data["complete"], true);
    assert_eq!(
        (&data["objects"], &data["moved_to"]),
        (&2.into(), &2.into())
    );
    let opening = erased["opening"].as_str().unwrap();
    assert_eq!(
        verify(&last, &["--subject", "anna-1893", "--opening", opening]).code,
        0
    );
    assert_eq!(
        verify(&last, &["--subject", "ben-1901", "--opening", opening]).code,
        1
    );
    // No line of it can be changed, and no other log's keys check it.
    let text = fs::read_to_string(&last).unwrap();
    let forged = cloud.home.path().join("forged.receipt");
    for (from, to) in [
        ("objects    2", "objects    3"),
        ("roots      1 1", "roots      2 2"),
        ("moved      2", "moved      3"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&forged, text.replacen(from, to, 1)).unwrap();
        let ran = verify(forged.to_str().unwrap(), &[]);
        assert_eq!(ran.code, 1);
        assert!(ran.stdout.contains("receipt-bad"), "{}", ran.stdout);
    }
    assert!(!text.contains("anna-1893"));
}

#[test]
fn new_shares_and_new_roots_take_over_and_the_old_are_refused_by_name() {
    let Scene {
        mut cloud,
        credential,
        backup: _backup,
    } = scene();
    let old = [
        path(&cloud, "ctie", "share.clarence"),
        path(&cloud, "proximus", "share.clarence"),
    ];
    let too_few = cloud.json(&["root", "reshare", "--share", &old[0]]);
    assert_eq!(too_few.code, 4, "{}", too_few.stdout);
    let dealt = cloud
        .json(&["root", "reshare", "--share", &old[0], "--share", &old[1]])
        .data();
    assert_eq!((&dealt["root"], &dealt["epoch"]), (&1.into(), &2.into()));
    cloud.json(&["seal"]).data();
    let refused = cloud.json(&["unseal", "--share", &old[0]]);
    assert!(
        refused.code == 4 && refused.stdout.contains("epoch 1"),
        "{}",
        refused.stdout
    );
    let of = |cloud: &Cloud, file: &str| PARTIES.map(|party| path(cloud, party, file));
    let second = of(&cloud, "share-1-2.clarence");
    assert_eq!(unseal(&cloud, &second[1..]), 0);
    let moved = cloud
        .json(&["root", "rekey", "--reason", "two years are over"])
        .data();
    assert_eq!((&moved["root"], &moved["groups"]), (&2.into(), &2.into()));
    cloud.kill();
    cloud.start(&SERVE);
    assert_eq!(
        unseal(&cloud, &of(&cloud, "share-2-1.clarence")[..2]),
        0,
        "{}",
        cloud.log()
    );
    let s3 = client(&cloud, &credential);
    assert_eq!(s3.get("/files/anna").body, b"about anna");
    assert_eq!(s3.get("/files/nobody").body, b"about nobody");
    let status = cloud.json(&["root", "status"]).data();
    let dealings: Vec<(u64, u64)> = status["dealings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["root"].as_u64().unwrap(), d["epoch"].as_u64().unwrap()))
        .collect();
    assert_eq!(dealings, [(1, 1), (1, 2), (2, 1)]);
    // An erasure now has to wait for both dealings of the first root, and for the second root.
    let erased = erase(&cloud, "anna-1893");
    assert_eq!(
        erased["waiting_for"].as_array().unwrap().len(),
        3,
        "{erased}"
    );
    let statement = destroy(&cloud, "ctie", "share.clarence", "share-1-2.clarence");
    let taken = cloud
        .json(&["share", "attest", statement.to_str().unwrap()])
        .data();
    assert_eq!(
        (&taken["root"], &taken["root_is_closed"]),
        (&1.into(), &false.into())
    );
    assert!(cloud.plain(&["root", "status"]).stdout.contains("DEALING"));
    assert_eq!(cloud.signal("TERM"), 0, "{}", cloud.log());
}

//! Backup and restore over the command line and S3: which shares bring which backup back, what an erasure means for
//! older ones, and a restore that is killed again and again.

use crate::run::{Cloud, command, run};
use crate::s3::S3;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

const SERVE: [&str; 3] = ["serve", "--s3", "127.0.0.1:0"];

struct Scene {
    cloud: Cloud,
    credential: Value,
    places: tempfile::TempDir,
}

impl Scene {
    /// A cloud that serves, with something about Anna and something about nobody.
    fn new() -> Self {
        let mut cloud = Cloud::new();
        cloud.json(&["found"]).data();
        cloud.start(&SERVE);
        let places = tempfile::Builder::new()
            .prefix("cp")
            .tempdir_in("/tmp")
            .unwrap();
        let mut scene = Self {
            cloud,
            credential: Value::Null,
            places,
        };
        assert_eq!(scene.unseal(&scene.shares("share.clarence")), 0);
        scene.credential = scene.cloud.json(&["tenant", "add", "tax-office"]).data();
        let s3 = scene.client(&scene.cloud);
        assert_eq!(s3.ask("PUT", "/files", "", &[], &[]).status, 200);
        s3.put("/files/anna", Some("anna-1893"), b"about anna");
        s3.put("/files/nobody", None, b"about nobody");
        for number in 0..6u8 {
            s3.put(
                &format!("/files/large-{number}"),
                None,
                &vec![number; 3_000_000],
            );
        }
        scene
    }

    fn shares(&self, name: &str) -> Vec<String> {
        let parents = self.cloud.data().join("parents");
        let paths = ["ctie", "proximus"].map(|party| parents.join(party).join(name));
        let words = paths
            .iter()
            .flat_map(|path| ["--share", path.to_str().unwrap()]);
        words.map(ToOwned::to_owned).collect()
    }

    fn unseal(&self, shares: &[String]) -> i32 {
        let mut asked = vec!["unseal"];
        asked.extend(shares.iter().map(String::as_str));
        self.cloud.json(&asked).code
    }

    /// A client of the node that runs in a place, with the credential of the cloud.
    fn client(&self, cloud: &Cloud) -> S3 {
        let mut connect = self.credential.clone();
        connect["endpoint"] = cloud.json(&["status"]).data()["endpoint"].clone();
        S3::of(&connect)
    }

    fn backup(&self, name: &str) -> String {
        let folder = self.places.path().join(name);
        let folder = folder.to_str().unwrap().to_owned();
        self.cloud.json(&["backup", "--to", &folder]).data();
        folder
    }

    /// An empty place that knows the parties' folders of the cloud.
    fn place(&self) -> Cloud {
        let place = Cloud::new();
        std::fs::create_dir(place.data()).unwrap();
        let parents = self.cloud.data().join("parents");
        let text = format!("[parents]\nfolder = {parents:?}\n");
        std::fs::write(place.data().join("clarence.toml"), text).unwrap();
        place
    }

    fn restore<'w>(from: &'w str, shares: &'w [String]) -> Vec<&'w str> {
        let shares = shares.iter().map(String::as_str);
        ["restore", "--from", from]
            .into_iter()
            .chain(shares)
            .collect()
    }

    /// Serves a restored cloud and gives what is said about Anna: the status, and the body.
    fn about_anna(&self, place: &mut Cloud, shares: &[String]) -> (u16, Vec<u8>) {
        place.start(&SERVE);
        let mut asked = vec!["unseal"];
        asked.extend(shares.iter().map(String::as_str));
        assert_eq!(place.json(&asked).code, 0, "{}", place.log());
        let s3 = self.client(place);
        assert_eq!(s3.get("/files/nobody").body, b"about nobody");
        assert_eq!(s3.get("/files/large-3").body, vec![3; 3_000_000]);
        let reply = s3.get("/files/anna");
        (reply.status, reply.body)
    }
}

fn untouched(place: &Cloud) -> bool {
    let there = |name: &str| place.data().join(name).exists();
    !there("site-a") && !there("site-b")
}

#[test]
fn what_was_erased_does_not_come_back_from_a_backup() {
    let mut scene = Scene::new();
    let old_shares = scene.shares("share.clarence");
    let before = scene.backup("before");
    let erased = [
        "subject",
        "erase",
        "--tenant",
        "tax-office",
        "--subject",
        "anna-1893",
        "--reason",
        "request 7",
    ];
    scene.cloud.json(&erased).data();
    let new_shares = scene.shares("share-2-1.clarence");
    let after = scene.backup("after");

    // Today's shares do not open what was taken before the root moved, and say why.
    let place = scene.place();
    let refused = place.json(&Scene::restore(&before, &new_shares));
    assert_eq!(refused.code, 4, "{}", refused.stdout);
    for word in [
        "the root has moved",
        "from after the move",
        "nothing was written",
    ] {
        assert!(refused.stdout.contains(word), "{word}: {}", refused.stdout);
    }
    assert!(untouched(&place));
    // Nor do they rehearse it.
    let mut drill = Scene::restore(&before, &new_shares);
    drill.splice(..1, ["backup", "drill"]);
    assert_eq!(
        run(scene.cloud.home.path(), &[&drill[..], &["--json"]].concat()).code,
        4
    );

    // The backup from after it opens with them, and holds nothing of Anna.
    let mut place = scene.place();
    let restored = place.json(&Scene::restore(&after, &new_shares)).data();
    assert_eq!(restored["engine"], "embedded");
    assert_eq!(scene.about_anna(&mut place, &new_shares).0, 404);
    assert!(
        scene.cloud.wait() != 0,
        "the old node ends: {}",
        scene.cloud.log()
    );

    // Until the parties destroy the old shares, the old backup opens with those: it is they who erase.
    let mut control = scene.place();
    control.json(&Scene::restore(&before, &old_shares)).data();
    assert_eq!(
        scene.about_anna(&mut control, &old_shares),
        (200, b"about anna".to_vec())
    );
    for party in ["ctie", "luxconnect"] {
        let of = |name: &str| scene.cloud.data().join("parents").join(party).join(name);
        let (old, newer) = (of("share.clarence"), of("share-2-1.clarence"));
        let out = scene.places.path().join(party);
        let [old, newer, out] = [&old, &newer, &out].map(|path| path.to_str().unwrap());
        run(
            scene.cloud.home.path(),
            &[
                "share", "destroy", old, "--newer", newer, "--out", out, "--json",
            ],
        )
        .data();
    }
    let left = scene.cloud.data().join("parents/proximus/share.clarence");
    let mut all = vec!["--share".to_owned(), left.to_str().unwrap().to_owned()];
    all.extend(new_shares);
    let place = scene.place();
    let refused = place.json(&Scene::restore(&before, &all));
    assert_eq!(refused.code, 4, "{}", refused.stdout);
    assert!(untouched(&place));
}

#[test]
fn shares_that_were_dealt_anew_open_an_older_backup_of_the_same_root() {
    let mut scene = Scene::new();
    let old_shares = scene.shares("share.clarence");
    let folder = scene.backup("one");
    let mut reshare = vec!["root", "reshare"];
    reshare.extend(old_shares.iter().map(String::as_str));
    scene.cloud.json(&reshare).data();
    assert_eq!(scene.cloud.signal("TERM"), 0);
    let mut place = scene.place();
    let new_shares = scene.shares("share-1-2.clarence");
    place.json(&Scene::restore(&folder, &new_shares)).data();
    assert_eq!(scene.about_anna(&mut place, &new_shares).0, 200);
}

#[test]
fn a_restore_that_is_killed_again_and_again_comes_to_its_end() {
    let mut scene = Scene::new();
    let shares = scene.shares("share.clarence");
    let folder = scene.backup("one");
    assert_eq!(scene.cloud.signal("TERM"), 0);
    let mut place = scene.place();
    let data = place.data();
    for wait in [40, 90, 150, 220, 300, 400, 550] {
        let mut child = command(place.home.path())
            .args(Scene::restore(&folder, &shares))
            .args(["--json", "--data", data.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let marked = data.join("site-a/restoring").exists();
    let last = place.json(&Scene::restore(&folder, &shares));
    // It may have come to its end before it was killed the last time.
    assert_eq!(
        last.code,
        if marked || untouched(&place) { 0 } else { 6 },
        "{}",
        last.stdout
    );
    assert_eq!(scene.about_anna(&mut place, &shares).0, 200);
    let report = place.json(&["scrub"]).data();
    assert_eq!(report["chunks"]["bad"], 0, "{report}");
    let entries = place.json(&["ledger", "tail", "-n", "1000"]).data();
    let entries = entries["entries"].as_array().unwrap().clone();
    assert!(
        entries.iter().any(|entry| entry["operation"] == "Restore"),
        "{entries:?}"
    );
    assert!(!data.join("site-a/restoring").exists());
    // Another backup's restore does not go on in a place like this one.
    let again = place.json(&Scene::restore(&folder, &shares));
    assert_eq!(again.code, 6, "{}", again.stdout);
}

#[test]
fn what_is_in_the_way_is_said() {
    let scene = Scene::new();
    let shares = scene.shares("share.clarence");
    let folder = scene.backup("one");
    let code = |ran: crate::run::Ran, code: i32, word: &str| {
        let envelope = ran.envelope();
        assert_eq!(ran.code, code, "{envelope}");
        assert!(envelope.to_string().contains(word), "{word}: {envelope}");
    };
    let occupied = scene.places.path().join("occupied");
    std::fs::create_dir(&occupied).unwrap();
    std::fs::write(occupied.join("letter"), "dear").unwrap();
    let occupied = occupied.to_str().unwrap();
    code(
        scene.cloud.json(&["backup", "--to", occupied]),
        6,
        "holds no backup",
    );
    code(scene.cloud.json(&["backup"]), 2, "--to");
    code(
        scene
            .cloud
            .json(&["backup", "--to", &folder, "--rate", "fast"]),
        2,
        "50MiB/s",
    );
    code(
        scene.cloud.json(&["backup", "verify", occupied]),
        5,
        "no complete backup",
    );
    code(
        Cloud::new().json(&["backup", "--to", &folder]),
        3,
        "no node answers",
    );
    let lonely = Cloud::new();
    code(
        lonely.json(&Scene::restore(&folder, &shares)),
        6,
        "--new-witnesses",
    );
    assert!(untouched(&lonely));
    let one: Vec<String> = shares[..2].to_vec();
    let place = scene.place();
    code(
        place.json(&Scene::restore(&folder, &one)),
        4,
        "1 of the 2 shares",
    );
    assert!(untouched(&place));
    let anew = [&Scene::restore(&folder, &shares)[..], &["--new-witnesses"]].concat();
    let restored = lonely.json(&anew).data();
    assert_eq!(restored["epoch"], 2);
    assert!(lonely.data().join("parents/ctie/witness.clr").exists());
    let text = scene.cloud.plain(&["backup", "verify", &folder]);
    assert!(
        text.code == 0 && text.stdout.contains("0 wrong"),
        "{}",
        text.stdout
    );
}

//! The sites' keys renewed over the command line: under load, over restarts, and what an old copy of the folders gives.

use crate::erasure::{Scene, client, path, restored, scene, unseal};
use crate::run::Cloud;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SERVE: [&str; 3] = ["serve", "--s3", "127.0.0.1:0"];

/// Waits until nothing lies under older keys any more.
pub fn renewed(cloud: &Cloud) {
    let begun = Instant::now();
    loop {
        let status = cloud.json(&["rotate", "status"]).data();
        if status["rotations"] == json!([]) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn new_keys_serve_at_once_and_an_old_copy_opens_with_old_shares_only() {
    let Scene {
        mut cloud,
        credential,
        backup,
    } = scene();
    let s3 = client(&cloud, &credential);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut done = 0u32;
            while !ended.load(Ordering::Relaxed) {
                let name = format!("/files/load-{}", done % 7);
                s3.put(&name, None, name.as_bytes());
                assert_eq!(s3.get(&name).body, name.as_bytes());
                assert_eq!(s3.get("/files/ben").body, b"about ben");
                done += 1;
            }
            done
        });
        let answer = cloud
            .json(&["rotate", "sites", "--reason", "a test"])
            .data();
        assert_eq!(
            (&answer["version"], &answer["root"]),
            (&json!(2), &json!(2))
        );
        assert_eq!(answer["new_shares"].as_array().unwrap().len(), 3);
        renewed(&cloud);
        ended.store(true, Ordering::Relaxed);
        assert!(load.join().unwrap() > 0);
    });
    let plain = cloud.plain(&["rotate", "sites", "--reason", "once more"]);
    assert!(
        plain.stdout.contains("Version 3 of both sites' keys"),
        "{}",
        plain.stdout
    );
    renewed(&cloud);
    cloud.kill();
    cloud.start(&SERVE);
    let old = ["ctie", "proximus"].map(|party| path(&cloud, party, "share.clarence"));
    let new = ["ctie", "proximus"].map(|party| path(&cloud, party, "share-3-1.clarence"));
    assert_ne!(
        unseal(&cloud, &old),
        0,
        "shares of the first root were taken"
    );
    assert_eq!(unseal(&cloud, &new), 0, "{}", cloud.log());
    let s3 = client(&cloud, &credential);
    assert_eq!(s3.get("/files/nobody").body, b"about nobody");
    assert_eq!(cloud.json(&["ledger", "publish"]).code, 0);
    assert_eq!(cloud.json(&["ledger", "verify"]).code, 0);

    // The positive control: the shares of before open the copy of before.
    let mut control = restored(backup.path(), &cloud);
    control.start(&SERVE);
    assert_eq!(unseal(&control, &old), 0, "{}", control.log());
    let from_copy = client(&control, &credential);
    assert_eq!(from_copy.get("/files/nobody").body, b"about nobody");
    drop(control);
    // What is held today does not: neither the shares alone, nor with the header and the record of today.
    let mut copy = restored(backup.path(), &cloud);
    copy.start(&SERVE);
    assert_ne!(unseal(&copy, &new), 0);
    drop(copy);
    let mut mixed = restored(backup.path(), &cloud);
    for site in ["site-a", "site-b"] {
        for file in ["site.clr", "custody.json"] {
            let from = cloud.data().join(site).join(file);
            std::fs::copy(from, mixed.data().join(site).join(file)).unwrap();
        }
    }
    mixed.start(&SERVE);
    let given = ["unseal", "--share", &new[0], "--share", &new[1]];
    let refused = mixed.json(&given);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stdout.contains("of another time than site.clr"),
        "{}",
        refused.stdout
    );
}

//! What a party does with its share: split among officers, sealed in envelopes, written on paper, and given to
//! a node in any of these forms.

use crate::run::Cloud;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

/// A path in the test's home as text.
fn at(cloud: &Cloud, name: &str) -> String {
    cloud.home.path().join(name).to_str().unwrap().to_owned()
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn officers_open_a_node_with_parts_envelopes_and_paper() {
    let mut cloud = Cloud::new();
    cloud.start(&["up", "--sealed", "--s3", "127.0.0.1:0"]);
    let (share, parts) = (cloud.share("ctie"), at(&cloud, "parts"));
    let split = [
        "share",
        "split",
        &share,
        "--officer",
        "anna",
        "--officer",
        "ben",
        "--officer",
        "luc",
        "--out",
        &parts,
    ];
    assert_eq!(
        cloud.json(&split).data()["parts"].as_array().unwrap().len(),
        3
    );
    assert_eq!(cloud.json(&split).code, 6, "parts are never written over");
    let [anna, ben, luc] = ["anna", "ben", "luc"].map(|name| format!("{parts}/{name}.clarence"));
    assert_eq!(mode(&anna), 0o600);
    assert_eq!(
        cloud.json(&["share", "show", &anna]).data()["officer"],
        "anna"
    );

    // Joined again, it is the share, byte for byte.
    let joined = at(&cloud, "joined.clarence");
    let join = ["share", "join", &luc, &anna, "--out", &joined];
    assert_eq!(cloud.json(&join).data()["party"], "ctie");
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let own = std::path::Path::new(&share);
    let own = if own.is_dir() {
        own.join("share.clarence")
    } else {
        own.to_owned()
    };
    assert_eq!(read(&joined), std::fs::read_to_string(own).unwrap());
    let twice = ["share", "join", &luc, &luc, "--out", &at(&cloud, "never")];
    assert_eq!(cloud.json(&twice).code, 4);
    assert_eq!(
        cloud
            .json(&["share", "join", &luc, "--out", &at(&cloud, "never")])
            .code,
        2
    );

    // Anna's part travels in an envelope, Ben's on paper.
    let (identity, envelope) = (at(&cloud, "anna.identity"), at(&cloud, "anna.age"));
    let made = cloud
        .json(&["share", "identity", "--out", &identity])
        .data();
    let recipient = made["recipient"].as_str().unwrap();
    assert_eq!(mode(&identity), 0o600);
    let seal = [
        "share", "seal", &anna, "--to", recipient, "--out", &envelope,
    ];
    cloud.json(&seal).data();
    let opened = at(&cloud, "opened.clarence");
    let open = [
        "share",
        "open",
        &envelope,
        "--identity",
        &identity,
        "--out",
        &opened,
    ];
    cloud.json(&open).data();
    assert_eq!(read(&opened), read(&anna));
    let stranger = at(&cloud, "stranger.identity");
    cloud
        .json(&["share", "identity", "--out", &stranger])
        .data();
    let wrong = [
        "share",
        "open",
        &envelope,
        "--identity",
        &stranger,
        "--out",
        &at(&cloud, "never"),
    ];
    assert_eq!(cloud.json(&wrong).code, 4);

    let paper = at(&cloud, "ben.txt");
    let words = cloud.plain(&["share", "words", &ben]).stdout;
    std::fs::write(&paper, &words).unwrap();
    let typed = at(&cloud, "typed.clarence");
    let from_words = [
        "share",
        "from-words",
        &paper,
        "--like",
        &luc,
        "--out",
        &typed,
    ];
    cloud.json(&from_words).data();
    assert_eq!(read(&typed), read(&ben));
    let mut lines: Vec<String> = words.lines().map(str::to_owned).collect();
    let third = lines
        .iter()
        .position(|line| line.starts_with("3 "))
        .unwrap();
    let mut swapped: Vec<&str> = lines[third].split_whitespace().collect();
    swapped.swap(1, 2);
    lines[third] = swapped.join(" ");
    std::fs::write(&paper, lines.join("\n")).unwrap();
    let misread = [
        "share",
        "from-words",
        &paper,
        "--like",
        &luc,
        "--out",
        &at(&cloud, "never"),
    ];
    let misread = cloud.json(&misread);
    assert_eq!(misread.code, 2);
    assert!(misread.stdout.contains("line 3"), "{}", misread.stdout);

    // The node takes parts, sealed or not, in any order with whole shares.
    let one = [
        "unseal",
        "--share",
        &envelope,
        "--identity",
        &stranger,
        "--identity",
        &identity,
    ];
    let one = cloud.json(&one).data();
    assert_eq!(
        (&one["officers_given"], &one["officers_needed"]),
        (&1.into(), &2.into())
    );
    assert_eq!(one["shares_given"], 0);
    assert_eq!(
        cloud.json(&["unseal", "--share", &anna]).code,
        4,
        "anna came twice"
    );
    let open = [
        "unseal",
        "--share",
        &cloud.share("proximus"),
        "--share",
        &typed,
    ];
    assert_eq!(cloud.json(&open).data()["sealed"], Value::Bool(false));
    assert!(!std::path::Path::new(&at(&cloud, "never")).exists());
    cloud.json(&["stop"]).data();
    assert_eq!(cloud.wait(), 0);
}

//! What a party does with its share: split among officers, sealed in envelopes, written on paper, and given to
//! a node in any of these forms.

use crate::run::Cloud;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

/// A path in the test's home as text.
fn at(cloud: &Cloud, name: &str) -> String {
    cloud.home.path().join(name).to_str().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Splits the share of ctie among three officers, whose parts give it back byte for byte.
fn parts(cloud: &Cloud) -> [String; 3] {
    let (share, folder) = (cloud.share("ctie"), at(cloud, "parts"));
    let mut split = vec!["share", "split", &share, "--out", &folder];
    for name in ["anna", "ben", "luc"] {
        split.extend(["--officer", name]);
    }
    let made = cloud.json(&split).data();
    assert_eq!(made["parts"].as_array().unwrap().len(), 3);
    assert_eq!(cloud.json(&split).code, 6, "parts are never written over");
    let parts = ["anna", "ben", "luc"].map(|name| format!("{folder}/{name}.clarence"));
    let [anna, _, luc] = &parts;
    assert_eq!(mode(anna), 0o600);
    let shown = cloud.json(&["share", "show", anna]).data();
    assert_eq!(shown["officer"], "anna");

    let (joined, never) = (at(cloud, "joined.clarence"), at(cloud, "never"));
    let join = ["share", "join", luc, anna, "--out", &joined];
    assert_eq!(cloud.json(&join).data()["party"], "ctie");
    let own = std::path::Path::new(&share);
    let own = if own.is_dir() {
        own.join("share.clarence")
    } else {
        own.to_owned()
    };
    assert_eq!(read(&joined), std::fs::read_to_string(own).unwrap());
    let twice = ["share", "join", luc, luc, "--out", &never];
    assert_eq!(cloud.json(&twice).code, 4);
    assert_eq!(
        cloud.json(&["share", "join", luc, "--out", &never]).code,
        2,
        "one is too few"
    );
    parts
}

/// Seals a part; gives the envelope, its identity and a stranger's.
fn enveloped(cloud: &Cloud, part: &str) -> [String; 3] {
    let [identity, stranger, envelope, opened] = [
        "anna.identity",
        "stranger.identity",
        "anna.age",
        "opened.clarence",
    ]
    .map(|name| at(cloud, name));
    let made = cloud
        .json(&["share", "identity", "--out", &identity])
        .data();
    cloud
        .json(&["share", "identity", "--out", &stranger])
        .data();
    assert_eq!(mode(&identity), 0o600);
    let to = made["recipient"].as_str().unwrap();
    let seal = ["share", "seal", part, "--to", to, "--out", &envelope];
    cloud.json(&seal).data();
    let open = |identity: &str, out: &str| {
        let open = ["share", "open", &envelope, "--identity", identity];
        cloud.json(&[&open[..], &["--out", out]].concat())
    };
    open(&identity, &opened).data();
    assert_eq!(read(&opened), read(part));
    assert_eq!(open(&stranger, &at(cloud, "never")).code, 4);
    [envelope, identity, stranger]
}

/// Writes a part on paper and types it in again; gives what was typed in.
fn typed_in(cloud: &Cloud, part: &str, like: &str) -> String {
    let (paper, typed) = (at(cloud, "paper.txt"), at(cloud, "typed.clarence"));
    let words = cloud.plain(&["share", "words", part]).stdout;
    std::fs::write(&paper, &words).unwrap();
    let from_words = |out: &str| {
        let asked = ["share", "from-words", &paper, "--like", like, "--out", out];
        cloud.json(&asked)
    };
    from_words(&typed).data();
    assert_eq!(read(&typed), read(part));
    let mut lines: Vec<String> = words.lines().map(str::to_owned).collect();
    let third = lines.iter().position(|line| line.starts_with("3 "));
    let third = &mut lines[third.unwrap()];
    let mut swapped: Vec<&str> = third.split_whitespace().collect();
    swapped.swap(1, 2);
    *third = swapped.join(" ");
    std::fs::write(&paper, lines.join("\n")).unwrap();
    let misread = from_words(&at(cloud, "never"));
    assert_eq!(misread.code, 2);
    assert!(misread.stdout.contains("line 3"), "{}", misread.stdout);
    typed
}

#[test]
fn officers_open_a_node_with_parts_envelopes_and_paper() {
    let mut cloud = Cloud::new();
    cloud.start(&["up", "--sealed", "--s3", "127.0.0.1:0"]);
    let [anna, ben, luc] = parts(&cloud);
    let [envelope, identity, stranger] = enveloped(&cloud, &anna);
    let typed = typed_in(&cloud, &ben, &luc);
    assert!(!std::path::Path::new(&at(&cloud, "never")).exists());

    // The node takes parts, sealed or not, in any order with whole shares.
    let unseal = ["unseal", "--share", &envelope];
    assert_eq!(cloud.json(&unseal).code, 2, "no identity was named");
    let with = ["--identity", &stranger, "--identity", &identity];
    let one = cloud.json(&[&unseal[..], &with].concat()).data();
    assert_eq!(
        (&one["officers_given"], &one["officers_needed"]),
        (&1.into(), &2.into())
    );
    assert_eq!(
        (&one["shares_given"], &one["party"]),
        (&0.into(), &"ctie".into())
    );
    let again = cloud.json(&["unseal", "--share", &anna]);
    assert_eq!(again.code, 4, "anna came twice");
    let proximus = cloud.share("proximus");
    let open = ["unseal", "--share", &proximus, "--share", &typed];
    assert_eq!(cloud.json(&open).data()["sealed"], Value::Bool(false));
    cloud.json(&["stop"]).data();
    assert_eq!(cloud.wait(), 0);
}

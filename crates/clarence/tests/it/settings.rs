//! The configuration as it is met from outside, and `doctor` on an empty machine.

use crate::run::{Cloud, command, run};
use serde_json::Value;

fn origin<'v>(data: &'v Value, key: &str) -> &'v Value {
    let keys = data["keys"].as_array().unwrap();
    keys.iter().find(|shown| shown["key"] == key).unwrap()
}

#[test]
fn show_tells_which_layer_set_each_value() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("c.toml");
    std::fs::write(
        &file,
        "[s3]\nregion = \"lu-2\"\n[cache]\nnames = \"1GiB\"\n",
    )
    .unwrap();
    let output = command(home.path())
        .args([
            "config",
            "show",
            "--origin",
            "--json",
            "--config",
            file.to_str().unwrap(),
        ])
        .env("CLARENCE_LOG__LEVEL", "debug")
        .output()
        .unwrap();
    let data = crate::run::Ran::from(output).data();
    assert_eq!(origin(&data, "s3.region")["origin"]["layer"], "file");
    assert_eq!(origin(&data, "s3.region")["value"], "lu-2");
    assert_eq!(origin(&data, "cache.names")["value"], 1u64 << 30);
    assert_eq!(
        origin(&data, "log.level")["origin"]["where"],
        "CLARENCE_LOG__LEVEL"
    );
    assert_eq!(origin(&data, "node.name")["origin"]["layer"], "default");
    assert_eq!(
        data["data"],
        home.path().join(".local/share/clarence").to_str().unwrap()
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("c.toml");
    std::fs::write(&file, "[s3]\nregoin = \"lu-2\"\n").unwrap();
    for verb in [
        &["config", "check"][..],
        &["config", "show"],
        &["serve"],
        &["up"],
        &["status"],
    ] {
        let ran = run(
            home.path(),
            &[verb, &["--json", "--config", file.to_str().unwrap()]].concat(),
        );
        assert_eq!(ran.code, 2, "{verb:?}");
        let envelope = ran.envelope();
        assert_eq!(envelope["error"]["type"], "configuration");
        assert!(
            envelope["error"]["message"]
                .as_str()
                .unwrap()
                .contains("s3.region"),
            "{envelope}"
        );
    }
    let ran = run(
        home.path(),
        &["config", "check", "--json", "--config", "/nowhere.toml"],
    );
    assert_eq!(ran.code, 2);
    ran.envelope();
}

#[test]
fn nothing_listens_beyond_this_machine_without_tls_unasked() {
    let cloud = Cloud::new();
    for verb in ["up", "serve"] {
        let ran = cloud.json(&[verb, "--s3", "0.0.0.0:0"]);
        assert_eq!(ran.code, 2, "{verb}: {}", ran.stdout);
        assert!(
            ran.envelope()["error"]["message"]
                .as_str()
                .unwrap()
                .contains("s3.tls_cert")
        );
    }
    assert!(!cloud.data().exists(), "nothing was founded");
}

#[test]
fn the_folder_next_to_the_data_holds_the_configuration() {
    let cloud = Cloud::new();
    std::fs::create_dir(cloud.data()).unwrap();
    std::fs::write(
        cloud.data().join("clarence.toml"),
        "[node]\nname = \"n7\"\n",
    )
    .unwrap();
    let data = cloud.json(&["config", "show"]).data();
    assert_eq!(origin(&data, "node.name")["value"], "n7");
    let checked = cloud.json(&["config", "check"]).data();
    assert_eq!(
        checked["file"],
        cloud.data().join("clarence.toml").to_str().unwrap()
    );
}

#[test]
fn doctor_finds_that_nothing_is_there() {
    let cloud = Cloud::new();
    let ran = cloud.json(&["doctor"]);
    assert_eq!(ran.code, 1);
    let envelope = ran.envelope();
    assert_eq!(envelope["error"]["type"], "doctor");
    let checks = envelope["error"]["details"]["checks"]
        .as_array()
        .unwrap()
        .clone();
    let bad: Vec<_> = checks
        .iter()
        .filter(|c| c["result"] == "bad")
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert!(
        bad.contains(&"data folder") && bad.contains(&"site-a") && bad.contains(&"witnesses"),
        "{bad:?}"
    );
    let plain = cloud.plain(&["doctor"]);
    assert!(plain.code == 1 && plain.stdout.contains("BAD") && plain.stderr.contains("error:"));
}

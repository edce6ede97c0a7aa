//! A node from its founding to its restart, sealed and open, over the command line only.

use crate::run::Cloud;
use crate::schema::assert_envelope;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

fn connect(cloud: &Cloud) -> Value {
    let path = cloud.data().join("connect.json");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for field in ["endpoint", "region", "access_key", "secret_key"] {
        assert!(value[field].is_string(), "{field}");
    }
    value
}

fn get(endpoint: &str, path: &str) -> String {
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A new key is in use at once, and what is under the old one follows without being asked.
fn keys_are_renewed(cloud: &Cloud) {
    let begun = cloud.json(&["rotate", "tenant", "tax-office"]).data();
    assert_eq!(begun["version"], 2);
    let nowhere = ["rotate", "bucket", "nowhere", "--tenant", "tax-office"];
    assert_eq!(cloud.json(&nowhere).code, 5);
    for _ in 0..100 {
        let status = cloud.json(&["rotate", "status"]).data();
        if status["rotations"].as_array().unwrap().is_empty() {
            assert!(cloud.plain(&["rotate", "status"]).stdout.contains("No key"));
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the rotation does not end");
}

const UP: [&str; 3] = ["up", "--s3", "127.0.0.1:0"];

#[test]
fn up_serves_survives_a_kill_and_keeps_its_credential() {
    let mut cloud = Cloud::new();
    cloud.start(&UP);
    let serving = cloud.serving();
    assert_eq!(serving["sealed"], false, "{}", cloud.log());
    assert!(
        cloud
            .log()
            .contains("unsafe_unseal_from_this_machine is on"),
        "{}",
        cloud.log()
    );
    let first = connect(&cloud);
    assert_eq!(first["endpoint"], serving["endpoint"]);
    let endpoint = first["endpoint"].as_str().unwrap();
    assert!(get(endpoint, "/healthz").contains("200") && get(endpoint, "/readyz").contains("200"));
    let status = cloud.json(&["status"]).data();
    assert_eq!(status["sealed"], false);
    assert!(cloud.plain(&["status"]).stdout.contains("site-b"));

    let added = cloud.json(&["tenant", "add", "tax-office"]).data();
    assert_eq!(added["tenant"], "tax-office");
    let again = cloud.json(&["tenant", "add", "tax-office"]);
    assert_eq!(again.code, 6, "{}", again.stdout);
    again.envelope();
    let key = cloud
        .json(&["key", "add", "--tenant", "tax-office", "--expires", "1h"])
        .data();
    assert_ne!(key["access_key"], added["access_key"]);
    assert_eq!(cloud.json(&["key", "add", "--tenant", "nobody"]).code, 5);
    cloud
        .json(&["key", "suspend", key["access_key"].as_str().unwrap()])
        .data();
    let tenants = cloud.json(&["tenant", "list"]).data();
    assert_eq!(tenants["tenants"].as_array().unwrap().len(), 2);
    keys_are_renewed(&cloud);
    let tail = cloud.json(&["ledger", "tail", "-n", "50"]).data();
    assert!(tail["entries"].to_string().contains("TenantAdd"), "{tail}");
    assert!(cloud.plain(&["ledger", "tail"]).stdout.contains("INDEX"));
    cloud.json(&["ledger", "publish"]).data();
    let log = cloud.json(&["ledger", "verify"]).data();
    assert_eq!(log["logs"].as_array().unwrap().len(), 2);
    cloud.json(&["scrub"]).data();
    assert_eq!(cloud.json(&["heal"]).data()["healed"], Value::Null);
    let second = cloud.json(&["up", "--s3", "127.0.0.1:0"]);
    assert_eq!(second.code, 6, "a second node on the same folder");
    second.envelope();
    assert_eq!(cloud.json(&["doctor"]).code, 0);

    cloud.kill();
    cloud.start(&UP);
    let kept = connect(&cloud);
    assert_eq!(
        (&kept["access_key"], &kept["secret_key"]),
        (&first["access_key"], &first["secret_key"])
    );
    let tenants = cloud.json(&["tenant", "list"]).data();
    assert_eq!(tenants["tenants"].as_array().unwrap().len(), 2);
    assert_eq!(cloud.signal("TERM"), 0, "{}", cloud.log());
    let last: Value = serde_json::from_str(cloud.output().lines().last().unwrap()).unwrap();
    assert_envelope(&last);
    assert_eq!(last["data"]["state"], "ended");
    assert_eq!(cloud.json(&["ledger", "verify"]).code, 0);
    let log = cloud.log();
    assert!(
        !log.contains(first["secret_key"].as_str().unwrap()),
        "the log tells a secret"
    );
}

#[test]
fn a_sealed_node_opens_with_two_of_three_shares() {
    let mut cloud = Cloud::new();
    cloud.start(&["up", "--sealed", "--s3", "127.0.0.1:0"]);
    let serving = cloud.serving();
    assert_eq!(serving["sealed"], true);
    let endpoint = serving["endpoint"].as_str().unwrap();
    assert!(get(endpoint, "/healthz").contains("200") && get(endpoint, "/readyz").contains("503"));
    let refused = cloud.json(&["tenant", "add", "t"]);
    assert_eq!(
        (refused.code, refused.envelope()["error"]["type"].as_str()),
        (4, Some("sealed"))
    );

    let one = cloud
        .json(&["unseal", "--share", &cloud.share("proximus")])
        .data();
    assert_eq!(
        (&one["sealed"], &one["shares_given"], &one["shares_needed"]),
        (&Value::Bool(true), &1.into(), &2.into())
    );
    let status = cloud.json(&["status"]).data();
    assert_eq!(status["shares_given"], 1);

    let mut other = Cloud::new();
    other.json(&["found"]).data();
    let foreign = cloud.json(&["unseal", "--share", &other.share("ctie")]);
    assert_eq!(foreign.code, 4, "{}", foreign.stdout);
    foreign.envelope();
    other.kill();

    let open = cloud
        .json(&[
            "unseal",
            "--share",
            &other.share("ctie"),
            "--share",
            &cloud.share("ctie"),
        ])
        .data();
    assert_eq!(open["sealed"], false);
    assert_eq!(open["refused"].as_array().unwrap().len(), 1);
    cloud.json(&["tenant", "add", "t"]).data();
    assert_eq!(cloud.json(&["seal"]).data()["sealed"], true);
    assert_eq!(cloud.json(&["ledger", "tail"]).code, 4);
    let both = cloud
        .json(&[
            "unseal",
            "--share",
            &cloud.share("luxconnect"),
            "--share",
            &cloud.share("ctie"),
        ])
        .data();
    assert_eq!(both["sealed"], false);
    cloud.json(&["stop"]).data();
    assert_eq!(cloud.wait(), 0);
    assert_eq!(cloud.json(&["status"]).code, 3);
}

#[test]
fn serve_needs_a_founded_cloud_and_keeps_to_the_configuration() {
    let mut cloud = Cloud::new();
    let ran = cloud.json(&["serve", "--s3", "127.0.0.1:0"]);
    assert_eq!(ran.code, 5, "{} {}", ran.stdout, ran.stderr);
    ran.envelope();
    cloud.json(&["found"]).data();
    cloud.start(&["serve", "--s3", "127.0.0.1:0"]);
    assert_eq!(cloud.serving()["sealed"], true);
    assert_eq!(cloud.signal("INT"), 0);
    std::fs::write(
        cloud.data().join("clarence.toml"),
        "unsafe_unseal_from_this_machine = true\n",
    )
    .unwrap();
    cloud.start(&["serve", "--s3", "127.0.0.1:0"]);
    assert_eq!(cloud.serving()["sealed"], false, "{}", cloud.log());
    assert!(!cloud.data().join("connect.json").exists());
}

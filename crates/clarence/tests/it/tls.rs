//! The local authority, the inventory and the proxy over the command line. Handshakes with foreign programs
//! are in `tests/clients/pq_tls.py`.

use crate::run::{Cloud, run};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn names(data: &Value, role: &str) -> Vec<String> {
    let all = data["certificates"].as_array().unwrap();
    let one = all.iter().find(|one| one["role"] == role).unwrap();
    let names = one["names"].as_array().unwrap();
    names.iter().map(|name| text(name).to_owned()).collect()
}

#[test]
fn an_authority_is_made_once_and_renewed_under_its_names() {
    let cloud = Cloud::new();
    assert_eq!(cloud.json(&["tls", "show"]).code, 5);
    assert_eq!(cloud.json(&["tls", "renew"]).code, 5);
    let made = cloud
        .json(&["tls", "init", "--name", "s3.example.lu"])
        .data();
    let own = names(&made, "server");
    for name in [
        "localhost",
        "127.0.0.1",
        "*.s3.lu-1.clarence.internal",
        "s3.example.lu",
    ] {
        assert!(own.contains(&name.to_owned()), "{own:?}");
    }
    assert!(names(&made, "authority").is_empty());
    let mode = |name: &str| {
        let path = cloud.data().join("tls").join(name);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        (mode("ca.pem"), mode("server-ml-dsa-65.pem")),
        (0o644, 0o600)
    );
    assert_eq!(mode("authority-ecdsa-p256.pem"), 0o600);
    let again = cloud.json(&["tls", "init"]);
    assert_eq!(again.code, 6);
    assert_eq!(again.envelope()["error"]["type"], "conflict");
    let renewed = cloud.json(&["tls", "renew"]).data();
    assert_eq!(names(&renewed, "server"), own);
    let changed = cloud.json(&["tls", "renew", "--name", "other.lu"]).data();
    assert!(!names(&changed, "server").contains(&"s3.example.lu".to_owned()));
    assert!(names(&changed, "server").contains(&"other.lu".to_owned()));
    let wrong = cloud.json(&["tls", "renew", "--name", "no name"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stdout);
    assert_eq!(
        cloud.json(&["tls", "show"]).data()["certificates"],
        changed["certificates"]
    );
    assert!(cloud.plain(&["tls", "show"]).stdout.contains("ml-dsa-65"));
}

#[test]
fn a_node_serves_with_its_authority_and_says_where_it_is() {
    let mut cloud = Cloud::new();
    cloud.start(&["up", "--tls", "--s3", "127.0.0.1:0"]);
    let serving = cloud.serving();
    assert!(
        text(&serving["endpoint"]).starts_with("https://"),
        "{serving}"
    );
    let bundle = cloud.data().join("tls").join("ca.pem");
    assert_eq!(text(&serving["ca_bundle"]), bundle.to_str().unwrap());
    let connect = std::fs::read(cloud.data().join("connect.json")).unwrap();
    let connect: Value = serde_json::from_slice(&connect).unwrap();
    assert_eq!(connect["ca_bundle"], serving["ca_bundle"]);
    assert_eq!(connect["endpoint"], serving["endpoint"]);

    let running = cloud.json(&["crypto", "inventory"]).data();
    assert_eq!(running["node"], "running");
    let count = |name: &str| {
        let uses = running["uses"].as_array().unwrap();
        let of = uses.iter().find(|of| of["name"] == name).unwrap();
        of["count"].clone()
    };
    assert_eq!(count("root-share"), 3);
    assert_eq!(count("tenant-key"), 1);
    assert_eq!(count("bucket-key"), 0);
    assert_eq!(count("s3-secret"), 1);
    assert_eq!(count("tls-server-ml-dsa-65"), 1);
    assert_eq!(cloud.json(&["doctor"]).code, 0);
    assert_eq!(cloud.json(&["seal"]).data()["sealed"], true);
    let sealed = cloud.json(&["crypto", "inventory"]).data();
    assert_eq!(
        sealed["uses"], running["uses"],
        "a sealed node tells the same"
    );
    assert_eq!(cloud.signal("TERM"), 0, "{}", cloud.log());
    assert_eq!(
        cloud.json(&["crypto", "inventory"]).data()["node"],
        "stopped"
    );
    let shown = cloud.plain(&["crypto", "inventory"]).stdout;
    assert!(shown.contains("A quantum computer breaks: ") && shown.contains("X25519MLKEM768"));
}

#[test]
fn serve_does_not_start_with_an_authority_that_is_not_there() {
    let cloud = Cloud::new();
    cloud.json(&["found"]).data();
    let ran = cloud.json(&["serve", "--tls", "--s3", "127.0.0.1:0"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    let message = ran.envelope()["error"]["message"].clone();
    assert!(text(&message).contains("clarence tls init"), "{message}");
    for wrong in [
        &["serve", "--tls-classical", "refuse"][..],
        &["serve", "--tls", "--tls-cert", "c", "--tls-key", "k"],
        &["serve", "--tls", "--tls-classical", "perhaps"],
    ] {
        assert_eq!(cloud.json(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn the_proxy_listens_on_loopback_and_wants_an_authority() {
    let cloud = Cloud::new();
    cloud.json(&["tls", "init"]).data();
    let bundle = cloud.data().join("tls").join("ca.pem");
    let ca = bundle.to_str().unwrap();
    let home = cloud.home.path();
    let to = "https://localhost:1";
    for (words, code) in [
        (&["--listen", "0.0.0.0:0", "--to", to, "--ca", ca][..], 2),
        (&["--listen", "[::]:0", "--to", to, "--ca", ca], 2),
        (&["--to", "http://localhost:1", "--ca", ca], 2),
        (&["--to", to], 2),
        (&["--to", to, "--ca", "nowhere.pem"], 5),
        (&["--to", to, "--ca", "/etc/hostname"], 2),
        (&["--to", to, "--ca", ca, "--connections", "0"], 2),
    ] {
        let ran = run(home, &[&["proxy", "--json"], words].concat());
        assert_eq!(ran.code, code, "{words:?}: {} {}", ran.stdout, ran.stderr);
        ran.envelope();
    }
}

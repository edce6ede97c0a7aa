//! What opens a cloud and what does not: one party's share with every disk, and shares without the HSM. The HSM
//! is SoftHSM2 from Debian; without it these tests say so and pass, unless `CLARENCE_INTEROP=required` is set.

use crate::run::Cloud;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const SERVE: [&str; 3] = ["serve", "--s3", "127.0.0.1:0"];

pub fn there(what: &[&str]) -> bool {
    let missing: Vec<&&str> = what
        .iter()
        .filter(|path| !Path::new(path).exists())
        .collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var("CLARENCE_INTEROP").is_ok_and(|word| word == "required");
    assert!(!required, "{missing:?} are missing");
    println!("SKIPPED: {missing:?} are missing; apt-get install softhsm2 swtpm tpm2-tools gcc");
    false
}

/// A founded cloud, and two tokens that SoftHSM finds by the cloud's home.
fn with_tokens() -> Option<Cloud> {
    if !there(&[MODULE, "/usr/bin/softhsm2-util"]) {
        return None;
    }
    let cloud = Cloud::new();
    let home = cloud.home.path();
    std::fs::create_dir_all(home.join(".config/softhsm2")).unwrap();
    std::fs::create_dir(home.join("tokens")).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\n",
        home.join("tokens").display()
    );
    std::fs::write(home.join(".config/softhsm2/softhsm2.conf"), text).unwrap();
    for label in ["site-a", "site-b"] {
        let done = Command::new("/usr/bin/softhsm2-util")
            .args(["--init-token", "--free", "--label", label])
            .args(["--so-pin", "12345678", "--pin", "1234"])
            .env_clear()
            .env("HOME", home)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
    }
    write_pin(&cloud, "1234\n");
    cloud.json(&["found"]).data();
    Some(cloud)
}

fn write_pin(cloud: &Cloud, pin: &str) {
    let path = cloud.home.path().join("pin");
    host::files::write_durable(&path, pin.as_bytes(), 0o600).unwrap();
}

fn uri(cloud: &Cloud, module: &str, token: &str) -> String {
    let pin = cloud.home.path().join("pin");
    format!(
        "pkcs11:token={token}?module-path={module}&pin-source={}",
        pin.display()
    )
}

fn configure(cloud: &Cloud, uri: Option<&str>) {
    let text = uri.map_or(String::new(), |uri| format!("[hsm]\nuri = \"{uri}\"\n"));
    std::fs::write(cloud.data().join("clarence.toml"), text).unwrap();
}

fn two_shares(cloud: &Cloud) -> [String; 4] {
    let (one, two) = (cloud.share("ctie"), cloud.share("proximus"));
    ["--share".into(), one, "--share".into(), two]
}

/// Starts a node, gives two shares, and gives the answer; the node is stopped again.
fn unseal(cloud: &mut Cloud) -> (i32, Value) {
    cloud.start(&SERVE);
    let shares = two_shares(cloud);
    let mut arguments = vec!["unseal"];
    arguments.extend(shares.iter().map(String::as_str));
    let ran = cloud.json(&arguments);
    let answer = ran.envelope();
    let sealed = cloud.json(&["status"]).data()["sealed"].as_bool().unwrap();
    assert_eq!(
        sealed,
        ran.code != 0,
        "the node answers, and says the same: {answer}"
    );
    cloud.json(&["stop"]).data();
    assert_eq!(cloud.wait(), 0, "{}", cloud.log());
    (ran.code, answer)
}

fn stays_sealed(cloud: &mut Cloud, because: &str) {
    let (code, answer) = unseal(cloud);
    assert_eq!(code, 4, "{because}: {answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains(because), "{because}: {message}");
    assert!(
        !answer.to_string().contains("1234"),
        "a PIN is told: {answer}"
    );
}

fn enrol(cloud: &Cloud, token: Option<&str>) -> Value {
    let shares = two_shares(cloud);
    let mut arguments = vec!["hsm", "enrol"];
    arguments.extend(shares.iter().map(String::as_str));
    arguments.extend(token.iter().flat_map(|uri| ["--hsm", uri]));
    cloud.json(&arguments).data()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn f1_shares_and_all_disks_without_the_hsm_stay_sealed() {
    let Some(mut cloud) = with_tokens() else {
        return;
    };
    let good = uri(&cloud, MODULE, "site-a");
    configure(&cloud, Some(&good));
    assert_eq!(
        cloud.json(&["hsm", "status"]).data()["enrolled"],
        serde_json::json!([])
    );
    let probed = cloud.json(&["hsm", "probe"]).data();
    assert!(probed["tokens"].to_string().contains("site-b"), "{probed}");
    assert_eq!(unseal(&mut cloud).0, 0, "before the HSM, shares are enough");
    let enrolled = enrol(&cloud, None);
    assert_eq!(
        (&enrolled["label"], &enrolled["enrolled"]),
        (&"site-a".into(), &1.into())
    );
    assert_eq!(cloud.json(&["hsm", "status"]).data()["opens"], true);
    assert_eq!(unseal(&mut cloud).0, 0, "shares and HSM open it");

    configure(&cloud, None);
    stays_sealed(&mut cloud, "an HSM holds a part");
    configure(&cloud, Some(&uri(&cloud, MODULE, "site-b")));
    stays_sealed(&mut cloud, "holds no part of this cloud");
    configure(&cloud, Some(&good));
    write_pin(&cloud, "4321\n");
    stays_sealed(&mut cloud, "did not take the PIN");
    write_pin(&cloud, "1234\n");
    let (tokens, away) = (
        cloud.home.path().join("tokens"),
        cloud.home.path().join("away"),
    );
    std::fs::rename(&tokens, &away).unwrap();
    std::fs::create_dir(&tokens).unwrap();
    stays_sealed(&mut cloud, "no token is called");
    std::fs::remove_dir(&tokens).unwrap();
    std::fs::rename(&away, &tokens).unwrap();

    let records = ["site-a", "site-b"].map(|site| cloud.data().join(site).join("hsm.clr"));
    let whole = std::fs::read(&records[0]).unwrap();
    flip(&records[0], 60);
    assert_eq!(unseal(&mut cloud).0, 0, "the other site's record is used");
    flip(&records[1], 60);
    stays_sealed(&mut cloud, "damaged");
    for record in &records {
        std::fs::remove_file(record).unwrap();
    }
    stays_sealed(&mut cloud, "its record hsm.clr is in neither site folder");
    for record in &records {
        std::fs::write(record, &whole).unwrap();
    }
    assert_eq!(unseal(&mut cloud).0, 0);
    assert_eq!(cloud.json(&["ledger", "verify"]).code, 0);
}

#[test]
fn a_module_that_crashes_leaves_the_node_up_and_sealed() {
    let Some(mut cloud) = with_tokens() else {
        return;
    };
    if !there(&["/usr/bin/cc"]) {
        return;
    }
    configure(&cloud, Some(&uri(&cloud, MODULE, "site-a")));
    enrol(&cloud, None);
    let (source, module) = (
        cloud.home.path().join("c.c"),
        cloud.home.path().join("c.so"),
    );
    let text = "#include <stdlib.h>\nunsigned long C_GetFunctionList(void **l) { abort(); }\n";
    std::fs::write(&source, text).unwrap();
    let built = Command::new("/usr/bin/cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&module, &source])
        .status()
        .unwrap();
    assert!(built.success());
    configure(
        &cloud,
        Some(&uri(&cloud, module.to_str().unwrap(), "site-a")),
    );
    stays_sealed(&mut cloud, "the process with the PKCS #11 module");
    configure(&cloud, Some(&uri(&cloud, MODULE, "site-a")));
    assert_eq!(unseal(&mut cloud).0, 0);
}

#[test]
fn two_tokens_each_open_an_interrupted_enrolment_is_finished_and_withdrawn() {
    let Some(mut cloud) = with_tokens() else {
        return;
    };
    let (a, b) = (uri(&cloud, MODULE, "site-a"), uri(&cloud, MODULE, "site-b"));
    configure(&cloud, Some(&a));
    let header = cloud.data().join("site-a/site.clr");
    let before = std::fs::read(&header).unwrap();
    let one_share = ["hsm", "enrol", "--share", &cloud.share("ctie")];
    assert_eq!(cloud.json(&one_share).code, 4, "one share is no quorum");
    assert_eq!(
        std::fs::read(&header).unwrap(),
        before,
        "nothing was changed"
    );
    enrol(&cloud, None);
    // As after a power cut between the two headers: one still opens the old way.
    std::fs::write(&header, &before).unwrap();
    assert_eq!(unseal(&mut cloud).0, 0);
    let status = cloud.json(&["hsm", "status"]).data();
    assert_eq!(
        status["opens"], true,
        "the opening made both headers say the same again: {status}"
    );
    let second = enrol(&cloud, Some(&b));
    assert_eq!(second["enrolled"], 2);
    for token in [&a, &b] {
        configure(&cloud, Some(token));
        assert_eq!(unseal(&mut cloud).0, 0, "{token}");
    }
    configure(&cloud, None);
    stays_sealed(&mut cloud, "an HSM holds a part");
    configure(&cloud, Some(&b));
    let shares = two_shares(&cloud);
    let mut arguments = vec!["hsm", "withdraw"];
    arguments.extend(shares.iter().map(String::as_str));
    cloud.json(&arguments).data();
    configure(&cloud, None);
    assert_eq!(unseal(&mut cloud).0, 0, "shares are enough again");
    assert_eq!(
        cloud.json(&arguments).code,
        6,
        "there is nothing left to withdraw"
    );
}

/// The sites' keys renewed under an HSM's part: the part stays, and without it the new shares open nothing.
#[test]
fn new_keys_of_the_sites_lie_under_the_hsm_too() {
    let Some(mut cloud) = with_tokens() else {
        return;
    };
    configure(&cloud, Some(&uri(&cloud, MODULE, "site-a")));
    enrol(&cloud, None);
    cloud.start(&SERVE);
    let shares = two_shares(&cloud);
    let mut arguments = vec!["unseal"];
    arguments.extend(shares.iter().map(String::as_str));
    cloud.json(&arguments).data();
    cloud.json(&["tenant", "add", "tax-office"]).data();
    let renewed = cloud
        .json(&["rotate", "sites", "--reason", "a test"])
        .data();
    assert_eq!(
        (&renewed["version"], &renewed["root"]),
        (&2.into(), &2.into())
    );
    crate::site_keys::renewed(&cloud);
    cloud.json(&["stop"]).data();
    assert_eq!(cloud.wait(), 0, "{}", cloud.log());
    let new = ["ctie", "proximus"].map(|party| {
        let folder = cloud.data().join("parents").join(party);
        folder
            .join("share-2-1.clarence")
            .to_str()
            .unwrap()
            .to_owned()
    });
    for hsm in [false, true] {
        configure(
            &cloud,
            hsm.then(|| uri(&cloud, MODULE, "site-a")).as_deref(),
        );
        cloud.start(&SERVE);
        let ran = cloud.json(&["unseal", "--share", &new[0], "--share", &new[1]]);
        assert_eq!(ran.code == 0, hsm, "{}", ran.stdout);
        assert!(
            hsm || ran.stdout.contains("an HSM holds a part"),
            "{}",
            ran.stdout
        );
        cloud.json(&["stop"]).data();
        assert_eq!(cloud.wait(), 0, "{}", cloud.log());
    }
}

#[test]
fn f1_one_partys_share_and_all_disks_do_not_open_it() {
    let mut cloud = Cloud::new();
    cloud.json(&["found"]).data();
    let share = cloud.share("ctie");
    let text = std::fs::read_to_string(&share).unwrap();
    for party in ["luxconnect", "proximus"] {
        std::fs::remove_file(cloud.share(party)).unwrap();
    }
    // Everything that lies on any disk, and the operator may switch on whatever is for development.
    let toml = "unsafe_unseal_from_this_machine = true\n";
    std::fs::write(cloud.data().join("clarence.toml"), toml).unwrap();
    cloud.start(&SERVE);
    assert_eq!(cloud.serving()["sealed"], true, "{}", cloud.log());
    let again = cloud.json(&["unseal", "--share", &share]);
    assert_eq!(again.code, 4, "a party counts once: {}", again.stdout);
    for other in ["luxconnect", "proximus"] {
        let path = cloud.home.path().join(format!("{other}.share"));
        std::fs::write(&path, text.replace("ctie", other)).unwrap();
        let ran = cloud.json(&["unseal", "--share", path.to_str().unwrap()]);
        assert_ne!(ran.code, 0, "a share under another name: {}", ran.stdout);
    }
    let status = cloud.json(&["status"]).data();
    assert_eq!(
        (&status["sealed"], &status["shares_given"]),
        (&true.into(), &1.into())
    );
    for closed in [&["tenant", "add", "t"][..], &["ledger", "tail"]] {
        let ran = cloud.json(closed);
        assert_eq!(ran.code, 4);
        assert_eq!(ran.envelope()["error"]["type"], "sealed");
    }
    cloud.json(&["stop"]).data();
}

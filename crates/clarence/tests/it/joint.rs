//! Joint control from the command line: from the parties' keys to an execution order, on files alone.

use crate::run::{Ran, command, run};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const CLOUD: &str = "ecbf1419c886deffdcadec9ab06d24bc";

/// A folder in which three parties and a patron have signed a charter, and everyone has people.
pub struct Desk {
    pub home: tempfile::TempDir,
}

impl Desk {
    fn new(sovereignty: &str) -> Self {
        Self::edited(sovereignty, |draft| draft)
    }

    /// The same with changed terms.
    pub fn edited(sovereignty: &str, edit: impl FnOnce(String) -> String) -> Self {
        let desk = Self {
            home: tempfile::tempdir().unwrap(),
        };
        for party in ["ctie", "luxconnect", "proximus"] {
            desk.data(&["charter", "key", "--party", party, "--out", "keys"]);
        }
        desk.data(&["charter", "key", "--patron", "minister", "--out", "keys"]);
        desk.data(&[
            "charter",
            "draft",
            "--cloud",
            "lu",
            "--purpose",
            "the data of the state",
            "--party",
            "keys/ctie.pub",
            "--party",
            "keys/luxconnect.pub",
            "--party",
            "keys/proximus.pub",
            "--patron",
            "keys/minister.pub",
            "--sovereignty",
            sovereignty,
            "--out",
            "charter.toml",
        ]);
        let draft = std::fs::read_to_string(desk.path("charter.toml")).unwrap();
        std::fs::write(desk.path("charter.toml"), edit(draft)).unwrap();
        for name in ["ctie", "luxconnect", "proximus", "minister"] {
            let data = desk.data(&[
                "charter",
                "sign",
                "charter.toml",
                "--key",
                &format!("keys/{name}.key"),
            ]);
            assert!(
                data["signed_by"].as_array().unwrap().contains(&name.into()),
                "{data}"
            );
        }
        for (name, party) in [
            ("anna", "ctie"),
            ("ben", "ctie"),
            ("luc", "luxconnect"),
            ("pia", "proximus"),
        ] {
            desk.data(&[
                "approver", "new", "--name", name, "--party", party, "--out", "people",
            ]);
            desk.enrol(name, party);
        }
        desk
    }

    pub fn enrol(&self, name: &str, party: &str) {
        let (public, key, card) = (
            format!("people/{name}.pub"),
            format!("keys/{party}.key"),
            format!("cards/{name}.card"),
        );
        self.data(&["approver", "enrol", &public, "--key", &key, "--out", &card]);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        command(self.home.path())
            .args(arguments)
            .arg("--json")
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into()
    }

    pub fn data(&self, arguments: &[&str]) -> Value {
        self.run(arguments).data()
    }

    /// The type of the failure and the exit code.
    pub fn refused(&self, arguments: &[&str]) -> (String, i32, Value) {
        let ran = self.run(arguments);
        let envelope = ran.envelope();
        assert_eq!(envelope["status"], "error", "{envelope}");
        (
            envelope["error"]["type"].as_str().unwrap().to_owned(),
            ran.code,
            envelope["error"].clone(),
        )
    }

    fn propose(&self, verb: &str, parameters: &[&str], out: &str) -> Value {
        let mut arguments = vec!["propose", verb];
        arguments.extend(parameters);
        arguments.extend([
            "--reason",
            "decided on Monday",
            "--cloud",
            CLOUD,
            "--charter",
            "charter.toml",
            "--key",
            "people/anna.key",
            "--out",
            out,
        ]);
        self.data(&arguments)
    }

    fn approve(&self, request: &str, key: &str, out: &str) -> Value {
        self.data(&[
            "approve",
            request,
            "--key",
            key,
            "--charter",
            "charter.toml",
            "--approvers",
            "cards",
            "--out",
            out,
        ])
    }

    fn judge<'a>(
        &self,
        verb: &'a str,
        request: &'a str,
        words: &[&'a str],
        more: &[&'a str],
    ) -> Vec<&'a str> {
        let mut arguments = vec![verb, request];
        arguments.extend(words);
        arguments.extend([
            "--cloud",
            CLOUD,
            "--charter",
            "charter.toml",
            "--approvers",
            "cards",
        ]);
        arguments.extend(more);
        arguments
    }
}

fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn from_keys_to_an_execution_order_that_is_written_once() {
    let desk = Desk::new("ctie AND (luxconnect OR proximus)");
    let checked = desk.data(&["charter", "check", "charter.toml"]);
    assert_eq!(checked["version"], 2);
    assert_eq!(checked["sovereignty"], "ctie AND (luxconnect OR proximus)");

    // Adding a tenant takes two persons; the proposer is one of them.
    let asked = desk.propose("tenant-add", &["tenant=tax-office"], "add.request");
    assert_eq!(asked["class"], "R1");
    let shown = desk.data(&["show-request", "add.request"]);
    assert_eq!(shown["request_digest"], asked["request_digest"]);
    let (kind, code, error) = desk.refused(&desk.judge("check", "add.request", &[], &[]));
    assert_eq!((kind.as_str(), code), ("lacking", 4), "{error}");
    let signed = desk.approve("add.request", "people/ben.key", "ben.approval");
    assert_eq!(signed["checked"], true);
    let verdict = desk.data(&desk.judge("check", "add.request", &["ben.approval"], &[]));
    assert_eq!(verdict["granted"], true);
    assert_eq!(verdict["carried_out"], false);
    let more = ["--done", "orders", "--out", "orders/add.order"];
    std::fs::create_dir(desk.path("orders")).unwrap();
    let order = desk.data(&desk.judge("execute", "add.request", &["ben.approval"], &more));
    assert_eq!(order["order"], "orders/add.order");
    assert!(
        order["note"]
            .as_str()
            .unwrap()
            .contains("nothing was carried out")
    );
    let (kind, code, _) =
        desk.refused(&desk.judge("execute", "add.request", &["ben.approval"], &more));
    assert_eq!((kind.as_str(), code), ("replay", 4));

    // Opening waits, and needs what the charter says.
    desk.propose("restore", &["backup=monday"], "restore.request");
    desk.approve("restore.request", "people/luc.key", "luc.approval");
    desk.approve("restore.request", "people/pia.key", "pia.approval");
    let words = ["luc.approval", "pia.approval"];
    let (kind, _, error) = desk.refused(&desk.judge("check", "restore.request", &words, &[]));
    assert_eq!(kind, "lacking");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("ctie AND (luxconnect OR proximus)"),
        "{error}"
    );
    desk.approve("restore.request", "people/ben.key", "ben-restore.approval");
    let words = ["luc.approval", "ben-restore.approval"];
    let (kind, _, error) = desk.refused(&desk.judge("check", "restore.request", &words, &[]));
    assert_eq!(
        (kind.as_str(), &error["retryable"]),
        ("too-early", &Value::Bool(true))
    );
    assert_eq!(
        error["details"]["parties"],
        serde_json::json!(["ctie", "luxconnect"])
    );
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let desk = Desk::new("2 of (ctie, luxconnect, proximus)");
    desk.propose("restore", &["backup=monday"], "restore.request");
    let approve = |key: &str, out: &str| {
        desk.refused(&[
            "approve",
            "restore.request",
            "--key",
            key,
            "--charter",
            "charter.toml",
            "--approvers",
            "cards",
            "--out",
            out,
        ])
        .0
    };
    assert_eq!(approve("people/anna.key", "anna.approval"), "self-approval");
    assert_eq!(approve("keys/minister.key", "minister.approval"), "no-say");
    assert!(!desk.path("anna.approval").exists(), "nothing is written");
    desk.data(&[
        "approver", "new", "--name", "eve", "--party", "ctie", "--out", "people",
    ]);
    assert_eq!(
        approve("people/eve.key", "eve.approval"),
        "unknown-approver"
    );

    // A veto stops it; a damaged file and a stranger's word are named and stand in nobody's way.
    desk.approve("restore.request", "people/luc.key", "luc.approval");
    desk.data(&[
        "approve",
        "restore.request",
        "--key",
        "people/eve.key",
        "--out",
        "eve.approval",
    ]);
    std::fs::write(desk.path("cut.approval"), "clarence approval, format 1\n#").unwrap();
    desk.data(&[
        "veto",
        "restore.request",
        "--reason",
        "not our backup",
        "--key",
        "people/pia.key",
        "--out",
        "pia.veto",
    ]);
    let words = ["luc.approval", "eve.approval", "cut.approval", "pia.veto"];
    let (kind, _, error) = desk.refused(&desk.judge("check", "restore.request", &words, &[]));
    assert_eq!(kind, "vetoed");
    let refused: Vec<&str> = (error["details"]["refused"].as_array().unwrap().iter())
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(refused, ["unknown-approver", "document"]);

    // A changed request, another cloud, a charter with one character changed.
    change(
        &desk.path("restore.request"),
        "backup=monday",
        "backup=sunday",
    );
    let (kind, code, error) = desk.refused(&desk.judge("check", "restore.request", &[], &[]));
    assert_eq!((kind.as_str(), code), ("document", 2), "{error}");
    desk.propose("seal", &[], "seal.request");
    let other = [
        "check",
        "seal.request",
        "--cloud",
        "00000000000000000000000000000000",
        "--charter",
        "charter.toml",
        "--approvers",
        "cards",
    ];
    assert_eq!(desk.refused(&other).0, "other-cloud");
    change(&desk.path("charter.toml"), "threshold = 2", "threshold = 3");
    let (kind, code, error) = desk.refused(&["charter", "check", "charter.toml"]);
    assert_eq!((kind.as_str(), code), ("charter", 2));
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("line 7 of the charter (threshold = 3)"),
        "{error}"
    );
    let (kind, _, _) = desk.refused(&["found", "--charter", "charter.toml", "--data", "cloud"]);
    assert_eq!(kind, "charter");
}

#[test]
fn one_officer_closes_at_once() {
    let desk = Desk::new("ctie AND proximus");
    desk.propose("seal", &[], "seal.request");
    let verdict = desk.data(&desk.judge("execute", "seal.request", &[], &["--out", "seal.order"]));
    assert_eq!(verdict["request"]["class"], "R0");
}

#[test]
fn who_can_names_parties_by_the_default_and_by_a_charter() {
    let home = tempfile::tempdir().unwrap();
    let answer = run(home.path(), &["who-can", "unseal", "--json"]).data();
    assert_eq!(
        answer["verbs"][0]["condition"],
        "2 of (ctie, luxconnect, proximus)"
    );
    let text = run(home.path(), &["who-can", "unseal"]);
    assert!(
        text.stdout
            .contains("ctie + luxconnect, or ctie + proximus, or luxconnect + proximus"),
        "{}",
        text.stdout
    );
    let all = run(home.path(), &["who-can", "--all", "--json"]).data();
    assert!(all["verbs"].as_array().unwrap().len() > 40);
    let matrix = run(home.path(), &["who-can", "--matrix"]);
    let golden = include_str!("../../../charter/tests/it/golden/matrix-default.txt");
    assert_eq!(matrix.stdout, golden);
    assert!(!format!("{}{}", text.stdout, matrix.stdout).contains("admin"));
    let wrong = run(home.path(), &["who-can", "unsael", "--json"]);
    assert_eq!(wrong.code, 5);
    assert!(
        wrong.stdout.contains("did you mean unseal?"),
        "{}",
        wrong.stdout
    );
    assert_eq!(run(home.path(), &["who-can"]).code, 2);
}

#[test]
fn a_chain_of_charters_and_a_withdrawn_card() {
    let desk = Desk::new("ctie AND proximus");
    let text = std::fs::read_to_string(desk.path("charter.toml")).unwrap();
    let body = &text[..text.find("\n# Below").unwrap()];
    std::fs::write(
        desk.path("next.toml"),
        body.replace("cool_off_hours = 24", "cool_off_hours = 48"),
    )
    .unwrap();
    desk.data(&[
        "charter",
        "amend",
        "--charter",
        "charter.toml",
        "--with",
        "next.toml",
        "--out",
        "2.toml",
    ]);
    let (kind, _, error) = desk.refused(&["charter", "check", "charter.toml", "--then", "2.toml"]);
    assert_eq!(kind, "charter");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("charter 2 of the chain: nobody signed"),
        "{error}"
    );
    for name in ["ctie", "luxconnect", "proximus", "minister"] {
        desk.data(&[
            "charter",
            "sign",
            "2.toml",
            "--key",
            &format!("keys/{name}.key"),
        ]);
    }
    let now = desk.data(&["charter", "check", "charter.toml", "--then", "2.toml"]);
    assert_eq!(now["number"], 2);
    assert_ne!(now["charter_digest"], now["founding_digest"]);

    desk.data(&[
        "approver",
        "withdraw",
        "cards/luc.card",
        "--key",
        "keys/luxconnect.key",
        "--out",
        "cards/luc-2.card",
    ]);
    desk.propose("restore", &["backup=monday"], "restore.request");
    let (kind, _, _) = desk.refused(&[
        "approve",
        "restore.request",
        "--key",
        "people/luc.key",
        "--charter",
        "charter.toml",
        "--approvers",
        "cards",
        "--out",
        "luc.approval",
    ]);
    assert_eq!(kind, "withdrawn");
    let occupied = desk.refused(&[
        "approver",
        "new",
        "--name",
        "luc",
        "--party",
        "luxconnect",
        "--out",
        "people",
    ]);
    assert_eq!((occupied.0.as_str(), occupied.1), ("conflict", 6));
}

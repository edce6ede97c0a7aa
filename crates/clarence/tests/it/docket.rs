//! Joint control at a running node: three parties and a patron found a cloud, propose, approve and have it done;
//! what is not enough is refused by name.

use crate::joint::Desk;
use crate::run::Cloud;
use serde_json::Value;

/// A cloud under a signed charter with its running, open node, and the desk of its people.
pub struct House {
    pub desk: Desk,
    pub cloud: Cloud,
    id: String,
    /// The amendments that are in force.
    pub then: Vec<String>,
}

pub const SOVEREIGNTY: &str = "ctie AND (luxconnect OR proximus)";

/// The usual terms, but opening and amending do not wait.
pub fn no_cool_off(draft: String) -> String {
    let draft = draft.replace("cool_off_hours = 168", "cool_off_hours = 24");
    let (light, grave) = draft.split_at(draft.find("class = \"R3\"").unwrap());
    let grave = match grave.find("class = \"R4\"") {
        Some(_) => grave.replace("cool_off_hours = 24", "cool_off_hours = 0"),
        None => panic!("{grave}"),
    };
    light.replace("cool_off_hours = 1", "cool_off_hours = 0") + &grave
}

impl House {
    pub fn new() -> Self {
        Self::with(no_cool_off)
    }

    pub fn with(edit: impl FnOnce(String) -> String) -> Self {
        let desk = Desk::edited(SOVEREIGNTY, edit);
        let mut cloud = Cloud::new();
        let charter = desk.path("charter.toml");
        let founded = cloud
            .json(&["found", "--charter", charter.to_str().unwrap()])
            .data();
        cloud.start(&["serve", "--s3", "127.0.0.1:0"]);
        let house = Self {
            desk,
            id: founded["cloud"].as_str().unwrap().to_owned(),
            cloud,
            then: Vec::new(),
        };
        house.unseal(&["ctie", "proximus"]);
        house.at_node(&["hand-in", "cards"]).data();
        house
    }

    pub fn unseal(&self, parties: &[&str]) -> Value {
        let mut arguments = vec!["unseal".to_owned()];
        for party in parties {
            arguments.extend(["--share".to_owned(), self.cloud.share(party)]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.cloud.json(&arguments).data()
    }

    /// Runs a verb at the desk, with the node's folder.
    pub fn at_node(&self, arguments: &[&str]) -> crate::run::Ran {
        let data = self.cloud.data();
        let all = [arguments, &["--data", data.to_str().unwrap()]].concat();
        self.desk.run(&all)
    }

    /// The word with which a verb at the node is refused.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let envelope = self.at_node(arguments).envelope();
        assert_eq!(envelope["status"], "error", "{envelope}");
        envelope["error"]["type"].as_str().unwrap().to_owned()
    }

    fn in_force(&self) -> Vec<&str> {
        let mut flags = vec!["--charter", "charter.toml"];
        for paper in &self.then {
            flags.extend(["--then", paper]);
        }
        flags
    }

    fn propose_by(&self, by: &str, verb: &str, parameters: &[&str], out: &str) -> Value {
        let key = format!("people/{by}.key");
        let mut arguments = vec!["propose", verb];
        arguments.extend(parameters);
        arguments.extend([
            "--reason",
            "decided on Monday",
            "--cloud",
            &self.id,
            "--key",
            &key,
            "--out",
            out,
            "--node",
        ]);
        arguments.extend(self.in_force());
        self.at_node(&arguments).data()["node"].clone()
    }

    pub fn propose(&self, verb: &str, parameters: &[&str], out: &str) -> Value {
        self.propose_by("anna", verb, parameters, out)
    }

    /// One person approves at their own desk, and hands it to the node.
    pub fn approve(&self, request: &str, by: &str, out: &str) -> Value {
        let key = match by {
            "minister" => "keys/minister.key".to_owned(),
            person => format!("people/{person}.key"),
        };
        let data = self
            .at_node(&["approve", request, "--key", &key, "--out", out, "--node"])
            .data();
        data["node"].clone()
    }

    fn execute(&self, request: &str) -> Value {
        self.at_node(&["execute", request, "--node"]).data()
    }

    /// Everything from the request to the act.
    pub fn done(&self, verb: &str, parameters: &[&str], by: &[&str]) -> Value {
        let stem = format!("{verb}-{}", parameters.join("-").replace(['=', '/'], "-"));
        let request = format!("{stem}.request");
        self.propose(verb, parameters, &request);
        for person in by {
            self.approve(&request, person, &format!("{stem}-{person}.approval"));
        }
        self.execute(&request)
    }

    fn tail(&self) -> Vec<Value> {
        let tail = self.cloud.json(&["ledger", "tail", "-n", "1000"]).data();
        tail["entries"].as_array().unwrap().clone()
    }

    pub fn entries(&self, operation: &str) -> Vec<Value> {
        let all = self.tail();
        let fits = |entry: &&Value| entry["operation"] == operation;
        all.iter().filter(fits).cloned().collect()
    }
}

/// The sites' keys are a quorum's to renew, both together.
#[test]
fn a_quorum_renews_the_sites_keys() {
    let house = House::new();
    let alone = house.refused(&["rotate", "sites", "--reason", "alone"]);
    assert_eq!(alone, "needs-quorum");
    house.propose("re-key-site", &["site=a"], "one.request");
    for person in ["ben", "luc"] {
        house.approve("one.request", person, &format!("one-{person}.approval"));
    }
    let refused = house.refused(&["execute", "one.request", "--node"]);
    assert_eq!(refused, "usage");
    let inventory = || {
        let data = house.cloud.json(&["crypto", "inventory"]).data();
        let uses = data["uses"].as_array().unwrap().clone();
        uses.into_iter()
            .find(|of| of["name"] == "site-key")
            .unwrap()
    };
    let before = inventory();
    assert_eq!(before["versions"], serde_json::json!({ "1": 2 }));
    let done = house.done("re-key-site", &["site=both"], &["ben", "luc"]);
    assert_eq!(
        (&done["steps"]["version"], &done["steps"]["root"]),
        (&2.into(), &2.into()),
        "{done}"
    );
    crate::site_keys::renewed(&house.cloud);
    let after = inventory();
    assert_eq!(after["versions"], serde_json::json!({ "2": 2 }));
    let made = |of: &Value| of["newest_unix_ms"].as_u64().unwrap();
    assert!(made(&after) > made(&before), "{after}");
    for operation in ["ReKeySite", "MoveRoot", "RotateBegin", "RotateEnd"] {
        assert_eq!(house.entries(operation).len(), 1, "{operation}");
    }
}

fn keys_and_tenants_stop_and_go_on(house: &House) {
    // A credential, stopped by one alone, opened again by two parties.
    let made = house.done("key-add", &["tenant=tax-office"], &["ben"]);
    let key = made["credential"]["access_key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(made["credential"]["secret_key"].as_str().unwrap().len(), 40);
    let named = format!("access-key={key}");
    house.done("key-suspend", &[&named], &[]);
    house.propose("key-resume", &[&named], "resume.request");
    house.approve("resume.request", "luc", "luc.approval");
    assert_eq!(
        house.refused(&["execute", "resume.request", "--node"]),
        "lacking"
    );
    // Two parties, and not the two that the charter asks for.
    let after = house.approve("resume.request", "pia", "pia.approval");
    assert_eq!(after["state"], "lacking");
    assert_eq!(
        after["still_needed"],
        serde_json::json!(["a person of ctie"])
    );
    house.approve("resume.request", "ben", "ben-2.approval");
    house.execute("resume.request");
    house.done("tenant-suspend", &["tenant=tax-office"], &[]);
    let tenants = house.cloud.json(&["tenant", "list"]).data();
    assert_eq!(tenants["tenants"][0]["suspended"], true);
    house.done("tenant-resume", &["tenant=tax-office"], &["ben", "luc"]);
    let tenants = house.cloud.json(&["tenant", "list"]).data();
    assert_eq!(tenants["tenants"][0]["suspended"], false);
}

#[test]
fn propose_approve_execute_once_and_what_is_not_enough_is_refused_by_name() {
    let house = House::new();
    // Nobody adds a tenant alone at the control socket.
    let plain = house.cloud.json(&["tenant", "add", "tax-office"]);
    assert_eq!(plain.code, 4, "{}", plain.stdout);
    let error = plain.envelope()["error"].clone();
    assert_eq!(error["type"], "needs-quorum");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("ctie OR luxconnect OR proximus")
            && message.contains("2 different persons"),
        "{message}"
    );
    assert_eq!(house.cloud.json(&["key", "add", "--tenant", "x"]).code, 4);

    let lodged = house.propose("tenant-add", &["tenant=tax-office"], "add.request");
    assert_eq!(lodged["state"], "lacking", "{lodged}");
    assert_eq!(
        lodged["still_needed"],
        serde_json::json!(["more persons: 1 of 2 so far"])
    );
    assert_eq!(
        house.refused(&["execute", "add.request", "--node"]),
        "lacking"
    );
    assert_eq!(
        house.approve("add.request", "ben", "ben.approval")["state"],
        "ready"
    );
    let docket = house.at_node(&["docket"]).data();
    assert_eq!(
        docket["requests"][0]["approved_by"][0],
        "person ben of ctie"
    );
    assert!(house.cloud.plain(&["docket"]).stdout.contains("tenant-add"));
    let done = house.execute("add.request");
    assert_eq!(done["verb"], "tenant-add");
    assert_eq!(
        house.refused(&["execute", "add.request", "--node"]),
        "replay"
    );
    // The same order from another machine is the same request.
    let order = [
        "execute",
        "add.request",
        "ben.approval",
        "--cloud",
        &house.id,
        "--charter",
        "charter.toml",
        "--approvers",
        "cards",
        "--out",
        "add.order",
    ];
    house.desk.data(&order);
    assert_eq!(house.refused(&["execute", "add.order", "--node"]), "replay");
    let tenants = house.cloud.json(&["tenant", "list"]).data();
    assert_eq!(tenants["tenants"].as_array().unwrap().len(), 1);
    assert_eq!(house.entries("TenantAdd").len(), 1, "done once");
    let refused: Vec<Value> = house.entries("Execute");
    assert!(
        refused.iter().any(|entry| entry["decision"] == "replay"),
        "{refused:?}"
    );
    assert!(
        house
            .entries("Approve")
            .iter()
            .any(|e| e["actor"] == "person ben of ctie")
    );

    keys_and_tenants_stop_and_go_on(&house);
    // What no node does yet is said, and the request stays as it is.
    house.propose(
        "quota-set",
        &["tenant=tax-office", "quota=1T"],
        "quota.request",
    );
    house.approve("quota.request", "ben", "quota.approval");
    let no = house.at_node(&["execute", "quota.request", "--node"]);
    assert_eq!(
        (no.code, no.envelope()["error"]["type"].as_str()),
        (7, Some("not-carried-out"))
    );
    // Sealing takes one alone.
    let sealed = house.done("seal", &[], &[]);
    assert_eq!(sealed["sealed"], true);
    assert_eq!(house.cloud.json(&["status"]).data()["sealed"], true);
    // The docket outlives it.
    house.unseal(&["luxconnect", "ctie"]);
    assert_eq!(
        house.refused(&["execute", "add.request", "--node"]),
        "replay"
    );
    assert_eq!(house.entries("Seal").len(), 1);
}

#[test]
fn unsealing_takes_the_parties_that_the_charter_names() {
    let house = House::new();
    house.cloud.json(&["seal"]).data();
    let two = house.unseal(&["luxconnect", "proximus"]);
    assert_eq!(two["sealed"], true, "{two}");
    assert_eq!(
        (&two["shares_given"], &two["shares_needed"]),
        (&2.into(), &2.into())
    );
    assert_eq!(two["lacks"], SOVEREIGNTY);
    assert_eq!(house.cloud.json(&["status"]).data()["lacks"], SOVEREIGNTY);
    let who = house
        .desk
        .data(&["who-can", "unseal", "--charter", "charter.toml"]);
    assert_eq!(
        who["verbs"][0]["condition"], SOVEREIGNTY,
        "the same as the node asks"
    );
    assert_eq!(house.unseal(&["ctie"])["sealed"], false);
}

#[test]
fn who_can_agrees_with_what_the_node_enforces() {
    let house = House::new();
    house.done("tenant-add", &["tenant=t"], &["ben"]);
    let person = |party: &str| match party {
        "ctie" => "ben",
        "luxconnect" => "luc",
        _ => "pia",
    };
    let all = ["ctie", "luxconnect", "proximus"];
    for (verb, sets) in [("tenant-resume", 0..8_u32), ("tenant-suspend", 0..1)] {
        let who = house
            .desk
            .data(&["who-can", verb, "--charter", "charter.toml"]);
        let answer = &who["verbs"][0];
        let groups: Vec<Vec<String>> =
            serde_json::from_value(answer["smallest_groups"].clone()).unwrap();
        for set in sets {
            let members: Vec<&str> = (0..3)
                .filter(|bit| set >> bit & 1 == 1)
                .map(|bit| all[bit])
                .collect();
            let request = format!("{verb}-{set}.request");
            house.propose(verb, &["tenant=t"], &request);
            for party in &members {
                let out = format!("{verb}-{set}-{party}.approval");
                house.approve(&request, person(party), &out);
            }
            let mut counted: Vec<String> = members.iter().map(ToString::to_string).collect();
            if answer["proposer_counts"] == true {
                counted.push("ctie".to_owned());
            }
            let holds = |group: &Vec<String>| group.iter().all(|party| counted.contains(party));
            let enough = groups.iter().any(holds);
            let ran = house.at_node(&["execute", &request, "--node"]).envelope();
            let done = ran["status"] == "success";
            assert_eq!(done, enough, "{verb} by {members:?}: {ran}");
            if !enough {
                assert_eq!(ran["error"]["type"], "lacking");
            }
        }
    }
}

#[test]
fn f2_shares_that_are_wrong_foreign_or_given_twice_are_refused_by_name() {
    let house = House::new();
    house.cloud.json(&["seal"]).data();
    let refused = |path: &str| {
        let envelope = house.cloud.json(&["unseal", "--share", path]).envelope();
        assert_eq!(envelope["status"], "error", "{envelope}");
        envelope["error"]["message"].as_str().unwrap().to_owned()
    };
    let other = Cloud::new();
    other.json(&["found"]).data();
    assert!(refused(&other.share("ctie")).contains("belongs to cloud"));
    house.unseal(&["luxconnect"]);
    assert!(
        refused(&house.cloud.share("luxconnect"))
            .contains("luxconnect has given its share already")
    );
    let damaged = house.desk.path("damaged.clarence");
    let text = std::fs::read_to_string(house.cloud.share("ctie")).unwrap();
    std::fs::write(&damaged, text.replacen("epoch       1", "epoch       0", 1)).unwrap();
    refused(damaged.to_str().unwrap());
    assert_eq!(
        house.unseal(&["ctie"])["sealed"],
        false,
        "what was given before was kept"
    );
}

fn every_refusal_is_on_the_ledger(house: &House) {
    let words: Vec<String> = (house.tail().iter())
        .filter(|entry| entry["kind"] == "refuse")
        .map(|entry| entry["decision"].as_str().unwrap_or_default().to_owned())
        .collect();
    for word in [
        "self-approval",
        "same-person-twice",
        "same-party-twice",
        "unknown-approver",
        "no-say",
        "too-early",
        "vetoed",
        "other-cloud",
        "not-lodged",
        "older-card",
        "lacking",
    ] {
        assert!(
            words.iter().any(|found| found == word),
            "{word} is not on the ledger: {words:?}"
        );
    }
}

#[test]
fn f3_and_f4_at_the_node() {
    let house = House::with(|draft| draft.replace("cool_off_hours = 168", "cool_off_hours = 24"));
    house.propose("tenant-resume", &["tenant=t"], "r.request");
    let approve = |key: &str, out: &str| {
        house.refused(&["approve", "r.request", "--key", key, "--out", out, "--node"])
    };
    house.approve("r.request", "luc", "luc.approval");
    assert_eq!(approve("people/anna.key", "anna.approval"), "self-approval");
    assert_eq!(
        approve("people/luc.key", "luc-2.approval"),
        "same-person-twice"
    );
    house.desk.data(&[
        "approver",
        "new",
        "--name",
        "leo",
        "--party",
        "luxconnect",
        "--out",
        "people",
    ]);
    assert_eq!(
        approve("people/leo.key", "leo.approval"),
        "unknown-approver"
    );
    house.desk.enrol("leo", "luxconnect");
    house.at_node(&["hand-in", "cards/leo.card"]).data();
    assert_eq!(
        approve("people/leo.key", "leo-2.approval"),
        "same-party-twice"
    );
    assert_eq!(approve("keys/minister.key", "minister.approval"), "no-say");
    house.approve("r.request", "ben", "ben.approval");
    let early = house
        .at_node(&["execute", "r.request", "--node"])
        .envelope();
    assert_eq!(
        (&early["error"]["type"], &early["error"]["retryable"]),
        (&"too-early".into(), &true.into())
    );
    // A veto of the third party ends it; nobody can be vetoed for closing.
    house.propose("tenant-resume", &["tenant=u"], "v.request");
    house
        .at_node(&[
            "veto",
            "v.request",
            "--reason",
            "not so",
            "--key",
            "people/pia.key",
            "--out",
            "pia.veto",
            "--node",
        ])
        .data();
    house.approve("v.request", "luc", "v-luc.approval");
    house.approve("v.request", "ben", "v-ben.approval");
    assert_eq!(house.refused(&["execute", "v.request", "--node"]), "vetoed");
    // One of the two signatures is taken away, with a right checksum or not: the document does not read.
    let text = std::fs::read_to_string(house.desk.path("ben.approval")).unwrap();
    let cut: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("ML-DSA-65"))
        .collect();
    std::fs::write(house.desk.path("cut.approval"), cut.join("\n") + "\n").unwrap();
    assert_eq!(house.refused(&["hand-in", "cut.approval"]), "document");
    // Another cloud, and a request that nobody lodged.
    let foreign = [
        "propose",
        "seal",
        "--reason",
        "x",
        "--cloud",
        "00000000000000000000000000000000",
        "--charter",
        "charter.toml",
        "--key",
        "people/anna.key",
        "--out",
        "foreign.request",
        "--node",
    ];
    assert_eq!(house.refused(&foreign), "other-cloud");
    assert!(
        house.desk.path("foreign.request").exists(),
        "it is written, the node did not take it"
    );
    assert_eq!(
        house.refused(&["execute", &"0".repeat(128), "--node"]),
        "not-lodged"
    );
    // An approver who was withdrawn counts no more, though they approved before.
    house.desk.data(&[
        "approver",
        "withdraw",
        "cards/luc.card",
        "--key",
        "keys/luxconnect.key",
        "--out",
        "luc-2.card",
    ]);
    house.at_node(&["hand-in", "luc-2.card"]).data();
    assert_eq!(house.refused(&["hand-in", "cards/luc.card"]), "older-card");
    assert_eq!(
        house.refused(&["execute", "r.request", "--node"]),
        "lacking"
    );
    every_refusal_is_on_the_ledger(&house);
}

/// A guest's parties decide together that a key is lent, and each alone that it is no more.
#[test]
fn lending_a_key_to_a_host_takes_two_and_recalling_one() {
    let mut house = House::new();
    house.done("tenant-add", &["tenant=home"], &["ben"]);
    let host = house.desk.path("host.json");
    let said = r#"{"endpoint": "http://127.0.0.1:1", "region": "lu-1", "access_key": "CLRABCDEFGHIJKLMNOPQ", "secret_key": "s"}"#;
    std::fs::write(&host, said).unwrap();
    let keys = house.cloud.data().join("ledger.keys");
    let lend = [
        "embassy",
        "lend",
        "--tenant",
        "home",
        "--bucket",
        "register",
        "--seconds",
        "300",
        "--host",
        "host.json",
        "--host-keys",
        keys.to_str().unwrap(),
    ];
    assert_eq!(house.refused(&lend), "usage");
    house.cloud.json(&["stop"]).data();
    house.cloud.wait();
    let settings = house.cloud.data().join("clarence.toml");
    std::fs::write(settings, "[embassy]\nlends = true\n").unwrap();
    house.cloud.start(&["serve", "--s3", "127.0.0.1:0"]);
    house.unseal(&["ctie", "proximus"]);
    let begun = house.at_node(&lend).data();
    assert_eq!(begun["state"], "waiting", "{begun}");
    let loan = begun["loan"].as_str().unwrap();
    assert_eq!(house.refused(&["embassy", "resume", loan]), "needs-quorum");

    let named = format!("loan={loan}");
    house.done("lease-grant", &[&named, "minutes=1"], &["ben", "luc"]);
    let state = |house: &House| house.at_node(&["embassy", "loans"]).data()["loans"][0].clone();
    let granted = state(&house);
    assert_eq!(
        (&granted["state"], &granted["seconds"]),
        (&"offered".into(), &60.into())
    );
    house.done("lease-revoke", &[&named], &[]);
    assert_eq!(state(&house)["state"], "recalled");
    assert_eq!(
        house.entries("LendGrant").len() + house.entries("LendRecall").len(),
        4,
        "one for the cloud, one for the tenant"
    );
    assert_eq!(
        house.at_node(&["embassy", "recall", loan]).data()["state"],
        "recalled"
    );
    assert_eq!(house.refused(&["embassy", "recall", "00"]), "usage");
}

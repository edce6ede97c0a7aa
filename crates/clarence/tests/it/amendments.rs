//! Charters that change, and where a node and its folders may be.

use crate::docket::{House, SOVEREIGNTY, no_cool_off};

#[test]
fn an_amendment_comes_into_force_by_the_quorum_and_survives_a_restart() {
    let mut house = House::new();
    let text = std::fs::read_to_string(house.desk.path("charter.toml")).unwrap();
    let body = &text[..text.find("\n# Below").unwrap()];
    let next = body.replace(SOVEREIGNTY, "luxconnect AND proximus");
    std::fs::write(house.desk.path("next.toml"), next).unwrap();
    let made = house.desk.data(&[
        "charter",
        "amend",
        "--charter",
        "charter.toml",
        "--with",
        "next.toml",
        "--out",
        "2.toml",
    ]);
    for name in ["ctie", "luxconnect", "proximus", "minister"] {
        let key = format!("keys/{name}.key");
        house
            .desk
            .data(&["charter", "sign", "2.toml", "--key", &key]);
    }
    let digest = made["charter_digest"].as_str().unwrap();
    let named = format!("charter={digest}");
    house.propose("tenant-resume", &["tenant=t"], "old.request");
    house.propose("amend-charter", &[&named], "amend.request");
    for person in ["ben", "luc", "pia"] {
        house.approve("amend.request", person, &format!("amend-{person}.approval"));
    }
    let execute = ["execute", "amend.request", "--with", "2.toml", "--node"];
    assert_eq!(house.refused(&execute), "lacking", "the patron is missing");
    house.approve("amend.request", "minister", "amend-minister.approval");
    assert_eq!(
        house.refused(&["execute", "amend.request", "--node"]),
        "usage"
    );
    let wrong = [
        "execute",
        "amend.request",
        "--with",
        "charter.toml",
        "--node",
    ];
    assert_eq!(
        house.refused(&wrong),
        "edited",
        "the founding charter was not what was approved"
    );
    let done = house.at_node(&execute).data();
    assert_eq!(
        (
            &done["charter"]["number"],
            &done["charter"]["charter_digest"]
        ),
        (&2.into(), &made["charter_digest"])
    );
    assert_eq!(
        house.refused(&execute),
        "other-charter",
        "it is done, and under another charter"
    );
    assert_eq!(
        house.refused(&["execute", "old.request", "--node"]),
        "other-charter"
    );
    house.then.push("2.toml".to_owned());
    assert_eq!(house.propose("seal", &[], "seal.request")["state"], "ready");
    assert_eq!(house.cloud.signal("TERM"), 0);
    house.cloud.start(&["serve", "--s3", "127.0.0.1:0"]);
    assert_eq!(house.cloud.json(&["status"]).data()["charter"]["number"], 2);
    assert_eq!(
        house.unseal(&["ctie", "proximus"])["lacks"],
        "luxconnect AND proximus"
    );
    assert_eq!(house.unseal(&["luxconnect"])["sealed"], false);
    assert_eq!(house.entries("AmendCharter").len(), 1);
    assert_eq!(house.cloud.signal("TERM"), 0);

    // One changed character in a folder's copy stops the start and is named; so does a paper nobody carried out.
    let starts = |house: &House| {
        house
            .cloud
            .json(&["serve", "--s3", "127.0.0.1:0"])
            .envelope()
    };
    let paper = house.cloud.data().join("site-b/amendments/charter-2.toml");
    let good = std::fs::read_to_string(&paper).unwrap();
    std::fs::write(&paper, good.replacen("threshold = 2", "threshold = 3", 1)).unwrap();
    let refused = starts(&house);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("charter-2.toml: line ") && message.contains("threshold = 3"),
        "{message}"
    );
    std::fs::write(&paper, &good).unwrap();
    let strange = house.cloud.data().join("site-a/amendments/charter-3.toml");
    std::fs::write(&strange, &good).unwrap();
    let message = starts(&house)["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        message.contains("no such amendment was carried out"),
        "{message}"
    );
    std::fs::remove_file(&strange).unwrap();
    // A copy that is missing is written again.
    std::fs::remove_file(&paper).unwrap();
    house.cloud.start(&["serve", "--s3", "127.0.0.1:0"]);
    assert_eq!(std::fs::read_to_string(&paper).unwrap(), good);
}

#[test]
fn a_node_or_a_folder_abroad_does_not_start_and_a_tenants_keys_stay_where_its_list_says() {
    let two = |draft: String| {
        no_cool_off(draft).replace("allowed = [\"lu\"]", "allowed = [\"lu\", \"be\"]")
    };
    let mut house = House::with(two);
    assert_eq!(house.cloud.json(&["status"]).data()["jurisdiction"], "lu");
    house.propose(
        "tenant-add",
        &["tenant=away", "jurisdictions=be"],
        "away.request",
    );
    house.approve("away.request", "ben", "away.approval");
    assert_eq!(
        house.refused(&["execute", "away.request", "--node"]),
        "abroad"
    );
    house.done("tenant-add", &["tenant=home", "jurisdictions=lu"], &["ben"]);
    house.done("key-add", &["tenant=home"], &["ben"]);
    assert_eq!(house.cloud.signal("TERM"), 0);
    let starts = |house: &House| {
        let envelope = house
            .cloud
            .json(&["serve", "--s3", "127.0.0.1:0"])
            .envelope();
        envelope["error"]["message"].as_str().unwrap().to_owned()
    };
    let label = house.cloud.data().join("site-b/jurisdiction");
    assert_eq!(std::fs::read_to_string(&label).unwrap(), "lu\n");
    std::fs::write(&label, "fr\n").unwrap();
    let message = starts(&house);
    assert!(
        message.contains("the folder of site-b is labelled \"fr\"") && message.contains("abroad"),
        "{message}"
    );
    std::fs::write(&label, "lu\n").unwrap();
    let config = house.cloud.data().join("clarence.toml");
    std::fs::write(&config, "[node]\njurisdiction = \"fr\"\n").unwrap();
    let message = starts(&house);
    assert!(
        message.contains("this node is in \"fr\"") && message.contains("allows lu, be"),
        "{message}"
    );
    // In be the node may run, and the keys of a tenant that is for lu only stay closed.
    std::fs::write(&config, "[node]\njurisdiction = \"be\"\n").unwrap();
    house.cloud.start(&["serve", "--s3", "127.0.0.1:0"]);
    house.unseal(&["ctie", "luxconnect"]);
    house.propose(
        "key-add",
        &["tenant=home", "expires=2099-01-01T00:00:00Z"],
        "key.request",
    );
    house.approve("key.request", "ben", "key.approval");
    assert_eq!(
        house.refused(&["execute", "key.request", "--node"]),
        "abroad"
    );
}

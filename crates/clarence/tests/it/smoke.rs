//! The key ceremony from the command line.

use crate::run::Cloud;

#[test]
fn found_makes_a_share_for_each_party_and_never_writes_over_anything() {
    let cloud = Cloud::new();
    let data = cloud.json(&["found"]).data();
    assert_eq!(data["threshold"], 2);
    let parties: Vec<_> = data["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["party"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(parties, ["ctie", "luxconnect", "proximus"]);
    for party in &parties {
        assert!(std::path::Path::new(&cloud.share(party)).exists());
    }
    let again = cloud.json(&["found"]);
    assert_eq!(again.code, 6);
    assert_eq!(again.envelope()["error"]["type"], "conflict");
    let doctor = cloud.json(&["doctor"]);
    let checks = doctor.data()["checks"].as_array().unwrap().clone();
    let result = |name: &str| {
        checks
            .iter()
            .find(|c| c["name"] == name)
            .map(|c| c["result"].as_str().unwrap().to_owned())
    };
    assert_eq!(result("witnesses").as_deref(), Some("ok"));
    assert_eq!(result("shares").as_deref(), Some("warning"));
    assert_eq!(result("two places").as_deref(), Some("warning"));
    assert_eq!(result("node").as_deref(), Some("ok"));
}

#[test]
fn a_charter_of_the_parties_is_used_and_a_wrong_one_named() {
    let cloud = Cloud::new();
    let charter = cloud.home.path().join("charter.toml");
    std::fs::write(&charter, "parties = 7\n").unwrap();
    let refused = cloud.json(&["found", "--charter", charter.to_str().unwrap()]);
    assert_eq!(refused.code, 2);
    assert_eq!(refused.envelope()["error"]["type"], "charter");
    assert_eq!(cloud.json(&["found", "--charter", "nowhere.toml"]).code, 5);
    assert!(!cloud.data().exists());
}

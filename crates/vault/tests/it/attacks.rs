//! Custody attacks F3 and F4: every one is refused by name and stands in the ledger.

use crate::house::{HOUR, House, person, repeating, word};
use charter::approval::{Bearer, KeyFile, Request, Says};
use std::time::Duration;
use words::limits::DOCKET_REQUESTS_MAX;

async fn refused(result: Result<impl Sized, vault::joint::JointError>) -> &'static str {
    match result {
        Ok(_) => panic!("it was taken"),
        Err(error) => word(&error),
    }
}

#[tokio::test(start_paused = true)]
async fn f3_same_person_same_party_self_approval_and_strangers() {
    let house = House::new(1).await;
    let request = house
        .lodge("tenant-resume", &[("tenant", "ministry")])
        .await;
    assert_eq!(
        refused(house.approve(&request, "anna of ctie").await).await,
        "self-approval"
    );
    let first = house.word(Says::Approve, &request, house.key("ben of luxconnect"));
    house.hand_in(&first.to_text()).await.unwrap();
    // The very same document again is no second word, and no error.
    house.hand_in(&first.to_text()).await.unwrap();
    assert_eq!(
        refused(house.approve(&request, "anna of luxconnect").await).await,
        "same-party-twice"
    );
    house.world.clock.skip(HOUR / 60);
    assert_eq!(
        refused(house.approve(&request, "ben of luxconnect").await).await,
        "same-person-twice"
    );
    assert_eq!(
        refused(house.approve(&request, "minister").await).await,
        "no-say"
    );
    let eve = KeyFile::generate(Bearer::Person(person("eve of ctie")), &house.world.host).unwrap();
    let stranger = house.word(Says::Approve, &request, &eve);
    assert_eq!(
        refused(house.hand_in(&stranger.to_text()).await).await,
        "unknown-approver"
    );
    // A key of one's own making under a known name.
    let forged =
        KeyFile::generate(Bearer::Person(person("ben of ctie")), &house.world.host).unwrap();
    let forged = house.word(Says::Approve, &request, &forged);
    assert_eq!(
        refused(house.hand_in(&forged.to_text()).await).await,
        "other-key"
    );
    house.world.clock.skip(HOUR);
    assert_eq!(refused(house.carry(&request).await).await, "lacking");
    let entries = house.entries("refuse").await;
    for word in [
        "self-approval",
        "same-party-twice",
        "same-person-twice",
        "no-say",
        "unknown-approver",
        "other-key",
        "lacking",
    ] {
        assert!(
            entries.iter().any(|(_, decision)| decision == word),
            "{word}: {entries:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn f3_edited_parameters_even_when_the_proposer_signs_them_again() {
    let house = House::new(2).await;
    // Two requests of one nonce: what was shown to the approvers, and what is handed to the node.
    let host = repeating(&house.world.host, Duration::ZERO);
    let shown = house.request_on(&host, "tenant-suspend", &[("tenant", "t")]);
    let lodged = house.request_on(&host, "tenant-resume", &[("tenant", "ministry")]);
    house.hand_in(&lodged.to_text()).await.unwrap();
    assert_eq!(
        refused(house.approve(&shown, "ben of luxconnect").await).await,
        "edited"
    );
    // Any byte of the lodged text: it is not that document any more.
    let text = lodged
        .to_text()
        .replace("tenant=ministry", "tenant=treasury");
    assert_eq!(refused(house.hand_in(&text).await).await, "document");
    let other = house.request("tenant-resume", &[("tenant", "x")]);
    assert_eq!(
        refused(house.approve(&other, "ben of luxconnect").await).await,
        "not-lodged"
    );
}

#[tokio::test(start_paused = true)]
async fn f3_too_early_and_expired_whatever_the_proposer_wrote() {
    let house = House::new(3).await;
    // Its proposer writes that it was made ten hours ago: the cool-off counts from when the node saw it.
    let host = repeating(&house.world.host, HOUR * 10);
    let request = house.request_on(&host, "tenant-resume", &[("tenant", "ministry")]);
    house.hand_in(&request.to_text()).await.unwrap();
    house.approve(&request, "ben of ctie").await.unwrap();
    house.approve(&request, "ben of proximus").await.unwrap();
    assert_eq!(refused(house.carry(&request).await).await, "too-early");
    let shown = house
        .node
        .vault
        .docket_one(&request.request().digest())
        .await
        .unwrap();
    assert_eq!(
        (shown.state, shown.earliest),
        ("too-early", house.now().plus_hours(1))
    );
    house.world.clock.skip(HOUR);
    assert!(house.carry(&request).await.is_ok());
    // One that ran out, and that may not be lodged anew either.
    let late = house
        .lodge("tenant-resume", &[("tenant", "ministry")])
        .await;
    house.approve(&late, "ben of ctie").await.unwrap();
    house.world.clock.skip(HOUR * 26);
    assert_eq!(
        refused(house.approve(&late, "ben of proximus").await).await,
        "expired"
    );
    assert_eq!(refused(house.carry(&late).await).await, "lacking");
    let never = house.request_on(&repeating(&house.world.host, HOUR * 30), "seal", &[]);
    assert_eq!(
        refused(house.hand_in(&never.to_text()).await).await,
        "expired"
    );
}

#[tokio::test(start_paused = true)]
async fn f3_replayed_nonce_across_a_crash_and_a_restart() {
    let mut house = House::new(4).await;
    let request = house.lodge("tenant-add", &[("tenant", "treasury")]).await;
    house.approve(&request, "ben of ctie").await.unwrap();
    house.carry(&request).await.unwrap();
    assert_eq!(refused(house.carry(&request).await).await, "replay");
    house.restart().await;
    assert_eq!(refused(house.carry(&request).await).await, "replay");
    house.hand_in(&request.to_text()).await.unwrap();
    assert_eq!(refused(house.carry(&request).await).await, "replay");
    assert_eq!(
        refused(house.approve(&request, "ben of luxconnect").await).await,
        "replay"
    );
    let tenants = house.node.vault.tenant_list().await.unwrap();
    assert_eq!(
        tenants
            .iter()
            .filter(|t| t.name.to_string() == "treasury")
            .count(),
        1
    );
    let acts = house.entries("admin").await;
    assert_eq!(
        acts.iter()
            .filter(|(operation, _)| operation == "TenantAdd")
            .count(),
        2,
        "the ministry's, plainly, and this one"
    );
}

#[tokio::test(start_paused = true)]
async fn f3_one_of_two_signatures_missing_or_bad() {
    let house = House::new(5).await;
    let request = house.lodge("tenant-add", &[("tenant", "treasury")]).await;
    let text = house
        .word(Says::Approve, &request, house.key("ben of ctie"))
        .to_text();
    for label in ["Ed25519", "ML-DSA-65"] {
        let without: String = (text.lines())
            .filter(|line| !line.starts_with(label))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            refused(house.hand_in(&without).await).await,
            "document",
            "{label}"
        );
    }
    assert_eq!(
        refused(house.hand_in(&format!("{text}x")).await).await,
        "document",
        "a byte behind it"
    );
    assert_eq!(refused(house.carry(&request).await).await, "lacking");
    let entries = house.entries("refuse").await;
    let documents = entries
        .iter()
        .filter(|(_, decision)| decision == "document");
    assert_eq!(documents.count(), 3, "{entries:?}");
    house.hand_in(&text).await.unwrap();
    house.carry(&request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f3_vetoed_withdrawn_other_cloud_and_other_class() {
    let house = House::new(6).await;
    let request = house
        .lodge("tenant-resume", &[("tenant", "ministry")])
        .await;
    house.approve(&request, "ben of ctie").await.unwrap();
    house.approve(&request, "ben of luxconnect").await.unwrap();
    let veto = house.word(Says::Veto, &request, house.key("anna of proximus"));
    house.hand_in(&veto.to_text()).await.unwrap();
    house.world.clock.skip(HOUR);
    assert_eq!(refused(house.carry(&request).await).await, "vetoed");
    let closing = house.lodge("seal", &[]).await;
    let veto = house.word(Says::Veto, &closing, house.key("anna of proximus"));
    assert_eq!(
        refused(house.hand_in(&veto.to_text()).await).await,
        "no-veto"
    );
    // A card that was withdrawn after its bearer approved.
    let request = house.lodge("tenant-add", &[("tenant", "treasury")]).await;
    house.approve(&request, "ben of ctie").await.unwrap();
    let card = house.card(&house.parties[0], house.key("ben of ctie"), 1);
    let gone = card.withdraw(&house.parties[0]).unwrap();
    house.hand_in(&gone.to_text()).await.unwrap();
    assert_eq!(refused(house.carry(&request).await).await, "lacking");
    let shown = house
        .node
        .vault
        .docket_one(&request.request().digest())
        .await
        .unwrap();
    assert_eq!(
        shown.dropped,
        [("person ben of ctie".to_owned(), "withdrawn")]
    );
    assert_eq!(
        refused(house.hand_in(&card.to_text()).await).await,
        "older-card"
    );
    // Another cloud's request.
    let charter = house.founding.clone();
    let mut ask = house.ask("seal", &[]);
    ask.cloud = words::CloudId::from_bytes([3; 16]);
    let foreign = Request::propose(&charter, ask, house.key("anna of ctie"), &house.world.host);
    let foreign = foreign.unwrap().to_text();
    assert_eq!(refused(house.hand_in(&foreign).await).await, "other-cloud");
}

#[tokio::test(start_paused = true)]
async fn f4_nobody_fills_the_docket_for_the_others_or_uses_up_their_request() {
    let house = House::new(7).await;
    // One party files all it can: another one still finds room.
    let part = DOCKET_REQUESTS_MAX / 3;
    for _ in 0..part {
        house.lodge("tenant-suspend", &[("tenant", "nobody")]).await;
    }
    let more = house.request("seal", &[]);
    assert_eq!(
        refused(house.hand_in(&more.to_text()).await).await,
        "docket-full"
    );
    let ask = house.ask("tenant-add", &[("tenant", "treasury")]);
    let key = house.key("anna of proximus");
    let other = Request::propose(&house.founding, ask, key, &house.world.host).unwrap();
    house.hand_in(&other.to_text()).await.unwrap();
    house.approve(&other, "ben of proximus").await.unwrap();
    house.carry(&other).await.unwrap();
    // When they have expired there is room again.
    house.world.clock.skip(HOUR * 30);
    house.lodge("seal", &[]).await;
    // An act of one alone with the nonce of a request that waits does not use that request up.
    let host = repeating(&house.world.host, Duration::ZERO);
    let waiting = house.request_on(&host, "tenant-add", &[("tenant", "museum")]);
    let closing = house.request_on(&host, "tenant-suspend", &[("tenant", "ministry")]);
    house.hand_in(&waiting.to_text()).await.unwrap();
    house.hand_in(&closing.to_text()).await.unwrap();
    house.carry(&closing).await.unwrap();
    house.approve(&waiting, "ben of ctie").await.unwrap();
    house.carry(&waiting).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f4_the_paper_that_is_carried_out_is_the_one_that_was_approved() {
    let house = House::new(8).await;
    let terms = house.founding.terms().unwrap();
    let next = |text: &str| {
        let terms = terms.clone().with_sovereignty(text).unwrap();
        let terms = terms.amending(1, house.founding.digest());
        crate::house::signed(terms, house.parties.iter().chain([&house.patron]))
    };
    let (approved, swapped) = (next("ctie AND luxconnect"), next("ctie AND proximus"));
    let digest = approved.terms().digest().to_string();
    let request = house.lodge("amend-charter", &[("charter", &digest)]).await;
    for by in [
        "ben of ctie",
        "ben of luxconnect",
        "ben of proximus",
        "minister",
    ] {
        house.approve(&request, by).await.unwrap();
    }
    let id = request.request().digest();
    let carry = async |paper: Option<String>| {
        refused(house.carry_digest(&id, paper.as_deref()).await).await
    };
    assert_eq!(carry(Some(approved.to_text())).await, "too-early");
    house.world.clock.skip(HOUR * 168);
    assert_eq!(carry(None).await, "usage");
    assert_eq!(carry(Some(swapped.to_text())).await, "edited");
    let changed = approved
        .to_text()
        .replacen("threshold = 2", "threshold = 3", 1);
    assert_eq!(carry(Some(changed)).await, "charter");
    house
        .carry_digest(&id, Some(&approved.to_text()))
        .await
        .unwrap();
    assert_eq!(house.node.vault.law().unwrap().number(), 2);
    assert_eq!(
        house.node.vault.amendments().await.unwrap(),
        [(2, approved.to_text())]
    );
    assert_eq!(carry(Some(approved.to_text())).await, "other-charter");
}

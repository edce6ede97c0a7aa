//! New shares of the same root.

use super::world::{charter_of, copy, default_founding, host};
use charter::record::Kind;
use charter::{
    CeremonyError, Charter, Contribution, Founding, Progress, Resharing, UnsealError, Unsealing,
    reshare,
};

fn again(charter: &Charter, founding: &Founding, seed: u64) -> Result<Resharing, CeremonyError> {
    let host = host(seed);
    let contributions = Contribution::draw_for_all(charter.parties(), &host);
    reshare(
        charter,
        &founding.root,
        founding.transcript.custody(),
        &host,
        contributions,
    )
}

#[test]
fn the_new_shares_give_the_same_root_and_the_older_are_refused() {
    let founding = default_founding(60);
    let new = again(&Charter::default(), &founding, 61).unwrap();
    let custody = new.transcript.custody();
    assert_eq!(
        (custody.epoch(), custody.ceremony()),
        (2, founding.transcript.custody().ceremony())
    );
    assert_eq!(
        custody.key_check(),
        founding.transcript.custody().key_check()
    );

    let mut unsealing = Unsealing::new(custody.clone());
    unsealing.add(copy(&new.shares[0].1)).unwrap();
    let error = unsealing.add(copy(&founding.shares[1].1)).unwrap_err();
    assert!(
        matches!(&error, UnsealError::OlderEpoch { party, found: 1, here: 2 } if party.as_str() == "luxconnect")
    );
    match unsealing.add(copy(&new.shares[1].1)).unwrap() {
        Progress::Complete(root) => assert_eq!(root.expose(), founding.root.expose()),
        Progress::Waiting { .. } => panic!("two shares must be enough"),
    }
    // A node that has missed the new dealing says so.
    let mut behind = Unsealing::new(founding.transcript.custody().clone());
    let error = behind.add(copy(&new.shares[1].1)).unwrap_err();
    assert!(matches!(
        error,
        UnsealError::NewerEpoch {
            found: 2,
            here: 1,
            ..
        }
    ));
}

#[test]
fn the_transcript_chains_to_the_record_it_replaces() {
    let founding = default_founding(62);
    let new = again(&Charter::default(), &founding, 63).unwrap();
    let opening = new.transcript.opening();
    let before = founding.transcript.custody().to_json().unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, before.as_bytes());
    assert_eq!(opening.kind, Kind::Reshare);
    assert_eq!(
        opening.previous.as_ref().map(<[u8; 64]>::as_slice),
        Some(digest.as_ref())
    );
}

#[test]
fn parties_and_threshold_may_change_with_the_charter() {
    let founding = default_founding(64);
    let new = again(&charter_of(5, 3), &founding, 65).unwrap();
    assert_eq!(
        (new.shares.len(), new.transcript.proof().sets_that_rebuild),
        (5, 10)
    );
    let mut unsealing = Unsealing::new(new.transcript.custody().clone());
    for (_, share) in &new.shares[1..3] {
        assert!(matches!(
            unsealing.add(copy(share)),
            Ok(Progress::Waiting { .. })
        ));
    }
    assert!(matches!(
        unsealing.add(copy(&new.shares[4].1)),
        Ok(Progress::Complete(_))
    ));
}

#[test]
fn shares_are_new_even_when_all_entropy_repeats() {
    // The same seed, as from a machine whose randomness is broken: the salt holds the epoch and the commitments.
    let founding = default_founding(66);
    let new = again(&Charter::default(), &founding, 66).unwrap();
    for ((_, old), (_, new)) in founding.shares.iter().zip(&new.shares) {
        let value = |text: &str| {
            text.lines()
                .filter(|l| l.starts_with("share "))
                .map(str::to_owned)
                .collect::<String>()
        };
        assert_ne!(value(&old.to_text()), value(&new.to_text()));
    }
}

#[test]
fn another_root_cannot_take_the_place() {
    let (founding, other) = (default_founding(67), default_founding(68));
    let host = host(69);
    let charter = Charter::default();
    let contributions = Contribution::draw_for_all(charter.parties(), &host);
    let refused = reshare(
        &charter,
        &other.root,
        founding.transcript.custody(),
        &host,
        contributions,
    );
    assert!(matches!(refused, Err(CeremonyError::WrongRoot)));
}

#[test]
fn the_count_of_epochs_ends_with_words() {
    let founding = default_founding(70);
    let json = founding
        .transcript
        .custody()
        .to_json()
        .unwrap()
        .replace("\"epoch\":1", "\"epoch\":4294967295");
    let last = charter::Custody::from_json(&json).unwrap();
    let refused = reshare(
        &Charter::default(),
        &founding.root,
        &last,
        &host(71),
        Vec::new(),
    );
    assert!(matches!(refused, Err(CeremonyError::NoMoreEpochs)));
}

#[test]
fn f2_a_share_of_an_old_epoch_or_another_session_is_refused_by_name() {
    let founding = default_founding(80);
    let new = again(&Charter::default(), &founding, 81).unwrap();
    let mut unsealing = Unsealing::new(new.transcript.custody().clone());
    unsealing.add(copy(&new.shares[0].1)).unwrap();
    let old = unsealing.add(copy(&founding.shares[1].1)).unwrap_err();
    assert!(
        matches!(old, UnsealError::OlderEpoch { ref party, .. } if party.as_str() == "luxconnect")
    );
    let other = default_founding(82);
    let foreign = unsealing.add(copy(&other.shares[1].1)).unwrap_err();
    assert!(matches!(foreign, UnsealError::OtherCloud { .. }));
    let again = unsealing.add(copy(&new.shares[0].1)).unwrap_err();
    assert!(matches!(again, UnsealError::AlreadyGiven { .. }));
    assert!(matches!(
        unsealing.add(copy(&new.shares[1].1)),
        Ok(Progress::Complete(_))
    ));
}

#[test]
fn the_condition_of_the_charter_is_asked_for_besides_the_number_of_shares() {
    let founding = default_founding(83);
    let names = Charter::default().parties().to_vec();
    let condition = charter::Formula::parse("ctie AND (luxconnect OR proximus)", &names).unwrap();
    let mut unsealing =
        Unsealing::new(founding.transcript.custody().clone()).requiring(condition.clone());
    unsealing.add(copy(&founding.shares[1].1)).unwrap();
    let two = unsealing.add(copy(&founding.shares[2].1)).unwrap();
    assert!(
        matches!(two, Progress::Waiting { have: 2, need: 2, lacks: Some(ref found) } if *found == condition)
    );
    // Three shares were given; two of them make the root.
    assert!(matches!(
        unsealing.add(copy(&founding.shares[0].1)),
        Ok(Progress::Complete(_))
    ));
}

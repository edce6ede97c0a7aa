//! A new root in place of an older one, and what parties say about the shares of the older.

use super::joint::House;
use super::world::{copy, default_founding, founded, host};
use charter::record::Kind;
use charter::{
    Charter, Contribution, Destruction, DestructionError, Founding, Progress, UnsealError,
    Unsealing, rekey,
};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use sign::{SheetError, Stamp};

fn anew(charter: &Charter, founding: &Founding, seed: u64) -> Founding {
    let host = host(seed);
    let contributions = Contribution::draw_for_all(charter.parties(), &host);
    let previous = founding.transcript.custody();
    rekey(charter, previous, &host, contributions).unwrap()
}

#[test]
fn a_new_root_has_nothing_to_do_with_the_older_one() {
    let old = default_founding(90);
    let new = anew(&Charter::default(), &old, 91);
    let (before, now) = (old.transcript.custody(), new.transcript.custody());
    assert_eq!((new.cloud, now.epoch()), (old.cloud, 1));
    assert_ne!(now.ceremony(), before.ceremony());
    assert_ne!(now.key_check(), before.key_check());
    assert_ne!(new.root.expose(), old.root.expose());
    let opening = new.transcript.opening();
    assert_eq!(opening.kind, Kind::Rekey);
    assert!(opening.previous.is_some());
    let json = new.transcript.to_json();
    assert!(json.contains("\"kind\":\"rekey\""));
    assert_eq!(
        charter::Transcript::from_json(json).unwrap(),
        new.transcript
    );
}

#[test]
fn f2_shares_of_another_root_are_refused_by_name() {
    let old = default_founding(92);
    let new = anew(&Charter::default(), &old, 93);
    let mut unsealing = Unsealing::new(new.transcript.custody().clone());
    for (party, share) in &old.shares {
        let error = unsealing.add(copy(share)).unwrap_err();
        assert!(
            matches!(&error, UnsealError::OtherCeremony { party: named, .. } if named == party)
        );
    }
    let mut earlier = Unsealing::new(old.transcript.custody().clone());
    let error = earlier.add(copy(&new.shares[0].1)).unwrap_err();
    assert!(matches!(error, UnsealError::OtherCeremony { .. }));
    assert_eq!((unsealing.have(), earlier.have()), (0, 0));
    unsealing.add(copy(&new.shares[2].1)).unwrap();
    match unsealing.add(copy(&new.shares[0].1)).unwrap() {
        Progress::Complete(root) => assert_eq!(root.expose(), new.root.expose()),
        Progress::Waiting { .. } => panic!("two shares must be enough"),
    }
}

fn at() -> Stamp {
    Stamp::from_seconds(1_790_000_000)
}

#[test]
fn a_signed_statement_counts_only_for_its_share_its_party_and_with_both_signatures() {
    let house = House::new(None);
    let founding = founded(&house.charter, 94);
    let custody = founding.transcript.custody();
    let (party, share) = &founding.shares[0];
    let key = house.parties[0].key();
    let statement = Destruction::of(share, at(), Some(key)).unwrap();
    let text = statement.to_text();
    assert_eq!(Destruction::parse(text.as_bytes()).unwrap(), statement);
    assert_eq!(statement.check(custody, &house.charter), Ok(()));
    assert_eq!((statement.party(), statement.is_signed()), (party, true));

    let unsigned = Destruction::of(share, at(), None).unwrap();
    assert!(matches!(
        unsigned.check(custody, &house.charter),
        Err(DestructionError::Unsigned { .. })
    ));
    let by_another = Destruction::of(share, at(), Some(house.parties[1].key())).unwrap();
    assert!(matches!(
        by_another.check(custody, &house.charter),
        Err(DestructionError::Signature { .. })
    ));
    let later = anew(&house.charter, &founding, 95);
    assert!(matches!(
        statement.check(later.transcript.custody(), &house.charter),
        Err(DestructionError::OtherDealing { .. })
    ));
    // A charter without keys cannot tell whose a signature is, and takes the plain word.
    let plain = Charter::default();
    assert!(matches!(
        statement.check(custody, &plain),
        Err(DestructionError::NoKey { .. })
    ));
    assert_eq!(unsigned.check(custody, &plain), Ok(()));
    let stripped: String = text
        .lines()
        .filter(|line| !line.starts_with("ML-DSA-65"))
        .map(|line| format!("{line}\n"))
        .collect();
    let error = Destruction::parse(stripped.as_bytes()).unwrap_err();
    assert!(matches!(
        error,
        DestructionError::Sheet(SheetError::Damaged { .. })
    ));
    let trailing = format!("{text}\n");
    assert!(Destruction::parse(trailing.as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_byte_of_a_statement_passes(at_byte in any::<proptest::sample::Index>(), flip in 1_u8..=255) {
        let house = House::new(None);
        let founding = founded(&house.charter, 96);
        let statement = Destruction::of(&founding.shares[1].1, at(), Some(house.parties[1].key()));
        let mut bytes = statement.unwrap().to_text().into_bytes();
        let place = at_byte.index(bytes.len());
        bytes[place] ^= flip;
        let custody = founding.transcript.custody();
        let passes = Destruction::parse(&bytes).is_ok_and(|s| s.check(custody, &house.charter).is_ok());
        prop_assert!(!passes, "byte {place}");
    }
}

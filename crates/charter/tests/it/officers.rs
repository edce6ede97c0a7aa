//! A party's share split among its officers: any few of them give it back, and whoever gives a wrong part is
//! named.

use super::world::{copy, default_founding, host};
use charter::officers::{JoinError, Joined, Joining, Joinings, SplitError, split};
use charter::{OfficerShare, Progress, ShareError, ShareFile, UnsealError, Unsealing};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use words::PartyName;

fn names(names: &[&str]) -> Vec<PartyName> {
    names
        .iter()
        .map(|name| PartyName::parse(name).unwrap())
        .collect()
}

fn share(seed: u64, party: usize) -> ShareFile {
    copy(&default_founding(seed).shares[party].1)
}

fn parts(of: &ShareFile, seed: u64) -> Vec<OfficerShare> {
    split(of, 2, &names(&["anna", "ben", "luc"]), &host(seed)).unwrap()
}

fn again(part: &OfficerShare) -> OfficerShare {
    OfficerShare::parse(part.to_text().as_bytes()).unwrap()
}

#[test]
fn every_two_of_three_officers_give_the_share() {
    let share = share(50, 1);
    let parts = parts(&share, 1);
    for pair in [[0, 1], [1, 0], [0, 2], [2, 1]] {
        let mut joining = Joining::default();
        let first = joining.add(again(&parts[pair[0]])).unwrap();
        assert!(matches!(first, Joined::Waiting { have: 1, need: 2 }));
        let Joined::Complete(joined) = joining.add(again(&parts[pair[1]])).unwrap() else {
            panic!("{pair:?} do not give the share")
        };
        assert_eq!(*joined.to_text(), *share.to_text());
    }
}

#[test]
fn a_part_of_format_1_is_read_for_ever() {
    let old = include_str!("golden/officer-share-1.clarence");
    assert_eq!(*parts(&share(50, 1), 1)[0].to_text(), old);
    assert_eq!(
        OfficerShare::parse(old.as_bytes())
            .unwrap()
            .officer()
            .as_str(),
        "anna"
    );
}

#[test]
fn what_was_joined_opens_the_cloud() {
    let founding = default_founding(51);
    let mut unsealing = Unsealing::new(founding.transcript.custody().clone());
    let mut joinings = Joinings::default();
    let (first, second) = (&founding.shares[0].1, &founding.shares[2].1);
    let (of_first, of_second) = (parts(first, 2), parts(second, 3));
    // The officers of two parties come in any order.
    let mut opened = false;
    for part in [&of_first[0], &of_second[2], &of_first[2], &of_second[0]] {
        unsealing.expects(part).unwrap();
        if let Joined::Complete(share) = joinings.add(again(part)).unwrap() {
            opened = matches!(unsealing.add(*share).unwrap(), Progress::Complete(_));
        }
    }
    assert!(opened);
}

#[test]
fn wrong_parts_are_refused_by_name() {
    let founding = default_founding(52);
    let share = &founding.shares[0].1;
    let ours = parts(share, 4);
    let mut joining = Joining::default();
    joining.add(again(&ours[0])).unwrap();
    let twice = joining.add(again(&ours[0])).unwrap_err();
    assert!(matches!(twice, JoinError::AlreadyGiven { .. }), "{twice}");
    assert!(twice.to_string().starts_with("anna has given"));
    // The same share split once more, another party's, and an older epoch's.
    for other in [
        parts(share, 5),
        parts(&founding.shares[1].1, 6),
        parts(&default_founding(53).shares[0].1, 7),
    ] {
        let error = joining.add(again(&other[1])).unwrap_err();
        assert!(matches!(error, JoinError::OtherSplit { .. }), "{error}");
        assert!(error.to_string().contains("the part of ben"), "{error}");
    }
    // The right one is still taken.
    let Joined::Complete(_) = joining.add(again(&ours[2])).unwrap() else {
        panic!("the first part was forgotten")
    };
    // A node refuses a part of another cloud before it is put together with anything.
    let unsealing = Unsealing::new(founding.transcript.custody().clone());
    let stranger = parts(&default_founding(54).shares[0].1, 8);
    let error = unsealing.expects(&stranger[0]).unwrap_err();
    assert!(matches!(error, UnsealError::OtherCloud { .. }), "{error}");
}

#[test]
fn useless_parts_do_not_keep_others_from_giving_theirs() {
    let share = share(55, 0);
    let ours = parts(&share, 9);
    let mut joinings = Joinings::default();
    for seed in 100..140 {
        let useless = parts(&share, seed);
        assert!(matches!(
            joinings.add(again(&useless[0])).unwrap(),
            Joined::Waiting { .. }
        ));
    }
    joinings.add(again(&ours[0])).unwrap();
    let Joined::Complete(joined) = joinings.add(again(&ours[1])).unwrap() else {
        panic!("the parts were forgotten")
    };
    assert_eq!(*joined.to_text(), *share.to_text());
}

#[test]
fn impossible_splittings_are_refused() {
    let share = share(56, 0);
    for (need, officers) in [
        (1, names(&["anna", "ben"])),
        (3, names(&["anna", "ben"])),
        (2, names(&["anna"])),
        (
            2,
            (0..17)
                .map(|n| PartyName::parse(&format!("o{n}")).unwrap())
                .collect(),
        ),
    ] {
        let error = split(&share, need, &officers, &host(1)).unwrap_err();
        assert!(matches!(error, SplitError::Shape { .. }), "{error}");
    }
    let error = split(&share, 2, &names(&["anna", "Anna"]), &host(1)).unwrap_err();
    assert!(matches!(error, SplitError::Twice(_)), "{error}");
}

#[test]
fn a_flip_of_any_bit_of_a_part_is_refused() {
    let text = parts(&share(57, 0), 10)[0].to_text().to_string();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(OfficerShare::parse(&bytes).is_err(), "byte {at}");
    }
    for cut in [1, 100, text.len() - 1] {
        let error = OfficerShare::parse(&text.as_bytes()[..cut]).unwrap_err();
        assert_eq!(error, ShareError::CutShort, "cut at {cut}");
    }
    assert!(ShareFile::parse(text.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn any_number_of_officers_gives_the_share(seed in 0u64..1000, need in 2u8..6, more in 0u8..3) {
        let share = share(58, 2);
        let officers: Vec<PartyName> = (0..need + more)
            .map(|n| PartyName::parse(&format!("officer-{n}")).unwrap())
            .collect();
        let mut parts = split(&share, need, &officers, &host(seed)).unwrap();
        // Some turn of the list: other officers come first.
        let turn = usize::try_from(seed).unwrap() % parts.len();
        parts.rotate_left(turn);
        let mut joining = Joining::default();
        let mut joined = None;
        for (given, part) in parts.into_iter().enumerate().take(usize::from(need)) {
            match joining.add(part).unwrap() {
                Joined::Waiting { have, need: of } => {
                    prop_assert_eq!((usize::from(have), of), (given + 1, need));
                }
                Joined::Complete(share) => joined = Some(share),
            }
        }
        prop_assert!(joined.is_some_and(|joined| *joined.to_text() == *share.to_text()));
    }
}

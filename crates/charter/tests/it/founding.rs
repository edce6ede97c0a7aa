//! Foundings: what comes out, what is proven, and how commit and reveal refuse.

use super::world::{charter_of, copy, default_founding, founded, host, party};
use charter::ceremony::{Commitment, Committing};
use charter::record::{Kind, Proof};
use charter::{CeremonyError, Charter, Contribution, Progress, ShareFile, Unsealing, found};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

/// Twenty lines that know nothing of this room but the text of a share file.
fn share_by_hand(text: &str) -> (u8, Vec<u8>) {
    let line = |label: &'static str| {
        text.lines()
            .filter_map(move |line| line.strip_prefix(label))
    };
    let x = line("this share  ")
        .next()
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let digits: String = line("share       ").collect::<String>().replace(' ', "");
    (x, words::hex::decode(&digits).unwrap())
}

fn times(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        product ^= if b & 1 == 1 { a } else { 0 };
        a = (a << 1) ^ if a & 0x80 != 0 { 0x1b } else { 0 };
        b >>= 1;
    }
    product
}

fn interpolate(points: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let inverse = |a: u8| (1..=255).find(|b| times(a, *b) == 1).unwrap();
    let weight = |x: u8| {
        let others = points
            .iter()
            .map(|(other, _)| *other)
            .filter(|other| *other != x);
        others.fold(1, |w, other| times(w, times(other, inverse(other ^ x))))
    };
    (0..32)
        .map(|at| {
            points
                .iter()
                .fold(0, |sum, (x, share)| sum ^ times(weight(*x), share[at]))
        })
        .collect()
}

fn subsets(count: usize, size: u32) -> impl Iterator<Item = Vec<usize>> {
    let bits = (0_u32..1 << count).filter(move |set| set.count_ones() == size);
    bits.map(move |set| (0..count).filter(|i| set >> i & 1 == 1).collect())
}

#[test]
fn every_pair_rebuilds_and_every_single_fails() {
    let founding = default_founding(1);
    assert_eq!(
        founding.transcript.proof(),
        Proof {
            sets_that_fail: 3,
            sets_that_rebuild: 3
        }
    );
    for pair in subsets(3, 2) {
        let mut unsealing = Unsealing::new(founding.transcript.custody().clone());
        let first = unsealing.add(copy(&founding.shares[pair[0]].1)).unwrap();
        assert!(matches!(
            first,
            Progress::Waiting {
                have: 1,
                need: 2,
                ..
            }
        ));
        match unsealing.add(copy(&founding.shares[pair[1]].1)).unwrap() {
            Progress::Complete(root) => assert_eq!(root.expose(), founding.root.expose()),
            Progress::Waiting { .. } => panic!("two shares must be enough"),
        }
        assert_eq!(unsealing.have(), 0, "the shares are wiped");
    }
}

#[test]
fn the_largest_charter_is_proven_whole() {
    let founding = founded(&charter_of(16, 8), 2);
    assert_eq!(
        founding.transcript.proof(),
        Proof {
            sets_that_fail: 11_440,
            sets_that_rebuild: 12_870
        }
    );
}

#[test]
fn the_same_seed_gives_the_same_ceremony_and_another_seed_another() {
    let (one, two, other) = (
        default_founding(7),
        default_founding(7),
        default_founding(8),
    );
    assert_eq!(one.transcript.to_json(), two.transcript.to_json());
    assert_eq!(one.root.expose(), two.root.expose());
    assert_eq!(*one.shares[2].1.to_text(), *two.shares[2].1.to_text());
    assert_ne!(one.cloud, other.cloud);
    assert_ne!(one.root.expose(), other.root.expose());
}

#[test]
fn every_contribution_changes_the_root() {
    let charter = Charter::default();
    let roots: Vec<[u8; 32]> = (0..4)
        .map(|changed: usize| {
            // The machine's own draws are the same each time; only one party's entropy differs.
            let contributions = charter.parties().iter().enumerate().map(|(index, party)| {
                let fill = index as u8 + if index + 1 == changed { 100 } else { 1 };
                (party.clone(), Contribution::from_bytes(&[fill; 64]))
            });
            *found(&charter, &host(3), contributions.collect())
                .unwrap()
                .root
                .expose()
        })
        .collect();
    for (index, root) in roots.iter().enumerate() {
        assert!(!roots[..index].contains(root));
    }
}

#[test]
fn secrets_are_not_shown_and_not_in_the_transcript() {
    let founding = default_founding(9);
    let shown = format!("{founding:?}");
    let json = founding.transcript.to_json();
    let mut secrets = vec![founding.root.expose().to_vec()];
    secrets.extend(
        founding
            .shares
            .iter()
            .map(|(_, share)| share_by_hand(&share.to_text()).1),
    );
    for secret in secrets {
        for start in [0, 16, 24] {
            let digits = words::hex::encode(&secret[start..start + 8]);
            assert!(!json.contains(&digits) && !shown.contains(&digits));
            let numbers: Vec<String> = secret[start..start + 4].iter().map(u8::to_string).collect();
            assert!(!shown.contains(&numbers.join(", ")));
        }
    }
    assert!(!format!("{:?}", Contribution::from_bytes(&[77; 64])).contains("77"));
}

#[test]
fn the_key_check_value_is_derived_one_way_and_bound_to_the_cloud() {
    let (one, other) = (default_founding(10), default_founding(11));
    let check = one.root.key_check(one.cloud).unwrap();
    assert_eq!(check, one.transcript.custody().key_check());
    assert_ne!(check.as_bytes(), one.root.expose());
    assert_ne!(check, one.root.key_check(other.cloud).unwrap());
    // RFC 5869 by hand: nobody who knows HMAC alone can go from the value back to the key.
    use aws_lc_rs::hmac::{HMAC_SHA512, Key, sign};
    let prk = sign(
        &Key::new(HMAC_SHA512, b"clarence/v1/kcv"),
        one.root.expose(),
    );
    let mut info = b"clarence/v1/kcv\0".to_vec();
    info.extend_from_slice(one.cloud.as_bytes());
    info.push(1);
    assert_eq!(
        check.as_bytes(),
        &sign(&Key::new(HMAC_SHA512, prk.as_ref()), &info).as_ref()[..32]
    );
}

fn committed(charter: &Charter, seed: u64) -> (Committing, Vec<Contribution>) {
    let mut ceremony = Committing::founding(charter, &host(seed));
    let brought: Vec<Contribution> = (1..=3)
        .map(|fill| Contribution::from_bytes(&[fill; 64]))
        .collect();
    for (party, contribution) in charter.parties().iter().zip(&brought) {
        let commitment = contribution.commitment(ceremony.ceremony(), party.as_str());
        ceremony.commit(party, commitment).unwrap();
    }
    (ceremony, brought)
}

#[test]
fn nobody_reveals_before_all_have_committed() {
    let mut ceremony = Committing::founding(&Charter::default(), &host(20));
    ceremony
        .commit(&party("luxconnect"), Commitment::from_bytes([1; 64]))
        .unwrap();
    let again = ceremony
        .commit(&party("luxconnect"), Commitment::from_bytes([2; 64]))
        .unwrap_err();
    assert_eq!(
        again.to_string(),
        "luxconnect has committed already; its first one stands"
    );
    let stranger = ceremony
        .commit(&party("mallory"), Commitment::from_bytes([2; 64]))
        .unwrap_err();
    assert!(
        stranger
            .to_string()
            .contains("the parties are ctie, luxconnect, proximus")
    );
    let early = ceremony.close().err().unwrap().to_string();
    assert_eq!(
        early,
        "ctie, proximus must commit to entropy before the ceremony can go on"
    );
}

#[test]
fn only_what_was_committed_to_can_be_revealed() {
    let charter = Charter::default();
    let (ceremony, mut brought) = committed(&charter, 21);
    let mut ceremony = ceremony.close().unwrap();
    let changed = ceremony
        .reveal(&party("ctie"), Contribution::from_bytes(&[9; 64]))
        .unwrap_err();
    assert_eq!(
        changed,
        CeremonyError::Mismatch {
            party: party("ctie")
        }
    );
    // Another party's contribution is bound to that party.
    let copied = ceremony
        .reveal(&party("ctie"), Contribution::from_bytes(&[2; 64]))
        .unwrap_err();
    assert_eq!(
        copied,
        CeremonyError::Mismatch {
            party: party("ctie")
        }
    );
    ceremony.reveal(&party("ctie"), brought.remove(0)).unwrap();
    let again = ceremony
        .reveal(&party("ctie"), Contribution::from_bytes(&[1; 64]))
        .unwrap_err();
    assert!(matches!(again, CeremonyError::Twice { .. }));
    ceremony
        .reveal(&party("proximus"), brought.pop().unwrap())
        .unwrap();
    let early = ceremony.found().unwrap_err().to_string();
    assert_eq!(
        early,
        "luxconnect must reveal their entropy before the ceremony can go on"
    );
}

#[test]
fn the_same_entropy_twice_is_refused() {
    let charter = Charter::default();
    let contributions = charter
        .parties()
        .iter()
        .map(|p| (p.clone(), Contribution::from_bytes(&[5; 64])));
    let said = found(&charter, &host(22), contributions.collect())
        .unwrap_err()
        .to_string();
    assert!(
        said.starts_with("ctie and luxconnect brought the same entropy"),
        "{said}"
    );
}

#[test]
fn a_founding_ceremony_does_not_reshare() {
    let charter = Charter::default();
    let (ceremony, brought) = committed(&charter, 23);
    let mut ceremony = ceremony.close().unwrap();
    for (party, contribution) in charter.parties().iter().zip(brought) {
        ceremony.reveal(party, contribution).unwrap();
    }
    let root = default_founding(1).root;
    assert!(matches!(
        ceremony.reshare(&root),
        Err(CeremonyError::OtherPurpose)
    ));
}

#[test]
fn the_transcript_names_parties_commitments_and_digests() {
    let founding = default_founding(24);
    let transcript = &founding.transcript;
    let opening = transcript.opening();
    assert_eq!(
        (opening.kind, opening.epoch, opening.previous),
        (Kind::Found, 1, None)
    );
    let names: Vec<&str> = opening
        .commitments
        .iter()
        .map(|(party, _)| party.as_str())
        .collect();
    assert_eq!(names, ["ctie", "luxconnect", "proximus"]);
    for (holder, (party, share)) in transcript.custody().holders().iter().zip(&founding.shares) {
        assert_eq!((&holder.party, holder.x), (party, share.x()));
        assert!(transcript.to_json().contains(&holder.digest.to_string()));
        assert_eq!(share.custody(), transcript.custody());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_independent_interpolation_of_the_files_gives_the_root(seed: u64, parties in 2_u8..=7, less in 0_u8..=5) {
        let threshold = (parties - less.min(parties - 2)).max(2);
        let founding = founded(&charter_of(parties, threshold), seed);
        let by_hand: Vec<_> = founding.shares.iter().map(|(_, s)| share_by_hand(&s.to_text())).collect();
        let pick = |set: &[usize]| set.iter().map(|i| by_hand[*i].clone()).collect::<Vec<_>>();
        for set in subsets(by_hand.len(), u32::from(threshold)) {
            let root = interpolate(&pick(&set));
            prop_assert_eq!(root.as_slice(), founding.root.expose().as_slice());
        }
        for set in subsets(by_hand.len(), u32::from(threshold) - 1) {
            prop_assert!(interpolate(&pick(&set)).as_slice() != founding.root.expose().as_slice());
        }
    }

    #[test]
    fn any_threshold_of_shares_in_any_order_unseals(seed: u64, parties in 2_u8..=9, less in 0_u8..=7) {
        let threshold = (parties - less.min(parties - 2)).max(2);
        let founding = founded(&charter_of(parties, threshold), seed);
        let mut unsealing = Unsealing::new(founding.transcript.custody().clone());
        let start = seed as usize % usize::from(parties);
        let turn = founding.shares.iter().cycle().skip(start).take(usize::from(threshold));
        let last = turn.map(|(_, share): &(_, ShareFile)| unsealing.add(copy(share)).unwrap()).last();
        match last {
            Some(Progress::Complete(root)) => prop_assert_eq!(root.expose(), founding.root.expose()),
            other => prop_assert!(false, "not complete: {:?}", other),
        }
    }
}

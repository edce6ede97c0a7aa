//! Signatures and states.

use crate::template;
use agreement::{
    Agreement, Need, Roll, RollEntry, Side, SignatureError, Signed, State, Step, Word, check, next,
    satisfied,
};
use host::Host;
use sign::SigningKey;

struct People {
    anna: SigningKey,
    ben: SigningKey,
    roll: Roll,
}

fn people() -> People {
    let host = Host::real();
    let (anna, ben) = (
        SigningKey::generate(&host).unwrap(),
        SigningKey::generate(&host).unwrap(),
    );
    let entry = |role: &str, person: &str, key: &SigningKey| RollEntry {
        role: role.into(),
        person: person.into(),
        key: key.public().id(),
    };
    let roll = Roll::new(vec![
        entry("owner", "anna", &anna),
        entry("dpo", "anna", &anna),
        entry("dpo", "ben", &ben),
    ]);
    People { anna, ben, roll }
}

#[test]
fn a_side_has_signed_when_each_role_has_persons_of_its_own() {
    let agreement = template();
    let People { anna, ben, roll } = people();
    let sign = |role: &str, person: &str, key| {
        agreement
            .sign(Word::Agree, Side::Provider, role, person, key)
            .unwrap()
    };
    let owner = sign("owner", "anna", &anna);
    let of_ben = sign("dpo", "ben", &ben);
    let twice = sign("dpo", "anna", &anna);
    let enough = |all: &[Signed]| satisfied(&agreement, Word::Agree, Side::Provider, &roll, all);
    assert!(enough(&[owner.clone(), of_ben.clone()]).is_ok());
    let missing = enough(&[owner.clone(), twice.clone()])
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("1 as dpo"),
        "a person counts once: {missing}"
    );
    assert!(enough(&[owner.clone(), owner.clone()]).is_err());
    assert!(enough(std::slice::from_ref(&of_ben)).is_err());
    assert!(enough(&[]).is_err());
    assert!(
        satisfied(
            &agreement,
            Word::Agree,
            Side::Consumer,
            &roll,
            &[owner, of_ben]
        )
        .is_err(),
        "of the other side"
    );
}

#[test]
fn of_several_roles_persons_are_given_places_so_that_most_fit() {
    let mut agreement = template();
    let need = |roles: &[&str], count| Need {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        count,
    };
    // The first need would take the data protection officer, whom the second cannot do without.
    agreement.provider_needs = vec![need(&["dpo", "head", "owner"], 2), need(&["dpo"], 1)];
    let host = Host::real();
    let names = ["anna", "ben", "carl", "dora"];
    let keys: Vec<SigningKey> = names
        .iter()
        .map(|_| SigningKey::generate(&host).unwrap())
        .collect();
    let roles = ["dpo", "dpo", "owner", "head"];
    let entry = |at: usize| RollEntry {
        role: roles[at].into(),
        person: names[at].into(),
        key: keys[at].public().id(),
    };
    let roll = Roll::new((0..4).map(entry).collect());
    let all: Vec<Signed> = (0..4)
        .map(|at| {
            agreement
                .sign(Word::Agree, Side::Provider, roles[at], names[at], &keys[at])
                .unwrap()
        })
        .collect();
    // Every choice of signatures, held against the rule said in one sentence: three persons, one of them a dpo.
    for chosen in 0_u32..16 {
        let signed: Vec<Signed> = (0..4)
            .filter(|at| chosen >> at & 1 == 1)
            .map(|at| all[at].clone())
            .collect();
        let persons = signed.len();
        let dpo = signed.iter().any(|signed| signed.role == "dpo");
        let found = satisfied(&agreement, Word::Agree, Side::Provider, &roll, &signed);
        assert_eq!(found.is_ok(), persons >= 3 && dpo, "{chosen:04b}");
        let mut backwards = signed.clone();
        backwards.reverse();
        let again = satisfied(&agreement, Word::Agree, Side::Provider, &roll, &backwards);
        assert_eq!(found.is_ok(), again.is_ok(), "the order does not matter");
    }
    let missing = satisfied(&agreement, Word::Agree, Side::Provider, &roll, &all[2..]);
    assert_eq!(
        missing.unwrap_err().to_string(),
        "the provider has not signed: 1 as dpo missing"
    );
}

#[test]
fn a_word_to_go_on_is_good_for_one_suspension_and_is_no_agreement() {
    let agreement = template();
    let People { anna, roll, .. } = people();
    let sign = |word| {
        agreement
            .sign(word, Side::Provider, "owner", "anna", &anna)
            .unwrap()
    };
    let mut one = agreement.clone();
    one.provider_needs.retain(|need| need.roles == ["owner"]);
    let sign_one = |word| {
        one.sign(word, Side::Provider, "owner", "anna", &anna)
            .unwrap()
    };
    let enough = |word, signed: &Signed| {
        satisfied(
            &one,
            word,
            Side::Provider,
            &roll,
            std::slice::from_ref(signed),
        )
        .is_ok()
    };
    let resumes = sign_one(Word::Resume(2));
    assert!(enough(Word::Resume(2), &resumes));
    assert!(!enough(Word::Resume(1), &resumes) && !enough(Word::Agree, &resumes));
    assert!(!enough(Word::Resume(2), &sign_one(Word::Agree)));
    let signed = sign(Word::Resume(2));
    assert_eq!(Signed::parse(signed.to_text().as_bytes()).unwrap(), signed);
    // Made into a word for another turn, or into a signature under the agreement, it is not good.
    let other = Signed {
        word: Word::Resume(3),
        ..resumes.clone()
    };
    assert!(check(&one, &roll, &resumes).is_ok() && check(&one, &roll, &other).is_err());
    let other = Signed {
        word: Word::Agree,
        ..resumes
    };
    assert!(check(&one, &roll, &other).is_err());
}

#[test]
fn a_signature_that_does_not_count_says_why() {
    let agreement = template();
    let People { anna, ben, roll } = people();
    let stranger = SigningKey::generate(&Host::real()).unwrap();
    let sign = |role: &str, person: &str, key| {
        agreement
            .sign(Word::Agree, Side::Provider, role, person, key)
            .unwrap()
    };
    let of = |signed: &Signed| check(&agreement, &roll, signed).unwrap_err();
    assert!(matches!(
        of(&sign("owner", "carl", &stranger)),
        SignatureError::Unknown { .. }
    ));
    assert!(matches!(
        of(&sign("owner", "anna", &stranger)),
        SignatureError::OtherKey { .. }
    ));
    assert!(matches!(
        of(&sign("owner", "ben", &ben)),
        SignatureError::Role { .. }
    ));
    let mut narrower = agreement.clone();
    narrower
        .provider_needs
        .retain(|need| need.roles == ["owner"]);
    let dpo = narrower
        .sign(Word::Agree, Side::Provider, "dpo", "ben", &ben)
        .unwrap();
    assert!(matches!(
        check(&narrower, &roll, &dpo).unwrap_err(),
        SignatureError::NotAsked { .. }
    ));

    // The document was altered after it was signed.
    let good = sign("owner", "anna", &anna);
    let mut altered = agreement.clone();
    altered.retention_days += 1;
    assert!(matches!(
        check(&altered, &roll, &good).unwrap_err(),
        SignatureError::OtherDocument { .. }
    ));

    // One half of a signature alone is none.
    let other = sign("dpo", "anna", &anna);
    let mixed = sign::Signature::from_bytes(
        good.signature.bytes(sign::Algorithm::Ed25519),
        other.signature.bytes(sign::Algorithm::MlDsa65),
    )
    .unwrap();
    let mixed = Signed {
        signature: mixed,
        ..good.clone()
    };
    assert!(matches!(of(&mixed), SignatureError::Bad { .. }));
    // What it says was changed.
    let moved = Signed {
        side: Side::Consumer,
        ..good
    };
    assert!(check(&agreement, &roll, &moved).is_err());
}

#[test]
fn a_signature_is_a_file() {
    let agreement = template();
    let People { anna, roll, .. } = people();
    let signed = agreement
        .sign(Word::Agree, Side::Provider, "owner", "anna", &anna)
        .unwrap();
    let text = signed.to_text();
    assert_eq!(Signed::parse(text.as_bytes()).unwrap(), signed);
    assert!(check(&agreement, &roll, &Signed::parse(text.as_bytes()).unwrap()).is_ok());
    for changed in [
        text.replace("owner", "dpo"),
        text.replace("anna", "ben"),
        text[..text.len() - 9].to_owned(),
    ] {
        assert!(Signed::parse(changed.as_bytes()).is_err());
    }
    assert!(
        agreement
            .sign(Word::Agree, Side::Provider, "owner\nside", "anna", &anna)
            .is_err()
    );
}

#[test]
fn every_step_from_every_state_leads_where_it_should() {
    use State::{
        Active, ConsumerSigned, Draft, Expired, Proposed, ProviderSigned, Replaced, Revoked,
        Suspended,
    };
    let states = [
        Draft,
        Proposed,
        ProviderSigned,
        ConsumerSigned,
        Active,
        Suspended,
        Revoked,
        Expired,
        Replaced,
    ];
    let by = Side::Consumer;
    let steps = [
        Step::Propose,
        Step::ProviderSigns,
        Step::ConsumerSigns,
        Step::Activate,
        Step::Suspend(by),
        Step::Resume,
        Step::Revoke(by),
        Step::Expire,
        Step::Replace,
    ];
    let o = None;
    let expected: [[Option<State>; 9]; 9] = [
        [Some(Proposed), o, o, o, o, o, o, o, o],
        [
            o,
            Some(ProviderSigned),
            o,
            o,
            o,
            o,
            Some(Revoked),
            Some(Expired),
            o,
        ],
        [
            o,
            o,
            Some(ConsumerSigned),
            o,
            o,
            o,
            Some(Revoked),
            Some(Expired),
            o,
        ],
        [o, o, o, Some(Active), o, o, Some(Revoked), Some(Expired), o],
        [
            o,
            o,
            o,
            o,
            Some(Suspended),
            o,
            Some(Revoked),
            Some(Expired),
            Some(Replaced),
        ],
        [
            o,
            o,
            o,
            o,
            o,
            Some(Active),
            Some(Revoked),
            Some(Expired),
            Some(Replaced),
        ],
        [o; 9],
        [o; 9],
        [o; 9],
    ];
    for (state, row) in states.into_iter().zip(expected) {
        for (step, wanted) in steps.into_iter().zip(row) {
            assert_eq!(next(state, step).ok(), wanted, "{state:?} {step:?}");
        }
    }
    let error = next(Revoked, Step::Activate).unwrap_err().to_string();
    assert!(
        error.contains("revoked") && error.contains("activated"),
        "{error}"
    );
    let _: Agreement = template();
}

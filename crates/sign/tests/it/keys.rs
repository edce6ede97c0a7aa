//! Both signatures, always both, each for its purpose.

use sign::{Algorithm, KeyError, PublicKey, Purpose, Signature, SignatureError, SigningKey};

const HERE: Purpose = Purpose("clarence/v1/test");
const THERE: Purpose = Purpose("clarence/v1/other");

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seeds(&[seed; 64]).unwrap()
}

#[test]
fn a_signature_holds_for_its_key_purpose_and_message_only() {
    let signature = key(1).sign(HERE, b"message").unwrap();
    let good = key(1).public().clone();
    assert_eq!(good.verify(HERE, b"message", &signature), Ok(()));
    let bad = Err(SignatureError::Bad(Algorithm::Ed25519));
    assert_eq!(good.verify(HERE, b"message.", &signature), bad);
    assert_eq!(good.verify(THERE, b"message", &signature), bad);
    assert_eq!(key(2).public().verify(HERE, b"message", &signature), bad);
}

#[test]
fn each_half_alone_is_not_enough() {
    let (mine, other) = (key(3), key(4));
    let (right, wrong) = (
        mine.sign(HERE, b"m").unwrap(),
        other.sign(HERE, b"m").unwrap(),
    );
    let mixed = |ed: &Signature, ml: &Signature| {
        Signature::from_bytes(ed.bytes(Algorithm::Ed25519), ml.bytes(Algorithm::MlDsa65)).unwrap()
    };
    for (signature, named) in [
        (mixed(&wrong, &right), Algorithm::Ed25519),
        (mixed(&right, &wrong), Algorithm::MlDsa65),
    ] {
        assert_eq!(
            mine.public().verify(HERE, b"m", &signature),
            Err(SignatureError::Bad(named))
        );
    }
}

#[test]
fn every_byte_of_a_signature_counts() {
    let key = key(5);
    let signature = key.sign(HERE, b"m").unwrap();
    for algorithm in Algorithm::BOTH {
        let other = match algorithm {
            Algorithm::Ed25519 => Algorithm::MlDsa65,
            Algorithm::MlDsa65 => Algorithm::Ed25519,
        };
        for at in (0..signature.bytes(algorithm).len()).step_by(7) {
            let mut bytes = signature.bytes(algorithm).to_vec();
            bytes[at] ^= 1;
            let rest = signature.bytes(other);
            let forged = match algorithm {
                Algorithm::Ed25519 => Signature::from_bytes(&bytes, rest),
                Algorithm::MlDsa65 => Signature::from_bytes(rest, &bytes),
            };
            assert_eq!(
                key.public().verify(HERE, b"m", &forged.unwrap()),
                Err(SignatureError::Bad(algorithm)),
                "byte {at}"
            );
        }
    }
}

#[test]
fn the_same_seeds_give_the_same_key_for_ever() {
    assert_eq!(
        key(7).public().id().to_string(),
        "0ec9fe42194203ed1e1cb564a63b1b9b92762e597553358ac1790507563ff2d1"
    );
}

#[test]
fn lengths_are_checked() {
    let public = key(8).public().clone();
    let [ed, ml] = Algorithm::BOTH.map(|algorithm| public.bytes(algorithm).to_vec());
    assert_eq!(PublicKey::from_bytes(&ed, &ml), Ok(public));
    let short = PublicKey::from_bytes(&ed[1..], &ml);
    assert_eq!(short, Err(KeyError::Public(Algorithm::Ed25519)));
    let short = PublicKey::from_bytes(&ed, &ml[1..]);
    assert_eq!(short, Err(KeyError::Public(Algorithm::MlDsa65)));
    assert_eq!(
        Signature::from_bytes(&[0; 64], &[0; 3308]),
        Err(KeyError::Signature(Algorithm::MlDsa65))
    );
}

#[test]
fn nothing_secret_is_shown() {
    let key = key(0x5a);
    let shown = format!("{key:?} {:?}", key.sign(HERE, b"m").unwrap());
    assert!(
        !shown.contains("5a5a5a") && !shown.contains("90, 90"),
        "{shown}"
    );
}

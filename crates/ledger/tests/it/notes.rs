//! Checkpoints and keys.

use crate::support::{NOW, keys};
use ledger::keys::{Algorithm, CheckpointError, KeysError, SignatureError};
use ledger::note::{Note, SignatureLine};
use ledger::tile::{Column, Tile};
use ledger::{Checkpoint, LogKeys, VerifierKeys};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "clarence.example/ledger".into(),
        size: 3,
        root: [5; 32],
        time: Some(NOW),
    }
}

#[test]
fn both_signatures_are_needed() {
    let (keys, head) = (keys(), checkpoint());
    let note = keys.sign(&head).unwrap();
    let open = |note: &Note| keys.verifier().open(note.to_text().as_bytes());
    let signature = |error| Err(CheckpointError::Signature(error));
    assert_eq!(open(&note), Ok(head.clone()));
    for (place, algorithm) in [Algorithm::Ed25519, Algorithm::MlDsa65]
        .into_iter()
        .enumerate()
    {
        let mut one = note.clone();
        one.signatures.remove(place);
        assert_eq!(open(&one), signature(SignatureError::Missing(algorithm)));
        let mut bad = note.clone();
        bad.signatures[place].signature[17] ^= 4;
        assert_eq!(open(&bad), signature(SignatureError::Bad(algorithm)));
        let mut twice = note.clone();
        twice.signatures.push(note.signatures[place].clone());
        assert_eq!(open(&twice), signature(SignatureError::Twice(algorithm)));
        let mut renamed = note.clone();
        renamed.signatures[place].name = "clarence.example/other".into();
        assert_eq!(
            open(&renamed),
            signature(SignatureError::Missing(algorithm))
        );
    }
    let mut swapped = note.clone();
    let first = swapped.signatures[0].signature.clone();
    swapped.signatures[0].signature =
        std::mem::replace(&mut swapped.signatures[1].signature, first);
    assert_eq!(
        open(&swapped),
        signature(SignatureError::Bad(Algorithm::Ed25519))
    );
}

#[test]
fn a_witness_may_add_its_line() {
    let (keys, head) = (keys(), checkpoint());
    let mut note = keys.sign(&head).unwrap();
    let witness = SignatureLine {
        name: "parent.example/w1".into(),
        key_id: [1, 2, 3, 4],
        signature: vec![0; 72],
    };
    note.signatures.insert(0, witness);
    assert_eq!(keys.verifier().open(note.to_text().as_bytes()), Ok(head));
}

#[test]
fn a_changed_text_or_another_log_is_refused() {
    let (keys, head) = (keys(), checkpoint());
    let text = keys.sign(&head).unwrap().to_text();
    let changed = text.replacen("\n3\n", "\n4\n", 1);
    assert!(matches!(
        keys.verifier().open(changed.as_bytes()),
        Err(CheckpointError::Signature(SignatureError::Bad(
            Algorithm::Ed25519
        )))
    ));
    let other = Checkpoint {
        origin: "clarence.example/other".into(),
        ..head
    };
    assert!(matches!(
        keys.sign(&other),
        Err(SignatureError::Origin { .. })
    ));
    let later = LogKeys::from_seeds("clarence.example/ledger", &[8; 64]).unwrap();
    assert!(matches!(
        later.verifier().open(text.as_bytes()),
        Err(CheckpointError::Signature(SignatureError::Missing(
            Algorithm::Ed25519
        )))
    ));
}

#[test]
fn keys_read_back_and_damage_is_seen() {
    let keys = keys();
    let stored = keys.to_bytes();
    let again = LogKeys::from_bytes(&stored).unwrap();
    assert_eq!(again.verifier(), keys.verifier());
    for length in 0..stored.len() {
        assert!(LogKeys::from_bytes(&stored[..length]).is_err());
    }
    let text = keys.verifier().to_text();
    assert_eq!(VerifierKeys::parse(&text).as_ref(), Ok(keys.verifier()));
    for place in 0..text.len() {
        let mut other = text.clone().into_bytes();
        other[place] ^= 1;
        if let Ok(other) = String::from_utf8(other) {
            assert!(VerifierKeys::parse(&other).is_err(), "byte {place}");
        }
    }
    assert!(VerifierKeys::parse(&format!("{text}\n")).is_err());
    assert!(matches!(
        LogKeys::from_seeds("a b", &[1; 64]),
        Err(KeysError::Name(_))
    ));
    let fresh = LogKeys::generate("clarence.example/ledger", &host::Host::real()).unwrap();
    assert_ne!(
        fresh.verifier().fingerprint(),
        keys.verifier().fingerprint()
    );
    assert!(
        !format!("{keys:?}").contains("0909"),
        "the keys are not shown"
    );
}

proptest! {
    #[test]
    fn a_note_that_is_read_has_one_form(place: Index, byte: u8, noise: Vec<u8>) {
        let good = keys().sign(&checkpoint()).unwrap().to_text().into_bytes();
        let mut other = good.clone();
        other[place.index(good.len())] = byte;
        for bytes in [&noise, &other, &good] {
            if let Ok(note) = Note::parse(bytes) {
                prop_assert_eq!(&note.to_text().into_bytes(), bytes);
                let _ = Checkpoint::parse(&note.text);
            }
            if let Ok(text) = std::str::from_utf8(bytes) {
                prop_assert!(Tile::parse(text).is_none());
                prop_assert!(VerifierKeys::parse(text).is_err());
                let _ = Checkpoint::parse(text).map(|head| head.text());
            }
            let (entries, length) = ledger::tile::entries(bytes, 256);
            prop_assert!(entries.len() <= 256 && length <= bytes.len());
        }
    }

    #[test]
    fn a_path_reads_back(level in 0_u8..64, index: u64, width in 1_u16..=256, is_entries: bool) {
        let column = if is_entries { Column::Entries } else { Column::Hashes(level) };
        let tile = Tile { column, index, width };
        prop_assert_eq!(Tile::parse(&tile.path()), Some(tile));
    }
}

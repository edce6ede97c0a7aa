//! Cosignatures on checkpoints: who counts, how many are enough, and the file beside the checkpoint.

use crate::support::{NOW, copy, keys, leaf, leaves, log, read, write};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ledger::cosignature::{CosignatureError, message};
use ledger::note::{Note, SignatureLine};
use ledger::quorum::{Cosigned, QuorumError, UnwitnessedError};
use ledger::witnessed::{WitnessedError, is_continued, put, read as read_witnessed};
use ledger::{Publisher, Quorum, WitnessKey};
use std::path::Path;
use tempfile::tempdir;

struct Signer(Ed25519KeyPair, WitnessKey);

fn signer(number: u8) -> Signer {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let key = WitnessKey::new(&format!("w{number}.example"), public).unwrap();
    Signer(pair, key)
}

impl Signer {
    fn line(&self, text: &str, seconds: u64) -> SignatureLine {
        let signature = self.0.sign(message(seconds, text).as_bytes());
        self.1.line(seconds, signature.as_ref())
    }
}

fn file(numbers: &[u8]) -> String {
    let line = |number: &u8| format!("{}\n", signer(*number).1.to_text());
    numbers.iter().map(line).collect()
}

fn two_of_three() -> Quorum {
    Quorum::parse(&file(&[1, 2, 3]), 2).unwrap()
}

fn note(folder: &Path) -> Note {
    Note::parse(&read(&folder.join("checkpoint"))).unwrap()
}

fn cosigned_by(folder: &Path, numbers: &[u8]) -> Note {
    let mut note = note(folder);
    for number in numbers {
        note.signatures.push(signer(*number).line(&note.text, 100));
    }
    note
}

#[test]
fn every_subset_of_three_counts_as_it_should() {
    let folder = tempdir().unwrap();
    log(folder.path(), 5);
    for subset in 0..8_u8 {
        let who: Vec<u8> = (1..=3).filter(|n| subset & (1 << (n - 1)) != 0).collect();
        let note = cosigned_by(folder.path(), &who);
        for threshold in 1..=3 {
            let quorum = Quorum::parse(&file(&[1, 2, 3]), threshold).unwrap();
            let found = quorum.enough(&note);
            assert_eq!(found.is_ok(), who.len() >= threshold, "{who:?} {threshold}");
        }
        // The log's own signatures are looked at as before.
        assert!(keys().verifier().open(note.to_text().as_bytes()).is_ok());
    }
}

#[test]
fn a_witness_counts_once_and_strangers_do_not() {
    let folder = tempdir().unwrap();
    log(folder.path(), 5);
    let mut twice = cosigned_by(folder.path(), &[1, 4]);
    twice.signatures.push(signer(1).line(&twice.text, 200));
    let few = UnwitnessedError::Few {
        found: vec!["w1.example".into()],
        threshold: 2,
        witnesses: 3,
    };
    assert_eq!(two_of_three().enough(&twice), Err(few));
    let at_200 = Cosigned {
        name: "w1.example".into(),
        seconds: 200,
    };
    assert_eq!(two_of_three().cosigned(&twice), Ok(vec![at_200]));
    // A line of a known witness over another text spoils the note.
    let mut bad = cosigned_by(folder.path(), &[1, 2]);
    bad.signatures.push(signer(3).line("another\n", 100));
    let wrong = CosignatureError::Bad("w3.example".into());
    assert_eq!(
        two_of_three().enough(&bad),
        Err(UnwitnessedError::Cosignature(wrong))
    );
}

#[test]
fn files_of_witnesses_are_read_strictly() {
    let text = format!("# the three parents\n\n{}", file(&[1, 2, 3]));
    assert_eq!(Quorum::parse(&text, 2).unwrap().witnesses().len(), 3);
    let twice = file(&[1, 2, 1]);
    assert_eq!(
        Quorum::parse(&twice, 2),
        Err(QuorumError::Twice { line: 3 })
    );
    // One key under two names is one witness.
    let renamed = WitnessKey::new("other.example", *signer(1).1.ed25519()).unwrap();
    let text = format!("{}{}\n", file(&[1]), renamed.to_text());
    assert_eq!(Quorum::parse(&text, 1), Err(QuorumError::Twice { line: 2 }));
    for threshold in [0, 4] {
        assert!(matches!(
            Quorum::parse(&file(&[1, 2, 3]), threshold),
            Err(QuorumError::Threshold { .. })
        ));
    }
    assert!(matches!(
        Quorum::parse("nothing\n", 1),
        Err(QuorumError::Key { line: 1, .. })
    ));
    let many: Vec<u8> = (1..=31).collect();
    assert_eq!(Quorum::parse(&file(&many), 2), Err(QuorumError::Many));
}

#[test]
fn the_witnessed_checkpoint_never_goes_back() {
    let folder = tempdir().unwrap();
    let (folder, quorum, keys) = (folder.path(), two_of_three(), keys());
    let verifier = keys.verifier();
    let mut publisher = log(folder, 5);
    let old = cosigned_by(folder, &[1, 2]);
    assert!(matches!(
        read_witnessed(folder, verifier, &quorum),
        Err(WitnessedError::Missing(_))
    ));
    assert!(matches!(
        put(folder, &cosigned_by(folder, &[1]), verifier, &quorum),
        Err(WitnessedError::Unwitnessed { size: 5, .. })
    ));
    put(folder, &old, verifier, &quorum).unwrap();
    // A third one joins those that are there; what is not known is left out.
    let third = cosigned_by(folder, &[3, 3, 4]);
    let witnessed = put(folder, &third, verifier, &quorum).unwrap();
    assert_eq!(witnessed.by.len(), 3);
    assert_eq!(
        read_witnessed(folder, verifier, &quorum).unwrap(),
        witnessed
    );
    publisher.publish(5, &leaves(5..300)).unwrap();
    publisher.checkpoint(NOW).unwrap();
    is_continued(
        folder,
        &witnessed.checkpoint,
        &verifier.open(&read(&folder.join("checkpoint"))).unwrap(),
    )
    .unwrap();
    put(folder, &cosigned_by(folder, &[2, 3]), verifier, &quorum).unwrap();
    assert!(matches!(
        put(folder, &old, verifier, &quorum),
        Err(WitnessedError::Older {
            there: 300,
            given: 5
        })
    ));
    // The node goes on as if the file were not there.
    drop(publisher);
    Publisher::open(folder, keys.clone()).unwrap();
    ledger::verify(folder, &ledger::Trust::default()).unwrap();
}

#[test]
fn a_log_cut_back_or_forked_does_not_continue_what_was_witnessed() {
    let (folder, fork) = (tempdir().unwrap(), tempdir().unwrap());
    let (quorum, keys) = (two_of_three(), keys());
    log(folder.path(), 20);
    put(
        folder.path(),
        &cosigned_by(folder.path(), &[1, 2]),
        keys.verifier(),
        &quorum,
    )
    .unwrap();
    let witnessed = read(&folder.path().join("checkpoint.witnessed"));
    for (size, seed) in [(19, 7), (20, 8), (25, 8)] {
        let other = fork.path().join(format!("{size}-{seed}"));
        host::files::make_folder(&other, 0o755).unwrap();
        let mut publisher = Publisher::open(&other, keys.clone()).unwrap();
        let all: Vec<_> = (0..size).map(|index| leaf(seed, index)).collect();
        publisher.publish(0, &all).unwrap();
        publisher.checkpoint(NOW).unwrap();
        write(&other.join("checkpoint.witnessed"), &witnessed);
        let seen = read_witnessed(&other, keys.verifier(), &quorum).unwrap();
        let verified = ledger::verify(&other, &ledger::Trust::default()).unwrap();
        let error = is_continued(&other, &seen.checkpoint, &verified.checkpoint).unwrap_err();
        match seed {
            7 => assert!(matches!(error, WitnessedError::CutBack { .. }), "{error}"),
            _ => assert!(matches!(error, WitnessedError::Fork { .. }), "{error}"),
        }
    }
    let moved = fork.path().join("copy");
    copy(folder.path(), &moved);
    let mut altered = witnessed;
    altered[30] ^= 1;
    write(&moved.join("checkpoint.witnessed"), &altered);
    assert!(matches!(
        read_witnessed(&moved, keys.verifier(), &quorum),
        Err(WitnessedError::Checkpoint { .. })
    ));
}

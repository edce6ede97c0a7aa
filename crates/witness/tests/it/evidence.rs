//! A log that shows two histories: nothing of it is cosigned any more, and what is kept proves it to anybody
//! with the log's public keys.

use crate::support::{History, ORIGIN, clock, files, keys, read, verifier, witness};
use ledger::LogKeys;
use std::path::{Path, PathBuf};
use tempfile::tempdir;
use witness::answer::Answer;
use witness::evidence::EvidenceError;
use witness::folder::{Refused, look};
use witness::{Request, Witness, verify_evidence};

fn ask(witness: &mut Witness, request: &Request) -> u16 {
    let outcome = witness.cosign(request.to_text().as_bytes());
    Answer::to_request(outcome).status.as_u16()
}

fn evidence(folder: &Path) -> PathBuf {
    let hash = words::hex::encode(&ledger::sha256(ORIGIN.as_bytes()));
    folder.join("evidence").join(hash)
}

/// A witness that cosigned `size` entries of history 0 and is shown `shown` of a history that forks at `fork`.
fn forked(folder: &Path, size: u64, fork: u64, (old, shown): (u64, u64)) -> (Witness, u16) {
    let (_, host) = clock();
    let mut witness = witness(folder, "w1.example", &host);
    assert_eq!(
        ask(&mut witness, &History::new(64, 64, 0).request(0, size)),
        200
    );
    let status = ask(&mut witness, &History::new(64, fork, 1).request(old, shown));
    (witness, status)
}

#[test]
fn two_roots_of_one_size_are_evidence_whatever_the_request_says() {
    for (old, status) in [(21, 422), (0, 409), (20, 409)] {
        let folder = tempdir().unwrap();
        let (mut witness, found) = forked(folder.path(), 21, 10, (old, 21));
        assert_eq!(found, status);
        let proven = verify_evidence(&evidence(folder.path()), &verifier()).unwrap();
        assert_eq!((proven.first.size, proven.second.size), (21, 21));
        assert_ne!(proven.first.root, proven.second.root);
        // Neither branch gets another cosignature, also after a new start.
        let honest = History::new(64, 64, 0).request(21, 30);
        assert_eq!(ask(&mut witness, &honest), 403);
        drop(witness);
        let (_, host) = clock();
        let mut witness = Witness::open(folder.path(), host).unwrap();
        let refused = witness.cosign(honest.to_text().as_bytes());
        assert!(matches!(refused, Err(Refused::Forked(_))));
        let branch = History::new(64, 10, 1).request(21, 30);
        assert_eq!(ask(&mut witness, &branch), 403);
        let known = look(folder.path()).unwrap().1;
        assert_eq!(known[0].evidence, Some(evidence(folder.path())));
        assert_eq!(known[0].cosignatures, 1);
    }
}

#[test]
fn a_longer_branch_with_its_own_proof_is_evidence() {
    let folder = tempdir().unwrap();
    let (mut witness, status) = forked(folder.path(), 21, 10, (21, 50));
    assert_eq!(status, 422);
    let proven = verify_evidence(&evidence(folder.path()), &verifier()).unwrap();
    assert_eq!((proven.first.size, proven.second.size), (21, 50));
    assert_eq!(
        ask(&mut witness, &History::new(64, 64, 0).request(21, 30)),
        403
    );
}

#[test]
fn a_longer_branch_without_a_proof_is_a_suspect_and_no_evidence() {
    // Of a power of two the proof does not hold the old root, so that it cannot speak against it.
    let folder = tempdir().unwrap();
    let (mut witness, status) = forked(folder.path(), 16, 10, (16, 50));
    assert_eq!(status, 422);
    assert!(!host::files::is_folder(&evidence(folder.path())));
    let hash = words::hex::encode(&ledger::sha256(ORIGIN.as_bytes()));
    let place = folder.path().join("suspects").join(hash);
    let names = host::files::list(&place).unwrap();
    assert_eq!(names.len(), 1);
    let suspect = place.join(&names[0]);
    let found = verify_evidence(&suspect, &verifier());
    assert!(matches!(found, Err(EvidenceError::Nothing)), "{found:?}");
    // Anybody can send a bad proof, so an honest log goes on, and the same pair is kept once.
    let branch = History::new(64, 10, 1).request(16, 50);
    assert_eq!(ask(&mut witness, &branch), 422);
    assert_eq!(host::files::list(&place).unwrap().len(), 1);
    let honest = History::new(64, 64, 0);
    for size in 17..=60 {
        let mut bad = honest.request(16, size);
        bad.proof.push([0; 32]);
        assert_eq!(ask(&mut witness, &bad), 422);
    }
    assert!(host::files::list(&place).unwrap().len() <= 64);
    assert_eq!(ask(&mut witness, &honest.request(16, 20)), 200);
}

#[test]
fn evidence_is_never_written_over() {
    let folder = tempdir().unwrap();
    let (mut witness, _) = forked(folder.path(), 21, 10, (21, 21));
    let before = files(folder.path());
    for (fork, size) in [(5, 21), (7, 40)] {
        let request = History::new(64, fork, 2).request(21, size);
        assert_eq!(ask(&mut witness, &request), 403);
    }
    assert_eq!(files(folder.path()), before);
    let again = witness::Fork::read(&evidence(folder.path())).unwrap();
    let other = witness::Fork {
        first: again.second.clone(),
        second: again.first.clone(),
        proof: Vec::new(),
    };
    let parent = folder.path().join("evidence");
    let name = host::files::list(&parent).unwrap().remove(0);
    other.keep(&parent, &name).unwrap();
    assert_eq!(files(folder.path()), before);
}

#[test]
fn tampered_evidence_does_not_verify() {
    for shown in [21, 50] {
        let folder = tempdir().unwrap();
        drop(forked(folder.path(), 21, 10, (21, shown)));
        let place = evidence(folder.path());
        verify_evidence(&place, &verifier()).unwrap();
        for name in ["first", "second", "proof"] {
            let path = place.join(name);
            let good = read(&path);
            let places: Vec<usize> = (0..good.len())
                .filter(|at| at % 61 == 0 || *at < 130 || at + 5 > good.len())
                .collect();
            for at in places {
                let mut bad = good.clone();
                bad[at] ^= 1;
                std::fs::write(&path, &bad).unwrap();
                let found = verify_evidence(&place, &verifier());
                assert!(found.is_err(), "{shown} {name} byte {at}");
            }
            for bad in [
                &good[..good.len().saturating_sub(1)],
                &[&good[..], b"\n"].concat(),
            ] {
                if bad != good {
                    std::fs::write(&path, bad).unwrap();
                    assert!(verify_evidence(&place, &verifier()).is_err(), "{name}");
                }
            }
            std::fs::write(&path, &good).unwrap();
        }
        let stranger = LogKeys::from_seeds(ORIGIN, &[8; 64]).unwrap();
        assert!(verify_evidence(&place, stranger.verifier()).is_err());
        std::fs::remove_file(place.join("proof")).unwrap();
        let found = verify_evidence(&place, &verifier());
        assert!(matches!(found, Err(EvidenceError::Missing(_))));
    }
}

#[test]
fn an_honest_log_cannot_be_accused() {
    let history = History::new(64, 64, 0);
    let stranger = LogKeys::from_seeds(ORIGIN, &[8; 64]).unwrap();
    let head = ledger::Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 21,
        root: [3; 32],
        time: None,
    };
    let forged = [
        (history.note(21), history.note(21)),
        (history.note(21), history.note(50)),
        (history.note(21), stranger.sign(&head).unwrap()),
    ];
    for (first, second) in forged {
        for proof in [
            Vec::new(),
            history.proof(21, 50),
            history.proof(20, 50),
            History::new(64, 10, 1).proof(21, 50),
        ] {
            let (first, second) = (first.clone(), second.clone());
            let fork = witness::Fork {
                first,
                second,
                proof,
            };
            assert!(fork.verify(keys().verifier()).is_err());
        }
    }
}

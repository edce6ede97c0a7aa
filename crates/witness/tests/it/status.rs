//! The statuses and bodies of tlog-witness, one by one.

use crate::support::{History, NOW, ORIGIN, clock, files, good, keys, verifier, witness};
use ledger::note::Checkpoint;
use ledger::tree::empty_root;
use ledger::{LogKeys, note::Note};
use std::sync::atomic::Ordering;
use tempfile::tempdir;
use witness::answer::{Answer, SIZE_TYPE, TEXT_TYPE};
use witness::folder::{FolderError, Refused};
use witness::{Request, Witness};

fn ask(witness: &mut Witness, body: &[u8]) -> (u16, String) {
    let answer = Answer::to_request(witness.cosign(body));
    let kind = match answer.status.as_u16() {
        409 => SIZE_TYPE,
        _ => TEXT_TYPE,
    };
    assert_eq!(answer.content_type, kind);
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(body.ends_with('\n'));
    (answer.status.as_u16(), body)
}

fn status(witness: &mut Witness, request: &Request) -> u16 {
    ask(witness, request.to_text().as_bytes()).0
}

#[test]
fn a_log_that_grows_is_cosigned() {
    let (folder, (hands, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    let history = History::new(40, 40, 0);
    let mut old = 0;
    for (step, size) in [0, 1, 2, 7, 7, 8, 33, 40].into_iter().enumerate() {
        hands.0.store(NOW + step as u64, Ordering::Relaxed);
        let request = history.request(old, size);
        let lines = witness.cosign(request.to_text().as_bytes()).unwrap();
        let time = good(&witness, &request.note.text, &lines);
        assert_eq!(time, NOW + step as u64);
        old = size;
    }
    let (status, body) = ask(&mut witness, &history.body(40, 40));
    assert_eq!(status, 200);
    assert!(body.starts_with("\u{2014} w1.example "), "{body}");
}

#[test]
fn requests_that_cannot_be_read_are_400() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    let history = History::new(40, 40, 0);
    assert_eq!(ask(&mut witness, b"").0, 400);
    assert_eq!(ask(&mut witness, b"old 0\n\nno checkpoint\n").0, 400);
    // An old size above the size of the checkpoint.
    let mut above = history.request(0, 5);
    above.old = 6;
    assert_eq!(status(&mut witness, &above), 400);
}

#[test]
fn other_logs_are_404_and_other_signatures_403() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    let history = History::new(40, 40, 0);
    let head = Checkpoint::parse(&history.note(5).text).unwrap();
    let foreign = LogKeys::from_seeds("other.example/log", &[9; 64]).unwrap();
    let origin = "other.example/log".to_owned();
    let note = foreign
        .sign(&Checkpoint {
            origin,
            ..head.clone()
        })
        .unwrap();
    let request = Request::new(0, Vec::new(), note).unwrap();
    assert_eq!(status(&mut witness, &request), 404);
    let stranger = LogKeys::from_seeds(ORIGIN, &[8; 64]).unwrap();
    let request = Request::new(0, Vec::new(), stranger.sign(&head).unwrap()).unwrap();
    assert_eq!(status(&mut witness, &request), 403);
    for place in 0..2 {
        // One signature of the two is not enough, and a wrong one spoils the note.
        let mut one = history.request(0, 5);
        one.note.signatures.remove(place);
        assert_eq!(status(&mut witness, &one), 403);
        let mut bad = history.request(0, 5);
        bad.note.signatures[place].signature[9] ^= 1;
        assert_eq!(status(&mut witness, &bad), 403);
    }
    // Signatures of others are passed over, and are not repeated in the record.
    let mut more = history.request(0, 5);
    let other = stranger.sign(&head).unwrap().signatures;
    more.note.signatures.splice(0..0, other);
    assert_eq!(status(&mut witness, &more), 200);
    let hash = words::hex::encode(&ledger::sha256(ORIGIN.as_bytes()));
    assert_eq!(witness.latest(&hash).unwrap().signatures.len(), 3);
}

#[test]
fn a_wrong_old_size_is_409_with_the_recorded_one() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    let history = History::new(40, 40, 0);
    assert_eq!(ask(&mut witness, &history.body(3, 5)), (409, "0\n".into()));
    assert_eq!(ask(&mut witness, &history.body(0, 5)).0, 200);
    for old in [0, 4] {
        let body = history.body(old, 9);
        assert_eq!(ask(&mut witness, &body), (409, "5\n".into()));
    }
    // A smaller checkpoint is never cosigned, whatever it says.
    assert_eq!(ask(&mut witness, &history.body(4, 4)), (409, "5\n".into()));
    assert_eq!(ask(&mut witness, &history.body(5, 9)).0, 200);
}

#[test]
fn what_does_not_follow_is_422() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    let history = History::new(40, 40, 0);
    let empty = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 0,
        root: [1; 32],
        time: None,
    };
    let request = Request::new(0, Vec::new(), keys().sign(&empty).unwrap()).unwrap();
    assert_eq!(status(&mut witness, &request), 422);
    let request = Request::new(0, vec![empty_root()], history.note(5)).unwrap();
    assert_eq!(status(&mut witness, &request), 422);
    let (proof, note) = (vec![[1; 32]], history.note(5));
    let request = Request::new(0, proof.clone(), note.clone()).unwrap();
    assert_eq!(status(&mut witness, &request), 422);
    assert_eq!(ask(&mut witness, &history.body(0, 5)).0, 200);
    let request = Request::new(5, proof, note).unwrap();
    assert_eq!(status(&mut witness, &request), 422);
    let good = history.request(5, 12);
    for place in 0..good.proof.len() {
        let mut short = good.clone();
        short.proof.remove(place);
        assert_eq!(status(&mut witness, &short), 422);
        let mut wrong = good.clone();
        wrong.proof[place][0] ^= 1;
        assert_eq!(status(&mut witness, &wrong), 422);
    }
    let mut long = good.clone();
    long.proof.push([0; 32]);
    assert_eq!(status(&mut witness, &long), 422);
    // None of this spoiled the log, and nothing of it is proof of a fork.
    assert_eq!(status(&mut witness, &good), 200);
    assert!(!host::files::is_folder(&folder.path().join("evidence")));
}

#[test]
fn a_clock_that_is_wrong_is_503_and_a_corrected_one_does_not_go_back() {
    let (folder, (hands, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    let history = History::new(40, 40, 0);
    hands.0.store(0, Ordering::Relaxed);
    assert_eq!(ask(&mut witness, &history.body(0, 5)).0, 503);
    hands.0.store(NOW, Ordering::Relaxed);
    assert_eq!(ask(&mut witness, &history.body(0, 5)).0, 200);
    hands.0.store(NOW - 600, Ordering::Relaxed);
    let request = history.request(5, 6);
    let lines = witness.cosign(request.to_text().as_bytes()).unwrap();
    assert_eq!(good(&witness, &request.note.text, &lines), NOW);
    hands.0.store(NOW - 3600, Ordering::Relaxed);
    let before = files(folder.path());
    assert_eq!(ask(&mut witness, &history.body(6, 7)).0, 503);
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_folder_serves_one_process_and_its_key_one_owner() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let at = folder.path();
    assert!(matches!(
        Witness::open(at, host.clone()),
        Err(FolderError::Missing(_))
    ));
    let mut first = witness(at, "w1.example", &host);
    assert!(!first.add_log(verifier()).unwrap());
    let stranger = LogKeys::from_seeds(ORIGIN, &[8; 64]).unwrap();
    assert!(matches!(
        first.add_log(stranger.verifier().clone()),
        Err(FolderError::OtherKeys(_))
    ));
    assert!(matches!(
        Witness::open(at, host.clone()),
        Err(FolderError::Busy(_))
    ));
    let (key, known) = witness::folder::look(at).unwrap();
    assert_eq!((&key, known.len()), (first.public(), 1));
    drop(first);
    assert!(matches!(
        Witness::init(at, "w2.example", &host),
        Err(FolderError::Occupied(_))
    ));
    assert_eq!(host::files::mode(&at.join("witness.key")).unwrap(), 0o600);
    host::files::set_mode(&at.join("witness.key"), 0o640).unwrap();
    assert!(matches!(
        Witness::open(at, host.clone()),
        Err(FolderError::Open { mode: 0o640, .. })
    ));
    host::files::set_mode(&at.join("witness.key"), 0o600).unwrap();
    assert_eq!(*Witness::open(at, host).unwrap().public(), key);
}

#[test]
fn a_damaged_or_lost_record_stops_the_witness() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    witness.cosign(&History::new(9, 9, 0).body(0, 9)).unwrap();
    drop(witness);
    let hash = words::hex::encode(&ledger::sha256(ORIGIN.as_bytes()));
    let file = folder.path().join("logs").join(hash).join("latest.clr");
    let good = crate::support::read(&file);
    for place in [0, 4, 12, 20, 40, 90, good.len() - 1] {
        let mut bad = good.clone();
        bad[place] ^= 0x55;
        std::fs::write(&file, bad).unwrap();
        let opened = Witness::open(folder.path(), host.clone());
        // Time and count stand in the record without a check: they are the witness's own word.
        let told = matches!(opened, Err(FolderError::Latest { .. }));
        assert!(told || (1..17).contains(&place), "byte {place}");
    }
    std::fs::remove_file(&file).unwrap();
    let opened = Witness::open(folder.path(), host);
    let Err(FolderError::Latest { why, .. }) = opened else {
        panic!("it opened")
    };
    assert_eq!(why, "it is missing");
}

#[test]
fn without_a_disk_nothing_is_cosigned() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    let history = History::new(9, 9, 0);
    std::fs::remove_dir_all(folder.path().join("logs")).unwrap();
    let refused = witness.cosign(&history.body(0, 9));
    assert!(matches!(refused, Err(Refused::Disk(_))));
    let (status, said) = ask(&mut witness, &history.body(0, 9));
    assert_eq!(status, 500);
    assert!(!said.contains(folder.path().to_str().unwrap()), "{said}");
    let note: Option<Note> =
        witness.latest(&words::hex::encode(&ledger::sha256(ORIGIN.as_bytes())));
    assert_eq!(note, None);
}

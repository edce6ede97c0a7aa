//! Witnesses without a network: a request is carried to them as a file, their lines are carried back. And
//! every subset of three witnesses against two of three, with logs in folders as a node publishes them.

use crate::http::served;
use crate::support::{clock, keys, read, verifier, witness};
use ledger::folder::Folder;
use ledger::note::{Note, SignatureLine};
use ledger::witnessed::{WitnessedError, gather, put, read as read_witnessed};
use ledger::{Fields, Kind, Leaf, Publisher, Quorum, Trust};
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;
use witness::client::{self, AskError, Place};
use witness::{Request, Witness};
use words::UnixMillis;

fn publish(folder: &Path, size: u64, seed: u8) {
    let mut publisher = Publisher::open(folder, Arc::new(keys())).unwrap();
    let leaf = |index: u64| {
        let fields = Fields::new(Kind::Grant, UnixMillis(index));
        Leaf::new(&fields.commit(&[seed; 32]))
    };
    let leaves: Vec<Leaf> = (publisher.next_index()..size).map(leaf).collect();
    publisher.publish(publisher.next_index(), &leaves).unwrap();
    publisher.checkpoint(UnixMillis(1_764_000_000_000)).unwrap();
}

/// The request as it is written into a file, from the published folder alone.
fn request(folder: &Path, old: u64) -> Vec<u8> {
    let request = Request::from_folder(folder, old).unwrap();
    request.to_text().into_bytes()
}

fn answer(witness: &mut Witness, request: &[u8]) -> Vec<u8> {
    let lines = witness.cosign(request).unwrap();
    let text: String = lines.iter().map(SignatureLine::to_text).collect();
    text.into_bytes()
}

#[test]
fn every_subset_of_three_witnesses() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let names = ["ctie.example", "luxconnect.example", "proximus.example"];
    let mut witnesses: Vec<Witness> = names
        .iter()
        .map(|name| witness(&folder.path().join(name), name, &host))
        .collect();
    let file: String = witnesses
        .iter()
        .map(|witness| format!("{}\n", witness.public().to_text()))
        .collect();
    let mut sizes = [0_u64; 3];
    for threshold in 1..=3 {
        let quorum = Quorum::parse(&file, threshold).unwrap();
        let log = folder.path().join(format!("log-{threshold}"));
        std::fs::create_dir(&log).unwrap();
        for subset in 0..8_usize {
            let size = 300 * threshold as u64 + subset as u64;
            publish(&log, size, 7);
            let note = Note::parse(&read(&log.join("checkpoint"))).unwrap();
            let mut lines = Vec::new();
            for (place, witness) in witnesses.iter_mut().enumerate() {
                if subset & (1 << place) != 0 {
                    let body = request(&log, sizes[place]);
                    let answer = answer(witness, &body);
                    lines.extend(SignatureLine::read_all(&answer).unwrap());
                    sizes[place] = size;
                }
            }
            let gathered = gather(&note, &lines, &verifier(), &quorum);
            let kept = put(&log, &gathered, &verifier(), &quorum);
            let count = subset.count_ones() as usize;
            assert_eq!(kept.is_ok(), count >= threshold, "{subset:03b} {threshold}");
            if let Ok(kept) = kept {
                assert_eq!((kept.by.len(), kept.checkpoint.size), (count, size));
                assert_eq!(read_witnessed(&log, &verifier(), &quorum).unwrap(), kept);
            } else if threshold > 1 {
                let error = put(&log, &gathered, &verifier(), &quorum).unwrap_err();
                assert!(matches!(error, WitnessedError::Unwitnessed { .. }));
            }
        }
        ledger::verify(&log, &Trust::default()).unwrap();
    }
}

#[test]
fn two_histories_never_both_get_two_of_three() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let names = ["ctie.example", "luxconnect.example", "proximus.example"];
    let mut witnesses: Vec<Witness> = names
        .iter()
        .map(|name| witness(&folder.path().join(name), name, &host))
        .collect();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    for (log, seed) in [(&one, 7), (&two, 8)] {
        std::fs::create_dir(log).unwrap();
        publish(log, 300, seed);
    }
    // Whoever has the log's keys shows one history to two of them, the other to the third and then to all.
    answer(&mut witnesses[0], &request(&one, 0));
    answer(&mut witnesses[1], &request(&one, 0));
    answer(&mut witnesses[2], &request(&two, 0));
    let shown = witnesses
        .iter_mut()
        .map(|witness| witness.cosign(&request(&two, 300)).is_ok());
    assert_eq!(shown.collect::<Vec<_>>(), [false, false, true]);
    for name in ["ctie.example", "luxconnect.example"] {
        let place = folder.path().join(name).join("evidence");
        let hash = host::files::list(&place).unwrap().remove(0);
        witness::verify_evidence(&place.join(hash), &verifier()).unwrap();
    }
}

#[test]
fn a_log_asks_over_http_from_its_folder() {
    let served = served(clock().1, "w1.example");
    let log = served.folder.path().join("log");
    std::fs::create_dir(&log).unwrap();
    let place: Place = format!("http://{}/", served.address).parse().unwrap();
    let quorum = Quorum::parse(&served.vkey, 1).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |guess| {
        let note = Note::parse(&read(&log.join("checkpoint"))).unwrap();
        let folder = Folder::at(&log);
        let proof = |old, new| folder.consistency_proof(old, new);
        let lines = runtime.block_on(client::ask(&place, None, &note, guess, proof))?;
        put(
            &log,
            &gather(&note, &lines, &verifier(), &quorum),
            &verifier(),
            &quorum,
        )
        .unwrap();
        Ok::<_, AskError>(())
    };
    // With a wrong guess, a right one and none; the same checkpoint twice.
    for (size, guess) in [(300, 0), (300, 0), (600, 300), (700, 5), (900, 2000)] {
        publish(&log, size, 7);
        ask(guess).unwrap();
        let kept = read_witnessed(&log, &verifier(), &quorum).unwrap();
        assert_eq!(kept.checkpoint.size, size);
    }
    // An older copy of the log, and another history.
    for (name, size, seed) in [("old", 800, 7), ("fork", 901, 8)] {
        let copy = served.folder.path().join(name);
        std::fs::create_dir(&copy).unwrap();
        publish(&copy, size, seed);
        let note = Note::parse(&read(&copy.join("checkpoint"))).unwrap();
        let proof = |old, new| Folder::at(&copy).consistency_proof(old, new);
        let asked = runtime.block_on(client::ask(&place, None, &note, 0, proof));
        match name {
            "old" => assert!(matches!(
                asked,
                Err(AskError::Ahead {
                    theirs: 900,
                    ours: 800,
                    ..
                })
            )),
            _ => assert!(matches!(asked, Err(AskError::Refused { status, .. }) if status == 422)),
        }
    }
    assert!(Request::from_folder(&log, 901).is_err());
    drop(served);
}

#[test]
fn places_of_witnesses_are_read_strictly() {
    for (text, shown) in [
        ("http://127.0.0.1:7490", "http://127.0.0.1:7490"),
        ("http://localhost", "http://localhost:80"),
        (
            "https://witness.example.lu/w1/",
            "https://witness.example.lu:443/w1",
        ),
        ("https://[::1]:7490", "https://[::1]:7490"),
    ] {
        assert_eq!(text.parse::<Place>().unwrap().to_string(), shown);
    }
    for wrong in [
        "",
        "w",
        "ftp://w",
        "http://10.0.0.1",
        "https://a@b",
        "https://b?x",
    ] {
        assert!(wrong.parse::<Place>().is_err(), "{wrong}");
    }
}

#[test]
fn an_answer_with_more_than_lines_is_refused() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(&folder.path().join("w"), "w1.example", &host);
    let log = folder.path().join("log");
    std::fs::create_dir(&log).unwrap();
    publish(&log, 300, 7);
    let answer = answer(&mut witness, &request(&log, 0));
    assert_eq!(SignatureLine::read_all(&answer).unwrap().len(), 1);
    for bad in [
        [&answer[..], b"\n"].concat(),
        [&answer[..], b"more"].concat(),
        [b"\n", &answer[..]].concat(),
        answer[..answer.len() - 1].to_vec(),
        answer.repeat(33),
        Vec::new(),
    ] {
        assert!(SignatureLine::read_all(&bad).is_err());
    }
}

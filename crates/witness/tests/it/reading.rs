//! Requests are read strictly: one form, nothing before, nothing behind, and a limit on everything.

use crate::support::{History, clock, files, witness};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;
use tempfile::tempdir;
use witness::Request;
use witness::limits::{PROOF_HASHES_MAX, REQUEST_BYTES_MAX};
use witness::request::RequestError;

fn body() -> String {
    String::from_utf8(History::new(12, 12, 0).body(5, 12)).unwrap()
}

#[test]
fn a_request_reads_back() {
    // ML-DSA signatures are drawn: two bodies differ.
    let body = body();
    let request = Request::parse(body.as_bytes()).unwrap();
    assert_eq!((request.old, request.checkpoint.size), (5, 12));
    assert_eq!(request.to_text(), body);
}

#[test]
fn trailing_bytes_and_other_spellings_are_refused() {
    let good = body();
    let first = good.lines().nth(1).unwrap();
    for bad in [
        format!("{good}\n"),
        format!("{good}x"),
        format!("{good}\u{2014} w AAAA\n"),
        format!(" {good}"),
        format!("\n{good}"),
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
        good.replacen("old 5", "old 05", 1),
        good.replacen("old 5", "old +5", 1),
        good.replacen("old 5", "old  5", 1),
        good.replacen("old 5", "old 5 ", 1),
        good.replacen("old 5", "Old 5", 1),
        good.replacen("old 5", "old 99999999999999999999", 1),
        good.replacen("old 5\n", "", 1),
        good.replacen(first, &first[..40], 1),
        good.replacen(first, &format!("{first}AAAA"), 1),
        good.replacen(first, &format!("{first} "), 1),
        good.replacen("\n\n", "\n", 1),
        good.replacen("\n12\n", "\n012\n", 1),
    ] {
        assert!(Request::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(Request::parse(&[0xff; 40]).is_err());
}

#[test]
fn limits_hold() {
    let request = Request::parse(body().as_bytes()).unwrap();
    let mut most = request.clone();
    most.proof = vec![[7; 32]; PROOF_HASHES_MAX];
    assert_eq!(Request::parse(most.to_text().as_bytes()), Ok(most.clone()));
    most.proof.push([7; 32]);
    let parsed = Request::parse(most.to_text().as_bytes());
    assert_eq!(parsed, Err(RequestError::Proof));
    let long = vec![b'a'; usize::try_from(REQUEST_BYTES_MAX).unwrap() + 1];
    assert_eq!(Request::parse(&long), Err(RequestError::Long));
    let mut many = request;
    let line = many.note.signatures[0].clone();
    many.note.signatures = vec![line; 33];
    assert!(Request::parse(many.to_text().as_bytes()).is_err());
}

#[test]
fn a_file_with_trailing_bytes_changes_nothing() {
    let (folder, (_, host)) = (tempdir().unwrap(), clock());
    let mut witness = witness(folder.path(), "w1.example", &host);
    let before = files(folder.path());
    let mut body = History::new(12, 12, 0).body(0, 12);
    body.extend_from_slice(b"more");
    assert!(witness.cosign(&body).is_err());
    assert_eq!(files(folder.path()), before);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Request::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = Request::parse(format!("old 1\n{text}").as_bytes());
    }

    #[test]
    fn what_is_read_is_what_was_written(place in any::<Index>(), bit in 0..8_u8) {
        let mut bytes = body().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert_eq!(request.to_text().into_bytes(), bytes);
        }
        prop_assert!(Request::parse(body().as_bytes()).is_ok());
    }
}

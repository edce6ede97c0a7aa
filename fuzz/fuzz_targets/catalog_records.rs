//! What a catalog folder holds beside its database's own files: rows, journal rows, the folder's description
//! and how far it came. One spelling each; damage, and a row in another row's place, is noticed.
#![no_main]

use bytes::Bytes;
use catalog::fuzzing::{JournalRow, format, journal_row, reached, row};
use fuzz::{Input, canonical, damaged};
use libfuzzer_sys::fuzz_target;
use words::{CloudId, OpId};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 8 {
        0 => {
            let key = input.bytes(40);
            any_row(key, input.rest());
        }
        1 => written_row(&mut input),
        2 => {
            let rest = input.rest();
            canonical(rest, JournalRow::decode, JournalRow::encode);
        }
        3 => chained(&mut input),
        4 => {
            canonical(input.rest(), format::decode, format::encode);
        }
        5 => written_format(&mut input),
        6 => {
            let stored = input.rest();
            assert!(reached::decode(stored).is_none_or(|seq| reached::encode(seq) == stored));
            let seq = journal_row::seq_of(stored);
            assert!(seq.is_none_or(|seq| journal_row::key(seq) == stored));
        }
        _ => {
            let seq = input.u64();
            let stored = reached::encode(seq);
            assert_eq!(reached::decode(&stored), Some(seq));
            let bad = damaged(&stored, &mut input);
            assert!(bad == stored || reached::decode(&bad).is_none());
        }
    }
});

fn any_row(key: &[u8], stored: &[u8]) {
    if let Some(found) = row::decode(key, &Bytes::copy_from_slice(stored)) {
        assert_eq!(row::encode(key, found.version, &found.value).0, stored);
    }
}

fn written_row(input: &mut Input<'_>) {
    let (key, other, version) = (input.bytes(40), input.bytes(40), input.u64());
    let value = input.bytes(200);
    let (stored, hash) = row::encode(key, version, value);
    assert_eq!(hash, row::hash(key, Some((version, value))));
    let found = row::decode(key, &Bytes::from(stored.clone())).expect("it was written here");
    assert_eq!((found.version, &*found.value), (version, value));
    let elsewhere = row::decode(other, &Bytes::from(stored.clone()));
    assert!(key == other || elsewhere.is_none());
    let bad = damaged(&stored, input);
    // The check has no key. Bytes of the input that come to stand in the head's place may hold a version and
    // its right check, and are then a row of their own; under the check that was written, nothing else is.
    let same_check = bad.get(8..16) == stored.get(8..16);
    if let Some(found) = row::decode(key, &Bytes::from(bad.clone())) {
        assert!(bad == stored || !same_check, "damage was read");
        assert_eq!(row::encode(key, found.version, &found.value).0, bad);
    }
}

/// A journal row and the one behind it: the chain holds, and does not after any damage.
fn chained(input: &mut Input<'_>) {
    let before = journal_row::genesis(&CloudId::from_bytes(input.array()));
    let ops = input.below(4);
    let keys = input.below(4);
    let row = JournalRow {
        chain: [0; 32],
        seq: input.u64(),
        epoch: input.u64(),
        content: input.array(),
        next_version: input.u64(),
        first_index: input.u64(),
        next_index: input.u64(),
        bytes: input.u64(),
        ops: (0..ops)
            .map(|_| (OpId::from_bytes(input.array()), input.u64()))
            .collect(),
        keys: (0..keys).map(|_| input.bytes(30).to_vec()).collect(),
    };
    let row = row.chained(&before);
    assert!(row.follows(&before));
    let stored = row.encode();
    let again = canonical(&stored, JournalRow::decode, JournalRow::encode);
    assert_eq!(again.as_ref(), Some(&row));
    let bad = damaged(&stored, input);
    if bad != stored
        && let Ok(other) = JournalRow::decode(&bad)
    {
        // The chain has no key either: another chain may be the right one of another row.
        let same_chain = other.chain == row.chain;
        assert!(!(same_chain && other.follows(&before)), "a damaged row follows");
    }
}

fn written_format(input: &mut Input<'_>) {
    let content: [u8; 25] = input.array();
    let sum = blake3::derive_key("clarence v1 catalog format checksum", &content);
    let stored = [content.as_slice(), &sum].concat();
    let fits = content[0] == 1 && &content[1..9] == b"CLR-CTLG";
    let found = canonical(&stored, format::decode, format::encode);
    assert_eq!(found.is_some(), fits);
    let good = format::encode(&CloudId::from_bytes(input.array()));
    let bad = damaged(&good, input);
    assert!(bad == good || format::decode(&bad).is_err());
}

//! Signed notes, checkpoints and verifier keys: one spelling each; and no note counts as the log's unless the
//! log signed that very text with both keys.
#![no_main]

use fuzz::{Input, bounded, canonical, damaged};
use ledger::note::{Checkpoint, Note};
use ledger::{LogKeys, VerifierKeys};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use words::UnixMillis;

const NAME: &str = "clarence.example/ledger";

struct Log {
    keys: LogKeys,
    checkpoint: Checkpoint,
    note: String,
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let keys = LogKeys::from_seeds(NAME, &[3; 64]).expect("seeds");
    let checkpoint = Checkpoint {
        origin: NAME.to_owned(),
        size: 70_000,
        root: [9; 32],
        time: Some(UnixMillis(1_795_435_200_000)),
    };
    let note = keys.sign(&checkpoint).expect("its own log").to_text();
    Log {
        keys,
        checkpoint,
        note,
    }
});

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 5 {
        0 => note(input.rest()),
        1 => checkpoint(&String::from_utf8_lossy(input.rest())),
        2 => verifier(input.rest()),
        3 => forged(&mut input),
        _ => stored_keys(&mut input),
    }
});

fn note(bytes: &[u8]) {
    canonical(bytes, Note::parse, |note| note.to_text().into_bytes());
    match LOG.keys.verifier().open(bytes) {
        Ok(found) => assert_eq!(found, LOG.checkpoint),
        Err(error) => bounded(&error),
    }
}

fn checkpoint(text: &str) {
    match Checkpoint::parse(text) {
        Ok(found) => {
            let own = found.text();
            assert_eq!(Checkpoint::parse(&own).as_ref(), Ok(&found));
            let head: Vec<&str> = text.split('\n').take(3).collect();
            assert!(own.starts_with(&head.join("\n")));
        }
        Err(error) => bounded(&error),
    }
}

fn verifier(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let write = |keys: &VerifierKeys| keys.to_text().into_bytes();
        canonical(bytes, |_| VerifierKeys::parse(text), write);
    }
}

/// The log's own note, damaged, cut into lines and put together again, or with other signatures beside.
fn forged(input: &mut Input<'_>) {
    let verifier = LOG.keys.verifier();
    assert_eq!(
        verifier.open(LOG.note.as_bytes()).as_ref(),
        Ok(&LOG.checkpoint)
    );
    let mut bytes = match input.flag() {
        true => damaged(LOG.note.as_bytes(), input),
        false => {
            let mut note = Note::parse(LOG.note.as_bytes()).expect("it was signed here");
            let (at, more) = (input.below(3), input.bytes(200));
            if let Ok(other) = Note::parse(more) {
                note.signatures
                    .splice(at.min(2)..at.min(2), other.signatures);
            }
            if input.u8() % 4 == 0 {
                let at = input.below(note.signatures.len());
                let line = note.signatures[at].clone();
                note.signatures.push(line);
            }
            if input.u8() % 4 == 0 {
                note.text = input.text(200);
            }
            note.to_text().into_bytes()
        }
    };
    bytes.truncate(64 * 1024);
    note(&bytes);
}

/// Secret keys as the vault keeps them.
fn stored_keys(input: &mut Input<'_>) {
    let stored = LOG.keys.to_bytes();
    let bytes = damaged(&stored, input);
    canonical(&bytes, LogKeys::from_bytes, |keys| keys.to_bytes().to_vec());
}

//! The record of custody and the transcript, both canonical JSON: one spelling, given back byte for byte, and
//! a change anywhere in a good one is refused or makes another record.
#![no_main]

use charter::{Custody, Transcript};
use fuzz::{Input, canonical, damaged};
use libfuzzer_sys::fuzz_target;

const CUSTODY: &str = include_str!("../../crates/charter/tests/it/golden/custody-format-1.json");
const TRANSCRIPT: &str =
    include_str!("../../crates/charter/tests/it/golden/transcript-format-1.json");

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 4 {
        0 => drop(custody(input.rest())),
        1 => drop(transcript(input.rest())),
        2 => {
            let before = custody(CUSTODY.as_bytes());
            let bytes = damaged(CUSTODY.as_bytes(), &mut input);
            assert!(bytes == CUSTODY.as_bytes() || custody(&bytes) != before);
        }
        _ => {
            let before = transcript(TRANSCRIPT.as_bytes()).expect("the golden file");
            let bytes = damaged(TRANSCRIPT.as_bytes(), &mut input);
            if let Some(after) = transcript(&bytes) {
                let same = bytes == TRANSCRIPT.as_bytes();
                assert_eq!(before.digest() == after.digest(), same);
            }
        }
    }
});

fn custody(bytes: &[u8]) -> Option<Custody> {
    let text = std::str::from_utf8(bytes).ok()?;
    let write = |custody: &Custody| custody.to_json().expect("it was read").into_bytes();
    canonical(text.as_bytes(), |_| Custody::from_json(text), write)
}

fn transcript(bytes: &[u8]) -> Option<Transcript> {
    let text = std::str::from_utf8(bytes).ok()?;
    let write = |transcript: &Transcript| transcript.to_json().as_bytes().to_vec();
    canonical(text.as_bytes(), |_| Transcript::from_json(text), write)
}

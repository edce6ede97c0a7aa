//! Envelopes: any bytes, and a genuine one that is damaged. Only what was sealed comes out. Texts of keys are read
//! exactly when they are written that way.
#![no_main]

use charter::envelope::{Identity, Recipient, open};
use fuzz::{Input, bounded, damaged};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const SEALED: &[u8] = include_bytes!("../../crates/charter/tests/it/golden/envelope.age");
static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let text = include_str!("../../crates/charter/tests/it/golden/envelope.identity");
    Identity::parse(text).expect("the golden identity is read")
});

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 4 {
        0 => refused(input.rest()),
        1 => refused(&[b"age-encryption.org/v1\n".as_slice(), input.rest()].concat()),
        2 => {
            let bad = damaged(SEALED, &mut input);
            if bad == SEALED {
                assert!(open(&IDENTITY, &bad).is_ok());
            } else {
                refused(&bad);
            }
        }
        _ => {
            let text = String::from_utf8_lossy(input.rest());
            match Identity::parse(&text) {
                Ok(found) => assert!(found.to_text().eq_ignore_ascii_case(text.trim())),
                Err(error) => bounded(&error),
            }
            match Recipient::parse(&text) {
                Ok(found) => assert!(found.to_string().eq_ignore_ascii_case(text.trim())),
                Err(error) => bounded(&error),
            }
        }
    }
});

fn refused(bytes: &[u8]) {
    match open(&IDENTITY, bytes) {
        Ok(_) => assert_eq!(bytes, SEALED, "something else was opened"),
        Err(error) => bounded(&error),
    }
}

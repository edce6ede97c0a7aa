//! An officer's part of a share: any bytes, and any bytes under a right checksum. What is read is given back as
//! the same text, and never gives a share that is not the party's.
#![no_main]

use aws_lc_rs::digest::{SHA512_256, digest};
use charter::officers::{Joined, Joinings};
use charter::{OfficerShare, ShareError};
use fuzz::{Input, bounded};
use libfuzzer_sys::fuzz_target;
use words::hex;

const GOLDEN: &str = include_str!("../../crates/charter/tests/it/golden/officer-share-1.clarence");
const LAST: &str = "end of clarence officer share\n";

fuzz_target!(|data: &[u8]| {
    // If the checksum were computed otherwise than the room does, nothing below would get past it.
    assert_eq!(with_right_checksum(GOLDEN).as_deref(), Some(GOLDEN));
    let mut input = Input::new(data);
    let checked = input.flag();
    let text = String::from_utf8_lossy(input.rest()).replace("\r\n", "\n");
    let text = match checked {
        true => with_right_checksum(&text),
        false => Some(text),
    };
    let Some(text) = text else { return };
    match OfficerShare::parse(text.as_bytes()) {
        Ok(part) => {
            assert_eq!(*part.to_text(), text);
            let mut joinings = Joinings::default();
            let golden = OfficerShare::parse(GOLDEN.as_bytes()).expect("the golden part is read");
            let first = joinings.add(golden).expect("the first part is taken");
            assert!(matches!(first, Joined::Waiting { have: 1, need: 2 }));
            if let Err(error) = joinings.add(part) {
                bounded(&error);
            }
        }
        Err(ShareError::Damaged { place }) if checked => {
            assert!(!place.contains("match"), "the checksum is right: {place}");
        }
        Err(error) => bounded(&error),
    }
});

/// The text up to its checksum, with the right one and the last line.
fn with_right_checksum(text: &str) -> Option<String> {
    let body = &text[..text.rfind("\nchecksum ")? + 1];
    let hash = digest(
        &SHA512_256,
        &[b"clarence/v1/officer-share-file\0", body.as_bytes()].concat(),
    );
    let checksum = hex::encode(&hash.as_ref()[..16]);
    Some(format!("{body}checksum    {checksum}\n{LAST}"))
}

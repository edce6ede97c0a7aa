//! The papers of joint rule: keys, cards, requests, decisions and orders, the signed charter, and the formulas
//! in it. Each has one spelling, under a right checksum too; what is read means the same when written again.
#![no_main]

use aws_lc_rs::digest::{SHA512_256, digest};
use charter::approval::{Card, Decision, KeyFile, Order, PublicFile, SignedRequest};
use charter::{Deed, Formula, Terms};
use fuzz::{Input, bounded, canonical};
use libfuzzer_sys::fuzz_target;
use words::{PartyName, hex};

const GOLDEN: &str = include_str!("../../crates/charter/tests/it/golden/veto-format-1.veto");

fuzz_target!(|data: &[u8]| {
    // If the checksum were computed otherwise than the room does, nothing below would get past it.
    assert_eq!(
        with_right_checksum(GOLDEN.as_bytes()).as_deref(),
        Some(GOLDEN.as_bytes())
    );
    let mut input = Input::new(data);
    let choice = input.u8();
    let bytes = input.rest();
    match choice % 8 {
        6 => papers(bytes),
        7 => formula(bytes),
        kind => {
            sheet(kind, bytes);
            if let Some(bytes) = with_right_checksum(bytes) {
                sheet(kind, &bytes);
            }
        }
    }
});

fn sheet(kind: u8, bytes: &[u8]) {
    match kind {
        0 => drop(canonical(bytes, KeyFile::parse, |file| {
            file.to_text().as_bytes().to_vec()
        })),
        1 => drop(canonical(bytes, PublicFile::parse, |file| {
            file.to_text().into_bytes()
        })),
        2 => drop(canonical(bytes, Card::parse, |card| {
            card.to_text().into_bytes()
        })),
        3 => drop(canonical(bytes, SignedRequest::parse, |asked| {
            asked.to_text().into_bytes()
        })),
        4 => drop(canonical(bytes, Decision::parse, |said| {
            said.to_text().into_bytes()
        })),
        _ => drop(canonical(bytes, Order::parse, |order| {
            order.to_text().into_bytes()
        })),
    }
}

/// The sheet up to its checksum, with the right one and the last line that goes with the first.
fn with_right_checksum(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let body = &text[..text.rfind("\nchecksum ")? + 1];
    let (kind, _) = text.strip_prefix("clarence ")?.split_once(", format ")?;
    let hash = digest(
        &SHA512_256,
        &[b"clarence/v1/sheet\0", body.as_bytes()].concat(),
    );
    let checksum = hex::encode(&hash.as_ref()[..16]);
    Some(format!("{body}checksum      {checksum}\nend of clarence {kind}\n").into_bytes())
}

fn papers(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Deed::parse(text) {
        Ok(deed) => {
            let own = deed.to_text();
            let again = Deed::parse(&own).expect("its own text");
            assert_eq!(again.to_text(), own);
        }
        Err(error) => bounded(&error),
    }
    match Terms::parse_draft(text) {
        Ok(terms) => {
            let own = terms.to_text();
            let again = Terms::parse_draft(&own).expect("its own text");
            assert_eq!(again, terms);
            assert_eq!(again.to_text(), own);
        }
        Err(error) => bounded(&error),
    }
}

fn formula(bytes: &[u8]) {
    let parties = ["ctie", "luxconnect", "proximus", "a", "b", "c"];
    let parties: Vec<PartyName> = parties
        .iter()
        .map(|name| PartyName::parse(name).expect("a name"))
        .collect();
    let text = String::from_utf8_lossy(bytes);
    match Formula::parse(&text, &parties) {
        Ok(formula) => {
            let own = formula.to_string();
            assert_eq!(
                Formula::parse(&own, &parties).as_ref(),
                Ok(&formula),
                "{own}"
            );
        }
        Err(error) => bounded(&error),
    }
}

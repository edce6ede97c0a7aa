//! Signing times, credential scopes and days: what is read means what an independent calendar says and is
//! written again as it was; everything else is refused.
#![no_main]

use authn::fuzzing::{basic_time, header_time, scope};
use fuzz::{Input, calendar};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let stamp = input.line();
    let date = input.line();
    let credential = input.line();
    if let Some((at, text)) = basic_time(&stamp) {
        assert_eq!(text, stamp);
        agrees(at, &stamp);
    }
    if let Some((at, text)) = header_time(&date) {
        assert_eq!(basic_time(&text), Some((at, text.clone())), "{date}");
        agrees(at, &text);
    }
    if let Some(day) = authn::DateStamp::parse(&stamp) {
        assert_eq!(day.to_string(), stamp);
    }
    if let Some((access_key, region, text)) = scope(&credential, &stamp) {
        assert_eq!(format!("{access_key}/{text}"), credential);
        assert_eq!(text, format!("{}/{region}/s3/aws4_request", &stamp[..8]));
        assert!((1..=64).contains(&access_key.len()));
    }
});

/// Goes from the moment back to the calendar and compares.
fn agrees(at: words::UnixMillis, stamp: &str) {
    assert_eq!(at.0 % 1000, 0);
    let (day, second) = (&stamp[..13], &stamp[13..15]);
    // A leap second is the second after the one before it.
    let leap = u64::from(second == "60");
    let found = calendar::digits(at.seconds() - leap);
    let second = if leap == 1 { "59" } else { second };
    assert_eq!(found, format!("{}{second}", day.replace('T', "")));
}

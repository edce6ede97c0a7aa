//! Signing times, credential scopes and days: what is read means what an independent calendar says and is
//! written again as it was; everything else is refused.
#![no_main]

use authn::fuzzing::{basic_time, header_time, scope};
use fuzz::Input;
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

/// Goes from the moment back to the calendar, day by day of the Gregorian rules, and compares.
fn agrees(at: words::UnixMillis, stamp: &str) {
    assert_eq!(at.0 % 1000, 0);
    let written: u64 = stamp[13..15].parse().expect("digits");
    // A leap second is the second after the one before it.
    let leap = u64::from(written == 60);
    let seconds = at.seconds() - leap;
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 0;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60 + leap);
    let expected = format!(
        "{year:04}{:02}{:02}T{hour:02}{minute:02}{second:02}Z",
        month + 1,
        days + 1
    );
    assert_eq!(expected, stamp);
}

fn is_leap(year: u64) -> bool {
    year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: u64, month: usize) -> u64 {
    let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
    days + u64::from(month == 1 && is_leap(year))
}

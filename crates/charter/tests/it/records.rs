//! The records of custody and the transcripts: canonical, read back, refused otherwise.

use super::world::{charter_of, default_founding, founded};
use charter::{Custody, Transcript};
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

#[test]
fn records_of_format_1_are_read_for_ever() {
    let founding = default_founding(30);
    let custody = include_str!("golden/custody-format-1.json");
    assert_eq!(
        Custody::from_json(custody).unwrap(),
        *founding.transcript.custody()
    );
    let transcript = include_str!("golden/transcript-format-1.json");
    assert_eq!(
        Transcript::from_json(transcript).unwrap(),
        founding.transcript
    );
    assert_eq!(founding.transcript.to_json(), transcript);
}

#[test]
fn the_digest_is_sha_512_of_the_text() {
    let transcript = default_founding(80).transcript;
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, transcript.to_json().as_bytes());
    assert_eq!(transcript.digest(), digest.as_ref());
}

#[test]
fn keys_are_in_the_order_of_the_alphabet() {
    fn check(value: &serde_json::Value, text: &str, from: &mut usize) {
        match value {
            serde_json::Value::Object(fields) => {
                let mut names: Vec<&String> = fields.keys().collect();
                names.sort();
                for name in names {
                    *from = *from + text[*from..].find(&format!("\"{name}\":")).unwrap() + 1;
                    check(&fields[name], text, from);
                }
            }
            serde_json::Value::Array(items) => {
                items.iter().for_each(|item| check(item, text, from))
            }
            _ => {}
        }
    }
    let transcript = default_founding(81).transcript;
    let json = transcript.to_json();
    check(&serde_json::from_str(json).unwrap(), json, &mut 0);
    assert!(json.ends_with("}\n") && !json.contains(": ") && !json.contains(", "));
}

#[test]
fn another_spelling_is_refused() {
    let transcript = default_founding(82).transcript;
    let (json, custody) = (
        transcript.to_json(),
        transcript.custody().to_json().unwrap(),
    );
    let cases = [
        ("{", "{ ", "canonical"),
        ("}\n", "}", "canonical"),
        (
            "\"format\":1",
            "\"format\":2",
            "has format 2; this build reads format 1",
        ),
        ("\"format\":1", "\"extra\":0,\"format\":1", "unknown field"),
        (
            "\"format\":1",
            "\"format\":1,\"format\":1",
            "duplicate field",
        ),
        ("\"threshold\":2", "\"threshold\":1", "bad threshold"),
        ("\"threshold\":2", "\"threshold\":4", "bad threshold"),
        ("\"epoch\":1", "\"epoch\":0", "bad epoch"),
        ("\"x\":3", "\"x\":4", "bad list of holders"),
        (
            "\"key_check\":\"",
            "\"key_check\":\"0",
            "bad key check value",
        ),
        ("\"cloud_name\":\"", "\"cloud_name\":\" ", "bad cloud name"),
    ];
    for (from, to, words) in cases {
        let said = Custody::from_json(&custody.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(said.contains(words), "custody {to}: {said}");
        let said = Transcript::from_json(&json.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(said.contains(words), "transcript {to}: {said}");
    }
    let other = default_founding(83).transcript;
    let inner = |t: &Transcript| t.custody().to_json().unwrap().trim_end().to_owned();
    let mixed = json.replace(&inner(&transcript), &inner(&other));
    let said = Transcript::from_json(&mixed).unwrap_err().to_string();
    assert!(said.contains("does not belong to the opening"), "{said}");
}

#[test]
fn a_flip_of_any_bit_of_a_transcript_changes_its_digest_or_is_refused() {
    let transcript = default_founding(84).transcript;
    let json = transcript.to_json().as_bytes();
    for at in 0..json.len() {
        let mut bytes = json.to_vec();
        bytes[at] ^= 4;
        if let Some(read) = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| Transcript::from_json(text).ok())
        {
            assert_ne!(read.digest(), transcript.digest());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_read_back(seed: u64, parties in 2_u8..=8) {
        let transcript = founded(&charter_of(parties, 2), seed).transcript;
        prop_assert_eq!(&Transcript::from_json(transcript.to_json()).unwrap(), &transcript);
        let custody = transcript.custody();
        prop_assert_eq!(&Custody::from_json(&custody.to_json().unwrap()).unwrap(), custody);
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in ".*") {
        let _ = (Custody::from_json(&text), Transcript::from_json(&text));
    }
}

//! Names of buckets, objects, tenants, parties and keys, identifiers and hexadecimal text: accepted exactly
//! when the rules, written down here once more, say so; refused in bounded words; given back as they came.
#![no_main]

use fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use words::{AccessKeyId, BucketName, ChunkId, ObjectKey, PartyName, TenantName, hex};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    bucket(&text);
    key(&text);
    plain(&text);
    digits(&text, data);
});

fn bucket(name: &str) {
    match BucketName::parse(name) {
        Ok(bucket) => {
            assert_eq!(bucket.as_str(), name);
            assert!(is_bucket(name), "{name:?} was taken");
            assert_eq!(format!("{bucket:?}"), "BucketName(…)");
        }
        Err(error) => {
            assert!(!is_bucket(name), "{name:?} was refused: {error}");
            bounded(&error);
        }
    }
}

/// The naming rules of general purpose buckets, label by label.
fn is_bucket(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let letters = |label: &&str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'))
    };
    let number = |label: &&str| {
        let digits = label.trim_start_matches('0');
        label.chars().all(|c| c.is_ascii_digit())
            && digits.len() <= 3
            && digits.parse::<u32>().unwrap_or(0) < 256
    };
    (3..=63).contains(&name.len())
        && labels.iter().all(letters)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !(labels.len() == 4 && labels.iter().all(number))
        && !name.starts_with("xn--")
        && !name.ends_with("-s3alias")
        && !["healthz", "readyz", "livez", "metrics"].contains(&name)
}

fn key(text: &str) {
    match ObjectKey::parse(text) {
        Ok(key) => {
            assert!((1..=1024).contains(&text.len()) && key.as_str() == text);
            assert!(format!("{key:?}").len() < 40);
        }
        Err(error) => {
            assert!(!(1..=1024).contains(&text.len()));
            bounded(&error);
        }
    }
}

fn plain(text: &str) {
    let fits = (1..=64).contains(&text.len())
        && !matches!(text, "." | "..")
        && text
            .chars()
            .all(|c| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.'));
    let tenant = TenantName::parse(text).map(|name| name.to_string());
    assert_eq!(tenant.is_ok(), fits, "{text:?}");
    assert_eq!(PartyName::parse(text).is_ok(), fits);
    assert_eq!(AccessKeyId::parse(text).is_ok(), fits);
    match tenant {
        Ok(tenant) => assert_eq!(tenant, text),
        Err(error) => bounded(&error),
    }
}

fn digits(text: &str, data: &[u8]) {
    assert_eq!(hex::decode(&hex::encode(data)).as_deref(), Some(data));
    let found = hex::decode(text);
    let fits = text.len() % 2 == 0 && text.chars().all(|c| c.is_ascii_hexdigit());
    assert_eq!(found.is_some(), fits, "{text:?}");
    if let Some(found) = found {
        assert_eq!(hex::encode(&found), text.to_ascii_lowercase());
    }
    let id = ChunkId::parse(text);
    assert_eq!(id.is_some(), fits && text.len() == 32);
    if let Some(id) = id {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
}

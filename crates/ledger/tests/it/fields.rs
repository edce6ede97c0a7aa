//! Fields, openings, commitments and disclosures.

use crate::cost::typical;
use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk};
use ledger::{Disclosure, Fields, Kind, Leaf, OpeningError};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_assert_ne, proptest};
use proptest::{collection::vec, option};
use words::wire::Writer;
use words::{SiteId, TenantId, UnixMillis};

const KEY: [u8; 32] = [3; 32];

fn some_fields() -> impl Strategy<Value = Fields> {
    let texts = (
        option::of(".{0,40}"),
        option::of(".{0,300}"),
        option::of(any::<[u8; 32]>()),
    );
    let numbers = (
        option::of(any::<u64>()),
        option::of(vec(any::<(u64, u64)>(), 0..9)),
        any::<bool>(),
    );
    (any::<u16>(), any::<u64>(), texts, numbers).prop_map(|(kind, time, texts, numbers)| {
        let mut fields = Fields::new(Kind::from_code(kind), UnixMillis(time));
        (fields.actor, fields.resource, fields.request_digest) = texts;
        (fields.link, fields.ranges) = (numbers.0, numbers.1);
        if numbers.2 {
            fields.tenant = Some(TenantId::from_bytes([4; 16]));
            fields.sites = Some(vec![SiteId::B, SiteId::A]);
        }
        fields
    })
}

proptest! {
    #[test]
    fn openings_read_back_and_open_the_commitment(fields in some_fields(), key: [u8; 32]) {
        let opening = fields.opening(&key);
        let (found, found_key) = Fields::from_opening(&opening).unwrap();
        prop_assert_eq!(&found, &fields);
        prop_assert_eq!(found_key, key);
        prop_assert_eq!(found.commit(&key), fields.commit(&key));
        for length in 0..opening.len() {
            // A cut can fall between two fields; then it is another entry, and the commitment tells.
            match Fields::from_opening(&opening[..length]) {
                Err(_) => {}
                Ok((cut, key)) => prop_assert_ne!(cut.commit(&key), fields.commit(&key)),
            }
        }
    }

    #[test]
    fn any_change_changes_the_commitment(place: proptest::sample::Index, bit in 0_u8..8) {
        let fields = typical();
        let mut opening = fields.opening(&KEY).to_vec();
        let place = place.index(opening.len());
        opening[place] ^= 1 << bit;
        if let Ok((other, key)) = Fields::from_opening(&opening) {
            prop_assert_ne!(other.commit(&key), fields.commit(&KEY));
        }
    }

    #[test]
    fn a_disclosure_shows_what_it_should_and_no_more(tags in vec(1_u16..30, 0..6)) {
        let fields = typical();
        let commitment = fields.commit(&KEY);
        let disclosure = fields.disclose(&KEY, &tags);
        let bytes = disclosure.to_bytes();
        let read = Disclosure::parse(&bytes).unwrap();
        prop_assert_eq!(&read, &disclosure);
        let shown = read.check(&commitment).unwrap();
        prop_assert!(shown.iter().all(|(tag, _)| tags.contains(tag)));
        prop_assert_eq!(shown.iter().any(|(tag, value)| *tag == 7 && *value == b"GetObject"), tags.contains(&7));
        let hidden = b"extract-000123.parquet";
        prop_assert_eq!(bytes.windows(hidden.len()).any(|w| w == hidden), tags.contains(&8));
        for place in 1..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 1;
            let accepted = Disclosure::parse(&other).is_ok_and(|d| d.check(&commitment).is_some());
            prop_assert!(!accepted, "byte {place}");
        }
    }
}

#[test]
fn the_commitment_is_what_the_page_says() {
    struct Salts(usize);
    impl KeyType for Salts {
        fn len(&self) -> usize {
            self.0
        }
    }
    let sha256 = |bytes: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let fields = typical();
    let opening = fields.opening(&KEY);
    let mut rest = &opening[33..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[2..6].try_into().unwrap()) as usize;
        found.push(&rest[..6 + length]);
        rest = &rest[6 + length..];
    }
    let mut salts = vec![0; found.len() * 16];
    let prk = Prk::new_less_safe(HKDF_SHA512, &KEY);
    prk.expand(&[b"clarence/v1/ledger/salts"], Salts(salts.len()))
        .unwrap()
        .fill(&mut salts)
        .unwrap();
    let mut all = b"clarence/v1/ledger/commitment".to_vec();
    for (field, salt) in found.iter().zip(salts.chunks(16)) {
        let one = [&[0xf1], salt, field].concat();
        all.extend_from_slice(sha256(&one).as_ref());
    }
    assert_eq!(fields.commit(&KEY).as_bytes(), sha256(&all).as_ref());
    // Fixed for ever: stored leaves depend on it.
    assert_eq!(
        words::hex::encode(Leaf::new(&fields.commit(&KEY)).as_bytes()),
        GOLDEN
    );
}

const GOLDEN: &str = "016880257d1475cc21c4ba323a4be28e235cb3351851305a676b05c2d7229d1377";

#[test]
fn unknown_tags_survive_and_count() {
    let mut opening = typical().opening(&KEY).to_vec();
    let known = typical().commit(&KEY);
    opening.extend_from_slice(
        &Writer::bare()
            .u16(4000)
            .bytes(b"from a newer build")
            .finish(),
    );
    let (fields, key) = Fields::from_opening(&opening).unwrap();
    assert_eq!(
        fields.unknown.iter().collect::<Vec<_>>(),
        [(4000, &b"from a newer build"[..])]
    );
    assert_eq!(*fields.opening(&key), opening);
    assert_ne!(fields.commit(&key), known);
    assert_eq!(Fields::tag_name(4000), None);
    assert!(
        (1..=28).all(|tag| Fields::tag_name(tag).is_some()),
        "the tags known have no gap"
    );
}

#[test]
fn odd_openings_are_refused() {
    let field = |tag: u16, value: &[u8]| Writer::bare().u16(tag).bytes(value).finish();
    let opening = |fields: &[Vec<u8>]| [&[1][..], &KEY, &fields.concat()].concat();
    let (kind, time) = (field(1, &[0, 4]), field(2, &[0; 8]));
    let read =
        |fields: &[Vec<u8>]| Fields::from_opening(&opening(fields)).map(|(fields, _)| fields.kind);
    assert_eq!(read(&[kind.clone(), time.clone()]), Ok(Kind::Grant));
    assert_eq!(
        read(std::slice::from_ref(&kind)),
        Err(OpeningError::Missing("kind and time"))
    );
    assert_eq!(
        read(&[time.clone(), kind.clone()]),
        Err(OpeningError::Order(1))
    );
    assert_eq!(
        read(&[kind.clone(), time.clone(), time.clone()]),
        Err(OpeningError::Order(2))
    );
    assert_eq!(
        read(&[field(1, &[4]), time.clone()]),
        Err(OpeningError::Value("kind"))
    );
    let bad = |tag, value: &[u8]| read(&[kind.clone(), time.clone(), field(tag, value)]);
    assert_eq!(bad(3, &[0xff]), Err(OpeningError::Value("node")));
    assert_eq!(bad(21, &[0; 17]), Err(OpeningError::Value("ranges")));
    assert_eq!(bad(27, b"ac"), Err(OpeningError::Value("sites")));
    assert!(Fields::from_opening(&[2; 40]).is_err());
    assert!(Fields::from_opening(&[]).is_err());
    let many: Vec<Vec<u8>> = (100..400).map(|tag| field(tag, &[])).collect();
    assert_eq!(
        read(&[vec![kind.clone(), time.clone()], many].concat()),
        Err(OpeningError::TooMany)
    );
}

#[test]
fn a_field_that_is_too_long_is_cut_and_still_opens() {
    let mut fields = Fields::new(Kind::Deny, UnixMillis(1));
    fields.reason = Some("x".repeat(100_000));
    let (found, _) = Fields::from_opening(&fields.opening(&KEY)).unwrap();
    assert_eq!(found.reason.as_ref().map(String::len), Some(16 * 1024));
    assert_eq!(found.commit(&KEY), fields.commit(&KEY));
}

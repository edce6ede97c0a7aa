//! Openings, rows and disclosures of ledger entries: one spelling each; a disclosure shows what was committed
//! to and nothing else.
#![no_main]

use fuzz::{Input, canonical, damaged};
use ledger::record::{opening, row};
use ledger::{Disclosure, Fields, Kind, Leaf};
use libfuzzer_sys::fuzz_target;
use words::UnixMillis;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 5 {
        0 => drop(read_opening(input.rest())),
        1 => {
            let write = |(leaf, sealed): &(Leaf, Vec<u8>)| row::encode(leaf, sealed);
            let owned =
                |bytes: &[u8]| row::decode(bytes).map(|(leaf, sealed)| (leaf, sealed.to_vec()));
            canonical(input.rest(), owned, write);
        }
        2 => {
            let found = canonical(input.rest(), Disclosure::parse, Disclosure::to_bytes);
            if let Some(found) = found {
                let leaf = Fields::new(Kind::Grant, UnixMillis(1)).commit(&[1; 32]);
                assert!(found.check(&leaf).is_none(), "a guessed disclosure");
            }
        }
        3 => {
            let leaf = canonical(input.rest(), Leaf::parse, |leaf| leaf.as_bytes().to_vec());
            assert!(leaf.is_none_or(|leaf| Leaf::new(&leaf.commitment()) == leaf));
        }
        _ => disclosed(&mut input),
    }
});

fn read_opening(bytes: &[u8]) -> Option<(Fields, [u8; 32])> {
    canonical(bytes, Fields::from_opening, |(fields, key)| {
        fields.opening(key).to_vec()
    })
}

/// An opening under a right head, its fields taken from the input: whatever is read can be committed to and
/// shown field by field.
fn disclosed(input: &mut Input<'_>) {
    let tags: Vec<u16> = input.bytes(8).iter().map(|tag| u16::from(*tag)).collect();
    let damage = input.take(12).to_vec();
    let mut encoded = Vec::new();
    let mut tag = 0;
    while !input.is_empty() && tag < u16::MAX - 300 {
        tag += 1 + u16::from(input.u8() % 4 == 0) * u16::from(input.u8());
        let value = match tag {
            1 => input.array::<2>().to_vec(),
            2 | 20 | 22 | 26 => input.array::<8>().to_vec(),
            4 | 9 | 10 => input.array::<16>().to_vec(),
            18 | 19 | 24 | 25 => input.array::<32>().to_vec(),
            21 => input.bytes(5).repeat(16),
            27 => input.bytes(2).iter().map(|site| b'a' + site % 2).collect(),
            _ => input.text(20).into_bytes(),
        };
        encoded.extend(tag.to_be_bytes());
        encoded.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
        encoded.extend(value);
    }
    let Some((fields, key)) = read_opening(&opening::encode(&[8; 32], &encoded)) else {
        return;
    };
    let commitment = fields.commit(&key);
    let disclosure = fields.disclose(&key, &tags);
    let bytes = disclosure.to_bytes();
    let shown = disclosure.check(&commitment).expect("it was committed to");
    let expected = opening::fields(&encoded).expect("they were read before");
    let expected: Vec<_> = expected
        .into_iter()
        .filter(|(tag, _)| tags.contains(tag))
        .collect();
    assert_eq!(shown, expected);

    let bad = damaged(&bytes, &mut Input::new(&damage));
    if bad != bytes
        && let Ok(other) = Disclosure::parse(&bad)
    {
        assert!(
            other.check(&commitment).is_none(),
            "another disclosure holds"
        );
    }
}

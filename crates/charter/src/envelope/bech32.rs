//! Bech32 (BIP 173) without its limit of length, as age writes keys.

use zeroize::{Zeroize, Zeroizing};

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM: usize = 6;
const GENERATOR: [u32; 5] = [
    0x3b6a_57b2,
    0x2650_8e6d,
    0x1ea1_19fa,
    0x3d42_33dd,
    0x2a14_62b3,
];

fn step(checksum: u32, value: u8) -> u32 {
    let top = checksum >> 25;
    let shifted = (checksum & 0x1ff_ffff) << 5 ^ u32::from(value);
    (0..)
        .zip(GENERATOR)
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(shifted, |sum, (_, generator)| sum ^ generator)
}

/// The checksum over the prefix and the values.
fn polymod(prefix: &str, values: &[u8]) -> u32 {
    let high = prefix.bytes().map(|c| c >> 5);
    let low = prefix.bytes().map(|c| c & 31);
    high.chain([0])
        .chain(low)
        .chain(values.iter().copied())
        .fold(1, step)
}

/// Regroups bits. Bits that are left over are padded with zeroes, or have to be zeroes.
fn regroup(from: &[u8], bits: u32, to: u32, pad: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(from.len() * bits as usize / to as usize + 1);
    let (mut held, mut count) = (0u32, 0u32);
    for byte in from {
        held = held << bits | u32::from(*byte);
        count += bits;
        while count >= to {
            count -= to;
            out.push(u8::try_from(held >> count & ((1 << to) - 1)).ok()?);
        }
        held &= (1 << count) - 1;
    }
    if pad && count > 0 {
        out.push(u8::try_from(held << (to - count) & ((1 << to) - 1)).ok()?);
    } else if !pad && (count >= bits || held != 0) {
        out.zeroize();
        return None;
    }
    Some(out)
}

/// The text of `bytes`, in small letters.
pub fn encode(prefix: &str, bytes: &[u8]) -> String {
    let mut values = Zeroizing::new(regroup(bytes, 8, 5, true).unwrap_or_default());
    let data = values.len();
    values.extend([0; CHECKSUM]);
    let sum = polymod(prefix, &values) ^ 1;
    for (place, value) in (0u32..).zip(values.iter_mut().skip(data)) {
        *value = (sum >> (5 * (5 - place)) & 31) as u8;
    }
    let mut text = String::with_capacity(prefix.len() + 1 + values.len());
    text.push_str(prefix);
    text.push('1');
    let letters = values
        .iter()
        .filter_map(|value| ALPHABET.get(usize::from(*value)));
    text.extend(letters.map(|letter| char::from(*letter)));
    text
}

/// Prefix and bytes of a text that is all small or all large letters.
pub fn decode(text: &str) -> Option<(String, Vec<u8>)> {
    let small = text.bytes().any(|c| c.is_ascii_lowercase());
    let large = text.bytes().any(|c| c.is_ascii_uppercase());
    if small && large || !text.bytes().all(|c| c.is_ascii_graphic()) {
        return None;
    }
    let text = Zeroizing::new(text.to_ascii_lowercase());
    let (prefix, data) = text.rsplit_once('1')?;
    let values = data
        .bytes()
        .map(|c| ALPHABET.iter().position(|letter| *letter == c))
        .map(|place| place.and_then(|place| u8::try_from(place).ok()))
        .collect::<Option<Vec<u8>>>()
        .map(Zeroizing::new)?;
    if prefix.is_empty() || values.len() < CHECKSUM || polymod(prefix, &values) != 1 {
        return None;
    }
    let data = values.get(..values.len() - CHECKSUM)?;
    Some((prefix.to_owned(), regroup(data, 5, 8, false)?))
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn the_examples_of_the_specification() {
        for valid in [
            "A12UEL5L",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
            "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
        ] {
            // The first two have no data at all, the third has some.
            let found = decode(valid);
            assert_eq!(
                found.map(|(prefix, bytes)| encode(&prefix, &bytes)),
                Some(valid.to_ascii_lowercase()),
                "{valid}"
            );
        }
        for wrong in [
            "",
            "A1G7SGD8",
            "10a06t8",
            "A12UEl5L",
            "li1dgmt3",
            "de1lg7wt\u{ff}",
        ] {
            assert!(decode(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn round_trip_and_any_one_changed_letter_is_noticed(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<proptest::sample::Index>()) {
            let text = encode("age", &bytes);
            prop_assert_eq!(decode(&text), Some(("age".to_owned(), bytes)));
            let mut bad = text.clone().into_bytes();
            let at = at.index(bad.len() - 4) + 4;
            bad[at] = if bad[at] == b'q' { b'p' } else { b'q' };
            prop_assert!(decode(std::str::from_utf8(&bad).unwrap()).is_none());
        }
    }
}

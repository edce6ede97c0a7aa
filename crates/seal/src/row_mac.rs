//! The MAC of a row whose fields stand in clear beside wrapped keys: suspensions, policies, key versions.
//! It is bound to the row's key, so that a row cannot be put in another's place.

use crate::cipher::{expand, hmac_sha512};
use crate::key::MetaKey;
use subtle::ConstantTimeEq;
use words::wire::Writer;

/// Length of a row's MAC.
pub const ROW_MAC_BYTES: usize = 32;

const LABEL: &[u8] = b"clarence/v1/row";

/// The MAC of a row: HMAC-SHA-512 under a key expanded from the meta key, first 32 bytes, over the row's key
/// with its length before it and the row's value up to the MAC.
#[must_use]
pub fn row_mac(key: &MetaKey, row_key: &[u8], signed: &[u8]) -> [u8; ROW_MAC_BYTES] {
    let message = Writer::bare().bytes(row_key).raw(signed).finish();
    let full = hmac_sha512(&*expand::<64>(key.as_ref(), &[LABEL]), &message);
    let mut mac = [0; ROW_MAC_BYTES];
    for (to, from) in mac.iter_mut().zip(full) {
        *to = from;
    }
    mac
}

/// Whether a row is as it was signed; compared in constant time.
#[must_use]
pub fn row_is_genuine(
    key: &MetaKey,
    row_key: &[u8],
    signed: &[u8],
    found: &[u8; ROW_MAC_BYTES],
) -> bool {
    row_mac(key, row_key, signed).ct_eq(found).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_place_and_every_byte_count() {
        let (key, other) = (MetaKey::from_bytes([1; 32]), MetaKey::from_bytes([2; 32]));
        let mac = row_mac(&key, b"T1", b"row");
        assert!(row_is_genuine(&key, b"T1", b"row", &mac));
        assert!(!row_is_genuine(&other, b"T1", b"row", &mac));
        assert!(!row_is_genuine(&key, b"T2", b"row", &mac));
        assert!(!row_is_genuine(&key, b"T1", b"rov", &mac));
        // What moves from the key to the value is seen.
        assert!(!row_is_genuine(&key, b"T1r", b"ow", &mac));
        for at in 0..mac.len() {
            let mut bad = mac;
            bad[at] ^= 1;
            assert!(!row_is_genuine(&key, b"T1", b"row", &bad));
        }
    }
}

//! The hash and the key derivation that every other file of this room uses. Nothing here is kept.

use aws_lc_rs::{digest, hkdf};
use zeroize::Zeroizing;

/// The cryptographic library refused to work. Nothing was made from a partial result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the cryptographic library refused to derive a key; nothing was made; run the built-in self test"
)]
pub struct CryptoFault;

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// SHA-512 of the parts one after the other. The caller makes the concatenation unambiguous.
pub(crate) fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    hash(&digest::SHA512, parts)
}

/// SHA-512/256 of the parts one after the other. The caller makes the concatenation unambiguous.
pub(crate) fn sha512_256(parts: &[&[u8]]) -> [u8; 32] {
    hash(&digest::SHA512_256, parts)
}

fn hash<const N: usize>(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> [u8; N] {
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

/// HKDF-SHA512 (RFC 5869): extract with `salt`, expand with `info`.
pub(crate) fn hkdf_sha512(
    salt: &[u8],
    secret: &[u8],
    info: &[&[u8]],
    out: &mut [u8],
) -> Result<(), CryptoFault> {
    hkdf::Salt::new(hkdf::HKDF_SHA512, salt)
        .extract(secret)
        .expand(info, Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .map_err(|_| CryptoFault)
}

/// Parts of secret input, joined in memory that is wiped afterwards.
pub(crate) fn join_secret(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // The capacity is exact, so that growing never leaves a copy behind in freed memory.
    let mut joined = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len()).sum()));
    for part in parts {
        joined.extend_from_slice(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::{hkdf_sha512, sha512, sha512_256};
    use words::hex;

    #[test]
    fn hashes_match_the_published_examples() {
        // FIPS 180-4 example values for "abc".
        assert!(
            hex::encode(&sha512(&[b"a", b"bc"])).starts_with("ddaf35a193617abacc417349ae204131")
        );
        assert_eq!(
            hex::encode(&sha512_256(&[b"abc"])),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }

    #[test]
    fn hkdf_matches_a_hand_written_one() {
        use aws_lc_rs::hmac;
        let prk = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, b"salt"), b"secret");
        let okm = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA512, prk.as_ref()),
            b"info\x01",
        );
        let mut out = [0; 32];
        hkdf_sha512(b"salt", b"secret", &[b"in", b"fo"], &mut out).unwrap();
        assert_eq!(out, okm.as_ref()[..32]);
    }
}

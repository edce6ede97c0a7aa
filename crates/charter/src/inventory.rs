//! What of cryptography the key ceremony uses, for `clarence crypto inventory`.

use sign::Algorithm;
use words::crypto::{CryptoUse, Family, Strength};

/// The uses of this room.
pub const USES: &[CryptoUse] = &[
    CryptoUse {
        name: "root-share",
        algorithm: "Shamir sharing over GF(256)",
        family: Family::Sharing,
        // Below the threshold nothing is learned, however much is computed; what is left to guess is the root.
        strength: Strength::symmetric(256),
        purpose: "as many as the charter asks for rebuild the root; fewer tell nothing about it",
        place: "share.clarence, each with its own party",
    },
    CryptoUse {
        name: "officer-share",
        algorithm: "Shamir sharing over GF(256)",
        family: Family::Sharing,
        strength: Strength::symmetric(256),
        purpose: "as many officers as their party chose give its share; fewer tell nothing about it",
        place: "NAME.clarence, each with its own officer",
    },
    CryptoUse {
        name: "share-envelope",
        algorithm: "age mlkem768x25519 (HPKE over MLKEM768-X25519, HKDF-SHA-256, ChaCha20-Poly1305)",
        family: Family::Hybrid,
        strength: Strength::CATEGORY_3,
        purpose: "seals shares and parts on their way and in the safe",
        place: "the identity file of whoever it is sealed to, with themselves",
    },
    CryptoUse {
        name: "approval-ed25519",
        algorithm: Algorithm::Ed25519.name(),
        family: Family::Classical,
        strength: Strength::CURVE_256,
        purpose: "signs charters, requests, approvals and vetoes; worth nothing without the ML-DSA-65 signature beside it",
        place: "the key file of each party and approver, with themselves; public halves in charter and cards",
    },
    CryptoUse {
        name: "approval-ml-dsa-65",
        algorithm: Algorithm::MlDsa65.name(),
        family: Family::PostQuantum,
        strength: Strength::CATEGORY_3,
        purpose: "signs charters, requests, approvals and vetoes; none counts without it",
        place: "the key file of each party and approver, with themselves; public halves in charter and cards",
    },
    CryptoUse {
        name: "ceremony-derivation",
        algorithm: "HKDF-SHA-512",
        family: Family::Symmetric,
        strength: Strength::symmetric(256),
        purpose: "makes the root from every party's entropy",
        place: "only during the ceremony",
    },
    CryptoUse {
        name: "restart-key",
        algorithm: "HKDF-SHA-512",
        family: Family::Symmetric,
        strength: Strength::symmetric(256),
        purpose: "from two halves, the key that opens the sites' keys at a restart without officers",
        place: "one half in the TPM, one in restart/ at the other site; never stored whole",
    },
    CryptoUse {
        name: "share-digest",
        algorithm: "SHA-512/256",
        family: Family::Hash,
        strength: Strength::HASH_256,
        purpose: "lays a wrong share at the right party's door",
        place: "no key",
    },
];

#[cfg(test)]
mod tests {
    use super::USES;
    use crate::derive::{hkdf_sha512, sha512_256};
    use crate::shamir::SECRET_BYTES;
    use aws_lc_rs::{digest, hkdf};

    #[test]
    fn the_algorithms_are_those_of_the_code() {
        let of = |name: &str| USES.iter().find(|of| of.name == name).unwrap();
        let root = of("root-share").strength.classical_bits;
        assert_eq!(usize::from(root), SECRET_BYTES * 8);
        assert_eq!(of("share-digest").algorithm, "SHA-512/256");
        let right = digest::digest(&digest::SHA512_256, b"abc");
        assert_eq!(sha512_256(&[b"abc"]), right.as_ref());
        assert_eq!(of("ceremony-derivation").algorithm, "HKDF-SHA-512");
        struct Length;
        impl hkdf::KeyType for Length {
            fn len(&self) -> usize {
                32
            }
        }
        let (mut ours, mut right) = ([0; 32], [0; 32]);
        hkdf_sha512(b"salt", b"secret", &[b"info"], &mut ours).unwrap();
        hkdf::Salt::new(hkdf::HKDF_SHA512, b"salt")
            .extract(b"secret")
            .expand(&[b"info"], Length)
            .and_then(|okm| okm.fill(&mut right))
            .unwrap();
        assert_eq!(ours, right);
    }
}

//! What of cryptography the ledger uses, for `clarence crypto inventory`.

use words::crypto::{CryptoUse, Family, Strength};

/// The uses of this room.
pub const USES: &[CryptoUse] = &[
    CryptoUse {
        name: "ledger-ed25519",
        algorithm: "Ed25519",
        family: Family::Classical,
        strength: Strength::CURVE_256,
        purpose: "signs checkpoints for the tools of today; worth nothing without the ML-DSA-65 signature beside it",
        place: "sealed in the catalog under the site's ledger key; public half in ledger.keys",
    },
    CryptoUse {
        name: "ledger-ml-dsa-65",
        algorithm: "ML-DSA-65",
        family: Family::PostQuantum,
        strength: Strength::CATEGORY_3,
        purpose: "signs checkpoints; no checkpoint is valid without it",
        place: "sealed in the catalog under the site's ledger key; public half in ledger.keys",
    },
    CryptoUse {
        name: "ledger-commitment",
        algorithm: "SHA-256 over salted fields, salts by HKDF-Expand with HMAC-SHA-512",
        family: Family::Symmetric,
        strength: Strength::symmetric(128),
        purpose: "hides the fields of an entry in the public tree until they are disclosed one by one",
        place: "one key for each entry, in its sealed opening",
    },
    CryptoUse {
        name: "ledger-tree",
        algorithm: "SHA-256",
        family: Family::Hash,
        strength: Strength::HASH_256,
        purpose: "hashes of the tree (RFC 6962)",
        place: "no key",
    },
];

#[cfg(test)]
mod tests {
    use super::USES;
    use crate::fields::{MAC, SALT_BYTES};
    use crate::keys::Algorithm;
    use crate::tree::sha256;
    use aws_lc_rs::hmac;
    use words::hex;

    #[test]
    fn the_algorithms_are_those_of_the_code() {
        let of = |name: &str| USES.iter().find(|of| of.name == name).unwrap().algorithm;
        assert_eq!(of("ledger-ed25519"), Algorithm::Ed25519.to_string());
        assert_eq!(of("ledger-ml-dsa-65"), Algorithm::MlDsa65.to_string());
        assert!(MAC == hmac::HMAC_SHA512 && of("ledger-commitment").contains("HMAC-SHA-512"));
        let commitment = USES
            .iter()
            .find(|of| of.name == "ledger-commitment")
            .unwrap();
        let bits = usize::from(commitment.strength.classical_bits);
        assert_eq!(bits, SALT_BYTES * 8);
        // FIPS 180-4, the example "abc".
        assert_eq!(
            hex::encode(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}

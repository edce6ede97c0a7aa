//! What of cryptography the sealing of data uses, for `clarence crypto inventory`.

use words::crypto::{CryptoUse, Family, Strength};

/// The one construction under which keys and data are sealed.
const COBBLESTONE: &str =
    "Cobblestone-256 (HKDF-Expand-SHA-512, AES-256-GCM, 32-byte key commitment)";
const KEY: Strength = Strength::symmetric(256);

const fn sealing(name: &'static str, purpose: &'static str, place: &'static str) -> CryptoUse {
    CryptoUse {
        name,
        algorithm: COBBLESTONE,
        family: Family::Symmetric,
        strength: KEY,
        purpose,
        place,
    }
}

/// The uses of this room.
pub const USES: &[CryptoUse] = &[
    sealing(
        "root-key",
        "wraps the sites' keys",
        "rebuilt from the parties' shares at each unsealing and wiped after it; never stored",
    ),
    sealing(
        "site-key",
        "wraps the tenants' keys",
        "site.clr in each site's folder, under the root",
    ),
    sealing(
        "tenant-key",
        "wraps the keys of the tenant's buckets",
        "the tenant's row, once under each site's key",
    ),
    sealing(
        "bucket-key",
        "wraps the keys of objects",
        "the bucket's row, under the tenant's key",
    ),
    sealing(
        "group-key",
        "wraps the keys of the objects of one person or case; destroying it erases them",
        "the group's row, under the erasure key",
    ),
    sealing(
        "erase-key",
        "wraps the keys of shred groups; a new one is drawn with every new root",
        "site.clr in each site's folder, under the root and nothing else",
    ),
    sealing(
        "shred-key",
        "wraps the keys of one shred group's objects in one bucket",
        "computed from the group's and the bucket's key; never stored",
    ),
    sealing(
        "object-key",
        "seals one object version; drawn anew for each",
        "the object's record, under its bucket's or group's key",
    ),
    sealing(
        "frame-key",
        "seals one segment of an object, frame by frame, each under a nonce of its own",
        "derived from the object's key and the segment's salt; never stored",
    ),
    sealing(
        "index-key",
        "seals the pages of a bucket's index of names",
        "the bucket's row, under the bucket's key",
    ),
    sealing(
        "ledger-key",
        "seals the openings of ledger entries",
        "the tenant's row, under the tenant's key; the cloud's own in a row for each site, under its key",
    ),
    sealing(
        "meta-key",
        "seals small records about tenants and buckets, and signs their rows",
        "the tenant's row, under the tenant's key; a site's is derived from the site's key and never stored",
    ),
    sealing(
        "twin-key",
        "seals the twin of the catalog that a guest keeps at its host",
        "derived from site a's key; never stored",
    ),
    CryptoUse {
        name: "name-key",
        algorithm: "HMAC-SHA-512",
        family: Family::Symmetric,
        strength: KEY,
        purpose: "hashes names of buckets and objects, so that rows are found without telling the names",
        place: "the tenant's row, under the tenant's key, and the bucket's, under the bucket's",
    },
    CryptoUse {
        name: "chunk-digest",
        algorithm: "BLAKE3",
        family: Family::Hash,
        strength: Strength::HASH_256,
        purpose: "lets sealed bytes be scrubbed, compared and repaired without a key",
        place: "no key",
    },
];

#[cfg(test)]
mod tests {
    use super::USES;
    use crate::cipher::{AEAD, COMMITMENT_BYTES, KDF, MAC};
    use crate::key::KEY_TYPES;
    use aws_lc_rs::{aead, hkdf, hmac};

    /// `BucketKey` as `bucket-key`.
    fn word(type_name: &str) -> String {
        let mut word = String::new();
        for letter in type_name.chars() {
            if letter.is_uppercase() && !word.is_empty() {
                word.push('-');
            }
            word.extend(letter.to_lowercase());
        }
        word
    }

    #[test]
    fn every_type_of_key_is_listed() {
        for name in KEY_TYPES.iter().copied().chain(["ObjectKey"]) {
            let word = word(name);
            assert!(
                USES.iter().any(|of| of.name == word),
                "{word} is not listed"
            );
        }
    }

    #[test]
    fn chunks_are_compared_by_blake3() {
        let bytes = bytes::Bytes::from_static(b"sealed");
        let hash = *blake3::hash(&bytes).as_bytes();
        assert!(crate::Sealed::reverified(bytes, &hash).is_ok());
        assert!(USES.iter().any(|of| of.algorithm == "BLAKE3"));
    }

    #[test]
    fn the_algorithms_are_those_of_the_code() {
        assert!(*AEAD == aead::AES_256_GCM && AEAD.key_len() == 32);
        assert!(KDF == hkdf::HKDF_SHA512 && MAC == hmac::HMAC_SHA512);
        assert_eq!(COMMITMENT_BYTES, 32);
        for of in USES
            .iter()
            .filter(|of| of.algorithm.starts_with("Cobblestone"))
        {
            for part in ["HKDF-Expand-SHA-512", "AES-256-GCM", "32-byte"] {
                assert!(of.algorithm.contains(part));
            }
            assert_eq!(usize::from(of.strength.classical_bits), AEAD.key_len() * 8);
        }
    }
}

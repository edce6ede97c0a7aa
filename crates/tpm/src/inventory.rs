//! What of cryptography a TPM does here, for `clarence crypto inventory`.

use words::crypto::{CryptoUse, Family, Strength};

/// The uses of this room.
pub const USES: &[CryptoUse] = &[CryptoUse {
    name: "tpm-storage-key",
    algorithm: "AES-128-CFB with HMAC-SHA-256",
    family: Family::Symmetric,
    strength: Strength::symmetric(128),
    purpose: "wraps one half of a restart key; the half opens nothing alone",
    place: "derived inside the TPM from its own seed",
}];

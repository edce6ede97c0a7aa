//! What of cryptography an HSM does here, for `clarence crypto inventory`.

use words::crypto::{CryptoUse, Family, Strength};

/// The uses of this room.
pub const USES: &[CryptoUse] = &[CryptoUse {
    name: "hsm-key",
    algorithm: "AES-256-GCM",
    family: Family::Symmetric,
    strength: Strength::symmetric(256),
    purpose: "wraps the outer secret, without which the shares do not open the sites' keys; used once",
    place: "inside each enrolled token, which never gives it out",
}];

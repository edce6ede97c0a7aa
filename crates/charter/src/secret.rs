//! The root secret and the value that tells whether one has the right one.

use crate::derive::{CryptoFault, hkdf_sha512};
use crate::shamir::{Value, blank};
use std::fmt;
use subtle::ConstantTimeEq;
use words::{CloudId, hex};

/// The secret that everything in one cloud hangs from. It is wiped when dropped, cannot be cloned and is
/// never shown. Hold it as briefly as the work allows.
pub struct RootSecret(Value);

impl RootSecret {
    /// Takes the 32 bytes; the caller wipes its own copy.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut own = blank();
        own.copy_from_slice(bytes);
        Self(own)
    }
    /// The 32 bytes, for the one derivation that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
    /// The key check value of this root in `cloud`.
    pub fn key_check(&self, cloud: CloudId) -> Result<KeyCheck, CryptoFault> {
        let mut value = [0; 32];
        hkdf_sha512(
            b"clarence/v1/kcv",
            self.expose(),
            &[b"clarence/v1/kcv\0", cloud.as_bytes()],
            &mut value,
        )?;
        Ok(KeyCheck(value))
    }
}

impl fmt::Debug for RootSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootSecret(…)")
    }
}

/// Key check value: 32 bytes derived one way from the root by HKDF-SHA512. It tells a right root from a
/// wrong one and says nothing else about it, so it may be public.
#[derive(Clone, Copy)]
pub struct KeyCheck([u8; 32]);

impl KeyCheck {
    /// Takes the value as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The value as it is stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for KeyCheck {
    /// In constant time, because one side may come from a guess.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyCheck {}

impl fmt::Display for KeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyCheck({self})")
    }
}

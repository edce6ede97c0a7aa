//! The token [`Sealed`]: bytes that came out of a sealer, or a copy of such bytes that was checked against
//! their recorded hash. Whatever stores or carries object bytes takes this type, so plaintext cannot reach
//! a disk by a forgotten call.

use bytes::Bytes;
use std::fmt;

/// Sealed bytes. Made by [`crate::SealedWriter`] and [`Sealed::reverified`] and by nothing else.
#[derive(Clone)]
pub struct Sealed(Bytes);

/// A copy does not have the bytes that its record names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a copy of {bytes} sealed bytes does not have the recorded hash; it was not used; take the other site's \
     copy and repair this one"
)]
pub struct StaleCopy {
    /// How many bytes the copy has.
    pub bytes: usize,
}

impl Sealed {
    /// Only the sealer calls this.
    pub(crate) const fn mint(bytes: Bytes) -> Self {
        Self(bytes)
    }
    /// Takes a copy of bytes that were sealed before, if their BLAKE3 hash is the one in the record. This
    /// is how a site is healed without any key.
    pub fn reverified(bytes: Bytes, expected_blake3: &[u8; 32]) -> Result<Self, StaleCopy> {
        if blake3::hash(&bytes) == *expected_blake3 {
            Ok(Self(bytes))
        } else {
            Err(StaleCopy { bytes: bytes.len() })
        }
    }
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
    /// The bytes, to be handed on without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
    /// How many bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are none, which no sealer produces.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<[u8]> for Sealed {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

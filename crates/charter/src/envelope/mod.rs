//! Envelopes for shares: files in the age format (<https://c2sp.org/age>) for its hybrid post-quantum recipient,
//! so that any other age program that knows it opens them too.
//!
//! The wrap is HPKE (RFC 9180) in base mode over MLKEM768-X25519, also known as X-Wing: whoever wants the file
//! key has to break both. No other kind of recipient is written or read here: one that a quantum computer
//! breaks would undo the other.
//!
//! Never here: files and passphrases.

mod age;
mod bech32;
mod hpke;
mod xwing;

pub use age::{ENVELOPE_BYTES_MAX, EnvelopeError, RECIPIENTS_MAX, looks_like, open, seal};

use host::Host;
use std::fmt;
use zeroize::Zeroizing;

/// What identities begin with.
const IDENTITY: &str = "age-secret-key-pq-";
/// What recipients begin with.
const RECIPIENT: &str = "age1pq";
/// No text of a key is longer.
const TEXT_CHARS_MAX: usize = 4096;

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// It is something else.
    #[error(
        "this is no key for envelopes: a recipient begins with age1pq1, an identity with AGE-SECRET-KEY-PQ-1"
    )]
    Other,
    /// A character was changed, lost or added.
    #[error("the key has a wrong character, or lacks one: its checksum does not match")]
    Damaged,
    /// It is whole, but no key.
    #[error("the key is whole but not valid; it was not made by this kind of software")]
    Invalid,
}

/// The secret half: 32 bytes from which everything follows. Wiped when dropped, never shown by `Debug`.
pub struct Identity(Box<Zeroizing<[u8; 32]>>);

impl Identity {
    /// A new one.
    #[must_use]
    pub fn generate(host: &Host) -> Self {
        let mut seed = Box::new(Zeroizing::new([0; 32]));
        seed.copy_from_slice(&*Zeroizing::new(host.random::<32>()));
        Self(seed)
    }
    /// Reads `AGE-SECRET-KEY-PQ-1…`.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let bytes = Zeroizing::new(bytes_of(text, IDENTITY)?);
        let mut seed = Box::new(Zeroizing::new([0; 32]));
        if bytes.len() != seed.len() {
            return Err(KeyTextError::Invalid);
        }
        seed.copy_from_slice(&bytes);
        Ok(Self(seed))
    }
    /// As it is written, in memory that is wiped afterwards.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(bech32::encode(IDENTITY, &**self.0));
        text.make_ascii_uppercase();
        text
    }
    /// The public half.
    pub fn recipient(&self) -> Result<Recipient, KeyTextError> {
        let pair = xwing::KeyPair::expand(&self.0).map_err(|_| KeyTextError::Invalid)?;
        Ok(Recipient(pair.public))
    }
    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// The public half, to which envelopes are sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient(xwing::Public);

impl Recipient {
    /// Reads `age1pq1…`.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let bytes = bytes_of(text, RECIPIENT)?;
        let public: xwing::Public = bytes.try_into().map_err(|_| KeyTextError::Invalid)?;
        xwing::check(&public).map_err(|_| KeyTextError::Invalid)?;
        Ok(Self(public))
    }
    pub(crate) const fn public(&self) -> &xwing::Public {
        &self.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode(RECIPIENT, &self.0[..]))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

fn bytes_of(text: &str, prefix: &str) -> Result<Vec<u8>, KeyTextError> {
    let text = text.trim();
    let begins = text
        .get(..prefix.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    if !begins || text.len() > TEXT_CHARS_MAX {
        return Err(KeyTextError::Other);
    }
    let (found, bytes) = bech32::decode(text).ok_or(KeyTextError::Damaged)?;
    if found == prefix {
        Ok(bytes)
    } else {
        Err(KeyTextError::Other)
    }
}

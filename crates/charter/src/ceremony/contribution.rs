//! What one party brings to a ceremony: entropy, and the commitment that fixes it before it is shown.

use crate::derive::sha512;
use crate::record::CeremonyId;
use host::Host;
use std::fmt;
use subtle::ConstantTimeEq;
use words::wire::Writer;
use words::{PartyName, hex};
use zeroize::Zeroizing;

/// SHA-512 over one contribution, bound to the ceremony and the party, so that nobody can copy another's.
/// The blinding in it makes it say nothing about the entropy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Commitment([u8; 64]);

impl Commitment {
    /// Takes the commitment as it was announced.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }
    /// The commitment as it is announced and recorded.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
    /// Reads 128 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::decode_array(text).map(Self)
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({self})")
    }
}

/// 32 bytes of entropy and 32 bytes of blinding. Wiped when dropped, never shown.
pub struct Contribution(Box<Zeroizing<[u8; 64]>>);

impl Contribution {
    /// Draws a contribution from this machine.
    #[must_use]
    pub fn draw(host: &Host) -> Self {
        Self(Box::new(Zeroizing::new(host.random())))
    }
    /// Draws one for every party of a charter: for rehearsals and for development, where no party is
    /// there to bring its own.
    #[must_use]
    pub fn draw_for_all(parties: &[PartyName], host: &Host) -> Vec<(PartyName, Self)> {
        parties
            .iter()
            .map(|party| (party.clone(), Self::draw(host)))
            .collect()
    }
    /// Takes 32 bytes of entropy followed by 32 bytes of blinding; the caller wipes its own copy.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let mut own = Box::new(Zeroizing::new([0; 64]));
        own.copy_from_slice(bytes);
        Self(own)
    }
    /// The commitment to announce before anyone reveals. `who` is the party's name.
    #[must_use]
    pub fn commitment(&self, ceremony: CeremonyId, who: &str) -> Commitment {
        let binding = Writer::bare()
            .raw(b"clarence/v1/entropy-commitment\0")
            .raw(ceremony.as_bytes())
            .bytes(who.as_bytes())
            .finish();
        Commitment(sha512(&[&binding, self.0.as_slice()]))
    }
    pub(crate) fn entropy(&self) -> &[u8; 32] {
        self.0.first_chunk().unwrap_or(&[0; 32])
    }
    pub(crate) fn same_entropy(&self, other: &Self) -> bool {
        self.entropy().ct_eq(other.entropy()).into()
    }
}

impl fmt::Debug for Contribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contribution(…)")
    }
}

//! The secret key of a witness and how it is stored. It signs nothing but cosignatures: their message begins
//! with a line that no checkpoint has.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use host::Host;
use ledger::WitnessKey;
use ledger::cosignature::{WitnessKeyError, message};
use ledger::note::SignatureLine;
use words::wire::{Reader, WireError, Writer};
use zeroize::Zeroizing;

/// Longest file of a key.
pub const KEY_BYTES_MAX: u64 = 1 + 32 + 32 + 4 + 255;

/// Why a key could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] WitnessKeyError),
    /// The record is damaged or of another format.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// Seed and public key do not belong together.
    #[error("the secret and the public half do not belong together; the file is damaged")]
    Damaged,
}

/// The secret key of a witness.
pub struct CosignKey {
    pair: Ed25519KeyPair,
    seed: Zeroizing<[u8; 32]>,
    public: WitnessKey,
}

impl std::fmt::Debug for CosignKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CosignKey({:?}, secret)", self.public.name())
    }
}

impl CosignKey {
    const VERSION: u8 = 1;

    /// Draws a new key for the witness of this name.
    pub fn generate(name: &str, host: &Host) -> Result<Self, KeyError> {
        Self::from_seed(name, Zeroizing::new(host.random()))
    }
    /// The key that grows from a seed.
    pub fn from_seed(name: &str, seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Damaged)?;
        let public = pair.public_key().as_ref().try_into();
        let public = WitnessKey::new(name, public.map_err(|_| KeyError::Damaged)?)?;
        Ok(Self { pair, seed, public })
    }
    /// The stored record: version 1 ‖ seed ‖ public key ‖ name.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let record = Writer::versioned(Self::VERSION)
            .raw(&*self.seed)
            .raw(self.public.ed25519())
            .bytes(self.public.name().as_bytes());
        Zeroizing::new(record.finish())
    }
    /// Reads a stored record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (_, mut reader) = Reader::versioned(bytes, Self::VERSION)?;
        let seed = Zeroizing::new(reader.array()?);
        let public: [u8; 32] = reader.array()?;
        let name = std::str::from_utf8(reader.bytes(255)?).map_err(|_| WireError::Field("name"))?;
        reader.finish()?;
        let key = Self::from_seed(name, seed)?;
        match *key.public.ed25519() == public {
            true => Ok(key),
            false => Err(KeyError::Damaged),
        }
    }
    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &WitnessKey {
        &self.public
    }
    /// The line over the text of a checkpoint. Ed25519 draws nothing: the same time and text give the same
    /// line.
    pub(crate) fn line(&self, seconds: u64, text: &str) -> SignatureLine {
        let signature = self.pair.sign(message(seconds, text).as_bytes());
        self.public.line(seconds, signature.as_ref())
    }
}

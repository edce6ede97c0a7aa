//! Keys that sign twice: Ed25519 (RFC 8032) for the tools of today, ML-DSA-65 (FIPS 204) for the time after
//! quantum computers. Both signatures are always made and always needed.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
};
use host::Host;
use std::fmt;
use words::hex;
use words::wire::Writer;
use zeroize::Zeroizing;

/// Bytes of an Ed25519 public key.
pub const ED25519_PUBLIC_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
pub const ED25519_SIGNATURE_BYTES: usize = 64;
/// Bytes of an ML-DSA-65 public key.
pub const ML_DSA_PUBLIC_BYTES: usize = 1952;
/// Bytes of an ML-DSA-65 signature.
pub const ML_DSA_SIGNATURE_BYTES: usize = 3309;
/// Bytes of both seeds: Ed25519 first, ML-DSA-65 second.
pub const SEED_BYTES: usize = 64;

/// Which of the two signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 8032.
    Ed25519,
    /// FIPS 204.
    MlDsa65,
}

impl Algorithm {
    /// Both, in the order in which they are written.
    pub const BOTH: [Self; 2] = [Self::Ed25519, Self::MlDsa65];

    /// The name as it stands in documents and under the signature.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::MlDsa65 => "ML-DSA-65",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a signature is for. It goes under the signature, so that one made for a purpose is bad for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose(pub &'static str);

/// Why keys or signatures could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The library refused the seed.
    #[error("the {0} seed was refused; make a new key")]
    Seed(Algorithm),
    /// A public key of a wrong length.
    #[error("the {0} public key has a wrong length")]
    Public(Algorithm),
    /// A signature of a wrong length.
    #[error("the {0} signature has a wrong length")]
    Signature(Algorithm),
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// One of the two is not there. One of the two is not enough.
    #[error("the {0} signature is missing; both signatures are needed")]
    Missing(Algorithm),
    /// One of the two is there and wrong.
    #[error("the {0} signature is wrong")]
    Bad(Algorithm),
    /// The library could not sign.
    #[error("signing with {0} failed")]
    Signing(Algorithm),
}

/// The name of a key pair: SHA-512/256 of both public keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// Takes the id as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The id as it is stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::decode_array(text).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Both signatures over one message.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    ed25519: [u8; ED25519_SIGNATURE_BYTES],
    ml_dsa: Vec<u8>,
}

impl Signature {
    /// Takes both as they were stored.
    pub fn from_bytes(ed25519: &[u8], ml_dsa: &[u8]) -> Result<Self, KeyError> {
        let ed25519 = (ed25519.try_into()).map_err(|_| KeyError::Signature(Algorithm::Ed25519))?;
        if ml_dsa.len() != ML_DSA_SIGNATURE_BYTES {
            return Err(KeyError::Signature(Algorithm::MlDsa65));
        }
        Ok(Self {
            ed25519,
            ml_dsa: ml_dsa.to_vec(),
        })
    }
    /// One of the two as it is stored.
    #[must_use]
    pub fn bytes(&self, algorithm: Algorithm) -> &[u8] {
        match algorithm {
            Algorithm::Ed25519 => &self.ed25519,
            Algorithm::MlDsa65 => &self.ml_dsa,
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

/// The public half of a key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    ed25519: [u8; ED25519_PUBLIC_BYTES],
    ml_dsa: Vec<u8>,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl PublicKey {
    /// Takes both keys as they were stored.
    pub fn from_bytes(ed25519: &[u8], ml_dsa: &[u8]) -> Result<Self, KeyError> {
        let ed25519 = (ed25519.try_into()).map_err(|_| KeyError::Public(Algorithm::Ed25519))?;
        if ml_dsa.len() != ML_DSA_PUBLIC_BYTES {
            return Err(KeyError::Public(Algorithm::MlDsa65));
        }
        Ok(Self {
            ed25519,
            ml_dsa: ml_dsa.to_vec(),
        })
    }
    /// One of the two as it is stored.
    #[must_use]
    pub fn bytes(&self, algorithm: Algorithm) -> &[u8] {
        match algorithm {
            Algorithm::Ed25519 => &self.ed25519,
            Algorithm::MlDsa65 => &self.ml_dsa,
        }
    }
    /// The name of this pair, for reading aloud and comparing.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let framed = Writer::bare()
            .raw(b"clarence/v1/key-id\0")
            .bytes(&self.ed25519)
            .bytes(&self.ml_dsa)
            .finish();
        let hash = digest::digest(&digest::SHA512_256, &framed);
        let mut id = [0; 32];
        for (to, from) in id.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        KeyId(id)
    }
    /// Checks both signatures. The first that is wrong is named.
    pub fn verify(
        &self,
        purpose: Purpose,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        UnparsedPublicKey::new(&ED25519, &self.ed25519)
            .verify(
                &framed(purpose, Algorithm::Ed25519, message),
                &signature.ed25519,
            )
            .map_err(|_| SignatureError::Bad(Algorithm::Ed25519))?;
        UnparsedPublicKey::new(&ML_DSA_65, &self.ml_dsa)
            .verify(
                &framed(purpose, Algorithm::MlDsa65, message),
                &signature.ml_dsa,
            )
            .map_err(|_| SignatureError::Bad(Algorithm::MlDsa65))
    }
}

/// What is signed: who made the rule, what for, with which algorithm, and the message, each with its length
/// before it. A signature taken out of its pair is good for nothing else.
fn framed(purpose: Purpose, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    Writer::bare()
        .bytes(b"clarence/v1/sign")
        .bytes(purpose.0.as_bytes())
        .bytes(algorithm.name().as_bytes())
        .bytes(message)
        .finish()
}

/// The secret half of a key pair. The seeds are wiped when it is dropped, and never shown.
pub struct SigningKey {
    ed25519: Ed25519KeyPair,
    ml_dsa: PqdsaKeyPair,
    seeds: Zeroizing<[u8; SEED_BYTES]>,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, secret)", self.public.id())
    }
}

impl SigningKey {
    /// Draws a new pair.
    pub fn generate(host: &Host) -> Result<Self, KeyError> {
        Self::from_seeds(&Zeroizing::new(host.random()))
    }
    /// The pair that grows from 32 bytes for Ed25519 and 32 bytes for ML-DSA-65, in this order.
    pub fn from_seeds(seeds: &[u8; SEED_BYTES]) -> Result<Self, KeyError> {
        let (first, second) = seeds.split_at(SEED_BYTES / 2);
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(first)
            .map_err(|_| KeyError::Seed(Algorithm::Ed25519))?;
        let ml_dsa = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, second)
            .map_err(|_| KeyError::Seed(Algorithm::MlDsa65))?;
        let public =
            PublicKey::from_bytes(ed25519.public_key().as_ref(), ml_dsa.public_key().as_ref())?;
        Ok(Self {
            ed25519,
            ml_dsa,
            seeds: Zeroizing::new(*seeds),
            public,
        })
    }
    /// Both seeds, for the one file that keeps them.
    #[must_use]
    pub fn seeds(&self) -> &[u8; SEED_BYTES] {
        &self.seeds
    }
    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }
    /// Signs with both keys.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<Signature, SignatureError> {
        let first = self
            .ed25519
            .try_sign(&framed(purpose, Algorithm::Ed25519, message))
            .map_err(|_| SignatureError::Signing(Algorithm::Ed25519))?;
        let mut second = vec![0; ML_DSA_SIGNATURE_BYTES];
        self.ml_dsa
            .sign(&framed(purpose, Algorithm::MlDsa65, message), &mut second)
            .map_err(|_| SignatureError::Signing(Algorithm::MlDsa65))?;
        Signature::from_bytes(first.as_ref(), &second)
            .map_err(|_| SignatureError::Signing(Algorithm::Ed25519))
    }
}

//! The private keys of the authority and of its certificates, as PKCS#8 (RFC 5958).

use crate::algorithm::Algorithm;
use crate::pem;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ML_DSA_65_SIGNING, PqdsaKeyPair,
};
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ML_DSA_65, PublicKeyData, SignatureAlgorithm, SigningKey,
};
use zeroize::Zeroizing;

/// Length of a signature of ML-DSA-65 (FIPS 204, table 2).
const ML_DSA_65_SIGNATURE_BYTES: usize = 3309;

/// The library of cryptography did not take a key or did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {0} key was refused by the library of cryptography")]
pub struct Refusal(pub Algorithm);

enum Pair {
    MlDsa(Box<PqdsaKeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
}

/// A private key that signs certificates, or stands behind one.
pub struct Secret {
    algorithm: Algorithm,
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// Draws a new key.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Refusal> {
        let refused = |_| Refusal(algorithm);
        let pkcs8 = match algorithm {
            Algorithm::MlDsa65 => PqdsaKeyPair::generate(&ML_DSA_65_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(refused)?,
            Algorithm::EcdsaP256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
                    .map_err(refused)?
            }
        };
        Self::from_pkcs8(algorithm, pkcs8.as_ref())
    }

    /// Reads a key that was written before.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, Refusal> {
        let refused = |_| Refusal(algorithm);
        let pair = match algorithm {
            Algorithm::MlDsa65 => Pair::MlDsa(Box::new(
                PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, der).map_err(refused)?,
            )),
            Algorithm::EcdsaP256 => Pair::Ecdsa(Box::new(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).map_err(refused)?,
            )),
        };
        Ok(Self {
            algorithm,
            pair,
            pkcs8: Zeroizing::new(der.to_vec()),
        })
    }

    /// As it is written to a file.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::encode("PRIVATE KEY", &self.pkcs8)
    }
}

impl PublicKeyData for Secret {
    fn der_bytes(&self) -> &[u8] {
        match &self.pair {
            Pair::MlDsa(pair) => pair.public_key().as_ref(),
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
        }
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.algorithm {
            Algorithm::MlDsa65 => &PKCS_ML_DSA_65,
            Algorithm::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
        }
    }
}

impl SigningKey for Secret {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let failed = |_| rcgen::Error::RemoteKeyError;
        match &self.pair {
            Pair::MlDsa(pair) => {
                let mut signature = vec![0; ML_DSA_65_SIGNATURE_BYTES];
                pair.sign(message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(failed),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({}, …)", self.algorithm)
    }
}

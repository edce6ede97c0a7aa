//! The two signature algorithms that certificates of the local authority are made with.

use rustls::SignatureScheme;

/// Which algorithm a certificate's key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// FIPS 204: holds against a quantum computer. Read by OpenSSL 3.5 and later, rustls, AWS-LC.
    MlDsa65,
    /// FIPS 186-5 over P-256: for clients that know nothing newer.
    EcdsaP256,
}

impl Algorithm {
    /// Both, the stronger one first: the order in which a client is served.
    pub const ALL: [Self; 2] = [Self::MlDsa65, Self::EcdsaP256];

    /// As it stands in names of files and in answers to scripts. It reaches a disk and must not change.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::MlDsa65 => "ml-dsa-65",
            Self::EcdsaP256 => "ecdsa-p256",
        }
    }
    /// As its standard calls it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::MlDsa65 => "ML-DSA-65",
            Self::EcdsaP256 => "ECDSA P-256",
        }
    }
    /// The object identifier of its public keys, as the content of the DER element: 2.16.840.1.101.3.4.3.18
    /// (RFC 9881), 1.2.840.10045.2.1 with the curve 1.2.840.10045.3.1.7 (RFC 5480).
    #[must_use]
    pub const fn key_oid(self) -> &'static [u8] {
        match self {
            Self::MlDsa65 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12],
            Self::EcdsaP256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
        }
    }
    /// The scheme by which a client says in TLS that it can verify it.
    #[must_use]
    pub const fn scheme(self) -> SignatureScheme {
        match self {
            Self::MlDsa65 => SignatureScheme::ML_DSA_65,
            Self::EcdsaP256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.title())
    }
}

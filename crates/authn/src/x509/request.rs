//! A request that is signed with a certificate's key: Signature Version 4 with `AWS4-X509-RSA-SHA256` or
//! `AWS4-X509-ECDSA-SHA256` in the place of the shared secret.

use super::facts::{Facts, Tag};
use super::{CHAIN_MAX, CertificateError, sha256};
use crate::canonical::{Canonical, Query, signed_headers, string_to_sign};
use crate::error::{AuthnError, Place};
use crate::header::{Fields, signing_time};
use crate::request::{RequestHead, Via, admitted};
use crate::scope::{Scoped, Service};
use crate::time::SigningTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::EndEntityCert;
use webpki::aws_lc_rs as algorithms;
use words::{UnixMillis, hex};

/// What every such algorithm begins with.
const PREFIX: &str = "AWS4-X509-";
/// Longest signature: that of an RSA key of 8192 bits.
const SIGNATURE_BYTES_MAX: usize = 1024;
/// Longest serial number in decimal digits.
const SERIAL_CHARS_MAX: usize = 50;

const RSA: &[&dyn SignatureVerificationAlgorithm] = &[algorithms::RSA_PKCS1_2048_8192_SHA256];
const ECDSA: &[&dyn SignatureVerificationAlgorithm] =
    &[algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA256];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rsa,
    Ecdsa,
}

impl Algorithm {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "AWS4-X509-RSA-SHA256" => Some(Self::Rsa),
            "AWS4-X509-ECDSA-SHA256" => Some(Self::Ecdsa),
            _ => None,
        }
    }
    const fn word(self) -> &'static str {
        match self {
            Self::Rsa => "AWS4-X509-RSA-SHA256",
            Self::Ecdsa => "AWS4-X509-ECDSA-SHA256",
        }
    }
    /// The key in the certificate decides which of them it can be.
    const fn fitting(self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        match self {
            Self::Rsa => RSA,
            Self::Ecdsa => ECDSA,
        }
    }
}

/// A request that carries a certificate. Well formed; nothing of it is believed yet.
pub struct PresentedCertificate {
    pub(crate) leaf: Vec<u8>,
    pub(crate) chain: Vec<Vec<u8>>,
    serial: String,
    region: String,
    scope: String,
    time: SigningTime,
    algorithm: Algorithm,
    signature: Vec<u8>,
    digests: [Option<[u8; 32]>; 2],
    via: Via,
}

/// Proof that a request was signed with the key of a certificate that leads to an anchor. Made only by
/// [`Anchor::check`](super::Anchor::check).
#[derive(Debug)]
pub struct Bearer {
    pub(crate) facts: Box<BearerFacts>,
}

#[derive(Debug)]
pub(crate) struct BearerFacts {
    pub tags: Vec<Tag>,
    pub named: String,
    pub serial: Vec<u8>,
    pub issuer: [u8; 32],
    pub signed: [u8; 32],
    pub at: UnixMillis,
    pub ends: UnixMillis,
    pub via: Via,
}

impl Bearer {
    /// The names in the certificate, in the words of policies.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.facts.tags
    }
    /// Subject, serial number and fingerprint, as the ledger names them.
    #[must_use]
    pub fn named(&self) -> &str {
        &self.facts.named
    }
    /// The bytes of the serial number.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.facts.serial
    }
    /// SHA-256 of the issuer's name.
    #[must_use]
    pub fn issuer(&self) -> &[u8; 32] {
        &self.facts.issuer
    }
    /// What was signed and with which certificate, in one digest: the same for every signature of the same text,
    /// so that a signature that was bent into another spelling is still the same one.
    #[must_use]
    pub fn signed(&self) -> &[u8; 32] {
        &self.facts.signed
    }
    /// When it was signed.
    #[must_use]
    pub fn at(&self) -> UnixMillis {
        self.facts.at
    }
    /// When the certificate ends.
    #[must_use]
    pub fn ends(&self) -> UnixMillis {
        self.facts.ends
    }
    /// How the request came.
    #[must_use]
    pub fn via(&self) -> Via {
        self.facts.via
    }
}

/// Whether a request says that it is signed with a certificate's key.
#[must_use]
pub fn is_certificate(request: &RequestHead<'_>) -> bool {
    request
        .values("authorization")
        .any(|value| value.starts_with(PREFIX))
}

/// Reads the authorization of a request with its certificates, and reduces what it signs to a digest.
pub fn present_certificate(
    request: &RequestHead<'_>,
    body: &[u8],
) -> Result<PresentedCertificate, AuthnError> {
    let malformed = |why: &str| AuthnError::malformed(Place::Header, why);
    let query = Query::parse(request.raw_query)?;
    let value = request
        .single("authorization", Place::Header)?
        .ok_or(AuthnError::Anonymous)?;
    let (algorithm, rest) = value.split_once(' ').unwrap_or((value, ""));
    let algorithm = Algorithm::parse(algorithm).ok_or_else(|| {
        malformed("certificates sign with AWS4-X509-RSA-SHA256 or AWS4-X509-ECDSA-SHA256")
    })?;
    let fields = Fields::parse(rest)?;
    let time = signing_time(request)?;
    let scoped = Scoped::parse(
        fields.credential,
        Place::Header,
        &time,
        &[Service::RolesAnywhere],
    )?;
    let decimal = |text: &str| {
        (1..=SERIAL_CHARS_MAX).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit())
    };
    if !decimal(scoped.name) {
        return Err(malformed(
            "the Credential must begin with the certificate's serial number in decimal digits",
        ));
    }
    let signature = hex::decode(fields.signature)
        .filter(|bytes| !bytes.is_empty() && bytes.len() <= SIGNATURE_BYTES_MAX)
        .ok_or_else(|| malformed("the Signature is not in hexadecimal digits, or too long"))?;
    let leaf = request
        .single("x-amz-x509", Place::Header)?
        .ok_or_else(|| malformed("the header x-amz-x509 with the certificate is missing"))?;
    let chain = request.single("x-amz-x509-chain", Place::Header)?;
    let payload = hex::encode(&sha256(body));
    if request
        .single("x-amz-content-sha256", Place::Header)?
        .is_some_and(|sent| sent != payload)
    {
        return Err(AuthnError::PayloadInvalid);
    }
    let names = signed_headers(fields.signed_headers, request, Place::Header)?;
    let canonical = Canonical {
        request,
        query: &query,
        signed_headers: &names,
        payload: &payload,
        presigned: false,
    };
    Ok(PresentedCertificate {
        leaf: certificate(leaf)?,
        chain: chain.map(certificates).transpose()?.unwrap_or_default(),
        serial: scoped.name.to_owned(),
        region: scoped.region.to_owned(),
        scope: scoped.text(),
        digests: canonical.digests()?,
        time,
        algorithm,
        signature,
        via: request.via,
    })
}

fn certificate(text: &str) -> Result<Vec<u8>, AuthnError> {
    STANDARD.decode(text.trim().as_bytes()).map_err(|_| {
        AuthnError::malformed(Place::Header, "a certificate in it is not base64 of DER")
    })
}

fn certificates(list: &str) -> Result<Vec<Vec<u8>>, AuthnError> {
    if list.split(',').count() > CHAIN_MAX {
        return Err(AuthnError::malformed(
            Place::Header,
            format!("x-amz-x509-chain holds more than {CHAIN_MAX} certificates"),
        ));
    }
    list.split(',').map(certificate).collect()
}

impl PresentedCertificate {
    /// Checks region and time, for which no authority is needed.
    pub fn admit(&self, now: UnixMillis, region: &str) -> Result<(), AuthnError> {
        admitted(Place::Header, &self.region, self.time.at, None, now, region)
    }

    /// SHA-256 of the certificate that it carries, believed or not: under which failures are counted.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.leaf)
    }

    /// Checks that the certificate's key signed the request: what was signed, with which certificate.
    pub(crate) fn signed_with(
        &self,
        leaf: &EndEntityCert<'_>,
        facts: &Facts,
    ) -> Result<[u8; 32], CertificateError> {
        if facts.serial_text != self.serial {
            return Err(CertificateError::Serial);
        }
        let good = |text: &String| {
            let check = |one: &&dyn SignatureVerificationAlgorithm| {
                leaf.verify_signature(*one, text.as_bytes(), &self.signature)
                    .is_ok()
            };
            self.algorithm.fitting().iter().any(check)
        };
        let word = self.algorithm.word();
        let texts = self
            .digests
            .iter()
            .flatten()
            .map(|digest| string_to_sign(word, &self.time.stamp, &self.scope, digest));
        let text = texts
            .into_iter()
            .find(good)
            .ok_or(CertificateError::Signature)?;
        Ok(sha256(
            &[facts.fingerprint.as_slice(), text.as_bytes()].concat(),
        ))
    }

    pub(crate) const fn at(&self) -> UnixMillis {
        self.time.at
    }
    pub(crate) const fn via(&self) -> Via {
        self.via
    }
}

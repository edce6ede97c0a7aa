//! A trust anchor: authorities whose certificates are believed, and the lists of what they revoked.

use super::facts::Facts;
use super::request::{Bearer, BearerFacts, PresentedCertificate};
use super::{
    AUTHORITIES_MAX, AnchorError, CERTIFICATES_BYTES_MAX, CertificateError, LIST_BYTES_MAX, sha256,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, SignatureVerificationAlgorithm, TrustAnchor,
    UnixTime,
};
use std::time::Duration;
use webpki::aws_lc_rs as algorithms;
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationOptionsBuilder, anchor_from_trusted_cert,
};
use words::{UnixMillis, hex};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// With what authorities may have signed. No SHA-1, no RSA below 2048 bits.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P256_SHA512,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ECDSA_P384_SHA512,
    algorithms::ECDSA_P521_SHA256,
    algorithms::ECDSA_P521_SHA384,
    algorithms::ECDSA_P521_SHA512,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// What an authority's certificate says, for whoever put it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its subject.
    pub subject: String,
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub fingerprint: String,
    /// From when it is good.
    pub not_before: UnixMillis,
    /// Until when it is good.
    pub not_after: UnixMillis,
}

/// What a revocation list says, for whoever put it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The list in DER.
    pub der: Vec<u8>,
    /// Its issuer.
    pub issuer: String,
    /// SHA-256 of its issuer's name.
    pub issuer_digest: [u8; 32],
    /// Its number, big-endian, without zeros in front.
    pub number: Vec<u8>,
    /// When there will be a newer one; from then on it says nothing.
    pub next_update: UnixMillis,
    /// How many certificates it revokes.
    pub revoked: usize,
}

/// A trust anchor, ready to check with.
pub struct Anchor {
    authorities: Vec<Ready>,
    lists: Vec<([u8; 32], CertRevocationList<'static>)>,
}

struct Ready {
    der: Vec<u8>,
    subject: [u8; 32],
    anchor: TrustAnchor<'static>,
    shown: Authority,
}

/// The certificates of a file, one or several in PEM, in DER.
pub fn certificates(file: &[u8]) -> Result<Vec<Vec<u8>>, AnchorError> {
    if file.len() > CERTIFICATES_BYTES_MAX {
        return Err(AnchorError::new(format!(
            "the certificates have more than {CERTIFICATES_BYTES_MAX} bytes"
        )));
    }
    let all: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(file)
        .map(|one| one.map(|der| der.as_ref().to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| AnchorError::new(format!("the certificates are not PEM: {error}")))?;
    if all.is_empty() || all.len() > AUTHORITIES_MAX {
        return Err(AnchorError::new(format!(
            "a trust anchor has 1 to {AUTHORITIES_MAX} certificates in PEM; the file has {}",
            all.len()
        )));
    }
    Ok(all)
}

/// A revocation list from a file, in PEM or in DER.
pub fn list(file: &[u8]) -> Result<List, AnchorError> {
    let fault = |why: &str| AnchorError::new(format!("the revocation list {why}"));
    if file.len() > LIST_BYTES_MAX {
        return Err(fault(&format!("has more than {LIST_BYTES_MAX} bytes")));
    }
    let der = if file.trim_ascii_start().starts_with(b"-----BEGIN") {
        CertificateRevocationListDer::from_pem_slice(file)
            .map_err(|_| fault("cannot be read"))?
            .as_ref()
            .to_vec()
    } else {
        file.to_vec()
    };
    // What the library that will use it does not understand is refused now, not then.
    OwnedCertRevocationList::from_der(&der)
        .map_err(|error| fault(&format!("is not taken: {error}")))?;
    let (rest, read) =
        CertificateRevocationList::from_der(&der).map_err(|_| fault("cannot be read"))?;
    if !rest.is_empty() {
        return Err(fault("is followed by something"));
    }
    let number = read
        .crl_number()
        .ok_or_else(|| fault("has no number, so that a newer one could not be told from it"))?
        .to_bytes_be();
    let next = read
        .next_update()
        .ok_or_else(|| fault("does not say when the next one comes"))?;
    Ok(List {
        issuer: read.issuer().to_string(),
        issuer_digest: sha256(read.issuer().as_raw()),
        number,
        next_update: millis(next.timestamp()),
        revoked: read.iter_revoked_certificates().count(),
        der: der.clone(),
    })
}

impl Anchor {
    /// Puts authorities and lists together. Every certificate has to be an authority's; every list has to be
    /// signed by one of them, and there is one list of each at most.
    pub fn read(certificates: &[Vec<u8>], lists: &[Vec<u8>]) -> Result<Self, AnchorError> {
        let mut anchor = Self {
            authorities: certificates
                .iter()
                .map(|der| Ready::read(der))
                .collect::<Result<_, _>>()?,
            lists: Vec::new(),
        };
        for der in lists {
            let read = list(der)?;
            if !anchor.authorities.iter().any(|one| one.signed(&read)) {
                return Err(AnchorError::new(format!(
                    "the revocation list of {} is signed by none of the anchor's certificates",
                    read.issuer
                )));
            }
            if anchor
                .lists
                .iter()
                .any(|(known, _)| *known == read.issuer_digest)
            {
                return Err(AnchorError::new(format!(
                    "there are two revocation lists of {}",
                    read.issuer
                )));
            }
            let ready = OwnedCertRevocationList::from_der(der)
                .map_err(|error| AnchorError::new(error.to_string()))?;
            anchor.lists.push((read.issuer_digest, ready.into()));
        }
        Ok(anchor)
    }

    /// Its authorities.
    pub fn authorities(&self) -> impl Iterator<Item = &Authority> {
        self.authorities.iter().map(|one| &one.shown)
    }

    /// Whether a list of an issuer names a serial number.
    #[must_use]
    pub fn revokes(&self, issuer: &[u8; 32], serial: &[u8]) -> bool {
        self.lists
            .iter()
            .filter(|(of, _)| of == issuer)
            // A list that cannot be searched says yes.
            .any(|(_, list)| {
                list.find_serial(serial)
                    .map_or(true, |found| found.is_some())
            })
    }

    /// Checks signature, purpose, path, validity and revocation of a request's certificate at `now`. Where the
    /// anchor has a revocation list, every certificate of the path has to be covered by one that is in force.
    pub fn check(
        &self,
        presented: &PresentedCertificate,
        now: UnixMillis,
    ) -> Result<Bearer, CertificateError> {
        let facts = Facts::read(&presented.leaf)?;
        let der = CertificateDer::from(presented.leaf.as_slice());
        let leaf = EndEntityCert::try_from(&der).map_err(told)?;
        let signed = presented.signed_with(&leaf, &facts)?;
        facts.check_client()?;
        let trusted: Vec<TrustAnchor<'_>> = self
            .authorities
            .iter()
            .filter(|one| one.shown.not_before <= now && now < one.shown.not_after)
            .map(|one| one.anchor.clone())
            .collect();
        if trusted.is_empty() {
            return Err(CertificateError::NoAuthority);
        }
        let between: Vec<CertificateDer<'_>> = presented
            .chain
            .iter()
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        let lists: Vec<&CertRevocationList<'_>> = self.lists.iter().map(|(_, list)| list).collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let at = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        // The client's own purpose was looked at above; those between need not name it.
        let path = leaf
            .verify_for_usage(
                ALGORITHMS,
                &trusted,
                &between,
                at,
                KeyUsage::client_auth(),
                revocation,
                None,
            )
            .map_err(told)?;
        for one in path.intermediate_certificates() {
            if !Facts::read(&one.der())?.certifies {
                return Err(CertificateError::Path(
                    "one between may not certify others".to_owned(),
                ));
            }
        }
        let named = facts.named();
        Ok(Bearer {
            facts: Box::new(BearerFacts {
                named,
                tags: facts.tags,
                serial: facts.serial,
                issuer: facts.issuer,
                signed,
                at: presented.at(),
                ends: millis(facts.not_after),
                via: presented.via(),
            }),
        })
    }
}

impl Ready {
    fn read(der: &[u8]) -> Result<Self, AnchorError> {
        let facts = Facts::read(der)
            .map_err(|error| AnchorError::new(format!("a certificate is not taken: {error}")))?;
        if !facts.authority || !facts.certifies {
            return Err(AnchorError::new(format!(
                "the certificate of {} is not an authority's: it needs CA:TRUE and the key usage keyCertSign",
                facts.subject
            )));
        }
        let certificate = CertificateDer::from(der);
        let anchor = anchor_from_trusted_cert(&certificate)
            .map_err(|error| AnchorError::new(format!("a certificate is not taken: {error}")))?
            .to_owned();
        Ok(Self {
            subject: sha256_of_subject(der)?,
            anchor,
            der: der.to_vec(),
            shown: Authority {
                subject: facts.subject,
                fingerprint: hex::encode(&facts.fingerprint),
                not_before: millis(facts.not_before),
                not_after: millis(facts.not_after),
            },
        })
    }

    /// Whether a list is this authority's.
    fn signed(&self, list: &List) -> bool {
        let Ok((_, read)) = CertificateRevocationList::from_der(&list.der) else {
            return false;
        };
        let der = CertificateDer::from(self.der.as_slice());
        let Ok(own) = EndEntityCert::try_from(&der) else {
            return false;
        };
        let good = |algorithm: &&dyn SignatureVerificationAlgorithm| {
            own.verify_signature(
                *algorithm,
                read.tbs_cert_list.as_ref(),
                &read.signature_value.data,
            )
            .is_ok()
        };
        list.issuer_digest == self.subject && ALGORITHMS.iter().any(good)
    }
}

fn sha256_of_subject(der: &[u8]) -> Result<[u8; 32], AnchorError> {
    let (_, read) = x509_parser::certificate::X509Certificate::from_der(der)
        .map_err(|_| AnchorError::new("a certificate cannot be read"))?;
    Ok(sha256(read.subject().as_raw()))
}

/// Seconds since 1970 as milliseconds; what lies before is 1970.
fn millis(seconds: i64) -> UnixMillis {
    UnixMillis(
        u64::try_from(seconds)
            .unwrap_or_default()
            .saturating_mul(1000),
    )
}

/// What the library says of a path, in the words of this room.
fn told(error: Error) -> CertificateError {
    match error {
        Error::CertExpired { .. } => CertificateError::Expired,
        Error::CertNotValidYet { .. } => CertificateError::NotYet,
        Error::CertRevoked => CertificateError::Revoked,
        Error::CrlExpired { .. } => CertificateError::ListExpired,
        Error::UnknownRevocationStatus => CertificateError::Unlisted,
        Error::UnknownIssuer => CertificateError::Issuer,
        Error::RequiredEkuNotFoundContext(_) => CertificateError::Purpose,
        Error::CaUsedAsEndEntity => CertificateError::Authority,
        Error::BadDer => CertificateError::Malformed("it is not DER"),
        other => CertificateError::Path(other.to_string()),
    }
}

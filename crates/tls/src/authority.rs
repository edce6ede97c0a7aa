//! The local authority: a key with a certificate of its own that gives out certificates for the node's
//! names. There is one for each algorithm, so that no chain mixes a strong signature with a weak one.

use crate::algorithm::Algorithm;
use crate::facts::{CertificateFacts, Unreadable};
use crate::pem;
use crate::secret::{Refusal, Secret};
use aws_lc_rs::digest::{SHA256, digest};
use host::Host;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, DnsName, PrivatePkcs8KeyDer};
use std::net::IpAddr;
use time::OffsetDateTime;
use words::{UnixMillis, hex};
use zeroize::Zeroizing;

/// How long an authority is good for.
pub const AUTHORITY_DAYS: u64 = 3650;
/// How long a certificate is good for: the longest that all clients of today take.
pub const LEAF_DAYS: u64 = 398;
/// A certificate is good from a little earlier, for clients whose clock is behind.
const BACKDATED_MS: u64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;
/// Most names of one certificate.
pub const NAMES_MAX: usize = 100;

/// Why a certificate could not be made or an authority could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// A name is neither an address nor the name of a host.
    #[error("{0:?} is neither an IP address nor a host name, with or without a leading \"*.\"")]
    Name(String),
    /// There is no name, or there are too many.
    #[error("a certificate has between 1 and {NAMES_MAX} names; these are {0}")]
    Names(usize),
    /// The library refused a key.
    #[error(transparent)]
    Key(#[from] Refusal),
    /// The certificate could not be put together.
    #[error("the certificate could not be made: {0}")]
    Make(String),
    /// The file does not hold what an authority's file holds.
    #[error("the file does not hold a private key and a certificate of the local authority")]
    File,
    /// The certificate in it cannot be read.
    #[error(transparent)]
    Certificate(#[from] Unreadable),
}

impl From<rcgen::Error> for AuthorityError {
    fn from(error: rcgen::Error) -> Self {
        Self::Make(error.to_string())
    }
}

/// A key and its certificate.
#[derive(Debug)]
pub struct Issued {
    secret: Secret,
    certificate: CertificateDer<'static>,
}

impl Issued {
    /// The certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
    /// Key and certificate as one PEM file.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let (key, certificate) = (self.secret.to_pem(), self.certificate_pem());
        let mut text = Zeroizing::new(String::with_capacity(key.len() + certificate.len()));
        text.push_str(&key);
        text.push_str(&certificate);
        text
    }
    /// The certificate as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.certificate).to_string()
    }
}

/// The authority of one algorithm.
#[derive(Debug)]
pub struct Authority {
    algorithm: Algorithm,
    own: Issued,
}

impl Authority {
    /// Makes a new authority.
    pub fn generate(algorithm: Algorithm, host: &Host) -> Result<Self, AuthorityError> {
        let secret = Secret::generate(algorithm)?;
        let mut params = params(&secret, algorithm);
        params.not_before = moment(UnixMillis(host.now().0.saturating_sub(BACKDATED_MS)))?;
        params.not_after = moment(host.now().plus(AUTHORITY_DAYS * DAY_MS))?;
        params.serial_number = Some(serial(host));
        let certificate = params.self_signed(&secret)?.into();
        Ok(Self {
            algorithm,
            own: Issued {
                secret,
                certificate,
            },
        })
    }

    /// Reads an authority from the file that [`Self::to_pem`] gave.
    pub fn from_pem(text: &[u8]) -> Result<Self, AuthorityError> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|_| AuthorityError::File)?;
        let certificate = CertificateDer::from_pem_slice(text).map_err(|_| AuthorityError::File)?;
        let facts = CertificateFacts::read(&certificate)?;
        let algorithm = facts.algorithm.ok_or(AuthorityError::File)?;
        let secret = Secret::from_pkcs8(algorithm, key.secret_pkcs8_der())?;
        let certificate = certificate.into_owned();
        // The certificate has to be the one of this key, or what it gave out would be trusted by nobody.
        let spki = secret.subject_public_key_info();
        if !certificate.windows(spki.len()).any(|part| part == spki) {
            return Err(AuthorityError::File);
        }
        Ok(Self {
            algorithm,
            own: Issued {
                secret,
                certificate,
            },
        })
    }

    /// Key and certificate as one PEM file.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        self.own.to_pem()
    }
    /// The certificate that clients are given, as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.own.certificate_pem()
    }
    /// The certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.own.certificate()
    }

    /// Gives out a certificate for these names, with a new key of the same algorithm. A certificate never
    /// outlives the authority.
    pub fn issue(&self, names: &[String], host: &Host) -> Result<Issued, AuthorityError> {
        if names.is_empty() || names.len() > NAMES_MAX {
            return Err(AuthorityError::Names(names.len()));
        }
        let end = CertificateFacts::read(&self.own.certificate)?.not_after;
        let mut leaf = CertificateParams::default();
        leaf.not_before = moment(UnixMillis(host.now().0.saturating_sub(BACKDATED_MS)))?;
        leaf.not_after = moment(host.now().plus(LEAF_DAYS * DAY_MS).min(end))?;
        leaf.serial_number = Some(serial(host));
        leaf.subject_alt_names = names.iter().map(|n| san(n)).collect::<Result<_, _>>()?;
        leaf.distinguished_name = DistinguishedName::new();
        leaf.distinguished_name
            .push(DnType::CommonName, "Clarence node");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let secret = Secret::generate(self.algorithm)?;
        let issuer = Issuer::new(params(&self.own.secret, self.algorithm), &self.own.secret);
        let certificate = leaf.signed_by(&secret, &issuer)?.into();
        Ok(Issued {
            secret,
            certificate,
        })
    }
}

/// What the authority's certificate says. The subject follows from the key, so that an authority read back
/// from its file gives out certificates under the very same name.
fn params(secret: &Secret, algorithm: Algorithm) -> CertificateParams {
    let print = digest(&SHA256, &secret.subject_public_key_info());
    let print = hex::encode(print.as_ref().get(..4).unwrap_or_default());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(
        DnType::CommonName,
        format!("Clarence local authority {algorithm} {print}"),
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// 128 random bits, positive.
fn serial(host: &Host) -> SerialNumber {
    let mut bytes: [u8; 16] = host.random();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn moment(time: UnixMillis) -> Result<OffsetDateTime, AuthorityError> {
    let seconds = i64::try_from(time.0 / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|_| AuthorityError::Make("the clock is beyond the calendar".to_owned()))
}

/// An address, or the name of a host in small letters, perhaps with `*.` before it.
fn san(name: &str) -> Result<SanType, AuthorityError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let wrong = || AuthorityError::Name(name.to_owned());
    let host = name.strip_prefix("*.").unwrap_or(name);
    if DnsName::try_from(host).is_err() || host.ends_with('.') {
        return Err(wrong());
    }
    let name = name.to_ascii_lowercase();
    Ok(SanType::DnsName(name.try_into().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_that_was_read_back_is_the_same() {
        let host = Host::real();
        for algorithm in Algorithm::ALL {
            let first = Authority::generate(algorithm, &host).unwrap();
            let again = Authority::from_pem(first.to_pem().as_bytes()).unwrap();
            assert_eq!(first.certificate(), again.certificate());
            assert_eq!(*first.to_pem(), *again.to_pem());
        }
    }

    #[test]
    fn a_key_beside_another_keys_certificate_is_refused() {
        let host = Host::real();
        let make = || Authority::generate(Algorithm::MlDsa65, &host).unwrap();
        let (first, second) = (make(), make());
        let mixed = format!("{}{}", *first.own.secret.to_pem(), second.certificate_pem());
        assert!(matches!(
            Authority::from_pem(mixed.as_bytes()),
            Err(AuthorityError::File)
        ));
        for wrong in [
            first.certificate_pem(),
            first.own.secret.to_pem().to_string(),
        ] {
            assert!(Authority::from_pem(wrong.as_bytes()).is_err());
        }
    }

    #[test]
    fn names_are_addresses_and_hosts() {
        for good in [
            "a",
            "*.a.b",
            "S3.Example",
            "10.0.0.1",
            "::1",
            "xn--bcher-kva.lu",
        ] {
            assert!(san(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "*.",
            "a..b",
            "a b",
            "*.*.a",
            "a.",
            "https://a",
            "ä.lu",
        ] {
            assert_eq!(san(bad), Err(AuthorityError::Name(bad.to_owned())), "{bad}");
        }
        let host = Host::real();
        let authority = Authority::generate(Algorithm::EcdsaP256, &host).unwrap();
        assert!(matches!(
            authority.issue(&[], &host),
            Err(AuthorityError::Names(0))
        ));
    }
}

//! What a certificate says about itself, read once and strictly: what it is for, and the names that policies can
//! speak of. An attribute that is not read as text refuses the certificate: a condition that somebody wrote must
//! not be decided without it.

use super::{CertificateError, sha256};
use words::hex;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::oid::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{X509Name, X509Version};

/// Longest value of a name, in bytes, as session tags have it.
const VALUE_BYTES_MAX: usize = 256;
/// Longest serial number, in bytes.
const SERIAL_BYTES_MAX: usize = 20;
/// How much of a subject is written down, in characters.
const SUBJECT_CHARS_MAX: usize = 200;

/// A name in a certificate, in the words of policies: `x509Subject/CN` and its value.
pub type Tag = (String, String);

/// Attributes of names, by the words of RFC 4519, and their numbers.
const ATTRIBUTES: &[(&str, &Oid<'static>)] = &[
    ("CN", &oid::OID_X509_COMMON_NAME),
    ("SN", &oid::OID_X509_SURNAME),
    ("GN", &oid::OID_X509_GIVEN_NAME),
    ("serialNumber", &oid::OID_X509_SERIALNUMBER),
    ("C", &oid::OID_X509_COUNTRY_NAME),
    ("L", &oid::OID_X509_LOCALITY_NAME),
    ("ST", &oid::OID_X509_STATE_OR_PROVINCE_NAME),
    ("O", &oid::OID_X509_ORGANIZATION_NAME),
    ("OU", &oid::OID_X509_ORGANIZATIONAL_UNIT),
    ("UID", &oid::OID_USERID),
    ("DC", &oid::OID_DOMAIN_COMPONENT),
];
/// Where names stand.
const PLACES: &[&str] = &["x509Subject", "x509Issuer", "x509SAN/Name"];

/// The name of every tag that there can be.
pub fn tag_names() -> impl Iterator<Item = String> {
    let named = |place: &'static &'static str| {
        ATTRIBUTES
            .iter()
            .map(move |(attribute, _)| format!("{place}/{attribute}"))
    };
    let others = ["x509SAN/DNS", "x509SAN/URI"].map(str::to_owned);
    PLACES.iter().flat_map(named).chain(others)
}

/// What is needed of a certificate beside its path.
pub(crate) struct Facts {
    pub serial: Vec<u8>,
    /// The serial number as credentials spell it, in decimal digits.
    pub serial_text: String,
    pub fingerprint: [u8; 32],
    pub issuer: [u8; 32],
    pub subject: String,
    pub tags: Vec<Tag>,
    pub signs: bool,
    pub for_clients: bool,
    pub authority: bool,
    pub certifies: bool,
    /// Seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
}

impl Facts {
    /// Reads a certificate in DER, and nothing after it.
    pub fn read(der: &[u8]) -> Result<Self, CertificateError> {
        let malformed = |why| move |_| CertificateError::Malformed(why);
        let (rest, read) = X509Certificate::from_der(der)
            .map_err(|_| CertificateError::Malformed("it is not X.509"))?;
        if !rest.is_empty() {
            return Err(CertificateError::Malformed("something follows it"));
        }
        if read.version() != X509Version::V3 {
            return Err(CertificateError::Malformed("it is not of version 3"));
        }
        let serial = read.raw_serial();
        if serial.is_empty() || serial.len() > SERIAL_BYTES_MAX + 1 {
            return Err(CertificateError::Malformed("its serial number is too long"));
        }
        let usage = read.key_usage().map_err(malformed("its key usage"))?;
        let purposes = read
            .extended_key_usage()
            .map_err(malformed("its extended key usage"))?;
        let basic = read
            .basic_constraints()
            .map_err(malformed("its basic constraints"))?;
        Ok(Self {
            serial: serial.to_vec(),
            serial_text: read.tbs_certificate.serial.to_string(),
            fingerprint: sha256(der),
            issuer: sha256(read.issuer().as_raw()),
            subject: written(&read.subject().to_string()),
            tags: tags(&read)?,
            signs: usage.as_ref().is_some_and(|u| u.value.digital_signature()),
            for_clients: purposes.is_some_and(|p| p.value.client_auth),
            authority: basic.is_some_and(|b| b.value.ca),
            certifies: usage.is_some_and(|u| u.value.key_cert_sign()),
            not_before: read.validity().not_before.timestamp(),
            not_after: read.validity().not_after.timestamp(),
        })
    }

    /// Whether it is a client's.
    pub fn check_client(&self) -> Result<(), CertificateError> {
        if self.authority || self.certifies {
            return Err(CertificateError::Authority);
        }
        if !self.signs {
            return Err(CertificateError::KeyUsage);
        }
        if !self.for_clients {
            return Err(CertificateError::Purpose);
        }
        Ok(())
    }

    /// How the ledger names it.
    pub fn named(&self) -> String {
        format!(
            "certificate {} (serial {}, SHA-256 {})",
            self.subject,
            hex::encode(&self.serial),
            hex::encode(&self.fingerprint)
        )
    }
}

/// The names in a certificate that policies can speak of, believed or not.
pub fn tags_of(der: &[u8]) -> Result<Vec<Tag>, CertificateError> {
    Facts::read(der).map(|facts| facts.tags)
}

/// A subject fit for one line.
fn written(subject: &str) -> String {
    subject
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(SUBJECT_CHARS_MAX)
        .collect()
}

fn tags(read: &X509Certificate<'_>) -> Result<Vec<Tag>, CertificateError> {
    let mut all = Vec::new();
    named(&mut all, "x509Subject", read.subject())?;
    named(&mut all, "x509Issuer", read.issuer())?;
    let alternatives = read
        .subject_alternative_name()
        .map_err(|_| CertificateError::Malformed("its alternative names"))?;
    // Of several the first counts, as IAM Roles Anywhere has it.
    let (mut directory, mut dns, mut uri) = (None, None, None);
    for name in alternatives
        .iter()
        .flat_map(|names| &names.value.general_names)
    {
        match name {
            GeneralName::DirectoryName(name) => drop(directory.get_or_insert(name)),
            GeneralName::DNSName(name) => drop(dns.get_or_insert(*name)),
            GeneralName::URI(name) => drop(uri.get_or_insert(*name)),
            GeneralName::Invalid(..) => {
                return Err(CertificateError::Malformed("an alternative name"));
            }
            _ => {}
        }
    }
    if let Some(directory) = directory {
        named(&mut all, "x509SAN/Name", directory)?;
    }
    for (name, value) in [("x509SAN/DNS", dns), ("x509SAN/URI", uri)] {
        if let Some(value) = value {
            all.push((name.to_owned(), fitting(value)?));
        }
    }
    Ok(all)
}

/// The attributes of a name that can be spoken of. One that stands in it several times is left out: it has no
/// single value, so a condition that wants one does not hold.
fn named(all: &mut Vec<Tag>, place: &str, name: &X509Name<'_>) -> Result<(), CertificateError> {
    for (word, number) in ATTRIBUTES {
        let mut found = name.iter_by_oid(number);
        let (Some(attribute), None) = (found.next(), found.next()) else {
            continue;
        };
        let text = attribute
            .as_str()
            .map_err(|_| CertificateError::Malformed("a name in it is not text"))?;
        all.push((format!("{place}/{word}"), fitting(text)?));
    }
    Ok(())
}

fn fitting(value: &str) -> Result<String, CertificateError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(CertificateError::Malformed("a name in it is too long"));
    }
    Ok(value.to_owned())
}

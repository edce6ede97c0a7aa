//! Authorities, certificates and revocation lists, and requests signed with their keys. The signer has no code in
//! common with the room: it writes the canonical request down as IAM Roles Anywhere documents it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize, SanType, SerialNumber,
};
use time::OffsetDateTime;

/// The sort of a client's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    P256,
    Rsa,
}

/// What a client's certificate is to say.
#[derive(Clone)]
pub struct Wish {
    pub name: String,
    pub unit: Option<String>,
    pub serial: u64,
    pub from: u64,
    pub until: u64,
    pub signs: bool,
    pub purpose: Option<ExtendedKeyUsagePurpose>,
    pub authority: bool,
    pub uri: Option<String>,
    pub sort: Sort,
}

impl Wish {
    /// A good one, good for an hour on both sides of `now`, in seconds.
    pub fn new(name: &str, serial: u64, now: u64) -> Self {
        Self {
            name: name.to_owned(),
            unit: None,
            serial,
            from: now - 3600,
            until: now + 3600,
            signs: true,
            purpose: Some(ExtendedKeyUsagePurpose::ClientAuth),
            authority: false,
            uri: None,
            sort: Sort::P256,
        }
    }
}

pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pub der: Vec<u8>,
}

pub struct Holder {
    pub der: Vec<u8>,
    pub serial: u64,
    key: Signer,
}

enum Signer {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

fn at(seconds: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap()
}

fn authority_params(name: &str, now: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (at(now - 86_400), at(now + 864_000));
    params
}

pub fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

impl Authority {
    pub fn root(name: &str, now: u64) -> Self {
        Self::of(authority_params(name, now))
    }
    pub fn of(params: CertificateParams) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der }
    }
    /// One that this one certifies.
    pub fn under(&self, name: &str, now: u64, certifies: bool) -> Self {
        let mut params = authority_params(name, now);
        if !certifies {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let der = params
            .signed_by(&key, &self.issuer())
            .unwrap()
            .der()
            .to_vec();
        Self { params, key, der }
    }
    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }
    pub fn issue(&self, wish: &Wish) -> Holder {
        let mut params = CertificateParams::default();
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, wish.name.as_str());
        if let Some(unit) = &wish.unit {
            name.push(DnType::OrganizationalUnitName, unit.as_str());
        }
        params.serial_number = Some(SerialNumber::from(wish.serial));
        (params.not_before, params.not_after) = (at(wish.from), at(wish.until));
        params.key_usages = match wish.signs {
            true => vec![KeyUsagePurpose::DigitalSignature],
            false => vec![KeyUsagePurpose::KeyEncipherment],
        };
        params.extended_key_usages = wish.purpose.clone().into_iter().collect();
        if wish.authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        if let Some(uri) = &wish.uri {
            let uri = uri.as_str().try_into().unwrap();
            params.subject_alt_names.push(SanType::URI(uri));
        }
        let key = match wish.sort {
            Sort::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Sort::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        let key = key.unwrap();
        let der = params
            .signed_by(&key, &self.issuer())
            .unwrap()
            .der()
            .to_vec();
        let pkcs8 = key.serialize_der();
        let curve = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = match wish.sort {
            Sort::P256 => Signer::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, &pkcs8).unwrap()),
            Sort::Rsa => Signer::Rsa(RsaKeyPair::from_pkcs8(&pkcs8).unwrap()),
        };
        Holder {
            der,
            serial: wish.serial,
            key,
        }
    }
    /// A revocation list in DER, good for an hour before `next`.
    pub fn list(&self, number: u64, revoked: &[u64], next: u64) -> Vec<u8> {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: at(next - 7200),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: at(next - 3600),
            next_update: at(next),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = self.issuer();
        params.signed_by(&issuer).unwrap().der().to_vec()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

impl Holder {
    pub fn algorithm(&self) -> &'static str {
        match self.key {
            Signer::Ecdsa(_) => "AWS4-X509-ECDSA-SHA256",
            Signer::Rsa(_) => "AWS4-X509-RSA-SHA256",
        }
    }
    pub fn sign(&self, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Signer::Ecdsa(key) => key
                .sign(&random, text.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
            Signer::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
        }
    }
    /// The headers of a CreateSession with this body, signed at `stamp` (`YYYYMMDDTHHMMSSZ`) for a region.
    pub fn headers(
        &self,
        chain: &[&[u8]],
        body: &str,
        stamp: &str,
        region: &str,
    ) -> Vec<(String, String)> {
        self.headers_with(&self.der, chain, body, stamp, region)
    }
    /// The same, with another certificate's bytes in the place of its own.
    pub fn headers_with(
        &self,
        der: &[u8],
        chain: &[&[u8]],
        body: &str,
        stamp: &str,
        region: &str,
    ) -> Vec<(String, String)> {
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("host".to_owned(), "sim.test".to_owned()),
            ("x-amz-date".to_owned(), stamp.to_owned()),
            ("x-amz-x509".to_owned(), STANDARD.encode(der)),
        ];
        if !chain.is_empty() {
            let all: Vec<String> = chain.iter().map(|der| STANDARD.encode(der)).collect();
            headers.push(("x-amz-x509-chain".to_owned(), all.join(",")));
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!(
            "POST\n/sessions\n\n{lines}\n{names}\n{}",
            sha256(body.as_bytes())
        );
        let algorithm = self.algorithm();
        let scope = format!("{}/{region}/rolesanywhere/aws4_request", &stamp[..8]);
        let text = format!(
            "{algorithm}\n{stamp}\n{scope}\n{}",
            sha256(canonical.as_bytes())
        );
        let signature = hex(&self.sign(&text));
        headers.push((
            "authorization".to_owned(),
            format!(
                "{algorithm} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                self.serial
            ),
        ));
        headers
    }
}

//! The secret half of an S3 credential and the key of one day derived from it.

use crate::scope::{DateStamp, Service};
use aws_lc_rs::hmac;
use std::fmt;
use zeroize::Zeroizing;

/// The secret half of a credential. Wiped when dropped, shown by nothing.
pub struct SecretKey(Zeroizing<String>);

impl SecretKey {
    /// Takes the secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
    /// The secret, for whoever seals it or hands it to its owner once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// The key that signs requests of one credential on one day in one region. May be cached by
/// (access key, day): it opens nothing on another day.
#[derive(Clone)]
pub struct SigningKey {
    key: hmac::Key,
    date: DateStamp,
    region: String,
    service: Service,
}

impl SigningKey {
    /// Derives the key, as Signature Version 4 prescribes: four HMACs over day, region, service and end.
    #[must_use]
    pub fn derive(secret: &SecretKey, date: DateStamp, region: &str) -> Self {
        Self::derive_for(secret, date, region, Service::S3)
    }
    /// The same for another service.
    #[must_use]
    pub fn derive_for(secret: &SecretKey, date: DateStamp, region: &str, service: Service) -> Self {
        let first = Zeroizing::new(format!("AWS4{}", secret.expose()));
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
        for word in [
            date.as_bytes().as_slice(),
            region.as_bytes(),
            service.word().as_bytes(),
            b"aws4_request",
        ] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, word).as_ref());
        }
        Self {
            key,
            date,
            region: region.to_owned(),
            service,
        }
    }
    /// The day it is for.
    #[must_use]
    pub const fn date(&self) -> DateStamp {
        self.date
    }
    /// The service it is for.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }
    /// The region it is for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
    /// Our signature over `text`.
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 32] {
        let mut signature = [0; 32];
        signature.copy_from_slice(hmac::sign(&self.key, text).as_ref());
        signature
    }
    /// Whether `signature` is ours over `text`; takes the same time whatever the signature holds.
    pub(crate) fn signed(&self, text: &[u8], signature: &[u8; 32]) -> bool {
        hmac::verify(&self.key, text, signature).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.date, self.region)
    }
}

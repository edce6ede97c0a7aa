//! Sign-in with a certificate: the request `CreateSession` of IAM Roles Anywhere, signed with the key of an X.509
//! certificate (RFC 5280) that may lie on a smart card, checked against authorities that were put here by hand.
//! A [`Bearer`] comes from [`Anchor::check`] alone: signature, path, purpose, validity and revocation were checked.
//!
//! Paths and revocation lists are walked by `rustls-webpki`, names are read by `x509-parser`. Nothing is fetched:
//! no address in a certificate is followed, no OCSP is asked.

mod anchor;
mod asked;
mod facts;
mod request;

pub use anchor::{Anchor, Authority, List, certificates, list};
pub use asked::{CREATE_SESSION_PATH, SessionAsked};
pub use facts::{Tag, tag_names, tags_of};
pub use request::{Bearer, PresentedCertificate, is_certificate, present_certificate};

/// Longest file of certificates that is read, in bytes.
pub const CERTIFICATES_BYTES_MAX: usize = 64 * 1024;
/// Longest revocation list, in bytes: some six thousand certificates.
pub const LIST_BYTES_MAX: usize = 256 * 1024;
/// Most authorities of one anchor.
pub const AUTHORITIES_MAX: usize = 16;
/// Most certificates between a client's and an authority's that a request may carry.
pub const CHAIN_MAX: usize = 5;

/// Why a certificate is not believed. Written down; whoever asked is told only that it is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is no certificate, or holds something that is not read here.
    #[error("the certificate cannot be read: {0}")]
    Malformed(&'static str),
    /// The key of the certificate did not make the signature.
    #[error("the certificate's key did not sign this request")]
    Signature,
    /// The credential names another certificate.
    #[error("the serial number in the credential is not the certificate's")]
    Serial,
    /// It is an authority's certificate.
    #[error("the certificate is an authority's, not a client's")]
    Authority,
    /// Its key usage is missing, or is for something else.
    #[error("the certificate's key usage does not allow signatures")]
    KeyUsage,
    /// It is not for clients.
    #[error("the certificate's extended key usage does not allow client authentication")]
    Purpose,
    /// It is over, or one between it and the anchor is.
    #[error("a certificate of the path has expired")]
    Expired,
    /// It has not begun.
    #[error("a certificate of the path is not valid yet")]
    NotYet,
    /// No authority of the anchor is in force.
    #[error("no authority of the trust anchor is in force at this time")]
    NoAuthority,
    /// It is another authority's.
    #[error("the certificate does not lead to the trust anchor")]
    Issuer,
    /// It was revoked.
    #[error("a certificate of the path was revoked")]
    Revoked,
    /// No list speaks of it.
    #[error("no revocation list of the trust anchor speaks of a certificate of the path")]
    Unlisted,
    /// The list is too old.
    #[error("a revocation list of the trust anchor is past its next update")]
    ListExpired,
    /// Something else about the path.
    #[error("the certificate's path is not valid: {0}")]
    Path(String),
}

/// Why a file of authorities or a revocation list is not taken. For whoever puts it here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AnchorError(pub(crate) String);

impl AnchorError {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    out.copy_from_slice(hash.as_ref());
    out
}

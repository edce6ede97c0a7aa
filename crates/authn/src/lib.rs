//! Who asks: AWS Signature Version 4 for S3, in headers and in presigned queries, and the `aws-chunked`
//! framing of request bodies; SCRAM for connections that stay; and certificates that sign for a session. A [`Caller`] comes from [`verify`] or from
//! [`scram::Proven`] alone, so that a request whose proof was not checked cannot reach a decision.
//!
//! Pure: no I/O, no clock, no randomness. Never here: where secrets are kept, what a caller may do, and
//! the hashing of whole bodies (the store hashes while it streams).
//!
//! Reading order: [`request`] (what a request presents), [`verify()`] (the check),
//! [`scram`], [`chunks`] and [`chunked`] (bodies), [`signing`] (our own requests), [`error`] (what a refused client is told).

mod canonical;
pub mod chunked;
pub mod chunks;
mod encoding;
pub mod error;
mod form;
#[cfg(fuzzing)]
pub mod fuzzing;
mod header;
pub mod jwt;
pub mod key;
mod presigned;
pub mod request;
mod scope;
pub mod scram;
pub mod signing;
mod time;
mod verify;
pub mod x509;

pub use chunks::{ChunkCheck, ChunkMismatch, ChunkSignatures};
pub use error::{Answer, AuthnError};
pub use form::{form_fields, present_form};
pub use header::ALGORITHM as SIGNATURE_ALGORITHM;
pub use key::{SecretKey, SigningKey};
pub use request::{PayloadHash, Presented, RequestHead, Via, present};
pub use scope::{DateStamp, Service};
pub use verify::{Caller, Credential, Verified, verify, verify_session, verify_with};

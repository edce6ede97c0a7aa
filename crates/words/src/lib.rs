//! Nouns everyone shares: identifiers and names that are parsed once at the rim, the limits, and the
//! helpers with which every stored record is laid out. No I/O, no clock, no randomness.
//!
//! Reading order: [`ids`], [`names`], [`limits`], [`wire`], [`crypto`].

pub mod crypto;
pub mod hex;
pub mod ids;
pub mod limits;
pub mod names;
pub mod subject;
pub mod wire;

pub use crypto::{CryptoUse, Family, Strength};
pub use ids::{BucketId, ChunkId, CloudId, OpId, SiteId, TenantId, UnixMillis, VersionId};
pub use names::{AccessKeyId, BucketName, NameError, ObjectKey, PartyName, TenantName};
pub use subject::{Subject, SubjectError};

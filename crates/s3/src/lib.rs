//! Calls an S3 that is not ours, and keeps chunks there: one bucket, whole objects of a bounded size, signed by
//! Signature Version 4, over TLS with the authority that was named and no other. Every call has a deadline.
//!
//! Never here: plaintext, keys of objects, what the objects mean beyond a chunk's name, and deciding who is
//! current.
//!
//! Reading order: [`place`] (where and as whom), [`bucket`] (the verbs), `connect`, `listing`, [`error`],
//! [`plain`] (chunks in a bucket).

pub mod bucket;
mod connect;
pub mod error;
mod listing;
pub mod place;
pub mod plain;

pub use bucket::{Bucket, Listed, Stat};
pub use error::S3Error;
pub use place::{Place, PlaceError};
pub use plain::Plain;

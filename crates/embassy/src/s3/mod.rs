//! A client of S3, as much of it as an embassy needs: one bucket, whole objects of a bounded size, signed by
//! Signature Version 4, over TLS with the host's own authority. Every call has a deadline.
//!
//! Reading order: [`place`], [`bucket`], `connect`, `listing`, [`error`].

pub mod bucket;
mod connect;
pub mod error;
mod listing;
pub mod place;

pub use bucket::{Bucket, Listed, Stat};
pub use error::S3Error;
pub use place::{Place, PlaceError};

//! Calls an S3 that is not ours, and keeps chunks there: one bucket, whole objects of a bounded size, signed by
//! Signature Version 4, over TLS with the authority that was named and no other. Every call has a deadline.
//!
//! Never here: plaintext, keys of objects, what the objects mean beyond a chunk's name, and deciding who is
//! current.
//!
//! Reading order: [`place`] (where and as whom), [`bucket`] (the verbs), `call` (how each is done),
//! [`pieces`], `connect`, `listing`, [`forms`], [`error`], [`plain`] (chunks in a bucket), [`mark`] and [`site`] (a bucket that says whose it is).

pub mod bucket;
mod call;
mod connect;
pub mod error;
pub mod forms;
mod listing;
pub mod mark;
pub mod pieces;
pub mod place;
pub mod plain;
pub mod site;

pub use bucket::{Bucket, Listed, Stat};
pub use error::S3Error;
pub use forms::Said;
pub use mark::Mark;
pub use pieces::Pieces;
pub use place::{Place, PlaceError};
pub use plain::Plain;
pub use site::{SiteBucket, TakeError, Whose};

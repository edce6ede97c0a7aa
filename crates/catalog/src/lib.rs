//! Facts in an ordered transactional store. An engine is small ([`Engine`]); every engine passes one
//! conformance suite and is checked against a model.
//!
//! Never here: what a row means, keys, plaintext.

pub mod embedded;
mod engine;
pub mod memory;
mod outcome;
mod plan;
mod record;

pub use embedded::Embedded;
pub use engine::{Commit, Engine, KeyRange, Mutation, Order, Precondition, ReadError, Row};
pub use memory::Memory;
pub use outcome::{Committed, Outcome, Refused, Sites};

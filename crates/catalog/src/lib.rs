//! Facts in an ordered transactional store. An engine is small ([`Engine`]); every engine passes one
//! conformance suite and is checked against a model.
//!
//! Never here: what a row means, keys, plaintext.

pub mod embedded;
mod engine;
pub mod memory;
mod outcome;
mod plan;
pub mod postgres;
mod record;
mod snapshot;

/// For the fuzz targets alone, compiled under `--cfg fuzzing` and nowhere else: the embedded engine's records,
/// which no other room has any business with.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::record::journal_row::JournalRow;

    /// The folder's description.
    pub mod format {
        pub use crate::record::format::{FormatError, decode, encode};
    }
    /// The journal row's key, and the start of the chain.
    pub mod journal_row {
        pub use crate::record::journal_row::{genesis, key, seq_of};
    }
    /// How far a folder came.
    pub mod reached {
        pub use crate::record::reached::{decode, encode};
    }
    /// A row on the disk.
    pub mod row {
        pub use crate::record::row::{decode, encode, hash};
    }
}

pub use embedded::Embedded;
pub use engine::{Commit, Engine, KeyRange, Mutation, Order, Precondition, ReadError, Row};
pub use memory::Memory;
pub use outcome::{Committed, Outcome, Refused, Sites};
pub use postgres::Postgres;
pub use snapshot::{Point, Snapshot};

//! Each person's record of who used their data: labels that nobody can link without the person's key, the rows under
//! them, the answer that a person is given as one file, and its proof.
//!
//! Never here: I/O, a clock, and who may ask. Where a person's key comes from is the vault's business.
//!
//! Reading order: [`chain`], [`set`], [`record`], [`access`], [`proof`], [`said`], [`answer`].

pub mod access;
pub mod answer;
pub mod chain;
pub mod proof;
pub mod record;
pub mod said;
pub mod set;

pub use access::{Access, Shown, shown_tags};
pub use answer::{Answer, AnswerError, Checked, Draft, Line, verify};
pub use chain::Chain;
pub use proof::{EntryProof, LineProof, Place, State};
pub use said::{ChainSaid, Said, SaidError};
pub use set::{Membership, PersonSet};

/// The operation of the ledger entry with which an answer is recorded before it is given.
pub const OPERATION: &str = "PersonAccesses";
/// What an answer says about what it leaves out.
pub const COVERS: &str =
    "all non-deferred accesses that were recorded; those that an order defers follow on their day";
/// Most lines of one answer.
pub const LINES_MAX: usize = 100_000;
/// Longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;

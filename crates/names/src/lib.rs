//! The sealed, ordered index of object names: what a bucket's listing is made of.
//!
//! A PUT or DELETE of an object adds one sealed *delta* to the same commit as the fact, so that writers
//! never wait for one another. A fold turns deltas into immutable *runs* of sealed pages in name order and
//! merges runs with one another; a sealed *manifest* says which runs and which deltas count. LIST merges
//! the runs with the deltas that are newer. The rows are drawn in `docs/format/names.md`, the reasons
//! stand in `docs/decisions/0002-sealed-name-index.md`.
//!
//! Never here: a name in clear in any row, any log line or any error; the decision whether a caller may
//! list; the objects' own records, which are found by keyed hash and do not need this index.
//!
//! Reading order: [`api`], [`record`], [`walk`], `view`, `run`, [`index`], `fold`.

pub mod api;
mod cache;
mod delta;
mod error;
mod fold;
pub mod index;
mod list;
mod merge;
mod pending;
mod position;
pub mod record;
mod rows;
mod run;
mod run_writer;
mod sealing;
mod sweep;
mod tuning;
mod view;
pub mod walk;

pub use api::{FoldReport, ListItem, ListPage, ListQuery, NameFacts, Pending};
pub use delta::{delete_delta, put_delta};
pub use error::NamesError;
pub use index::Index;
pub use position::Position;
pub use tuning::Tuning;

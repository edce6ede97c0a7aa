//! A statement's road to the vault when the query engine is a process of its own: [`statement::Road`], carried over
//! the lanes of the room `link`.
//!
//! The engine's side is [`Far`]; the vault's side is [`serve`](mod@serve). Sessions and grants belong to the trunk they came
//! over: another engine's are refused, and what an engine leaves open when it ends is closed in its place, as
//! broken. What the launcher tells an engine at its start is [`Start`].
//!
//! Never here: a decision, a key, a file, SQL.
//!
//! Reading order: [`say`], [`far`], [`serve`](mod@serve), `engine`, `check`, [`start`].

mod check;
mod counts;
mod engine;
pub mod far;
pub mod say;
pub mod serve;
pub mod start;

pub use counts::{Counted, Counts};
pub use far::Far;
pub use serve::{Behind, serve};
pub use start::{Certificates, Handed, Log, Start, StartError};

//! S3 over HTTP: the door through which unmodified clients come.
//!
//! One road: a connection is accepted (`serve`), a request's head is read and its sender identified
//! (`door`), what we do not offer is refused (`unsupported`), its body is unframed and checked (`body`),
//! s3s reads the rest into typed operations, and one verb is asked of the [`Backend`] with the
//! [`Known`] caller, which it takes by value (`verbs`).
//!
//! Never here: a secret, a key, a decision who may, a path on a disk. s3s checks no signature and sees no
//! body of an object; what it is given is unsigned and plain (docs/decisions/0004-s3-door.md).

pub mod backend;
mod body;
pub mod bound;
mod conditions;
pub mod config;
mod document;
mod door;
mod expected;
mod form;
#[cfg(fuzzing)]
pub mod fuzzing;
mod metadata;
pub mod ops;
mod query;
mod refuse;
pub mod serve;
mod target;
mod ticket;
pub mod tls;
mod unsupported;
mod verb;
mod verbs;
mod watch;

pub use crate::tls::{Tls, TlsError};
pub use backend::{Answered, Backend, Element, Identified, Known, ObjectHead, Refusal};
pub use bound::{Act, Bound};
pub use config::{Config, TRACING_DIRECTIVE};
pub use ops::{Ops, Readiness, Seen};
pub use serve::serve;
pub use verbs::IMPLEMENTED;

/// What a verb is called in [`Seen`], from its name as text.
#[must_use]
pub fn verb_named(name: &str) -> &'static str {
    verb::Verb::named(name)
}

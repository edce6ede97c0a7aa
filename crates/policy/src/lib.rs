//! May they: Cedar policies over the facts of one request. [`Policies::decide`] takes the
//! [`authn::Caller`] and gives back a [`Permit`] or a [`Denial`], each holding the caller, so that a
//! request is decided once and nothing runs without a decision.
//!
//! Default deny, and any diagnostic of Cedar denies: Cedar skips a policy that fails to evaluate, even a
//! `forbid`, and what was skipped could have been the one that says no.
//!
//! Pure: no I/O, no clock. Never here: facts about tenants and keys (they come in), and keys.

mod action;
mod compiled;
mod decide;
pub mod document;
mod facts;
mod recall;
mod set;
mod standing;
#[cfg(test)]
mod tests;

pub use action::{Action, Resource};
pub use compiled::{Compiled, Extent, Word};
pub use decide::{Denial, Permit, Reason, Show};
pub use document::DocumentError;
pub use set::{Policies, PolicyError};
pub use standing::{Asked, CERTIFICATES_SERVICE, Claims, Principal, Question, Standing};

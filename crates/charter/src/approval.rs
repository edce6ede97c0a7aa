//! Grave acts as documents: a request, approvals and vetoes of persons of the parties, and the one place that
//! says whether they are enough. Files in, files out; no network is needed.
//!
//! [`Request`] is what is asked; its proposer has signed it. [`Decision`] is one person's approval or veto of
//! exactly that request. [`Deliberation`] takes them one at a time, refuses a wrong one by name and keeps the
//! right ones. [`Resolution`] is the proof that the charter is satisfied; it is made nowhere else, and whoever
//! carries out the act takes it by value.
//!
//! Never here: the act itself, and the memory of what was carried out (see [`Docket`]).
//!
//! Reading order: [`Bearer`], [`KeyFile`], [`Card`], [`Request`], [`Decision`], [`Deliberation`], [`Order`].

// A refusal names what was signed and what is here, both with their digests; a handful is made in a day.
#![allow(clippy::result_large_err)]

mod bearer;
mod card;
mod decision;
mod deliberation;
pub mod files;
mod keyfile;
mod order;
mod refusal;
mod request;

pub use bearer::{Bearer, Person, PersonName};
pub use card::{Card, Roll, RollError, Standing};
pub use decision::{Decision, Says};
pub use deliberation::{Chamber, Deliberation, Docket, DocketFault, Resolution, Undecided};
pub use keyfile::{KeyFile, PublicFile};
pub use order::Order;
pub use refusal::{DocumentError, Refusal};
pub use request::{Ask, AskError, Nonce, Request, RequestDigest, SignedRequest};
pub use sign::{KeyId, Stamp};

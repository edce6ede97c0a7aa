//! Charters of version 2: everything that was agreed ([`Terms`]), the signed paper that says so ([`Deed`]),
//! and the chain of papers from the founding to now ([`Chain`]).
//!
//! Never here: who may act today (see [`crate::approval`]), files, the clock.

mod chain;
mod deed;
mod fields;
mod terms;

pub use chain::{Chain, ChainError};
pub use deed::{Deed, DeedError, MemberSignature, PURPOSE};
pub use terms::{Jurisdiction, Jurisdictions, Member, Terms, TermsError};

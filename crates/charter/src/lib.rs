//! Who owns a cloud together, what it takes to act on it, and how its root key comes to be and comes back.
//!
//! A [`Charter`] names the parties and how many of them it takes; one of version 2 is signed by all of them
//! and says what each risk class asks, in which jurisdictions data may lie and who the patron is ([`law`]).
//! [`found`] holds the key ceremony: every party commits to entropy, then reveals it; the root is made from
//! all of it, shared among the parties, and the sharing is proven before anything leaves the room. Each party
//! gets a [`ShareFile`]. Later an [`Unsealing`] collects enough of them and gives the [`RootSecret`] back.
//! [`reshare`] deals new shares of the same root, [`rekey`] makes a new one in its place; a [`Destruction`] states
//! that a share of the old one is gone. Grave acts are asked for, approved and vetoed as signed
//! documents; a [`approval::Resolution`] is the proof that enough have approved ([`approval`]).
//!
//! Never here: storing the root (it is handed over once, and wiped when dropped), the network, and carrying
//! out what was approved. Files are touched only in [`files`] and [`approval::files`].
//!
//! Reading order: [`Charter`], [`ceremony`], [`record`], [`unseal`], [`files`]; then [`formula`], [`class`],
//! [`verbs`], [`law`], [`who`], [`approval`]. The formats are drawn in `docs/format/charter.md` and
//! `docs/format/approvals.md`.

pub mod approval;
pub mod ceremony;
mod charter;
pub mod class;
mod custody_keys;
mod derive;
pub mod destroy;
mod document;
pub mod envelope;
pub mod files;
pub mod formula;
pub mod inventory;
pub mod law;
pub mod officers;
pub mod paper;
mod proof;
pub mod record;
mod secret;
mod shamir;
pub mod unseal;
pub mod verbs;
pub mod who;

pub use ceremony::{CeremonyError, Contribution, Founding, Resharing, found, rekey, reshare};
pub use charter::{Charter, CharterDigest, CharterError, PARTIES_MAX};
pub use class::{Class, Rule};
pub use custody_keys::{exchange_key, restart_key};
pub use derive::CryptoFault;
pub use destroy::{Destruction, DestructionError};
pub use formula::Formula;
pub use law::{Deed, Terms};
pub use record::{
    CeremonyId, Custody, Holder, OfficerShare, ShareDigest, ShareError, ShareFile, Transcript,
};
pub use secret::{KeyCheck, RootSecret};
pub use unseal::{Progress, UnsealError, Unsealing};
pub use verbs::Verb;

//! Who owns a cloud together, and how its root key comes to be and comes back.
//!
//! A [`Charter`] names the parties and how many of them it takes. [`found`] holds the key ceremony: every
//! party commits to entropy, then reveals it; the root is made from all of it, shared among the parties,
//! and the sharing is proven before anything leaves the room. Each party gets a [`ShareFile`]. Later an
//! [`Unsealing`] collects enough of them and gives the [`RootSecret`] back. [`reshare`] deals new shares of
//! the same root.
//!
//! Never here: storing the root (it is handed over once, and wiped when dropped), the network, and any
//! decision about who may ask. Files are touched only in [`files`].
//!
//! Reading order: [`Charter`], [`ceremony`], [`record`], [`unseal`], [`files`]. The formats are drawn in
//! `docs/format/charter.md`.

pub mod ceremony;
mod charter;
mod derive;
mod document;
pub mod files;
pub mod inventory;
mod proof;
pub mod record;
mod secret;
mod shamir;
pub mod unseal;

pub use ceremony::{CeremonyError, Contribution, Founding, Resharing, found, reshare};
pub use charter::{Charter, CharterDigest, CharterError};
pub use derive::CryptoFault;
pub use record::{CeremonyId, Custody, Holder, ShareDigest, ShareError, ShareFile, Transcript};
pub use secret::{KeyCheck, RootSecret};
pub use unseal::{Progress, UnsealError, Unsealing};

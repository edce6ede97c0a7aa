//! The witness of a log: a key in a place of its own that cosigns the log's checkpoints (C2SP tlog-witness,
//! tlog-cosignature) only as long as each one continues the one before. Each parent runs one. A log that
//! shows two histories is cosigned no more, and what proves it is kept.
//!
//! It sees checkpoints and proofs, which are public, and nothing else. Never here: keys of the log, the
//! catalog, data. What it has cosigned is durable before the cosignature exists: [`folder::Witness::sign`]
//! takes a [`folder::Recorded`], and only the write to the disk makes one.
//!
//! Reading order: [`limits`], [`request`], [`decide`], [`clock`], [`key`], [`latest`], [`evidence`],
//! [`folder`], [`answer`], [`serve`], [`client`].

pub mod answer;
pub mod client;
pub mod clock;
pub mod decide;
pub mod evidence;
pub mod folder;
pub mod key;
pub mod latest;
pub mod limits;
pub mod request;
pub mod serve;

pub use evidence::{Fork, verify_evidence};
pub use folder::{Refused, Witness};
pub use key::CosignKey;
pub use request::Request;

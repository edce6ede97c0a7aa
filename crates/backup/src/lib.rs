//! A whole cloud in a folder, sealed as it lies: the rows of one moment, every chunk that they name, the papers that a
//! quorum of shares needs besides, and a manifest with the hash of each file. Written from whatever gives rows and
//! chunks, checked without any key, read back in the order of the rows.
//!
//! Never here: a key, where rows and chunks come from, where they go back to.
//!
//! Reading order: [`manifest`], [`block`], [`folder`], [`walk`], [`mod@take`], [`mod@verify`].

pub mod block;
pub mod error;
pub mod folder;
pub mod manifest;
mod pace;
pub mod take;
pub mod verify;
pub mod walk;

pub use error::BackupError;
pub use folder::Backup;
pub use manifest::Manifest;
pub use pace::parse_rate;
pub use take::{Begun, Given, Origin, OriginError, Taken, take};
pub use verify::{Verified, verify};
pub use walk::Walk;

/// Tells how far something is: what, how much, of how much.
pub type Told = std::sync::Arc<dyn Fn(&str, u64, Option<u64>) + Send + Sync>;

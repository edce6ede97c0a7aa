//! Backup and restore of a whole cloud. The node gives rows and chunks over its control socket and writes nowhere but in
//! its own folders; whoever asked writes them down (room `backup`). A restore makes the folders anew, on either engine.
//!
//! Reading order: [`wire`], [`session`] (the node's side), [`origin`] (the other), [`mark`], [`papers`],
//! [`places`], [`fill`], [`mod@restore`], [`mod@drill`].

pub mod drill;
mod fill;
mod mark;
pub mod origin;
mod papers;
mod places;
pub mod restore;
pub(crate) mod session;
mod wire;

pub use drill::{BackupDrill, BackupDrillError, drill};
pub use origin::FromNode;
pub use restore::{BackupRestoreError, BackupRestored, RestoreFrom, restore};

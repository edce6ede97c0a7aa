//! The ledger: what is written down before anything is done. An act is described by [`Fields`], which are
//! committed to by a hiding [`Commitment`]; the commitment goes into a public Merkle tree as a [`Leaf`],
//! the values stay in a sealed opening. [`Entry`] is prepared and not yet durable; [`Receipt`] is the proof
//! that it is durable, and whoever unwraps a key or releases a byte demands one.
//!
//! Never here: keys that open data, the catalog, the network. The core does no I/O; only [`mod@publish`],
//! [`mod@verify`] and [`witnessed`] touch files, through `host::files`.
//!
//! Reading order: [`kind`], [`fields`], [`entry`], [`tree`], [`tile`], [`note`], [`keys`], [`folder`],
//! [`mod@publish`], [`mod@verify`], [`cosignature`], [`quorum`], [`witnessed`], [`disclose`], [`erasure`], [`lease`].

pub mod cosignature;
pub mod disclose;
pub mod entry;
pub mod erasure;
pub mod fields;
pub mod folder;
pub mod inventory;
pub mod keys;
pub mod kind;
pub mod lease;
pub mod note;
pub mod publish;
pub mod quorum;
pub mod record;
mod resume;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod witnessed;

pub use cosignature::WitnessKey;
pub use disclose::Disclosure;
pub use entry::{Entry, LEAF_BYTES, Leaf, Receipt, row_key};
pub use erasure::{ErasureReceipt, ReceiptError};
pub use fields::{Commitment, Fields};
pub use keys::{LogKeys, VerifierKeys};
pub use kind::Kind;
pub use lease::{Lease, LeaseAsk, LeaseError, LeasedKey};
pub use note::Checkpoint;
pub use publish::Publisher;
pub use quorum::Quorum;
pub use record::opening::OpeningError;
pub use tree::sha256;
pub use verify::{Relation, Trust, Verified, compare_folders, verify};
pub use witnessed::Witnessed;

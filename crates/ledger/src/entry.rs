//! The two proof tokens: [`Entry`] is prepared and not durable, [`Receipt`] is durable. Neither can be
//! copied, and neither can be made from its parts outside this crate.

use crate::fields::Commitment;
use crate::record::row;
use crate::tree::{Hash, leaf_hash};

/// Length of a leaf: the version byte and the commitment.
pub const LEAF_BYTES: usize = 33;

const LEAF_VERSION: u8 = 1;

/// What the public tree holds of an entry: a version byte (1) and a 32-byte hiding commitment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf([u8; LEAF_BYTES]);

/// Why bytes are not a leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// The length is wrong.
    #[error("a ledger leaf has {LEAF_BYTES} bytes, this one has {0}")]
    Length(usize),
    /// The version is not known.
    #[error("ledger leaf version {0} is not known here (this build reads version {LEAF_VERSION})")]
    Version(u8),
}

impl Leaf {
    /// The leaf of a commitment.
    #[must_use]
    pub fn new(commitment: &Commitment) -> Self {
        let mut bytes = [LEAF_VERSION; LEAF_BYTES];
        bytes[1..].copy_from_slice(commitment.as_bytes());
        Self(bytes)
    }
    /// Reads a leaf as it is stored.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        let leaf: [u8; LEAF_BYTES] = bytes
            .try_into()
            .map_err(|_| LeafError::Length(bytes.len()))?;
        match leaf[0] {
            LEAF_VERSION => Ok(Self(leaf)),
            other => Err(LeafError::Version(other)),
        }
    }
    /// The leaf as it is stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LEAF_BYTES] {
        &self.0
    }
    /// The commitment inside.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&self.0[1..]);
        Commitment::from_stored(bytes)
    }
    /// Its hash in the tree: SHA-256(0x00 ‖ leaf), RFC 6962 section 2.1.
    #[must_use]
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.0)
    }
}

/// An entry that is prepared and not yet durable. Only a commit turns it into a [`Receipt`].
#[must_use = "an entry records nothing until it is committed"]
#[derive(Debug)]
pub struct Entry {
    leaf: Leaf,
    sealed_opening: Vec<u8>,
}

impl Entry {
    /// Puts together the commitment and the opening, which the vault has sealed already.
    pub fn prepare(commitment: Commitment, sealed_opening: Vec<u8>) -> Self {
        Self {
            leaf: Leaf::new(&commitment),
            sealed_opening,
        }
    }
    /// What goes into the tree.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }
    /// The catalog's row for this entry: version ‖ leaf ‖ sealed opening.
    #[must_use]
    pub fn row_value(&self) -> Vec<u8> {
        row::encode(&self.leaf, &self.sealed_opening)
    }
    /// How many bytes [`Entry::row_value`] has.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        row::HEAD_BYTES + self.sealed_opening.len()
    }
    /// Turns the entry into a receipt. Only `catalog` may call this, and only when the row is durable
    /// under `index` (a house rule checks who calls).
    pub fn settled(self, index: u64) -> Receipt {
        Receipt {
            index,
            leaf_hash: self.leaf.hash(),
        }
    }
}

/// Proof that an entry is durable. Whoever unwraps a key or releases a byte demands one by value or by
/// reference; it cannot be copied or made by hand.
#[must_use = "a receipt is the permission to act; dropping it means the act was recorded and not done"]
#[derive(Debug)]
pub struct Receipt {
    index: u64,
    leaf_hash: Hash,
}

impl Receipt {
    /// Where the entry stands in the ledger, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }
    /// The hash of its leaf in the tree.
    #[must_use]
    pub const fn leaf_hash(&self) -> &Hash {
        &self.leaf_hash
    }
}

/// The catalog's key of a ledger row: `L` ‖ the index in eight big-endian bytes.
#[must_use]
pub const fn row_key(index: u64) -> [u8; 9] {
    let i = index.to_be_bytes();
    [b'L', i[0], i[1], i[2], i[3], i[4], i[5], i[6], i[7]]
}

//! The Merkle tree of RFC 6962 section 2.1 over SHA-256: hashes, the compact frontier of a growing tree,
//! and the proofs that an entry is in a tree and that one tree is the beginning of another (verified by
//! RFC 9162 sections 2.1.3.2 and 2.1.4.2). Pure; where the hashes of subtrees lie is the caller's affair.

use aws_lc_rs::digest::{SHA256, digest};
use words::wire::{Reader, WireError, Writer};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// SHA-256 of bytes that lie together; handing short messages over in parts costs more than copying them.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// The hash of a leaf: SHA-256(0x00 ‖ leaf).
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut message = Vec::with_capacity(1 + leaf.len());
    message.push(0);
    message.extend_from_slice(leaf);
    sha256(&message)
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut message = [1; 65];
    message[1..33].copy_from_slice(left);
    message[33..].copy_from_slice(right);
    sha256(&message)
}

/// The root of the tree without leaves: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(b"")
}

/// The roots of the perfect subtrees that make up a tree, largest first: all that is needed to append and
/// to know the root. At most 64 hashes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    const VERSION: u8 = 1;

    /// The frontier of the tree whose leaf hashes (or hashes of equal perfect subtrees) are these.
    #[must_use]
    pub fn of(hashes: &[Hash]) -> Self {
        let mut frontier = Self::default();
        for hash in hashes {
            frontier.push(*hash);
        }
        frontier
    }
    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
    /// The roots of the perfect subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }
    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        let mut size = self.size;
        while size & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            size >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }
    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        root_of_peaks(&self.peaks)
    }
    /// The frontier as it is stored: version 1 ‖ size (u64) ‖ one hash for every bit set in the size.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let start = Writer::versioned(Self::VERSION).u64(self.size);
        self.peaks
            .iter()
            .fold(start, |writer, peak| writer.raw(peak))
            .finish()
    }
    /// Reads a stored frontier.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, Self::VERSION)?;
        let size = reader.u64()?;
        let peaks = (0..size.count_ones())
            .map(|_| reader.array())
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { size, peaks })
    }
}

/// The root over subtree roots that stand in order, largest first.
pub(crate) fn root_of_peaks(peaks: &[Hash]) -> Hash {
    let folded = peaks
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| node_hash(&left, &right));
    folded.unwrap_or_else(empty_root)
}

/// Gives the root of the perfect subtree of height `level` that is the `index`-th of its height from the
/// left; level 0 are the leaf hashes.
pub trait Nodes {
    /// Why a hash cannot be had.
    type Error;
    /// The root of one perfect subtree.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The largest power of two below `n`, for `n` of at least 2.
const fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

fn range_root<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let mut peaks = Vec::new();
    let mut at = start;
    while at < end {
        let step = 1_u64 << (63 - (end - at).leading_zeros());
        peaks.push(nodes.node(step.trailing_zeros(), at / step)?);
        at += step;
    }
    Ok(root_of_peaks(&peaks))
}

/// The proof that the leaf at `index` is in the tree of `size` leaves, lowest sibling first (RFC 6962
/// section 2.1.1). Empty if `index` is not below `size`.
pub fn inclusion_proof<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while index < size && end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `old` leaves is the beginning of the tree of `new` leaves (RFC 6962 section
/// 2.1.2). Empty if `old` is 0 or not below `new`.
pub fn consistency_proof<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut end) = (0, new);
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    if start > 0 {
        path.push(range_root(nodes, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether the proof leads from the leaf hash at `index` to the root of the tree of `size` leaves.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that the tree of `old.0` leaves with root `old.1` is the beginning of the tree of
/// `new.0` leaves with root `new.1`.
#[must_use]
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    if old.0 == new.0 {
        return proof.is_empty() && old.1 == new.1;
    }
    if old.0 == 0 {
        return proof.is_empty() && *old.1 == empty_root();
    }
    consistency_roots(old, new.0, proof) == Some((*old.1, *new.1))
}

/// The roots at the old and at the new size that a consistency proof leads to; `None` if it cannot be one
/// between these sizes, of which the old one may not be 0 and has to be below the new one. If the new root
/// is the right one, so is the old one: a tree has only one root at each smaller size. Where the old tree is
/// one perfect subtree the proof does not hold its root, and `old.1` comes back as it was given.
#[must_use]
pub fn consistency_roots(old: (u64, &Hash), new: u64, proof: &[Hash]) -> Option<(Hash, Hash)> {
    if old.0 == 0 || old.0 >= new {
        return None;
    }
    let (mut place, mut last) = (old.0 - 1, new - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    // Where the old tree is one perfect subtree, its root is not repeated in the proof.
    let (seed, rest) = match old.0.is_power_of_two() {
        true => (old.1, proof),
        false => proof.split_first()?,
    };
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for sibling in rest {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    (last == 0).then_some((old_hash, new_hash))
}

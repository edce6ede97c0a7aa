//! The persons of one access, as the ledger commits to them: the root of an RFC 6962 tree over their labels, sorted.
//! It tells nobody who they are or which accesses concern the same person, and each can prove to have been among them.

use crate::chain::Label;
use ledger::tree::{
    Frontier, Hash, Nodes, inclusion_proof, leaf_hash, node_hash, verify_inclusion,
};

/// The persons of one access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonSet {
    labels: Vec<Label>,
    /// Roots of the perfect subtrees of each height, from the leaves up.
    levels: Vec<Vec<Hash>>,
}

/// Where one label stands in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Its place among the sorted labels, from 0.
    pub place: u32,
    /// How many there are.
    pub size: u32,
    /// The path to the root.
    pub path: Vec<Hash>,
}

impl PersonSet {
    /// The set of these labels.
    #[must_use]
    pub fn of(mut labels: Vec<Label>) -> Self {
        labels.sort_unstable();
        labels.dedup();
        let mut level: Vec<Hash> = labels.iter().map(|label| leaf_hash(label)).collect();
        let mut levels = Vec::new();
        while !level.is_empty() {
            let pairs = level.as_chunks::<2>().0.iter();
            let above = pairs.map(|[left, right]| node_hash(left, right)).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        Self { labels, levels }
    }
    /// What the ledger's entry carries.
    #[must_use]
    pub fn root(&self) -> Hash {
        Frontier::of(self.levels.first().map_or(&[], Vec::as_slice)).root()
    }
    /// Where a label stands; `None` if it is not in the set.
    #[must_use]
    pub fn membership(&self, label: &Label) -> Option<Membership> {
        let place = self.labels.binary_search(label).ok()?;
        let (at, size) = (place as u64, self.labels.len() as u64);
        let Ok(path) = inclusion_proof(self, at, size);
        Some(Membership {
            place: u32::try_from(place).ok()?,
            size: u32::try_from(size).ok()?,
            path,
        })
    }
}

impl Nodes for PersonSet {
    type Error = std::convert::Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        let found = usize::try_from(level)
            .ok()
            .and_then(|level| self.levels.get(level))
            .zip(usize::try_from(index).ok())
            .and_then(|(level, index)| level.get(index));
        Ok(found.copied().unwrap_or_default())
    }
}

impl Membership {
    /// Alone in a set.
    #[must_use]
    pub const fn alone() -> Self {
        Self {
            place: 0,
            size: 1,
            path: Vec::new(),
        }
    }
    /// Whether the label stands in the set of this root.
    #[must_use]
    pub fn holds(&self, label: &Label, root: &Hash) -> bool {
        let (place, size) = (u64::from(self.place), u64::from(self.size));
        verify_inclusion(&leaf_hash(label), place, size, &self.path, root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_is_in_and_no_other(labels in prop::collection::btree_set(any::<Label>(), 1..70), other: Label) {
            let all: Vec<Label> = labels.iter().copied().collect();
            let set = PersonSet::of(all.iter().rev().copied().collect());
            let root = set.root();
            for label in &all {
                let at = set.membership(label).unwrap();
                prop_assert!(at.holds(label, &root));
                prop_assert!(!at.holds(&other, &root) || labels.contains(&other));
            }
            prop_assert_eq!(set.membership(&other).is_some(), labels.contains(&other));
        }
    }

    #[test]
    fn alone() {
        let set = PersonSet::of(vec![[1; 32], [1; 32]]);
        assert_eq!(set.membership(&[1; 32]), Some(Membership::alone()));
        assert!(Membership::alone().holds(&[1; 32], &set.root()));
    }
}

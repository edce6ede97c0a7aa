//! The tree against a naive one written straight from RFC 6962, and every proof for every small size.

use ledger::tile::{Column, Edge, Tile, partial_tiles, span};
use ledger::tree::{
    Frontier, Hash, Nodes, consistency_proof, empty_root, inclusion_proof, leaf_hash, node_hash,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use std::collections::BTreeMap;
use std::convert::Infallible;

struct Naive(Vec<Hash>);

impl Naive {
    fn of(size: u64) -> Self {
        Self((0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect())
    }
    fn root(&self, size: u64) -> Hash {
        mth(&self.0[..usize::try_from(size).unwrap()])
    }
}

impl Nodes for Naive {
    type Error = Infallible;
    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let (start, end) = (index << level, (index + 1) << level);
        Ok(mth(
            &self.0[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()]
        ))
    }
}

fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        more => {
            let middle = more.len().next_power_of_two() / 2;
            node_hash(&mth(&more[..middle]), &mth(&more[middle..]))
        }
    }
}

#[test]
fn the_empty_tree_and_the_vectors_of_rfc_6962() {
    // The inputs and roots of the reference implementation of Certificate Transparency.
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(
        words::hex::encode(&frontier.root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (input, root) in inputs.iter().zip(roots) {
        frontier.push(leaf_hash(&words::hex::decode(input).unwrap()));
        assert_eq!(words::hex::encode(&frontier.root()), root);
    }
}

#[test]
fn every_proof_of_every_small_tree() {
    let tree = Naive::of(70);
    for size in 1..=70_u64 {
        let root = tree.root(size);
        for index in 0..size {
            let leaf = tree.0[usize::try_from(index).unwrap()];
            let proof = inclusion_proof(&tree, index, size).unwrap();
            assert!(verify_inclusion(&leaf, index, size, &proof, &root));
            assert!(!verify_inclusion(&root, index, size, &proof, &leaf) || size == 1);
            let mut longer = proof.clone();
            longer.push(root);
            assert!(!verify_inclusion(&leaf, index, size, &longer, &root));
            for place in 0..proof.len() {
                let mut other = proof.clone();
                other[place][0] ^= 1;
                assert!(!verify_inclusion(&leaf, index, size, &other, &root));
                assert!(!verify_inclusion(
                    &leaf,
                    index,
                    size,
                    &proof[..place],
                    &root
                ));
            }
        }
        assert!(!verify_inclusion(&tree.0[0], size, size, &[], &root));
        for old in 0..=size {
            let old_root = tree.root(old);
            let proof = consistency_proof(&tree, old, size).unwrap();
            assert!(
                verify_consistency((old, &old_root), (size, &root), &proof),
                "{old} {size}"
            );
            let mut wrong = old_root;
            wrong[5] ^= 1;
            assert!(
                !verify_consistency((old, &wrong), (size, &root), &proof),
                "{old} {size}"
            );
            for place in 0..proof.len() {
                let mut other = proof.clone();
                other[place][31] ^= 0x80;
                assert!(!verify_consistency((old, &old_root), (size, &root), &other));
                assert!(!verify_consistency(
                    (old, &old_root),
                    (size, &root),
                    &proof[..place]
                ));
            }
            if old < size {
                assert!(!verify_consistency((size, &root), (old, &old_root), &proof));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_frontier_is_the_naive_tree_and_reads_back(size in 0_u64..2000) {
        let tree = Naive::of(size);
        let frontier = Frontier::of(&tree.0);
        prop_assert_eq!(frontier.root(), tree.root(size));
        prop_assert_eq!(frontier.peaks().len(), size.count_ones() as usize);
        let stored = frontier.to_bytes();
        prop_assert_eq!(Frontier::parse(&stored), Ok(frontier));
        for length in 0..stored.len() {
            prop_assert!(Frontier::parse(&stored[..length]).is_err());
        }
    }

    #[test]
    fn the_edge_gives_every_tile_of_the_specification(size in 0_u64..140_000) {
        let mut edge = Edge::default();
        let mut frontier = Frontier::default();
        let mut tiles = BTreeMap::new();
        let mut leaves = Vec::new();
        for i in 0..size {
            let hash = leaf_hash(&i.to_be_bytes());
            leaves.push(hash);
            frontier.push(hash);
            edge.push(hash, &mut |tile, hashes| { tiles.insert(tile, hashes.to_vec()); });
        }
        prop_assert_eq!(edge.root(), frontier.root());
        for tile in partial_tiles(size) {
            let Column::Hashes(level) = tile.column else { continue };
            prop_assert_eq!(edge.level(level).len(), usize::from(tile.width));
            tiles.insert(tile, edge.level(level).to_vec());
        }
        // By the definition: the n-th tile at level l holds MTH(D[(n*256+i)*256^l : (n*256+i+1)*256^l]).
        for level in 0..8 {
            let hashes = size / span(level);
            for index in 0..hashes.div_ceil(256) {
                let width = u16::try_from((hashes - index * 256).min(256)).unwrap();
                let tile = Tile { column: Column::Hashes(level), index, width };
                let found = tiles.remove(&tile);
                prop_assert!(found.is_some(), "{tile:?}");
                let first = usize::try_from(index * 256 * span(level)).unwrap();
                let one = usize::try_from(span(level)).unwrap();
                prop_assert_eq!(found.unwrap()[0], mth(&leaves[first..first + one]));
            }
        }
        prop_assert!(tiles.is_empty());
    }
}

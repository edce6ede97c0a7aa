//! The public tree: paths of tiles, bundles of entries, the growing edge, and proofs. Paths have one spelling,
//! a bundle gives back what was put in, roots are those of the recursive definition in RFC 6962, true proofs
//! hold and others do not.
#![no_main]

use fuzz::{Input, canonical};
use ledger::tile::{self, Column, Edge, Tile};
use ledger::tree::{self, Frontier, Hash, Nodes};
use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 5 {
        0 => path(&String::from_utf8_lossy(input.rest())),
        1 => bundle(input.u16() % 300, input.rest()),
        2 => grown(&mut input),
        3 => proofs(&mut input),
        _ => {
            canonical(input.rest(), Frontier::parse, Frontier::to_bytes);
        }
    }
});

fn path(path: &str) {
    let Some(tile) = Tile::parse(path) else {
        return;
    };
    assert_eq!(tile.path(), path);
    assert!((1..=256).contains(&tile.width));
    assert_eq!(
        Tile::parse(&tile.when_full().path()),
        Some(tile.when_full())
    );
    assert!(tile.first_entry(0) <= tile.end());
    let level = match tile.column {
        Column::Entries => 0,
        Column::Hashes(level) => level,
    };
    if tile.end() < u64::MAX {
        assert_eq!(tile::width_at(tile.end(), level, tile.index), tile.width);
    }
}

fn bundle(width: u16, bytes: &[u8]) {
    let (found, length) = tile::entries(bytes, width);
    assert!(found.len() <= usize::from(width) && length <= bytes.len());
    let mut again = Vec::new();
    for entry in &found {
        tile::push_entry(&mut again, entry);
    }
    assert_eq!(again, bytes[..length]);
    assert_eq!(tile::entries(&again, width), (found, length));
}

fn leaves(input: &mut Input<'_>, most: usize) -> Vec<Hash> {
    let (count, kind) = (input.below(most + 1), input.u8());
    let leaf = |place: usize| tree::leaf_hash(&[[kind; 4], (place as u32).to_be_bytes()].concat());
    (0..count).map(leaf).collect()
}

/// The root by its definition.
fn root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => tree::empty_root(),
        [only] => *only,
        _ => {
            let split = hashes.len().next_power_of_two() / 2;
            let (left, right) = hashes.split_at(split);
            tree::node_hash(&root(left), &root(right))
        }
    }
}

/// A log that grows leaf by leaf, and is taken up again from its partial tiles.
fn grown(input: &mut Input<'_>) {
    let leaves = leaves(input, 530);
    let mut edge = Edge::default();
    for leaf in &leaves {
        edge.push(*leaf, &mut |tile, hashes| {
            assert!(tile.is_full() && hashes.len() == 256);
            assert_eq!(Tile::parse(&tile.path()), Some(tile));
        });
    }
    let size = leaves.len() as u64;
    assert_eq!(edge.size(), size);
    let expected = root(&leaves);
    assert_eq!(edge.root(), expected);
    assert_eq!(Frontier::of(&leaves).root(), expected);
    let levels: Vec<Vec<Hash>> = (0..8).map(|level| edge.level(level).to_vec()).collect();
    let restored = Edge::restore(size, levels.clone()).expect("its own levels");
    assert_eq!(restored.root(), expected);
    let other = input.u64();
    if let Some(restored) = Edge::restore(other, levels) {
        assert_eq!(restored.size(), other);
    }
    for tile in tile::partial_tiles(other) {
        assert_eq!(Tile::parse(&tile.path()), Some(tile));
    }
}

struct Leaves<'a>(&'a [Hash]);

impl Nodes for Leaves<'_> {
    type Error = Infallible;
    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let (width, index) = (1_usize << level, index as usize);
        Ok(root(&self.0[index * width..(index + 1) * width]))
    }
}

fn proofs(input: &mut Input<'_>) {
    let leaves = leaves(input, 40);
    let size = leaves.len() as u64;
    let (index, old) = (u64::from(input.u8() % 41), u64::from(input.u8() % 41));
    let head = root(&leaves);
    let Ok(mut path) = tree::inclusion_proof(&Leaves(&leaves), index, size);
    if index < size {
        let leaf = leaves[index as usize];
        assert!(tree::verify_inclusion(&leaf, index, size, &path, &head));
        spoil(&mut path, input);
        let Ok(right) = tree::inclusion_proof(&Leaves(&leaves), index, size);
        let holds = tree::verify_inclusion(&leaf, index, size, &path, &head);
        assert_eq!(holds, path == right);
    }
    let Ok(mut path) = tree::consistency_proof(&Leaves(&leaves), old, size);
    if old <= size {
        let before = root(&leaves[..old as usize]);
        let holds = |path: &[Hash]| tree::verify_consistency((old, &before), (size, &head), path);
        assert!(holds(&path));
        let right = path.clone();
        spoil(&mut path, input);
        assert_eq!(holds(&path), path == right);
    }
    // Numbers that no tree of ours reached.
    let (a, b) = (input.u64(), input.u64());
    let leaf = [1; 32];
    assert!(!tree::verify_inclusion(&leaf, a, b, &path, &[2; 32]));
    assert!(!tree::verify_consistency((a, &leaf), (b, &[2; 32]), &path));
}

fn spoil(path: &mut Vec<Hash>, input: &mut Input<'_>) {
    let (act, at) = (input.u8() % 4, input.below(path.len().max(1)));
    match act {
        0 if !path.is_empty() => path[at][usize::from(input.u8() % 32)] ^= input.u8(),
        1 => path.push(input.array()),
        2 if !path.is_empty() => drop(path.remove(at)),
        _ => path.reverse(),
    }
}

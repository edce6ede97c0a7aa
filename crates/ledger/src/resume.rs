//! Taking up a log where its files end: the right edge from the partial tiles under the checkpoint, or, if
//! they are damaged, from the full tiles before them. Removes what lies beyond the checkpoint, and nothing
//! under it.

use crate::folder::{Folder, FolderError};
use crate::tile::{
    Column, Edge, TILE_WIDTH, Tile, entries, partial_tiles, push_entry, span, tile_root,
};
use crate::tree::{Hash, leaf_hash};
use host::files;
use std::path::Path;

const WIDTH: u64 = TILE_WIDTH as u64;

/// The edge to go on from, and the bundle of entries that is not full.
pub fn edge(folder: &Folder, signed: Option<(u64, Hash)>) -> Result<(Edge, Vec<u8>), FolderError> {
    let Some((size, root)) = signed else {
        return Ok((Edge::default(), Vec::new()));
    };
    match at_checkpoint(folder, size) {
        Ok(Some((edge, bundle))) if edge.root() == root => Ok((edge, bundle)),
        Err(FolderError::Io(path, error)) => Err(FolderError::Io(path, error)),
        _ => Ok((before(folder, size).unwrap_or_default(), Vec::new())),
    }
}

/// The edge as the partial tiles of a checkpoint have it.
fn at_checkpoint(folder: &Folder, size: u64) -> Result<Option<(Edge, Vec<u8>)>, FolderError> {
    let mut levels = vec![Vec::new(); 8];
    for tile in partial_tiles(size) {
        if let Column::Hashes(level) = tile.column
            && let Some(place) = levels.get_mut(usize::from(level))
        {
            *place = folder.hashes(&tile)?;
        }
    }
    let width = u16::try_from(size % WIDTH).unwrap_or(0);
    let mut bundle = Vec::new();
    if width > 0 {
        let tile = Tile {
            column: Column::Entries,
            index: size / WIDTH,
            width,
        };
        let (stored, _) = folder.bundle(&tile)?;
        let (found, _) = entries(&stored, width);
        let hashes: Vec<Hash> = found.iter().map(|entry| leaf_hash(entry)).collect();
        if levels.first() != Some(&hashes) {
            return Ok(None);
        }
        found
            .iter()
            .for_each(|entry| push_entry(&mut bundle, entry));
    }
    Ok(Edge::restore(size, levels).map(|edge| (edge, bundle)))
}

/// The edge of as much as the full tiles before `size` still hold. Nothing here is trusted: the publisher
/// compares the root when it reaches the size that was signed.
fn before(folder: &Folder, size: u64) -> Option<Edge> {
    let tiles = size / WIDTH;
    let first = tiles - tiles % WIDTH;
    let mut level_1 = Vec::new();
    for index in first..tiles {
        match whole_pair(folder, index) {
            Some(hashes) => level_1.push(tile_root(&hashes)),
            None => break,
        }
    }
    let size = (first + level_1.len() as u64) * WIDTH;
    let mut levels = vec![Vec::new(), level_1];
    for level in 2..8_u8 {
        let hashes = size / span(level);
        let below = hashes - hashes % WIDTH..hashes;
        let read = |index| {
            folder
                .hashes(&Tile::full(Column::Hashes(level - 1), index))
                .ok()
        };
        levels.push(
            below
                .map(|index| read(index).map(|h| tile_root(&h)))
                .collect::<Option<_>>()?,
        );
    }
    Edge::restore(size, levels)
}

/// The hashes of a full tile of leaves, if its bundle is there and agrees with it.
fn whole_pair(folder: &Folder, index: u64) -> Option<Vec<Hash>> {
    let hashes = folder.hashes(&Tile::full(Column::Hashes(0), index)).ok()?;
    let (bundle, _) = folder.bundle(&Tile::full(Column::Entries, index)).ok()?;
    let (found, _) = entries(&bundle, 256);
    found
        .iter()
        .map(|entry| leaf_hash(entry))
        .eq(hashes.iter().copied())
        .then_some(hashes)
}

/// Removes tiles beyond a checkpoint of `size`, which a crash left behind (they would be written over in
/// time; until then they would lie there unsigned), and partial tiles whose full tile is there.
pub fn sweep(folder: &Folder, size: u64) -> Result<(), FolderError> {
    let columns = (0..8_u8).map(|level| (Column::Hashes(level), span(level)));
    for (column, span) in columns.chain([(Column::Entries, 1)]) {
        let (edge, width) = (size / span / WIDTH, size / span % WIDTH);
        let full = folder.path_of(&Tile::full(column, edge));
        let Some(above) = full.parent() else { continue };
        let wrap = |error| FolderError::Io(above.to_owned(), error);
        for name in files::list(above).map_err(wrap)? {
            let (digits, is_partial) = match name.strip_suffix(".p") {
                Some(digits) => (digits, true),
                None => (name.as_str(), false),
            };
            let Some(place) = digits.parse::<u64>().ok().filter(|_| digits.len() == 3) else {
                continue;
            };
            let index = edge - edge % 1000 + place;
            if index == edge && is_partial {
                sweep_partial(&above.join(&name), width).map_err(wrap)?;
            } else if is_partial && (index > edge || is_there(&above.join(digits))) {
                files::remove_tree(&above.join(&name)).map_err(wrap)?;
            } else if index >= edge && !is_partial {
                files::remove(&above.join(&name)).map_err(wrap)?;
            }
        }
    }
    Ok(())
}

fn is_there(path: &Path) -> bool {
    matches!(files::stat(path), Ok(Some(_)))
}

fn sweep_partial(folder: &Path, width: u64) -> std::io::Result<()> {
    for name in files::list(folder)? {
        if name.parse::<u64>().is_ok_and(|found| found > width) {
            files::remove(&folder.join(name))?;
        }
    }
    Ok(())
}

//! How a log lies in files: C2SP tlog-tiles. Tiles of 256 hashes and bundles of 256 entries, their paths,
//! and the right edge of a growing log. Pure.

use crate::tree::{Frontier, Hash, root_of_peaks};
use std::fmt::Write;

/// Hashes in a full tile and entries in a full bundle.
pub const TILE_WIDTH: usize = 256;
const WIDTH: u64 = TILE_WIDTH as u64;
/// Bytes of a full tile of hashes.
pub const TILE_BYTES_MAX: u64 = WIDTH * 32;
/// Largest entry, since its length stands before it in two bytes.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;
/// Largest bundle.
pub const BUNDLE_BYTES_MAX: u64 = WIDTH * (2 + ENTRY_BYTES_MAX as u64);

/// What a tile holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Column {
    /// Hashes of subtrees of 256^level leaves.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// One file of a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tile {
    /// What it holds.
    pub column: Column,
    /// Its place in its column, from 0.
    pub index: u64,
    /// How many hashes or entries it holds: 1 to 256.
    pub width: u16,
}

impl Tile {
    /// A full tile.
    #[must_use]
    pub const fn full(column: Column, index: u64) -> Self {
        Self {
            column,
            index,
            width: 256,
        }
    }
    /// Whether nothing more fits in.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == 256
    }
    /// The same place, full.
    #[must_use]
    pub const fn when_full(&self) -> Self {
        Self::full(self.column, self.index)
    }
    /// The path below the log's folder, such as `tile/0/x001/x234/067.p/17`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = match self.column {
            Column::Hashes(level) => format!("tile/{level}/"),
            Column::Entries => String::from("tile/entries/"),
        };
        push_index(&mut path, self.index);
        if !self.is_full() {
            // Writing into a string cannot fail.
            let _ = write!(path, ".p/{}", self.width);
        }
        path
    }
    /// Reads a path; `None` for anything that [`Tile::path`] would not write.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (column, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let column = match column {
            "entries" => Column::Entries,
            level => Column::Hashes(level.parse().ok().filter(|level| *level < 64)?),
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|w| (1..256).contains(w))?),
            None => (rest, 256),
        };
        let digits: String = index
            .split('/')
            .map(|part| part.trim_start_matches('x'))
            .collect();
        let tile = Self {
            column,
            index: digits.parse().ok()?,
            width,
        };
        (tile.path() == path).then_some(tile)
    }
    /// The index after the last entry that the tile covers.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first_entry(self.width as u64)
    }
    /// The index of the first entry that the tile's `slot` covers.
    #[must_use]
    pub const fn first_entry(&self, slot: u64) -> u64 {
        let place = self.index.saturating_mul(WIDTH).saturating_add(slot);
        match self.column {
            Column::Entries => place,
            Column::Hashes(level) => place.saturating_mul(span(level)),
        }
    }
}

fn push_index(path: &mut String, index: u64) {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for (left, group) in groups.iter().enumerate().rev() {
        let _ = match left {
            0 => write!(path, "{group:03}"),
            _ => write!(path, "x{group:03}/"),
        };
    }
}

/// How many entries one hash of this level covers: 256^level, or the most there can be.
#[must_use]
pub const fn span(level: u8) -> u64 {
    if level >= 8 {
        u64::MAX
    } else {
        1 << (8 * level as u32)
    }
}

/// How many hashes the tile at `index` of `level` has in a tree of `size` leaves; 0 if there is none.
#[must_use]
pub fn width_at(size: u64, level: u8, index: u64) -> u16 {
    let hashes = size / span(level);
    let left = hashes.saturating_sub(index.saturating_mul(WIDTH));
    u16::try_from(left.min(WIDTH)).unwrap_or(0)
}

/// The last tiles of a tree of `size` leaves: for each level that is not empty, the partial tile if there
/// is one.
pub fn partial_tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..8_u8)
        .map_while(move |level| {
            let hashes = size / span(level);
            let width = u16::try_from(hashes % WIDTH).unwrap_or(0);
            (hashes > 0).then_some(Tile {
                column: Column::Hashes(level),
                index: hashes / WIDTH,
                width,
            })
        })
        .filter(|tile| tile.width > 0)
}

/// Appends one entry to a bundle: two bytes of length, then the entry. The caller keeps entries below
/// [`ENTRY_BYTES_MAX`]; leaves of this ledger have 33 bytes.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Takes the first `width` entries of a bundle, and tells how many bytes they take up. A bundle that is cut
/// or damaged gives fewer.
#[must_use]
pub fn entries(bundle: &[u8], width: u16) -> (Vec<&[u8]>, usize) {
    let mut rest = bundle;
    let mut found = Vec::with_capacity(usize::from(width));
    while found.len() < usize::from(width) {
        let Some((length, tail)) = rest.split_first_chunk::<2>() else {
            break;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((entry, tail)) = tail.split_at_checked(length) else {
            break;
        };
        found.push(entry);
        rest = tail;
    }
    (found, bundle.len() - rest.len())
}

/// The root over the hashes of a full tile.
#[must_use]
pub fn tile_root(hashes: &[Hash]) -> Hash {
    Frontier::of(hashes).root()
}

/// The right edge of a log's tiles of hashes: for every level the hashes that do not fill a tile yet. From
/// it the tree can grow, and its root is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a log of `size` leaves whose partial tiles hold these hashes; `None` if their numbers do
    /// not fit the size.
    #[must_use]
    pub fn restore(size: u64, levels: Vec<Vec<Hash>>) -> Option<Self> {
        let fits = (0..8_u8).all(|level| {
            let found = levels.get(usize::from(level)).map_or(0, Vec::len);
            found as u64 == (size / span(level)) % WIDTH
        });
        (fits && levels.len() <= 8).then_some(Self { size, levels })
    }
    /// How many leaves the log has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
    /// The hashes of the partial tile of a level.
    #[must_use]
    pub fn level(&self, level: u8) -> &[Hash] {
        self.levels
            .get(usize::from(level))
            .map_or(&[], Vec::as_slice)
    }
    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = Vec::new();
        for level in self.levels.iter().rev() {
            peaks.extend_from_slice(Frontier::of(level).peaks());
        }
        root_of_peaks(&peaks)
    }
    /// Appends a leaf by its hash. Every tile that becomes full thereby is given to `full`.
    pub fn push(&mut self, leaf_hash: Hash, full: &mut impl FnMut(Tile, &[Hash])) {
        self.size += 1;
        let mut hash = leaf_hash;
        for level in 0..8_u8 {
            let place = usize::from(level);
            if self.levels.len() <= place {
                self.levels.push(Vec::with_capacity(TILE_WIDTH));
            }
            let Some(hashes) = self.levels.get_mut(place) else {
                return;
            };
            hashes.push(hash);
            if hashes.len() < TILE_WIDTH {
                return;
            }
            let index = self.size / span(level) / WIDTH - 1;
            full(Tile::full(Column::Hashes(level), index), hashes);
            hash = tile_root(hashes);
            hashes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, Tile, entries, partial_tiles, push_entry, width_at};

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = Tile::full(Column::Hashes(0), 1_234_067);
        assert_eq!(tile.path(), "tile/0/x001/x234/067");
        assert_eq!(
            Tile { width: 17, ..tile }.path(),
            "tile/0/x001/x234/067.p/17"
        );
        let entries = Tile {
            column: Column::Entries,
            index: 7,
            width: 255,
        };
        assert_eq!(entries.path(), "tile/entries/007.p/255");
        for path in [
            "tile/0/000",
            "tile/63/x001/000.p/1",
            "tile/entries/x999/999",
        ] {
            assert_eq!(
                Tile::parse(path).map(|tile| tile.path()).as_deref(),
                Some(path)
            );
        }
        for path in [
            "tile/0/1",
            "tile/00/001",
            "tile/64/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/001/000",
            "tile/0/x000/000",
            "tile/other/000",
            "tile/0/../000",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn the_specifications_example_of_70000_leaves() {
        let partial: Vec<String> = partial_tiles(70_000).map(|tile| tile.path()).collect();
        assert_eq!(
            partial,
            ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
        );
        let partial: Vec<String> = partial_tiles(256).map(|tile| tile.path()).collect();
        assert_eq!(partial, ["tile/1/000.p/1"]);
        assert_eq!(width_at(70_000, 0, 272), 256);
        assert_eq!(width_at(70_000, 0, 273), 112);
        assert_eq!(width_at(70_000, 0, 274), 0);
        assert_eq!(width_at(70_000, 9, 0), 0);
    }

    #[test]
    fn bundles_read_back_and_a_cut_one_names_where_it_ends() {
        let mut bundle = Vec::new();
        for entry in [&b"one"[..], b"", b"three"] {
            push_entry(&mut bundle, entry);
        }
        let all = vec![&b"one"[..], b"", b"three"];
        assert_eq!(entries(&bundle, 3), (all.clone(), bundle.len()));
        assert_eq!(entries(&bundle, 1), (all[..1].to_vec(), 5));
        assert_eq!(entries(&bundle, 4), (all.clone(), bundle.len()));
        assert_eq!(
            entries(&bundle[..bundle.len() - 1], 3),
            (all[..2].to_vec(), 7)
        );
        assert_eq!(entries(&bundle[..6], 3), (all[..1].to_vec(), 5));
    }
}

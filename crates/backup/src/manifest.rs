//! The list of what belongs to a backup, with hashes: text, written last. There is one spelling of each manifest, so that
//! what is read is written again the same; its last line covers all others.

use catalog::Point;
use words::{ChunkId, CloudId, UnixMillis, hex};

/// Its name in the folder.
pub const FILE: &str = "MANIFEST";
/// No manifest is longer.
pub const BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// The longest paper.
pub const PAPER_BYTES_MAX: u64 = 1024 * 1024;
/// Most papers: amendments above all.
pub const PAPERS_MAX: usize = 1100;
const FIRST_LINE: &str = "clarence backup, format 1";
const PAPER_NAME_BYTES_MAX: usize = 64;

/// A file that the manifest lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of it.
    pub blake3: [u8; 32],
}

/// A block of rows that the manifest lists; they are numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// How many rows it holds.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of it.
    pub blake3: [u8; 32],
}

/// What belongs to a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The cloud.
    pub cloud: CloudId,
    /// When its moment was.
    pub taken: UnixMillis,
    /// Which of the backups in this folder it is, from 1.
    pub generation: u32,
    /// The engine that the rows came from, in a word.
    pub engine: String,
    /// The epoch in which it was taken.
    pub epoch: u64,
    /// How far the catalog had come.
    pub point: Point,
    /// The root of the ledger's tree over all its entries.
    pub root: [u8; 32],
    /// Size and root of the newest signed checkpoint; none, if the log was never published.
    pub checkpoint: Option<(u64, [u8; 32])>,
    /// All rows.
    pub rows: u64,
    /// Chunks that the rows name: how many, their bytes, BLAKE3 of their references in the rows' order.
    pub chunks: (u64, u64, [u8; 32]),
    /// Those of them that no site of the cloud had whole, and that are not here.
    pub lacking: Vec<ChunkId>,
    /// The papers, in the order of their names.
    pub papers: Vec<Paper>,
    /// The blocks of rows.
    pub blocks: Vec<Block>,
}

/// Whether a paper may be called so: a relative path of plain words.
#[must_use]
pub fn is_paper_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c);
    let word = |word: &str| !word.is_empty() && !word.starts_with('.') && word.bytes().all(plain);
    name.len() <= PAPER_NAME_BYTES_MAX && name.split('/').count() <= 2 && name.split('/').all(word)
}

impl Manifest {
    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\ncloud {}\ntaken {}\ngeneration {}\nengine {}\nepoch {}\nversion {}\nentries {} {}\n",
            self.cloud,
            self.taken.0,
            self.generation,
            self.engine,
            self.epoch,
            self.point.version,
            self.point.next_index,
            hex::encode(&self.root),
        );
        match &self.checkpoint {
            Some((size, root)) => {
                text.push_str(&format!("checkpoint {size} {}\n", hex::encode(root)));
            }
            None => text.push_str("checkpoint none\n"),
        }
        let (chunks, bytes, digest) = &self.chunks;
        text.push_str(&format!(
            "rows {}\nchunks {chunks} {bytes} {}\n",
            self.rows,
            hex::encode(digest)
        ));
        for chunk in &self.lacking {
            text.push_str(&format!("lacking {chunk}\n"));
        }
        for paper in &self.papers {
            let hash = hex::encode(&paper.blake3);
            text.push_str(&format!("paper {hash} {} {}\n", paper.bytes, paper.name));
        }
        for block in &self.blocks {
            let hash = hex::encode(&block.blake3);
            text.push_str(&format!("block {hash} {} {}\n", block.bytes, block.rows));
        }
        let lines = text.lines().count();
        let hash = blake3::hash(text.as_bytes());
        text.push_str(&format!("end {lines} {}\n", hex::encode(hash.as_bytes())));
        text
    }

    /// Reads a manifest; says what is wrong with one that cannot be used.
    pub fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix('\n').and_then(|t| t.rsplit_once('\n'));
        let (body, end) = body.ok_or("it is cut short")?;
        let body = format!("{body}\n");
        if body.lines().next() != Some(FIRST_LINE) {
            return Err(
                "its first line is another one: it is no backup, or of a newer format".into(),
            );
        }
        let hash = hex::encode(blake3::hash(body.as_bytes()).as_bytes());
        if end != format!("end {} {hash}", body.lines().count()) {
            return Err("its last line does not fit the others".into());
        }
        let read = Lines(body.lines().skip(1).collect(), 0).manifest();
        let manifest = read.ok_or("a line of it is malformed")?;
        match manifest.to_text() == text {
            true => Ok(manifest),
            false => Err("it is not spelled as a manifest is".into()),
        }
    }
}

/// The lines of a manifest in their order.
struct Lines<'t>(Vec<&'t str>, usize);

impl<'t> Lines<'t> {
    /// What follows the label, if the next line has it.
    fn take(&mut self, label: &str) -> Option<Vec<&'t str>> {
        let line = self.0.get(self.1)?;
        let mut words = line.split(' ');
        if words.next()? != label {
            return None;
        }
        self.1 += 1;
        Some(words.collect())
    }

    fn one<T: std::str::FromStr>(&mut self, label: &str) -> Option<T> {
        match self.take(label)?.as_slice() {
            [word] => word.parse().ok(),
            _ => None,
        }
    }

    fn manifest(mut self) -> Option<Manifest> {
        let cloud = CloudId::from_bytes(hex::decode_array(&self.one::<String>("cloud")?)?);
        let taken = UnixMillis(self.one("taken")?);
        let generation = self.one("generation")?;
        let engine: String = self.one("engine")?;
        let epoch = self.one("epoch")?;
        let version = self.one("version")?;
        let (next_index, root) = sized(&self.take("entries")?)?;
        let checkpoint = match self.take("checkpoint")?.as_slice() {
            ["none"] => None,
            words => Some(sized(words)?),
        };
        let rows = self.one("rows")?;
        let chunks = match self.take("chunks")?.as_slice() {
            [chunks, bytes, digest] => (
                chunks.parse().ok()?,
                bytes.parse().ok()?,
                hex::decode_array(digest)?,
            ),
            _ => return None,
        };
        let mut lacking = Vec::new();
        while let Some(chunk) = self.one::<String>("lacking") {
            lacking.push(ChunkId::parse(&chunk)?);
        }
        let mut papers: Vec<Paper> = Vec::new();
        while let Some(words) = self.take("paper") {
            papers.push(paper(&words)?);
        }
        let mut blocks = Vec::new();
        while let Some(words) = self.take("block") {
            let (blake3, bytes, rows) = listed(&words)?;
            let rows = rows.parse().ok()?;
            blocks.push(Block {
                rows,
                bytes,
                blake3,
            });
        }
        let sorted = papers.windows(2).all(|two| two[0].name < two[1].name);
        let fits = sorted && papers.len() <= PAPERS_MAX && self.1 == self.0.len();
        fits.then_some(Manifest {
            cloud,
            taken,
            generation,
            engine,
            epoch,
            point: Point {
                version,
                next_index,
            },
            root,
            checkpoint,
            rows,
            chunks,
            lacking,
            papers,
            blocks,
        })
    }
}

fn sized(words: &[&str]) -> Option<(u64, [u8; 32])> {
    match words {
        [size, root] => Some((size.parse().ok()?, hex::decode_array(root)?)),
        _ => None,
    }
}

fn listed<'t>(words: &[&'t str]) -> Option<([u8; 32], u64, &'t str)> {
    match words {
        [hash, bytes, last] => Some((hex::decode_array(hash)?, bytes.parse().ok()?, last)),
        _ => None,
    }
}

fn paper(words: &[&str]) -> Option<Paper> {
    let (blake3, bytes, name) = listed(words)?;
    let fits = is_paper_name(name) && bytes <= PAPER_BYTES_MAX;
    fits.then(|| Paper {
        name: name.to_owned(),
        bytes,
        blake3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Manifest {
        Manifest {
            cloud: CloudId::from_bytes([7; 16]),
            taken: UnixMillis(1_764_300_000_000),
            generation: 3,
            engine: "embedded".into(),
            epoch: 2,
            point: Point {
                version: 41,
                next_index: 17,
            },
            root: [1; 32],
            checkpoint: Some((16, [2; 32])),
            rows: 99,
            chunks: (2, 8_400_000, [3; 32]),
            lacking: vec![ChunkId::from_bytes([4; 16])],
            papers: vec![
                Paper {
                    name: "custody.json".into(),
                    bytes: 12,
                    blake3: [5; 32],
                },
                Paper {
                    name: "ledger/checkpoint".into(),
                    bytes: 13,
                    blake3: [6; 32],
                },
            ],
            blocks: vec![Block {
                rows: 99,
                bytes: 4_000,
                blake3: [8; 32],
            }],
        }
    }

    #[test]
    fn format_1_stays_readable() {
        assert_eq!(sample().to_text(), include_str!("manifest.golden"));
        assert_eq!(
            Manifest::parse(include_str!("manifest.golden")),
            Ok(sample())
        );
        let never = Manifest {
            checkpoint: None,
            lacking: Vec::new(),
            ..sample()
        };
        assert_eq!(Manifest::parse(&never.to_text()), Ok(never));
    }

    #[test]
    fn every_changed_byte_and_every_end_is_noticed() {
        let text = sample().to_text();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(Manifest::parse(&changed).is_err(), "byte {at}");
            }
            assert!(Manifest::parse(&text[..at]).is_err(), "cut at {at}");
        }
        assert!(Manifest::parse(&format!("{text}\n")).is_err());
    }

    #[test]
    fn names_of_papers_stay_within_the_folder() {
        for good in [
            "site.clr",
            "ledger/checkpoint.witnessed",
            "amendments/charter-2.toml",
        ] {
            assert!(is_paper_name(good), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a/b/c",
            "a//b",
            ".x",
            "A",
            "a b",
        ] {
            assert!(!is_paper_name(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_read(text in "\\PC{0,300}") {
            let _ = Manifest::parse(&text);
            let body = format!("{FIRST_LINE}\n{text}\n");
            let hash = hex::encode(blake3::hash(body.as_bytes()).as_bytes());
            let _ = Manifest::parse(&format!("{body}end {} {hash}\n", body.lines().count()));
        }
    }
}

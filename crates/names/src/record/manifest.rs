//! A bucket's manifest: which runs and which deltas make up its listing. `b"N" ‖ bucket ‖ 0x00`. It is the
//! one row of the index that is ever written anew.

use crate::position::{POSITION_BYTES_MAX, Position};
use words::UnixMillis;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
const RUNS_MAX: usize = 512;

/// One run, named by 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RunId([u8; 16]);

impl RunId {
    /// Takes 16 random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
    /// The bytes as they stand in keys.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What the manifest says of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunRecord {
    /// Its name.
    pub id: RunId,
    /// 0 for a run made of deltas, one more for each merge it has been through.
    pub level: u8,
    /// Levels of fences above its pages; 0 if it is one page.
    pub height: u8,
    /// Pages, numbered from 0.
    pub pages: u32,
    /// Rows of fences, numbered from 0; the last one is the root.
    pub fences: u32,
    /// Names and tombstones.
    pub entries: u64,
    /// Tombstones among them.
    pub tombstones: u64,
}

/// Rows to be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Garbage {
    /// Since when nothing refers to them.
    pub since: UnixMillis,
    /// Which they are.
    pub what: What,
}

/// Which rows are to be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// All deltas up to and with this one: they stand in runs.
    Deltas(Position),
    /// A run that was merged into another: so many pages and rows of fences.
    Run(RunId, u32, u32),
    /// A run whose writer stopped before it was done: nobody knows how far it came.
    Unfinished(RunId),
}

/// The manifest. One that was never written is the same as [`Manifest::default`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Manifest {
    /// Counts the changes.
    pub generation: u64,
    /// Deltas up to and with this one stand in the runs.
    pub watermark: Option<Position>,
    /// Runs that are being written: not to be read, and garbage once another worker takes over.
    pub building: Vec<RunId>,
    /// The runs, newest first. A name in a newer run hides the same name in older ones.
    pub runs: Vec<RunRecord>,
    /// What is to be removed.
    pub garbage: Vec<Garbage>,
}

impl Manifest {
    /// The plaintext of the row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(VERSION).u64(self.generation);
        writer = writer.bytes(self.watermark.as_ref().map_or(&[], Position::as_bytes));
        writer = writer.u16(count(self.building.len()));
        for id in &self.building {
            writer = writer.raw(id.as_bytes());
        }
        writer = writer.u16(count(self.runs.len()));
        for run in &self.runs {
            writer = writer.raw(run.id.as_bytes()).u8(run.level).u8(run.height);
            writer = writer
                .u32(run.pages)
                .u32(run.fences)
                .u64(run.entries)
                .u64(run.tombstones);
        }
        writer = writer.u16(count(self.garbage.len()));
        for garbage in &self.garbage {
            writer = writer.u64(garbage.since.0);
            writer = match &garbage.what {
                What::Deltas(upto) => writer.u8(1).bytes(upto.as_bytes()),
                What::Run(id, pages, fences) => {
                    writer.u8(2).raw(id.as_bytes()).u32(*pages).u32(*fences)
                }
                What::Unfinished(id) => writer.u8(3).raw(id.as_bytes()),
            };
        }
        writer.finish()
    }

    /// Reads the plaintext of the row.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let generation = reader.u64()?;
        let watermark = match reader.bytes(POSITION_BYTES_MAX)? {
            [] => None,
            found => Some(position(found)?),
        };
        let building = many(&mut reader, |reader| Ok(RunId(reader.array()?)))?;
        let runs = many(&mut reader, read_run)?;
        if runs.len() > RUNS_MAX {
            return Err(WireError::Field("runs"));
        }
        let garbage = many(&mut reader, read_garbage)?;
        reader.finish()?;
        Ok(Self {
            generation,
            watermark,
            building,
            runs,
            garbage,
        })
    }
}

/// The lists are bounded far below this: runs by merging, garbage by sweeping.
fn count(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn position(bytes: &[u8]) -> Result<Position, WireError> {
    Position::from_bytes(bytes).ok_or(WireError::Field("position"))
}

fn many<T>(
    reader: &mut Reader<'_>,
    one: impl Fn(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = reader.u16()?;
    (0..count).map(|_| one(reader)).collect()
}

fn read_run(reader: &mut Reader<'_>) -> Result<RunRecord, WireError> {
    let run = RunRecord {
        id: RunId(reader.array()?),
        level: reader.u8()?,
        height: reader.u8()?,
        pages: reader.u32()?,
        fences: reader.u32()?,
        entries: reader.u64()?,
        tombstones: reader.u64()?,
    };
    let shape = if run.height == 0 {
        run.pages == 1 && run.fences == 0
    } else {
        run.fences >= 1
    };
    if shape {
        Ok(run)
    } else {
        Err(WireError::Field("run shape"))
    }
}

fn read_garbage(reader: &mut Reader<'_>) -> Result<Garbage, WireError> {
    let since = UnixMillis(reader.u64()?);
    let what = match reader.u8()? {
        1 => What::Deltas(position(reader.bytes(POSITION_BYTES_MAX)?)?),
        2 => What::Run(RunId(reader.array()?), reader.u32()?, reader.u32()?),
        3 => What::Unfinished(RunId(reader.array()?)),
        _ => return Err(WireError::Field("garbage kind")),
    };
    Ok(Garbage { since, what })
}

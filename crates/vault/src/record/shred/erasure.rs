//! One erasure, from its order to the day its receipt is complete: key `E r ‖ id`.

use super::TAG;
use words::wire::{Reader, WireError, Writer};
use words::{TenantId, UnixMillis};

const VERSION: u8 = 1;

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Ordered; objects of the group are being taken away.
    Sweeping,
    /// The group's key is gone here; older copies fall with the next move of the root.
    Swept,
    /// The root has moved: what is left to do, the parties do.
    Moved,
}

/// The row of one erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureRow {
    /// How far it is.
    pub stage: Stage,
    /// The tenant whose data it was.
    pub tenant: TenantId,
    /// The group.
    pub group: [u8; 16],
    /// A hiding commitment to the subject.
    pub commitment: [u8; 32],
    /// When it was ordered.
    pub ordered: UnixMillis,
    /// Version of the root when the group was made.
    pub born: u32,
    /// Version of the root when it was erased: the last one that led to the group's key.
    pub last: u32,
    /// Objects that were made unreadable.
    pub objects: u64,
    /// Uploads under way that were broken off.
    pub uploads: u64,
    /// Index of its entry in the ledger; 0 until it is known.
    pub entry: u64,
    /// When the root had moved; 0 before.
    pub moved: UnixMillis,
    /// Version of the root since then; 0 before.
    pub moved_to: u32,
}

/// The row's key.
#[must_use]
pub fn key(id: &[u8; 16]) -> Vec<u8> {
    Writer::bare().u8(TAG).u8(b'r').raw(id).finish()
}

/// What the keys of all erasures begin with.
pub const PREFIX: &[u8] = &[TAG, b'r'];

/// The erasure in a row's key.
pub fn id_in(key: &[u8]) -> Result<[u8; 16], WireError> {
    let mut reader = Reader::bare(key);
    reader.raw(2)?;
    let id = reader.array()?;
    reader.finish()?;
    Ok(id)
}

impl ErasureRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let stage = match self.stage {
            Stage::Sweeping => 1,
            Stage::Swept => 2,
            Stage::Moved => 3,
        };
        Writer::versioned(VERSION)
            .u8(stage)
            .raw(self.tenant.as_bytes())
            .raw(&self.group)
            .raw(&self.commitment)
            .u64(self.ordered.0)
            .u32(self.born)
            .u32(self.last)
            .u64(self.objects)
            .u64(self.uploads)
            .u64(self.entry)
            .u64(self.moved.0)
            .u32(self.moved_to)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            stage: match reader.u8()? {
                1 => Stage::Sweeping,
                2 => Stage::Swept,
                3 => Stage::Moved,
                _ => return Err(WireError::Field("stage")),
            },
            tenant: TenantId::from_bytes(reader.array()?),
            group: reader.array()?,
            commitment: reader.array()?,
            ordered: UnixMillis(reader.u64()?),
            born: reader.u32()?,
            last: reader.u32()?,
            objects: reader.u64()?,
            uploads: reader.u64()?,
            entry: reader.u64()?,
            moved: UnixMillis(reader.u64()?),
            moved_to: reader.u32()?,
        };
        reader.finish()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for stage in [Stage::Sweeping, Stage::Swept, Stage::Moved] {
            let row = ErasureRow {
                stage,
                tenant: TenantId::from_bytes([1; 16]),
                group: [2; 16],
                commitment: [3; 32],
                ordered: UnixMillis(4),
                born: 5,
                last: 6,
                objects: 7,
                uploads: 8,
                entry: 9,
                moved: UnixMillis(10),
                moved_to: 11,
            };
            assert_eq!(ErasureRow::decode(&row.encode()), Ok(row));
        }
        assert_eq!(id_in(&key(&[9; 16])), Ok([9; 16]));
    }
}

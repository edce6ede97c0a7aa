//! Chunk files that nobody needs once readers that are still on them have finished: key
//! `G ‖ due time ‖ version`. Written in the commit that takes the last reference away.

use words::wire::{Reader, WireError, Writer};
use words::{BucketId, ChunkId, UnixMillis, VersionId};

const VERSION: u8 = 1;
const CHUNKS_MAX: u32 = 4000;

/// What can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// These chunk files.
    Chunks(Vec<ChunkId>),
    /// All part rows and manifest pages of this version, and the chunk files they name.
    Parts(VersionId),
    /// All rows of this bucket, which was deleted: its index of names, its uploads and their parts.
    Bucket(BucketId),
}

/// The row's key. `version` only keeps keys apart.
#[must_use]
pub fn key(due: UnixMillis, version: VersionId) -> Vec<u8> {
    Writer::bare()
        .u8(b'G')
        .u64(due.0)
        .raw(version.as_bytes())
        .finish()
}

/// The time in a row's key.
pub fn due_in(key: &[u8]) -> Result<UnixMillis, WireError> {
    let mut reader = Reader::bare(key);
    reader.u8()?;
    Ok(UnixMillis(reader.u64()?))
}

impl Garbage {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::versioned(VERSION);
        match self {
            Self::Chunks(ids) => {
                let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                ids.iter()
                    .fold(writer.u8(0).u32(count), |w, id| w.raw(id.as_bytes()))
                    .finish()
            }
            Self::Parts(version) => writer.u8(1).raw(version.as_bytes()).finish(),
            Self::Bucket(bucket) => writer.u8(2).raw(bucket.as_bytes()).finish(),
        }
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let garbage = match reader.u8()? {
            0 => {
                let count = reader.u32()?;
                if count > CHUNKS_MAX {
                    return Err(WireError::Field("chunk count"));
                }
                let mut ids = Vec::with_capacity(count as usize);
                for _ in 0..count {
                    ids.push(ChunkId::from_bytes(reader.array()?));
                }
                Self::Chunks(ids)
            }
            1 => Self::Parts(VersionId::from_bytes(reader.array()?)),
            2 => Self::Bucket(BucketId::from_bytes(reader.array()?)),
            _ => return Err(WireError::Field("kind")),
        };
        reader.finish()?;
        Ok(garbage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for garbage in [
            Garbage::Chunks(vec![
                ChunkId::from_bytes([1; 16]),
                ChunkId::from_bytes([2; 16]),
            ]),
            Garbage::Parts(VersionId::from_bytes([3; 16])),
            Garbage::Bucket(BucketId::from_bytes([4; 16])),
        ] {
            assert_eq!(Garbage::decode(&garbage.encode()), Ok(garbage));
        }
        assert_eq!(
            due_in(&key(UnixMillis(12), VersionId::from_bytes([0; 16]))),
            Ok(UnixMillis(12))
        );
    }
}

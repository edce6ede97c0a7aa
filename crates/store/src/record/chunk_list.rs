//! A segment's place in the chunk files: the 72 bytes of the segment table, then its chunks.

use mirror::ChunkRef;
use seal::Segment;
use seal::record::SEGMENT_BYTES;
use words::ChunkId;
use words::limits::{CHUNK_PLAINTEXT_BYTES, PART_BYTES_MAX};
use words::wire::{Reader, WireError, Writer};

/// Most chunks of one segment.
pub const CHUNKS_MAX: u64 = PART_BYTES_MAX / CHUNK_PLAINTEXT_BYTES + 1;

/// One segment: what a single PUT or one part carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPlace {
    /// Its row of the segment table.
    pub segment: Segment,
    /// The chunk files, in order.
    pub chunks: Vec<ChunkRef>,
}

impl SegmentPlace {
    /// Whether the chunks together hold exactly the segment: the list itself is under no MAC.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let bytes: u64 = self.chunks.iter().map(|chunk| u64::from(chunk.bytes)).sum();
        bytes == self.segment.sealed_bytes
    }

    /// Appends the segment to a record.
    #[must_use]
    pub fn write(&self, to: Writer) -> Writer {
        let count = u32::try_from(self.chunks.len()).unwrap_or(u32::MAX);
        let head = to.raw(&self.segment.to_bytes()).u32(count);
        self.chunks.iter().fold(head, |to, chunk| {
            to.raw(chunk.id.as_bytes())
                .u32(chunk.bytes)
                .raw(&chunk.blake3)
        })
    }

    /// Reads the segment from a record.
    pub fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let segment = Segment::parse(from.raw(SEGMENT_BYTES)?)?;
        let count = from.u32()?;
        if u64::from(count) > CHUNKS_MAX {
            return Err(WireError::Field("chunk count"));
        }
        let mut chunks = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let id = ChunkId::from_bytes(from.array()?);
            chunks.push(ChunkRef {
                id,
                bytes: from.u32()?,
                blake3: from.array()?,
            });
        }
        Ok(Self { segment, chunks })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A segment of `plain` bytes in one made-up chunk.
    pub fn sample(plain: u64) -> SegmentPlace {
        let sealed = seal::cobblestone::sealed_len(plain);
        SegmentPlace {
            segment: Segment {
                salt: [3; 24],
                plain_bytes: plain,
                sealed_bytes: sealed,
                blake3: [8; 32],
            },
            chunks: vec![ChunkRef {
                id: ChunkId::from_bytes([4; 16]),
                bytes: 99,
                blake3: [5; 32],
            }],
        }
    }
}

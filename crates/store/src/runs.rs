//! Where the frames of a range lie: runs of them, each in one chunk.

use crate::record::chunk_list::SegmentPlace;
use mirror::ChunkRef;
use seal::cobblestone::{FRAME_BYTES, HEADER_BYTES, SEALED_FRAME_BYTES};

/// Frames that are read and opened at once.
const RUN_FRAMES: u64 = 64;

/// A run of frames within one chunk.
#[derive(Clone, Copy)]
pub struct Run {
    pub chunk: ChunkRef,
    pub offset: u64,
    pub length: usize,
    pub first_frame: u64,
    pub skip: usize,
    pub keep: usize,
}

/// Cuts a range of a segment into runs that lie in one chunk each.
pub fn runs(place: &SegmentPlace, from: u64, to: u64) -> Vec<Run> {
    let (frame, sealed_frame) = (FRAME_BYTES as u64, SEALED_FRAME_BYTES as u64);
    let mut found = Vec::new();
    let (mut next_frame, mut header) = (0, HEADER_BYTES as u64);
    for chunk in &place.chunks {
        let frames = (u64::from(chunk.bytes) - header).div_ceil(sealed_frame);
        let (chunk_first, chunk_end) = (next_frame, next_frame + frames);
        let wanted_first = chunk_first.max(from / frame);
        // Whoever reads to the end reads the frame that marks the end too, be it empty.
        let to_frame = if to == place.segment.plain_bytes {
            u64::MAX
        } else {
            to.div_ceil(frame)
        };
        let wanted_end = chunk_end.min(to_frame);
        let mut at = wanted_first;
        while at < wanted_end {
            let end = wanted_end.min(at + RUN_FRAMES);
            let offset = header + (at - chunk_first) * sealed_frame;
            let stop = (header + (end - chunk_first) * sealed_frame).min(u64::from(chunk.bytes));
            let skip = from.saturating_sub(at * frame);
            let keep = to.min(end * frame) - (at * frame + skip);
            found.push(Run {
                chunk: *chunk,
                offset,
                length: (stop - offset) as usize,
                first_frame: at,
                skip: skip as usize,
                keep: keep as usize,
            });
            at = end;
        }
        (next_frame, header) = (chunk_end, 0);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::Segment;
    use words::ChunkId;

    /// The runs of every range together give exactly the range, whatever the chunks' sizes.
    #[test]
    fn runs_cover_ranges() {
        let sealed = SEALED_FRAME_BYTES as u32;
        let chunk = |bytes| ChunkRef {
            id: ChunkId::from_bytes([0; 16]),
            bytes,
            blake3: [0; 32],
        };
        let plain = 5 * FRAME_BYTES as u64 + 100;
        let segment = Segment {
            salt: [0; 24],
            plain_bytes: plain,
            sealed_bytes: seal::cobblestone::sealed_len(plain),
            blake3: [0; 32],
        };
        let place = SegmentPlace {
            segment,
            chunks: vec![chunk(56 + 2 * sealed), chunk(3 * sealed), chunk(116)],
        };
        for (from, to) in [
            (0, plain),
            (0, 1),
            (16_383, 16_385),
            (2 * 16_384, 2 * 16_384 + 1),
            (plain - 1, plain),
            (40_000, 70_000),
        ] {
            let mut at = from;
            for run in runs(&place, from, to) {
                assert_eq!(run.first_frame * FRAME_BYTES as u64 + run.skip as u64, at);
                at += run.keep as u64;
                assert!(run.offset + run.length as u64 <= u64::from(run.chunk.bytes));
            }
            assert_eq!(at, to);
        }
    }
}

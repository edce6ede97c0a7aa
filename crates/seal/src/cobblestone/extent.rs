//! Where plaintext lies in sealed bytes. Pure arithmetic, in bytes from the start of the segment.

use super::{FRAME_BYTES, HEADER_BYTES, SEALED_FRAME_BYTES, TAG_BYTES};

const FRAME: u64 = FRAME_BYTES as u64;
const SEALED_FRAME: u64 = SEALED_FRAME_BYTES as u64;
const TAG: u64 = TAG_BYTES as u64;
const HEADER: u64 = HEADER_BYTES as u64;

/// Frames of a message, the last and shorter one included.
#[must_use]
pub const fn frame_count(plain: u64) -> u64 {
    plain / FRAME + 1
}

/// Sealed bytes of a whole message, header included. Saturates far above any length that is accepted.
#[must_use]
pub const fn sealed_len(plain: u64) -> u64 {
    HEADER
        .saturating_add(plain)
        .saturating_add(TAG.saturating_mul(frame_count(plain)))
}

/// Where a frame begins in the sealed bytes.
#[must_use]
pub const fn sealed_offset(frame: u64) -> u64 {
    HEADER.saturating_add(frame.saturating_mul(SEALED_FRAME))
}

/// Sealed bytes of frame `frame` in a message of `plain` bytes; 0 for a frame beyond its end.
#[must_use]
pub const fn sealed_frame_len(plain: u64, frame: u64) -> u64 {
    let last = plain / FRAME;
    if frame < last {
        SEALED_FRAME
    } else if frame == last {
        plain % FRAME + TAG
    } else {
        0
    }
}

/// The run of sealed frames that covers a range of plaintext.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Number of the first frame.
    pub first_frame: u64,
    /// How many frames.
    pub frames: u64,
    /// Where the run begins in the sealed bytes.
    pub sealed_offset: u64,
    /// How many sealed bytes the run has.
    pub sealed_bytes: u64,
    /// Plaintext bytes to leave out at the start of the first frame.
    pub skip: usize,
    /// Plaintext bytes that the opened run has, the part to leave out included.
    pub plain_bytes: u64,
}

/// The frames that cover `length` bytes at `offset` of a message of `plain` bytes. `None` if the range is
/// empty or goes beyond the end.
#[must_use]
pub fn extent(plain: u64, offset: u64, length: u64) -> Option<Extent> {
    let end = offset
        .checked_add(length)
        .filter(|end| length > 0 && *end <= plain)?;
    let (first_frame, last_frame) = (offset / FRAME, (end - 1) / FRAME);
    let begin = sealed_offset(first_frame);
    let frames = last_frame - first_frame + 1;
    let finish = sealed_offset(last_frame).saturating_add(sealed_frame_len(plain, last_frame));
    Some(Extent {
        first_frame,
        frames,
        sealed_offset: begin,
        sealed_bytes: finish - begin,
        skip: usize::try_from(offset % FRAME).ok()?,
        plain_bytes: finish - begin - frames * TAG,
    })
}

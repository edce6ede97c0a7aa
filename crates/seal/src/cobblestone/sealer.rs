//! Seals one segment, frame after frame. It counts the frames itself, cannot be copied and cannot be wound
//! back, so no frame number is used twice.

use super::{FRAME_BYTES, HEADER_BYTES, SALT_BYTES, SEALED_FRAME_BYTES, TAG_BYTES};
use crate::cipher::{FrameCipher, derive};
use crate::key::Key;

/// The sealer of one segment.
pub struct SegmentSealer {
    cipher: FrameCipher,
    header: [u8; HEADER_BYTES],
    next_frame: u64,
}

impl SegmentSealer {
    /// Begins a segment. The salt is 24 fresh random bytes and is never used twice with one key.
    #[must_use]
    pub fn new(key: &Key, context: &[u8], salt: [u8; SALT_BYTES]) -> Self {
        let (cipher, commitment) = derive(key, &salt, context);
        let mut header = [0; HEADER_BYTES];
        for (to, from) in header.iter_mut().zip(salt.iter().chain(&commitment)) {
            *to = *from;
        }
        Self {
            cipher,
            header,
            next_frame: 0,
        }
    }

    /// Salt and commitment, which stand before the first frame.
    #[must_use]
    pub const fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// How many frames are sealed.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.next_frame
    }

    /// Seals every full frame at the start of `plain`, appends them to `out`, and tells how many bytes of
    /// `plain` were taken. What is left (less than a frame) comes again with the bytes that follow it.
    #[must_use = "the bytes that were not taken are not sealed yet"]
    pub fn seal_full_frames(&mut self, plain: &[u8], out: &mut Vec<u8>) -> usize {
        let (frames, _) = plain.as_chunks::<FRAME_BYTES>();
        out.reserve(frames.len().saturating_mul(SEALED_FRAME_BYTES));
        for frame in frames {
            self.append(frame, out);
        }
        frames.len() * FRAME_BYTES
    }

    /// Seals what is left, full frames and then the last, shorter one (possibly empty), which marks the
    /// end.
    pub fn finish(mut self, rest: &[u8], out: &mut Vec<u8>) {
        let taken = self.seal_full_frames(rest, out);
        self.append(rest.get(taken..).unwrap_or_default(), out);
    }

    fn append(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self.seal_in_place(out.get_mut(start..).unwrap_or_default());
        out.extend_from_slice(&tag);
    }

    /// Seals the next frame where it lies. Every frame but the last has exactly [`FRAME_BYTES`].
    pub(crate) fn seal_in_place(&mut self, frame: &mut [u8]) -> [u8; TAG_BYTES] {
        debug_assert!(frame.len() <= FRAME_BYTES);
        let number = self.next_frame;
        self.next_frame += 1;
        self.cipher.seal(number, frame)
    }
}

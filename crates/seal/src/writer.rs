//! Seals a stream: takes plaintext as it arrives, in slices of any length, and gives out [`Sealed`] pieces
//! of whole frames. Plaintext is copied once, into the piece, and sealed where it lies.
//!
//! Never here: where the pieces go.

use crate::cobblestone::{
    FRAME_BYTES, HEADER_BYTES, SALT_BYTES, SEALED_FRAME_BYTES, SegmentSealer,
};
use crate::object_key::ObjectKey;
use crate::record::{Segment, SegmentContext};
use crate::sealed::Sealed;
use bytes::BytesMut;
use std::num::NonZeroUsize;
use words::limits::PART_BYTES_MAX;
use zeroize::Zeroize;

/// More plaintext came than one segment may hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "one upload or part may have at most {PART_BYTES_MAX} bytes; nothing was stored under the object's name; \
     send it as a multipart upload with smaller parts"
)]
pub struct TooLong;

/// Seals one segment. Every piece but the last holds the same number of frames, the first piece also the
/// segment's header; with a number that divides the frames of a chunk file no piece crosses a chunk's end.
pub struct SealedWriter {
    sealer: SegmentSealer,
    salt: [u8; SALT_BYTES],
    frames_per_piece: usize,
    /// Sealed frames, and from `open_frame` on the plaintext of a frame that is not full yet.
    piece: BytesMut,
    /// The buffer of the piece before: reused as soon as that piece was dropped by whoever stored it.
    spare: BytesMut,
    open_frame: usize,
    frames_in_piece: usize,
    plain_bytes: u64,
    sealed_bytes: u64,
    hasher: blake3::Hasher,
}

impl SealedWriter {
    /// Begins a segment. The salt is 24 fresh random bytes and is never used twice with one key.
    #[must_use]
    pub fn new(
        key: &ObjectKey,
        context: &SegmentContext,
        salt: [u8; SALT_BYTES],
        frames_per_piece: NonZeroUsize,
    ) -> Self {
        let sealer = SegmentSealer::new(key.as_ref(), &context.bytes(), salt);
        let mut piece = BytesMut::new();
        piece.extend_from_slice(sealer.header());
        Self {
            sealer,
            salt,
            frames_per_piece: frames_per_piece.get(),
            piece,
            spare: BytesMut::new(),
            open_frame: HEADER_BYTES,
            frames_in_piece: 0,
            plain_bytes: 0,
            sealed_bytes: 0,
            hasher: blake3::Hasher::new(),
        }
    }

    /// Takes plaintext from the front of `plain` until a piece is full or `plain` is empty. Call it until it
    /// gives no piece: `while let Some(piece) = writer.push(&mut plain)? { … }`.
    pub fn push(&mut self, plain: &mut &[u8]) -> Result<Option<Sealed>, TooLong> {
        while !plain.is_empty() {
            let room = FRAME_BYTES.saturating_sub(self.piece.len() - self.open_frame);
            let (now, later) = plain.split_at(room.min(plain.len()));
            self.plain_bytes = self.plain_bytes.saturating_add(now.len() as u64);
            if self.plain_bytes > PART_BYTES_MAX {
                return Err(TooLong);
            }
            self.make_room();
            self.piece.extend_from_slice(now);
            *plain = later;
            if now.len() == room {
                self.seal_open_frame();
                if self.frames_in_piece == self.frames_per_piece {
                    return Ok(Some(self.emit()));
                }
            }
        }
        Ok(None)
    }

    /// Ends the segment: the last piece, and the segment's row for the object's manifest.
    #[must_use]
    pub fn finish(mut self) -> (Sealed, Segment) {
        self.seal_open_frame();
        let last = self.emit();
        let segment = Segment {
            salt: self.salt,
            plain_bytes: self.plain_bytes,
            sealed_bytes: self.sealed_bytes,
            blake3: self.blake3(),
        };
        (last, segment)
    }

    /// Plaintext bytes taken so far.
    #[must_use]
    pub const fn plain_bytes(&self) -> u64 {
        self.plain_bytes
    }
    /// Sealed bytes given out so far.
    #[must_use]
    pub const fn sealed_bytes(&self) -> u64 {
        self.sealed_bytes
    }
    /// BLAKE3 of the sealed bytes given out so far.
    #[must_use]
    pub fn blake3(&self) -> [u8; 32] {
        self.hasher.finalize().into()
    }

    /// Room for a frame is made before its first byte, so that plaintext is never left behind in a buffer
    /// that was given up for a larger one. Short objects ask for one frame, others for a whole piece.
    fn make_room(&mut self) {
        let frame_is_new = self.piece.len() == self.open_frame;
        if frame_is_new && self.piece.capacity() - self.piece.len() < SEALED_FRAME_BYTES {
            let frames = if self.sealer.frames() == 0 {
                1
            } else {
                self.frames_per_piece
            };
            self.piece.reserve(
                frames
                    .saturating_sub(self.frames_in_piece)
                    .max(1)
                    .saturating_mul(SEALED_FRAME_BYTES),
            );
        }
    }

    fn seal_open_frame(&mut self) {
        let tag = self
            .sealer
            .seal_in_place(self.piece.get_mut(self.open_frame..).unwrap_or_default());
        self.piece.extend_from_slice(&tag);
        self.open_frame = self.piece.len();
        self.frames_in_piece += 1;
    }

    fn emit(&mut self) -> Sealed {
        let piece = self.piece.split().freeze();
        std::mem::swap(&mut self.piece, &mut self.spare);
        self.open_frame = 0;
        self.frames_in_piece = 0;
        self.sealed_bytes = self.sealed_bytes.saturating_add(piece.len() as u64);
        self.hasher.update(&piece);
        Sealed::mint(piece)
    }
}

impl Drop for SealedWriter {
    /// An upload that breaks off leaves no plaintext behind in freed memory.
    fn drop(&mut self) {
        if let Some(plain) = self.piece.get_mut(self.open_frame..) {
            plain.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NonZeroUsize, ObjectKey, PART_BYTES_MAX, SealedWriter, SegmentContext, TooLong};
    use words::{BucketId, TenantId, VersionId};

    #[test]
    fn a_segment_ends_at_its_limit() {
        let context = SegmentContext {
            tenant: TenantId::from_bytes([1; 16]),
            bucket: BucketId::from_bytes([2; 16]),
            version: VersionId::from_bytes([3; 16]),
            segment_no: 0,
        };
        let key = ObjectKey::fresh([4; 32]);
        let mut writer = SealedWriter::new(&key, &context, [5; 24], NonZeroUsize::MIN);
        writer.plain_bytes = PART_BYTES_MAX - 1;
        assert!(
            writer
                .push(&mut &b"1"[..])
                .is_ok_and(|piece| piece.is_none())
        );
        assert_eq!(writer.push(&mut &b"2"[..]).err(), Some(TooLong));
    }
}

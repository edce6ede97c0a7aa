//! Cobblestone-256: C2SP chunked-encryption with AES-256-GCM and HKDF-Expand-SHA-512.
//!
//! A sealed message is a header of 56 bytes (salt 24, commitment 32) and then frames: 16,384 bytes of
//! plaintext become 16,400 sealed bytes each, and the last frame is always shorter, possibly empty, which
//! marks the end. Frames can be opened one by one.
//!
//! Never here: nonces (the cipher module has them), and what contexts mean.

mod extent;
mod opener;
mod sealer;

pub use crate::key::Key;
pub use extent::{Extent, extent, frame_count, sealed_frame_len, sealed_len, sealed_offset};
pub use opener::{OpenError, Reached, SegmentOpener};
pub use sealer::SegmentSealer;

use zeroize::Zeroizing;

/// Plaintext bytes of a full frame.
pub const FRAME_BYTES: usize = 16_384;
/// Bytes of the tag that ends each frame.
pub const TAG_BYTES: usize = crate::cipher::TAG_BYTES;
/// Bytes of a full frame when sealed.
pub const SEALED_FRAME_BYTES: usize = FRAME_BYTES + TAG_BYTES;
/// Bytes of the salt.
pub const SALT_BYTES: usize = crate::cipher::SALT_BYTES;
/// Bytes of salt and commitment.
pub const HEADER_BYTES: usize = SALT_BYTES + crate::cipher::COMMITMENT_BYTES;

/// Seals a whole message. The salt is 24 fresh random bytes and is never used twice with one key.
#[must_use]
pub fn seal(key: &Key, context: &[u8], salt: [u8; SALT_BYTES], message: &[u8]) -> Vec<u8> {
    let length = usize::try_from(sealed_len(message.len() as u64)).unwrap_or(0);
    let mut out = Vec::with_capacity(length);
    let sealer = SegmentSealer::new(key, context, salt);
    out.extend_from_slice(sealer.header());
    sealer.finish(message, &mut out);
    out
}

/// Opens a whole message. Nothing is given out unless every frame is good and the end is there.
pub fn open(key: &Key, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let too_short = OpenError::Length {
        bytes: sealed.len(),
    };
    let (header, frames) = sealed.split_first_chunk().ok_or(too_short)?;
    let opener = SegmentOpener::new(key, context, header)?;
    let mut out = Zeroizing::new(Vec::with_capacity(frames.len()));
    match opener.open_frames(0, frames, &mut out)? {
        Reached::End => Ok(out),
        Reached::More => Err(OpenError::Length {
            bytes: sealed.len(),
        }),
    }
}

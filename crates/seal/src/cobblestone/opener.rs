//! Opens frames of one segment, in any order. Bytes of a frame are given out after its tag was verified
//! and never before.

use super::{FRAME_BYTES, HEADER_BYTES, SALT_BYTES, SEALED_FRAME_BYTES, TAG_BYTES};
use crate::cipher::{COMMITMENT_BYTES, FrameCipher, derive};
use crate::key::Key;
use subtle::ConstantTimeEq;

/// Why sealed bytes did not open. Nothing of the failed call was given out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Key, context and salt do not belong together.
    #[error(
        "the sealed bytes were made under another key or for another place; nothing was opened; read the \
         other site's copy"
    )]
    Commitment,
    /// A frame's tag does not match.
    #[error(
        "frame {frame} was altered or moved; nothing of this read was opened; read the other site's copy"
    )]
    Frame {
        /// Its number in the segment, from 0.
        frame: u64,
    },
    /// The bytes end where no frame ends, or are not a whole message.
    #[error(
        "{bytes} sealed bytes cannot be whole frames with an end; some are missing or added; nothing was \
         opened; read the other site's copy"
    )]
    Length {
        /// How many bytes there were.
        bytes: usize,
    },
}

/// How far a run of frames went. A message whose length is not known from an authenticated record is whole
/// only if its end was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// The run ended with a full frame: more follows.
    More,
    /// The run held the segment's last frame.
    End,
}

/// The opener of one segment: made once, used for any number of runs, also from several threads.
pub struct SegmentOpener {
    cipher: FrameCipher,
}

impl SegmentOpener {
    /// Derives the segment's cipher and checks the commitment in constant time, before any AES runs.
    pub fn new(key: &Key, context: &[u8], header: &[u8; HEADER_BYTES]) -> Result<Self, OpenError> {
        let (salt, committed) = header
            .split_first_chunk::<SALT_BYTES>()
            .ok_or(OpenError::Commitment)?;
        let (cipher, commitment): (_, [u8; COMMITMENT_BYTES]) = derive(key, salt, context);
        if bool::from(commitment.ct_eq(committed)) {
            Ok(Self { cipher })
        } else {
            Err(OpenError::Commitment)
        }
    }

    /// Opens a run of sealed frames and appends the plaintext to `out`, in one pass. All but the last frame
    /// of the run are full; a shorter one is the segment's last. On an error `out` is as it was.
    pub fn open_frames(
        &self,
        first_frame: u64,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Reached, OpenError> {
        let plain = plain_len(sealed.len())?;
        let start = out.len();
        out.resize(start + plain, 0);
        let result = self.open_into(
            first_frame,
            sealed,
            out.get_mut(start..).unwrap_or_default(),
        );
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// Opens a run of sealed frames into `plain`, which has exactly the run's plaintext length: for callers
    /// that use a buffer again. On an error `plain` holds zeroes.
    pub fn open_into(
        &self,
        first_frame: u64,
        sealed: &[u8],
        plain: &mut [u8],
    ) -> Result<Reached, OpenError> {
        if plain_len(sealed.len())? != plain.len() {
            return Err(OpenError::Length {
                bytes: sealed.len(),
            });
        }
        let result = self.run(first_frame, sealed, plain);
        if result.is_err() {
            plain.fill(0);
        }
        result
    }

    fn run(&self, first_frame: u64, sealed: &[u8], plain: &mut [u8]) -> Result<Reached, OpenError> {
        let mut outs = plain.chunks_mut(FRAME_BYTES);
        for (frame, number) in sealed.chunks(SEALED_FRAME_BYTES).zip(first_frame..) {
            let wrong = OpenError::Length {
                bytes: sealed.len(),
            };
            let (body, tag) = frame.split_last_chunk::<TAG_BYTES>().ok_or(wrong)?;
            let out = if body.is_empty() {
                &mut [][..]
            } else {
                outs.next().unwrap_or_default()
            };
            self.cipher
                .open(number, body, tag, out)
                .map_err(|_| OpenError::Frame { frame: number })?;
        }
        if sealed.len().is_multiple_of(SEALED_FRAME_BYTES) {
            Ok(Reached::More)
        } else {
            Ok(Reached::End)
        }
    }
}

/// Plaintext length of a run of frames; a run has at least one frame.
fn plain_len(sealed: usize) -> Result<usize, OpenError> {
    let (full, rest) = (sealed / SEALED_FRAME_BYTES, sealed % SEALED_FRAME_BYTES);
    match (full, rest) {
        (1.., 0) => Ok(full * FRAME_BYTES),
        (_, TAG_BYTES..) => Ok(full * FRAME_BYTES + rest - TAG_BYTES),
        _ => Err(OpenError::Length { bytes: sealed }),
    }
}

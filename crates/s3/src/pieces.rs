//! A body that is sent as it came, piece by piece: a chunk's pieces are shared with the other site and copied
//! nowhere.

use aws_lc_rs::digest::{Context, Digest, SHA256};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context as Waking, Poll};

/// Bytes in pieces. Cloning shares them.
#[derive(Clone, Default)]
pub struct Pieces {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl Pieces {
    /// Adds bytes at the end.
    pub fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        self.pieces.push_back(piece);
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Whether these are the bytes.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        let same = self.pieces.iter().all(|piece| {
            let (Some(begin), Some(behind)) = (rest.get(..piece.len()), rest.get(piece.len()..))
            else {
                return false;
            };
            rest = behind;
            begin == piece.as_ref()
        });
        same && rest.is_empty()
    }

    pub(crate) fn sha256(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        self.pieces.iter().for_each(|piece| context.update(piece));
        context.finish()
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        let mut pieces = Self::default();
        if !bytes.is_empty() {
            pieces.push(bytes);
        }
        pieces
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Waking<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.pieces.pop_front();
        if let Some(piece) = &next {
            self.length -= piece.len();
        }
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::Pieces;
    use bytes::Bytes;

    #[test]
    fn pieces_are_one_body() {
        let mut pieces = Pieces::from(Bytes::from_static(b"one "));
        pieces.push(Bytes::from_static(b"two"));
        assert_eq!(pieces.length(), 7);
        assert!(pieces.is(b"one two"));
        for other in [&b"one tw"[..], b"one two ", b"one  wo", b""] {
            assert!(!pieces.is(other), "{other:?}");
        }
        let whole = Pieces::from(Bytes::from_static(b"one two"));
        assert_eq!(pieces.sha256().as_ref(), whole.sha256().as_ref());
        assert!(Pieces::default().is(b""));
    }
}

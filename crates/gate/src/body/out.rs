//! A body on its way out. Its length is known, so a stream that breaks breaks the connection and no client
//! takes a piece for the whole.

use bytes::Bytes;
use futures::StreamExt;
use http_body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use store::api::BodyOut;

/// What is sent behind an answer's head.
#[derive(Default)]
pub(crate) enum Out {
    /// Nothing.
    #[default]
    Empty,
    /// All of it at hand.
    Once(Bytes),
    /// Pieces, so many bytes still to come. The first one is at hand, so that a small answer leaves in one
    /// segment with its head.
    Stream {
        /// What was fetched before the head was sent.
        first: Option<Bytes>,
        /// The pieces behind it.
        rest: BodyOut,
        /// Bytes still to come.
        left: u64,
    },
}

impl Out {
    /// Waits for the first piece, so that what fails before it can still be answered with an error.
    pub(crate) async fn begin(mut body: BodyOut, length: u64) -> io::Result<Self> {
        if length == 0 {
            return Ok(Self::Empty);
        }
        loop {
            match body.next().await {
                None => return Err(short()),
                Some(Err(error)) => return Err(error),
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) if piece.len() as u64 == length => return Ok(Self::Once(piece)),
                Some(Ok(piece)) if piece.len() as u64 > length => return Err(long()),
                Some(Ok(piece)) => {
                    return Ok(Self::Stream {
                        first: Some(piece),
                        rest: body,
                        left: length,
                    });
                }
            }
        }
    }
}

fn short() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the object's bytes ended before its length",
    )
}

fn long() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the object's bytes go on behind its length",
    )
}

impl http_body::Body for Out {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            match &mut *self {
                Self::Empty => return Poll::Ready(None),
                Self::Once(bytes) => {
                    let bytes = std::mem::take(bytes);
                    *self = Self::Empty;
                    return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
                }
                Self::Stream { left: 0, .. } => *self = Self::Empty,
                Self::Stream { first, rest, left } => {
                    let piece = match first.take() {
                        Some(piece) => piece,
                        None => match ready!(rest.poll_next_unpin(cx)) {
                            None => return Poll::Ready(Some(Err(short()))),
                            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                            Some(Ok(piece)) => piece,
                        },
                    };
                    match left.checked_sub(piece.len() as u64) {
                        None => return Poll::Ready(Some(Err(long()))),
                        Some(now) => *left = now,
                    }
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Once(bytes) => bytes.is_empty(),
            Self::Stream { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Once(bytes) => bytes.len() as u64,
            Self::Stream { left, .. } => *left,
        })
    }
}

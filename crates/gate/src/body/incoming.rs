//! A body as it comes: plain, or in `aws-chunked` framing, which is taken off here. The last piece is
//! handed on only when the end of the framing, its signatures and its trailers are good, so a store that
//! counts bytes instead of waiting for the end is safe too.

use super::{Fault, Leftover, Taken, Wire};
use crate::expected;
use crate::refuse::No;
use authn::chunked::{ChunkedError, Decoder};
use authn::{ChunkCheck, PayloadHash};
use bytes::Bytes;
use futures::Stream;
use http::HeaderMap;
use hyper::body::{Body as _, Incoming};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use store::api::{BodyError, TrailerSlot};
use tokio::time::{Instant, Sleep};

/// Prepares the body of a request for reading. Nothing is read before the stream is first asked, so that
/// `100 Continue` is not sent to someone who is refused.
pub(crate) fn take(
    headers: &HeaderMap,
    body: &mut Wire,
    payload: PayloadHash,
    chunks: Option<Box<dyn ChunkCheck>>,
    idle: Duration,
) -> Result<Taken, No> {
    let (expected, trailers) = expected::read(headers, payload)?;
    let length = length(headers, body, payload)?;
    let decoder = if payload.is_chunked() {
        let names: Vec<&str> = trailers.iter().map(String::as_str).collect();
        let decoder = Decoder::checked_by(&payload, chunks, length, &names);
        Some(decoder.map_err(|e| No::from(e.answer()))?)
    } else {
        None
    };
    let fault = Fault::default();
    let pieces = Pieces {
        body: body.body.take(),
        leftover: body.leftover.clone(),
        sending: body.sending,
        decoder,
        input: Bytes::new(),
        left: length,
        held: None,
        slot: expected.trailer.clone(),
        fault: fault.clone(),
        idle,
        timer: None,
        waiting: false,
        done: false,
    };
    Ok(Taken {
        stream: Box::pin(pieces),
        length,
        expected,
        fault,
    })
}

/// The number of plain bytes, which must be known beforehand.
fn length(headers: &HeaderMap, body: &Wire, payload: PayloadHash) -> Result<u64, No> {
    let missing = || {
        No::new(
            411,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        )
    };
    if payload.is_chunked() {
        let text = headers
            .get("x-amz-decoded-content-length")
            .ok_or_else(missing)?;
        let text = text.to_str().unwrap_or_default().trim();
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        return text
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| No::argument("x-amz-decoded-content-length is not a number"));
    }
    if !headers.contains_key("content-length") && headers.contains_key("transfer-encoding") {
        return Err(missing());
    }
    body.length().ok_or_else(missing)
}

/// Whether the client stopped sending before the announced end.
fn ended_early(error: &hyper::Error) -> bool {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    error.is_incomplete_message()
        || cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::UnexpectedEof)
}

/// The pieces of one body.
struct Pieces {
    /// The connection's body until its end.
    body: Option<Incoming>,
    leftover: Leftover,
    /// The client sends, asked or not.
    sending: bool,
    decoder: Option<Decoder>,
    /// Framed bytes not decoded yet.
    input: Bytes,
    /// Plain bytes still to come.
    left: u64,
    /// The last piece, until the end is known to be good.
    held: Option<Bytes>,
    slot: TrailerSlot,
    fault: Fault,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    done: bool,
}

impl Pieces {
    /// The next bytes off the wire, or an error if none come for too long.
    fn poll_wire(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.sending = true;
        loop {
            let Some(body) = &mut self.body else {
                return Poll::Ready(None);
            };
            if !body.is_end_stream() {
                self.leftover.ask();
            }
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => {
                    self.waiting = false;
                    match frame {
                        None => {
                            self.body = None;
                            return Poll::Ready(None);
                        }
                        Some(Err(error)) if ended_early(&error) => {
                            return Poll::Ready(Some(Err(BodyError::Incomplete)));
                        }
                        Some(Err(_)) => {
                            return Poll::Ready(Some(Err(BodyError::Connection(
                                "it was lost".to_owned(),
                            ))));
                        }
                        Some(Ok(frame)) => match frame.into_data() {
                            Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                            _ => {} // HTTP's own trailers say nothing in S3
                        },
                    }
                }
                Poll::Pending => {
                    ready!(self.poll_timer(cx));
                    let why = format!("no bytes came for {} seconds", self.idle.as_secs());
                    return Poll::Ready(Some(Err(BodyError::Connection(why))));
                }
            }
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle = self.idle;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + idle);
        }
        timer.as_mut().poll(cx)
    }

    fn refuse(&mut self, error: &ChunkedError) -> BodyError {
        self.fault.set(error.answer().into());
        match error {
            ChunkedError::Signature(_) => BodyError::ChunkSignature,
            ChunkedError::Incomplete | ChunkedError::TooShort { .. } => BodyError::Incomplete,
            ChunkedError::TooLong => BodyError::TooLong,
            other => BodyError::Framing(other.to_string()),
        }
    }

    /// The wire's end: everything must have come.
    fn end(&mut self) -> Result<(), BodyError> {
        if let Some(decoder) = self.decoder.take() {
            let trailers = decoder.finish().map_err(|error| self.refuse(&error))?;
            let mut checksums = Vec::new();
            for (name, text) in trailers.iter() {
                let Some(kind) = expected::kind_of(name) else {
                    continue;
                };
                checksums.push(expected::checksum(kind, text, false).map_err(|no| {
                    self.fault.set(no);
                    BodyError::Framing(format!("the trailer {name} is not valid"))
                })?);
            }
            self.slot.fill(checksums);
        }
        if self.left > 0 {
            Err(BodyError::Incomplete)
        } else {
            Ok(())
        }
    }

    /// Takes the framing off what came.
    fn unframe(&mut self) -> Result<Option<Bytes>, BodyError> {
        let decoded = match &mut self.decoder {
            None if self.input.is_empty() => Ok(None),
            None => Ok(Some(std::mem::take(&mut self.input))),
            Some(decoder) => decoder.decode(&mut self.input),
        };
        match decoded {
            Ok(piece) => Ok(piece.filter(|piece| !piece.is_empty())),
            Err(error) => Err(self.refuse(&error)),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            while let Some(piece) = self.unframe()? {
                let Some(left) = self.left.checked_sub(piece.len() as u64) else {
                    return Poll::Ready(Some(Err(BodyError::TooLong)));
                };
                self.left = left;
                if left > 0 {
                    return Poll::Ready(Some(Ok(piece)));
                }
                self.held = Some(piece);
            }
            match ready!(self.poll_wire(cx)) {
                Some(Ok(bytes)) => self.input = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.end()?;
                    self.done = true;
                    return Poll::Ready(self.held.take().map(Ok));
                }
            }
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && self.sending
            && !body.is_end_stream()
        {
            self.leftover.leave(body);
        }
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        let piece = ready!(self.poll_piece(cx));
        if matches!(piece, None | Some(Err(_))) {
            self.done = true;
        }
        Poll::Ready(piece)
    }
}

//! The `aws-chunked` framing of request bodies, taken off piece by piece as bytes arrive.
//!
//! ```text
//! head    <size in hex>[;chunk-signature=<64 hex digits>] CRLF
//! data    <size bytes> CRLF                                      (not after size 0)
//! trailer <name>:<value> CRLF                                    (after size 0, as announced)
//!         [x-amz-trailer-signature:<64 hex digits> CRLF]
//! end     CRLF
//! ```
//!
//! Bytes of unsigned chunks are handed on as they come, without a copy. A signed chunk is held until its
//! signature is known, at most `SIGNED_CHUNK_BYTES_MAX`. Never here: the checking of the checksums in
//! trailers, which belongs to whoever hashes the body.

use crate::chunks::{ChunkCheck, ChunkMismatch, ChunkSignatures};
use crate::error::Answer;
use crate::request::PayloadHash;
use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use words::limits::SIGNED_CHUNK_BYTES_MAX;

/// Longest head of a chunk: 16 digits of size, the word `;chunk-signature=` and 64 digits, with room.
pub const CHUNK_HEAD_BYTES_MAX: usize = 128;
/// Longest trailer line.
pub const TRAILER_LINE_BYTES_MAX: usize = 1024;
/// Most trailers of one body.
pub const TRAILERS_MAX: usize = 16;
/// What is set aside for a signed chunk before any of its bytes came.
const SIGNED_CHUNK_BYTES_FIRST: usize = 64 * 1024;

/// Why a body's framing was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedError {
    /// The request's payload word and the chunk signatures handed in do not go together, or the word is
    /// not one of a framed body.
    #[error("the request does not announce this framing of its body")]
    Framing,
    /// A chunk's head is longer than any valid one.
    #[error("the head of a chunk is longer than {CHUNK_HEAD_BYTES_MAX} bytes")]
    HeadTooLong,
    /// A chunk's head is not a size and what belongs to it.
    #[error("the head of a chunk is malformed")]
    Head,
    /// A chunk of a signed body has no signature.
    #[error("a chunk of the signed body has no signature")]
    Unsigned,
    /// A signed chunk is larger than what is held in memory.
    #[error(
        "a signed chunk has {bytes} bytes; at most {SIGNED_CHUNK_BYTES_MAX} are taken; set a smaller chunk size in the client"
    )]
    ChunkTooLarge {
        /// Its size.
        bytes: u64,
    },
    /// No line end after a chunk's bytes.
    #[error("a chunk is longer than its head says")]
    ChunkEnd,
    /// More bytes than `x-amz-decoded-content-length`.
    #[error("the body is longer than x-amz-decoded-content-length says")]
    TooLong,
    /// Fewer bytes than `x-amz-decoded-content-length`.
    #[error("the body has {missing} bytes less than x-amz-decoded-content-length says")]
    TooShort {
        /// How many are missing.
        missing: u64,
    },
    /// A chunk's or the trailers' signature does not match.
    #[error(transparent)]
    Signature(#[from] ChunkMismatch),
    /// More trailers than any client sends.
    #[error("the body has more than {TRAILERS_MAX} trailers")]
    TooManyTrailers,
    /// A trailer line is too long.
    #[error("a trailer is longer than {TRAILER_LINE_BYTES_MAX} bytes")]
    TrailerTooLong,
    /// A trailer is not a name, a colon and a printable value, or is repeated.
    #[error("a trailer is malformed or repeated")]
    Trailer,
    /// A trailer that `x-amz-trailer` does not name.
    #[error("the body has a trailer that x-amz-trailer does not announce")]
    TrailerUnannounced,
    /// A trailer that `x-amz-trailer` names did not come.
    #[error("the trailer {0} was announced and did not come")]
    TrailerMissing(String),
    /// Signed trailers without their signature.
    #[error("the trailers have no signature")]
    TrailerUnsigned,
    /// The body ends before its last chunk.
    #[error("the body ends before its last chunk")]
    Incomplete,
    /// Bytes after the end.
    #[error("bytes follow the end of the body")]
    Trailing,
}

impl ChunkedError {
    /// The S3 error code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Framing
            | Self::Trailing
            | Self::HeadTooLong
            | Self::Head
            | Self::ChunkEnd
            | Self::TooLong => "InvalidRequest",
            Self::ChunkTooLarge { .. } => "InvalidChunkSizeError",
            Self::TooShort { .. } | Self::Incomplete => "IncompleteBody",
            Self::Unsigned | Self::Signature(_) | Self::TrailerUnsigned => "SignatureDoesNotMatch",
            Self::TooManyTrailers
            | Self::TrailerTooLong
            | Self::Trailer
            | Self::TrailerUnannounced
            | Self::TrailerMissing(_) => "MalformedTrailerError",
        }
    }
    /// The HTTP status that goes with the code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unsigned | Self::Signature(_) | Self::TrailerUnsigned => 403,
            _ => 400,
        }
    }
    /// The whole answer.
    #[must_use]
    pub fn answer(&self) -> Answer {
        Answer {
            code: self.code(),
            status: self.status(),
            message: self.to_string(),
            region: None,
        }
    }
}

/// The trailers of a body, names in lower case, in the order they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trailers(Vec<(String, String)>);

impl Trailers {
    /// The value of one trailer.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

enum State {
    /// In a chunk's head.
    Head,
    /// In a chunk's bytes, so many still to come.
    Data(u64),
    /// In the line end after a chunk's bytes.
    DataEnd,
    /// After the last chunk.
    Trailers,
    /// After the end.
    Done,
}

/// Signing of one body, and the chunk that is being held.
struct Signed {
    chain: Box<dyn ChunkCheck>,
    trailers_too: bool,
    held: BytesMut,
    hash: digest::Context,
    signature: String,
}

/// Takes the framing off one body.
pub struct Decoder {
    state: State,
    /// Part of a line that came so far, its end included.
    line: Vec<u8>,
    /// Bytes of the decoded body still to come.
    left: u64,
    announced: Vec<String>,
    trailers: Trailers,
    /// The trailers as they are signed: each as it was sent, and a line feed.
    signed_text: Vec<u8>,
    trailer_signature: Option<String>,
    /// The last trailer ended in a bare line feed, after which some clients send one empty line too many.
    bare_line: bool,
    /// Such an empty line was the last thing that came.
    absorbed: bool,
    signed: Option<Box<Signed>>,
}

impl Decoder {
    /// Begins a body. `payload` and `chunks` are what `verify` gave, `decoded_length` is the value of
    /// `x-amz-decoded-content-length`, and `announced` the names in `x-amz-trailer`.
    pub fn new(
        payload: &PayloadHash,
        chunks: Option<ChunkSignatures>,
        decoded_length: u64,
        announced: &[&str],
    ) -> Result<Self, ChunkedError> {
        let chunks = chunks.map(|chain| -> Box<dyn ChunkCheck> { Box::new(chain) });
        Self::checked_by(payload, chunks, decoded_length, announced)
    }

    /// The same, whoever checks the chunks.
    pub fn checked_by(
        payload: &PayloadHash,
        chunks: Option<Box<dyn ChunkCheck>>,
        decoded_length: u64,
        announced: &[&str],
    ) -> Result<Self, ChunkedError> {
        let trailers_too = match payload {
            PayloadHash::UnsignedTrailer if chunks.is_none() => false,
            PayloadHash::SignedChunks if announced.is_empty() && chunks.is_some() => false,
            PayloadHash::SignedChunksTrailer if chunks.is_some() => true,
            _ => return Err(ChunkedError::Framing),
        };
        if announced.len() > TRAILERS_MAX {
            return Err(ChunkedError::TooManyTrailers);
        }
        let signed = chunks.map(|chain| {
            Box::new(Signed {
                chain,
                trailers_too,
                held: BytesMut::new(),
                hash: digest::Context::new(&digest::SHA256),
                signature: String::new(),
            })
        });
        Ok(Self {
            state: State::Head,
            line: Vec::new(),
            left: decoded_length,
            announced: announced
                .iter()
                .map(|name| name.trim().to_ascii_lowercase())
                .collect(),
            trailers: Trailers::default(),
            signed_text: Vec::new(),
            trailer_signature: None,
            bare_line: false,
            absorbed: false,
            signed,
        })
    }

    /// Takes bytes off the front of `input` and gives the next piece of the decoded body; `None` once the
    /// input is used up. After an error the body must be refused; nothing more may be asked.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        while !input.is_empty() {
            match self.state {
                State::Head => {
                    if let Some(line) =
                        self.take_line(input, CHUNK_HEAD_BYTES_MAX, ChunkedError::HeadTooLong)?
                    {
                        self.head(&line)?;
                    }
                }
                State::Data(left) => {
                    if let Some(piece) = self.data(left, input)? {
                        return Ok(Some(piece));
                    }
                }
                State::DataEnd => match self.take_line(input, 2, ChunkedError::ChunkEnd)? {
                    Some(line) if line == b"\r\n" => self.state = State::Head,
                    None if b"\r\n".starts_with(&self.line) => {}
                    _ => return Err(ChunkedError::ChunkEnd),
                },
                State::Trailers => {
                    if let Some(line) =
                        self.take_line(input, TRAILER_LINE_BYTES_MAX, ChunkedError::TrailerTooLong)?
                    {
                        self.trailer(&line)?;
                    }
                }
                State::Done => return Err(ChunkedError::Trailing),
            }
        }
        Ok(None)
    }

    /// Ends the body: everything that was announced must have come.
    pub fn finish(mut self) -> Result<Trailers, ChunkedError> {
        if matches!(self.state, State::Trailers) && self.absorbed && self.line.is_empty() {
            self.end()?;
        }
        match self.state {
            State::Done => Ok(self.trailers),
            _ => Err(ChunkedError::Incomplete),
        }
    }

    /// Whether the last chunk, the trailers and the end have come and are good.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The next line with its end, once all of it is there.
    fn take_line(
        &mut self,
        input: &mut Bytes,
        max: usize,
        too_long: ChunkedError,
    ) -> Result<Option<Vec<u8>>, ChunkedError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(input.len(), |at| at + 1);
        if self.line.len() + taken > max {
            return Err(too_long);
        }
        self.line.extend_from_slice(&input.split_to(taken));
        Ok(end.map(|_| std::mem::take(&mut self.line)))
    }

    fn head(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        let text = line
            .strip_suffix(b"\r\n")
            .and_then(|l| std::str::from_utf8(l).ok())
            .ok_or(ChunkedError::Head)?;
        let (size, extension) = match text.split_once(';') {
            Some((size, extension)) => (size, Some(extension)),
            None => (text, None),
        };
        if size.is_empty() || size.len() > 16 || !size.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(ChunkedError::Head);
        }
        let size = u64::from_str_radix(size, 16).map_err(|_| ChunkedError::Head)?;
        self.left = self.left.checked_sub(size).ok_or(ChunkedError::TooLong)?;
        match (&mut self.signed, extension) {
            (None, None) => {}
            (None, Some(_)) => return Err(ChunkedError::Head),
            (Some(_), None) => return Err(ChunkedError::Unsigned),
            (Some(signed), Some(extension)) => {
                let signature = extension
                    .strip_prefix("chunk-signature=")
                    .ok_or(ChunkedError::Unsigned)?;
                signed.begin(size, signature)?;
            }
        }
        self.state = if size > 0 {
            State::Data(size)
        } else {
            self.last_chunk()?
        };
        Ok(())
    }

    fn last_chunk(&mut self) -> Result<State, ChunkedError> {
        if self.left > 0 {
            return Err(ChunkedError::TooShort { missing: self.left });
        }
        if let Some(signed) = &mut self.signed {
            signed.end()?;
        }
        Ok(State::Trailers)
    }

    fn data(&mut self, left: u64, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let piece = input.split_to(take);
        let left = left.saturating_sub(take as u64);
        self.state = if left > 0 {
            State::Data(left)
        } else {
            State::DataEnd
        };
        let Some(signed) = &mut self.signed else {
            return Ok(Some(piece));
        };
        // A copy, not a list of slices: a hostile client that sends byte by byte would otherwise keep one
        // network buffer alive for every byte.
        signed.held.extend_from_slice(&piece);
        signed.hash.update(&piece);
        if left > 0 {
            Ok(None)
        } else {
            signed.end().map(Some)
        }
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        let bare = !line.ends_with(b"\r\n");
        let text = line
            .strip_suffix(b"\r\n")
            .or_else(|| line.strip_suffix(b"\n"))
            .unwrap_or(line);
        if text.is_empty() {
            if self.bare_line && !bare {
                (self.bare_line, self.absorbed) = (false, true);
                return Ok(());
            }
            return self.end();
        }
        (self.bare_line, self.absorbed) = (bare, false);
        let words = std::str::from_utf8(text)
            .ok()
            .filter(|t| t.bytes().all(|c| (b' '..=b'~').contains(&c)));
        let (name, value) = words
            .and_then(|t| t.split_once(':'))
            .ok_or(ChunkedError::Trailer)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        let signed = self.signed.as_ref().is_some_and(|s| s.trailers_too);
        if signed && name == "x-amz-trailer-signature" {
            return match self.trailer_signature.replace(value) {
                None => Ok(()),
                Some(_) => Err(ChunkedError::Trailer),
            };
        }
        if self.trailer_signature.is_some() || self.trailers.get(&name).is_some() {
            return Err(ChunkedError::Trailer);
        }
        if !self.announced.contains(&name) {
            return Err(ChunkedError::TrailerUnannounced);
        }
        self.signed_text.extend_from_slice(text);
        self.signed_text.push(b'\n');
        self.trailers.0.push((name, value));
        Ok(())
    }

    fn end(&mut self) -> Result<(), ChunkedError> {
        if let Some(missing) = self
            .announced
            .iter()
            .find(|name| self.trailers.get(name).is_none())
        {
            return Err(ChunkedError::TrailerMissing(
                missing.chars().take(64).collect(),
            ));
        }
        if let Some(signed) = self.signed.as_mut().filter(|s| s.trailers_too) {
            let signature = self
                .trailer_signature
                .take()
                .ok_or(ChunkedError::TrailerUnsigned)?;
            signed.chain.trailer(&self.signed_text, &signature)?;
        }
        self.state = State::Done;
        Ok(())
    }
}

impl Signed {
    fn begin(&mut self, size: u64, signature: &str) -> Result<(), ChunkedError> {
        let fits = usize::try_from(size)
            .ok()
            .filter(|size| *size <= SIGNED_CHUNK_BYTES_MAX);
        let size = fits.ok_or(ChunkedError::ChunkTooLarge { bytes: size })?;
        // Memory follows the bytes that came, not the size that was claimed.
        self.held.reserve(size.min(SIGNED_CHUNK_BYTES_FIRST));
        self.hash = digest::Context::new(&digest::SHA256);
        signature.clone_into(&mut self.signature);
        Ok(())
    }

    /// Checks the chunk that is held and lets go of it.
    fn end(&mut self) -> Result<Bytes, ChunkedError> {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.hash.clone().finish().as_ref());
        self.chain
            .chunk(&sha256, self.held.len() as u64, &self.signature)?;
        Ok(self.held.split().freeze())
    }
}

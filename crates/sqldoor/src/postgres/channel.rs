//! Messages to and from one client.

use bytes::{Buf, BytesMut};
use pgwire::messages::{DecodeContext, PgWireBackendMessage, PgWireFrontendMessage};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of one message of a client.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a message before somebody is in.
const EARLY_BYTES_MAX: usize = 16 * 1024;
/// What is written at once.
const WRITE_BYTES: usize = 32 * 1024;
const READ_BYTES: usize = 8 * 1024;

/// A client's stream, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Messages over a stream.
pub struct Channel {
    stream: Box<dyn Stream>,
    read: BytesMut,
    written: BytesMut,
    pub context: DecodeContext,
}

impl Channel {
    /// Over a stream on which the next is a start-up message.
    pub fn new(stream: Box<dyn Stream>) -> Self {
        let mut context = DecodeContext::default();
        context.awaiting_frontend_ssl = false;
        Self {
            stream,
            read: BytesMut::with_capacity(READ_BYTES),
            written: BytesMut::with_capacity(WRITE_BYTES),
            context,
        }
    }

    /// The next message; none when the client has gone.
    pub async fn next(&mut self) -> io::Result<Option<PgWireFrontendMessage>> {
        loop {
            if let Some(message) = self.decoded()? {
                return Ok(Some(message));
            }
            if !self.more().await? {
                return match self.read.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// A message that is there already in whole.
    fn decoded(&mut self) -> io::Result<Option<PgWireFrontendMessage>> {
        let (head, most) = match self.context.awaiting_frontend_startup {
            true => (0, EARLY_BYTES_MAX),
            false => (1, MESSAGE_BYTES_MAX),
        };
        let Some(length) = self.read.get(head..head + 4) else {
            return Ok(None);
        };
        let length = length
            .iter()
            .fold(0_usize, |all, byte| all << 8 | usize::from(*byte));
        if !(4..=most).contains(&length) {
            return Err(io::Error::other("a message is longer than it may be"));
        }
        if self.read.len() < head + length {
            return Ok(None);
        }
        // The rest of what was read stays, whatever a decoder takes.
        let mut message = self.read.split_to(head + length);
        match PgWireFrontendMessage::decode(&mut message, &self.context) {
            Ok(Some(decoded)) => Ok(Some(decoded)),
            Ok(None) => Err(io::Error::other("a message is not whole")),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    async fn more(&mut self) -> io::Result<bool> {
        self.read.reserve(READ_BYTES);
        Ok(self.stream.read_buf(&mut self.read).await? > 0)
    }

    /// Done when the client goes away, or says more while nobody listens to it. What it says is kept.
    pub async fn gone(&mut self) -> io::Error {
        loop {
            // A client may send ahead; more than a message's worth waits outside.
            if self.read.len() > MESSAGE_BYTES_MAX {
                return std::future::pending().await;
            }
            match self.more().await {
                Ok(true) => {}
                Ok(false) => return io::ErrorKind::UnexpectedEof.into(),
                Err(error) => return error,
            }
        }
    }

    /// Says something; it leaves with the next flush, or when much has come together.
    pub async fn say(&mut self, message: PgWireBackendMessage) -> io::Result<()> {
        message
            .encode(&mut self.written)
            .map_err(|error| io::Error::other(error.to_string()))?;
        if self.written.len() >= WRITE_BYTES {
            self.push().await?;
        }
        Ok(())
    }

    async fn push(&mut self) -> io::Result<()> {
        while self.written.has_remaining() {
            self.stream.write_buf(&mut self.written).await?;
        }
        Ok(())
    }

    /// What was said leaves.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.push().await?;
        self.stream.flush().await
    }
}

/// The first eight bytes of a connection, which say what it is.
pub async fn first_eight(stream: &mut TcpStream) -> io::Result<[u8; 8]> {
    let mut first = [0; 8];
    loop {
        match stream.peek(&mut first).await? {
            8 => return Ok(first),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            // The rest is on its way; a peek does not wait for it.
            _ => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
        }
    }
}

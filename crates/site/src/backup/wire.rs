//! What goes over the control socket during a backup: frames, each a kind (one byte), a length (u32, big-endian) and so
//! many bytes. Behind the request's line the side that asks sends questions, the node answers each in turn.

use serde::{Deserialize, Serialize};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use words::{CloudId, UnixMillis};

/// The next rows, or rows.
pub const ROWS: u8 = b'R';
/// A chunk, by its reference, or a chunk's bytes.
pub const CHUNK: u8 = b'C';
/// Nothing more is asked for, or the end is heard.
pub const END: u8 = b'E';
/// What a backup begins with, as JSON.
pub const BEGUN: u8 = b'B';
/// A paper's content, in the order of the names in [`BEGUN`].
pub const PAPER: u8 = b'P';
/// There are no more rows.
pub const NO_MORE: u8 = b'Z';
/// No site has the chunk; why.
pub const LACKING: u8 = b'L';
/// It was not done, as JSON.
pub const FAILED: u8 = b'F';

/// No frame is longer.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// No question is longer: a reference to a chunk.
pub const QUESTION_BYTES_MAX: usize = 64;

/// The content of [`BEGUN`].
#[derive(Serialize, Deserialize)]
pub struct Begun {
    pub cloud: String,
    pub unix_ms: u64,
    pub engine: String,
    pub epoch: u64,
    pub version: u64,
    pub next_index: u64,
    pub papers: Vec<String>,
}

impl Begun {
    pub fn ids(&self) -> Option<(CloudId, UnixMillis)> {
        Some((CloudId::parse(&self.cloud)?, UnixMillis(self.unix_ms)))
    }
}

/// The content of [`FAILED`].
#[derive(Serialize, Deserialize)]
pub struct Failed {
    pub kind: String,
    pub message: String,
}

pub async fn send(to: &mut (impl AsyncWrite + Unpin), kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).ok();
    let length = length.filter(|length| *length as usize <= FRAME_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("a frame is too long"))?;
    let mut head = vec![kind];
    head.extend_from_slice(&length.to_be_bytes());
    to.write_all(&head).await?;
    to.write_all(payload).await
}

pub async fn receive(
    from: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head).await?;
    let [kind, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    if length > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame is too long",
        ));
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload).await?;
    Ok((kind, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_as_they_were_sent_and_have_a_limit() {
        let mut sent = Vec::new();
        send(&mut sent, CHUNK, b"abc").await.unwrap();
        send(&mut sent, END, b"").await.unwrap();
        let mut from = sent.as_slice();
        assert_eq!(
            receive(&mut from, 3).await.unwrap(),
            (CHUNK, b"abc".to_vec())
        );
        assert_eq!(receive(&mut from, 3).await.unwrap(), (END, Vec::new()));
        assert!(receive(&mut from, 3).await.is_err());
        assert!(receive(&mut sent.as_slice(), 2).await.is_err());
    }
}

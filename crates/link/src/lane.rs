//! One lane: frames over a stream socket. A frame is a length (four bytes, little-endian), a kind, and the payload.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The longest message that is no piece of a body.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest piece of a body in one frame.
pub const PIECE_BYTES_MAX: usize = 512 * 1024;
/// Pieces shorter than this are copied behind what waits to be sent, so that they leave with it.
const COPIED_BYTES_MAX: usize = 32 * 1024;
/// What may wait before it is sent.
const OUTBOX_BYTES_MAX: usize = 64 * 1024;
/// What a buffer may keep of its size while a lane is idle.
const KEPT_BYTES_MAX: usize = 64 * 1024;
const HEAD_BYTES: usize = 5;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // each is explained where its payload is, in `say`
pub enum Kind {
    Head = 1,
    Believed = 2,
    Refused = 3,
    Ask = 4,
    /// The far side wants the body.
    Want = 5,
    /// Bytes of a body.
    Piece = 6,
    Check = 7,
    BodyEnd = 8,
    BodyBroken = 9,
    Answer = 10,
    Trouble = 11,
    /// The bytes of an object are complete.
    OutEnd = 12,
    /// They are not; why.
    OutBroken = 13,
    /// Asks for the node's state, now and whenever it changes.
    Watch = 14,
    State = 15,
    Report = 16,
    /// Asks for the metrics.
    Metrics = 17,
    MetricsText = 18,
    /// A form to STS or IAM.
    Form = 19,
    FormAnswer = 20,
}

impl Kind {
    const ALL: [Self; 20] = [
        Self::Head,
        Self::Believed,
        Self::Refused,
        Self::Ask,
        Self::Want,
        Self::Piece,
        Self::Check,
        Self::BodyEnd,
        Self::BodyBroken,
        Self::Answer,
        Self::Trouble,
        Self::OutEnd,
        Self::OutBroken,
        Self::Watch,
        Self::State,
        Self::Report,
        Self::Metrics,
        Self::MetricsText,
        Self::Form,
        Self::FormAnswer,
    ];
    fn of(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }
}

/// One frame.
#[derive(Debug)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub payload: Bytes,
}

impl Frame {
    /// Reads its payload.
    pub fn read<T: DeserializeOwned>(&self) -> io::Result<T> {
        match postcard::take_from_bytes(&self.payload) {
            Ok((value, [])) => Ok(value),
            _ => Err(broken("a message cannot be read")),
        }
    }
}

/// The end of a conversation that did not follow the rules.
#[must_use]
pub fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// One end of a lane.
#[derive(Debug)]
pub struct Lane {
    stream: UnixStream,
    inbox: BytesMut,
    outbox: BytesMut,
    unread: Option<Frame>,
}

impl Lane {
    /// Over one end of a socket pair.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            unread: None,
        }
    }

    /// Lays a message out to be sent with the next [`flush`](Self::flush).
    pub fn say<T: Serialize>(&mut self, kind: Kind, message: &T) -> io::Result<()> {
        let at = self.outbox.len();
        self.begin(kind, 0);
        let outbox = std::mem::take(&mut self.outbox);
        let written = postcard::to_extend(message, outbox);
        self.outbox = written.map_err(|_| broken("a message cannot be written"))?;
        let length = self.outbox.len() - at - HEAD_BYTES;
        if length > MESSAGE_BYTES_MAX {
            self.outbox.truncate(at);
            return Err(broken("a message is too long"));
        }
        let length = u32::try_from(length).map_err(|_| broken("a message is too long"))?;
        self.outbox[at..at + 4].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    /// Lays a frame without a payload out.
    pub fn sign(&mut self, kind: Kind) {
        self.begin(kind, 0);
    }

    fn begin(&mut self, kind: Kind, length: u32) {
        self.outbox.extend_from_slice(&length.to_le_bytes());
        self.outbox.extend_from_slice(&[kind as u8]);
    }

    /// Sends bytes of a body; short ones wait for the next flush.
    pub async fn piece(&mut self, mut bytes: Bytes) -> io::Result<()> {
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(PIECE_BYTES_MAX));
            // A piece has at most 512 KiB.
            self.begin(Kind::Piece, u32::try_from(part.len()).unwrap_or(u32::MAX));
            self.out(&part).await?;
        }
        Ok(())
    }

    /// Sends bytes whose length the other end knows; it takes them with [`hear_raw`](Self::hear_raw). Short ones wait
    /// for the next flush.
    pub async fn raw(&mut self, bytes: &Bytes) -> io::Result<()> {
        self.out(bytes).await
    }

    /// Copies what is short behind what waits, and sends what is long from where it lies.
    async fn out(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() <= COPIED_BYTES_MAX {
            self.outbox.extend_from_slice(bytes);
            if self.outbox.len() > OUTBOX_BYTES_MAX {
                self.flush().await?;
            }
            return Ok(());
        }
        let mut all = Buf::chain(&self.outbox[..], bytes);
        while all.has_remaining() {
            self.stream.write_buf(&mut all).await?;
        }
        self.outbox.clear();
        Ok(())
    }

    /// So many bytes as they were sent with [`raw`](Self::raw), in memory of their own. The caller has looked that the
    /// length is one it can bear.
    pub async fn hear_raw(&mut self, length: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::with_capacity(length);
        let there = self.inbox.len().min(length);
        bytes.extend_from_slice(&self.inbox.split_to(there));
        while bytes.len() < length {
            let missing = length - bytes.len();
            if self
                .stream
                .read_buf(&mut (&mut bytes).limit(missing))
                .await?
                == 0
            {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(bytes.freeze())
    }

    /// Overwrites what the buffers keep of messages that were sent or heard.
    pub fn wipe(&mut self) {
        for buffer in [&mut self.outbox, &mut self.inbox] {
            if buffer.is_empty() {
                buffer.resize(buffer.capacity(), 0);
                buffer.clear();
            }
        }
    }

    /// Sends what was laid out.
    pub async fn flush(&mut self) -> io::Result<()> {
        if !self.outbox.is_empty() {
            self.stream.write_all(&self.outbox).await?;
            self.outbox.clear();
            if self.outbox.capacity() > KEPT_BYTES_MAX {
                self.outbox = BytesMut::new();
            }
        }
        Ok(())
    }

    /// The next frame; nothing once the other end has closed. May be dropped and called again.
    pub async fn hear(&mut self) -> io::Result<Option<Frame>> {
        if let Some(frame) = self.unread.take() {
            return Ok(Some(frame));
        }
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            if self.inbox.is_empty() && self.inbox.capacity() > KEPT_BYTES_MAX * 2 {
                self.inbox = BytesMut::new();
            }
            self.inbox.reserve(self.wanted());
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return match self.inbox.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// Lays a frame back, to be heard again.
    pub fn unread(&mut self, frame: Frame) {
        self.unread = Some(frame);
    }

    /// The next frame of another kind. May be dropped and called again.
    pub async fn hear_but(&mut self, kind: Kind) -> io::Result<Option<Frame>> {
        loop {
            match self.hear().await? {
                Some(frame) if frame.kind == kind => {}
                other => return Ok(other),
            }
        }
    }

    /// The next frame, which must come.
    pub async fn expect(&mut self) -> io::Result<Frame> {
        let frame = self.hear().await?;
        frame.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn announced(&self) -> Option<usize> {
        let head = self.inbox.first_chunk::<4>()?;
        Some(HEAD_BYTES + u32::from_le_bytes(*head) as usize)
    }

    /// What is missing of the frame that has begun, or a good first bite.
    fn wanted(&self) -> usize {
        match self.announced() {
            Some(all) => all.saturating_sub(self.inbox.len()).max(8 * 1024),
            None => 8 * 1024,
        }
    }

    fn take(&mut self) -> io::Result<Option<Frame>> {
        let Some(all) = self.announced() else {
            return Ok(None);
        };
        if all > HEAD_BYTES + MESSAGE_BYTES_MAX {
            return Err(broken("a frame is too long"));
        }
        if self.inbox.len() < all {
            return Ok(None);
        }
        let kind = Kind::of(self.inbox[4]).ok_or_else(|| broken("a frame of unknown kind"))?;
        let mut payload = self.inbox.split_to(all).freeze();
        payload.advance(HEAD_BYTES);
        Ok(Some(Frame { kind, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_arrive_as_they_were_sent() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut a, mut b) = (Lane::new(a), Lane::new(b));
        let big = Bytes::from(vec![7; 2 * 1024 * 1024 + 3]);
        let sent = big.clone();
        let sending = tokio::spawn(async move {
            a.say(Kind::Report, &("one", 2_u64)).unwrap();
            a.sign(Kind::Want);
            a.piece(Bytes::from_static(b"small")).await.unwrap();
            a.piece(sent).await.unwrap();
            a.sign(Kind::OutEnd);
            a.flush().await.unwrap();
        });
        let first = b.expect().await.unwrap();
        assert_eq!(first.kind, Kind::Report);
        assert_eq!(first.read::<(String, u64)>().unwrap(), ("one".into(), 2));
        assert_eq!(b.expect().await.unwrap().kind, Kind::Want);
        assert_eq!(&b.expect().await.unwrap().payload[..], b"small");
        let mut came = Vec::new();
        loop {
            let frame = b.expect().await.unwrap();
            if frame.kind == Kind::OutEnd {
                break;
            }
            came.extend_from_slice(&frame.payload);
        }
        assert_eq!(came, big);
        sending.await.unwrap();
        assert!(b.hear().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn raw_bytes_arrive_between_frames() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut a, mut b) = (Lane::new(a), Lane::new(b));
        let sent: Vec<Bytes> = [3, 0, 70_000, 3 * 1024 * 1024, 1]
            .iter()
            .enumerate()
            .map(|(n, length)| Bytes::from(vec![n as u8 + 1; *length]))
            .collect();
        let lengths: Vec<usize> = sent.iter().map(Bytes::len).collect();
        let expected = sent.clone();
        let sending = tokio::spawn(async move {
            a.say(Kind::Answer, &1_u8).unwrap();
            for bytes in &sent {
                a.raw(bytes).await.unwrap();
            }
            a.say(Kind::Answer, &2_u8).unwrap();
            a.flush().await.unwrap();
            a.raw(&Bytes::from_static(b"cut")).await.unwrap();
            a.flush().await.unwrap();
        });
        assert_eq!(b.expect().await.unwrap().read::<u8>().unwrap(), 1);
        for (length, bytes) in lengths.into_iter().zip(expected) {
            assert_eq!(b.hear_raw(length).await.unwrap(), bytes);
        }
        assert_eq!(b.expect().await.unwrap().read::<u8>().unwrap(), 2);
        assert!(b.hear_raw(4).await.is_err());
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_frame_ends_the_lane() {
        for bytes in [
            &[0, 0, 0, 0, 99][..],
            &[0, 0, 0, 0, 0],
            &[255, 255, 255, 255, 1],
            &[9, 0, 0, 0, 1, 1],
        ] {
            let (mut a, b) = UnixStream::pair().unwrap();
            a.write_all(bytes).await.unwrap();
            drop(a);
            assert!(Lane::new(b).hear().await.is_err(), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_byte_behind_a_message_is_refused() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut a, mut b) = (Lane::new(a), Lane::new(b));
        a.say(Kind::State, &(1_u8, 2_u8)).unwrap();
        a.flush().await.unwrap();
        assert!(b.expect().await.unwrap().read::<u8>().is_err());
    }
}

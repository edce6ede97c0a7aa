//! One client's stream, with or without TLS: its place among all, and how long it may stay without being believed.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tonic::transport::server::Connected;

/// What a call knows of the stream it came on.
#[derive(Clone, Debug)]
pub struct Peer {
    /// From where it comes.
    pub from: Option<IpAddr>,
    believed: Arc<AtomicBool>,
}

impl Peer {
    pub fn new(from: Option<IpAddr>) -> Self {
        Self {
            from,
            believed: Arc::default(),
        }
    }

    /// Somebody on it has proven who they are.
    pub fn believe(&self) {
        self.believed.store(true, Ordering::Relaxed);
    }
}

/// A stream of bytes both ways.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// A client's stream.
pub struct Client {
    stream: Box<dyn Bytes>,
    peer: Peer,
    /// When it is sent away; none once it was believed.
    patience: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Client {
    pub fn new<S>(stream: S, peer: Peer, patience: Duration, place: OwnedSemaphorePermit) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self {
            stream: Box::new(stream),
            peer,
            patience: Some(Box::pin(tokio::time::sleep(patience))),
            _place: place,
        }
    }
}

impl Connected for Client {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.peer.believed.load(Ordering::Relaxed) {
            this.patience = None;
        }
        if let Some(patience) = &mut this.patience
            && patience.as_mut().poll(context).is_ready()
        {
            let late = "nobody on it has proven who they are";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, late)));
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;

    async fn client(peer: &Peer) -> (Client, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(64);
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let patience = Duration::from_millis(50);
        (Client::new(near, peer.clone(), patience, place), far)
    }

    #[tokio::test]
    async fn whoever_proves_nothing_is_sent_away() {
        let peer = Peer::new(None);
        let (mut stranger, _far) = client(&peer).await;
        let error = stranger.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let (mut known, mut far) = client(&peer).await;
        peer.believe();
        tokio::time::sleep(Duration::from_millis(100)).await;
        far.write_u8(7).await.unwrap();
        assert_eq!(known.read_u8().await.unwrap(), 7);
    }
}

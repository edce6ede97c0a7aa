//! Notices a connection that stands still: a client that reads its answer a byte an hour would otherwise
//! hold it for ever.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts what moves on a connection, and the requests that the node itself is busy with.
#[derive(Clone)]
pub(crate) struct Pulse {
    idle: Duration,
    state: Arc<State>,
}

struct State {
    beats: AtomicU64,
    working: AtomicUsize,
}

/// A request that the node is busy with; the connection may rest as long as it lives.
pub(crate) struct Working(Arc<State>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::Relaxed);
        self.0.beats.fetch_add(1, Ordering::Relaxed);
    }
}

impl Pulse {
    pub(crate) fn new(idle: Duration) -> Self {
        let state = State {
            beats: AtomicU64::new(0),
            working: AtomicUsize::new(0),
        };
        Self {
            idle,
            state: Arc::new(state),
        }
    }
    /// Marks the node as busy with a request.
    pub(crate) fn work(&self) -> Working {
        self.state.working.fetch_add(1, Ordering::Relaxed);
        Working(self.state.clone())
    }
    fn beat(&self) {
        self.state.beats.fetch_add(1, Ordering::Relaxed);
    }
    /// Is done once nothing has moved for the idle time (at most twice of it) and no request is at work.
    pub(crate) async fn stopped(&self) {
        loop {
            let before = self.state.beats.load(Ordering::Relaxed);
            tokio::time::sleep(self.idle).await;
            let still = before == self.state.beats.load(Ordering::Relaxed);
            if still && self.state.working.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }
}

/// A stream whose movements are counted.
pub(crate) struct Watched<S> {
    stream: S,
    pulse: Pulse,
}

impl<S> Watched<S> {
    pub(crate) const fn new(stream: S, pulse: Pulse) -> Self {
        Self { stream, pulse }
    }
    fn counted<T>(&self, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(moved, Poll::Ready(Ok(_))) {
            self.pulse.beat();
        }
        moved
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.counted(moved)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.counted(moved)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.counted(moved)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

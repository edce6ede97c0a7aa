//! What the door asks the node about itself, and tells it about finished requests.

use async_trait::async_trait;
use std::time::Duration;

/// Whether the node serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It serves.
    Ready,
    /// Its keys are not open; it serves nothing but health.
    Sealed,
    /// It cannot serve for the reason given, which an operator reads.
    NotReady(String),
}

/// One finished request. No name, key or bucket is in it, so that it may be counted and logged.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The operation's kind: `GET object`, `PUT bucket`, …
    pub verb: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Time from the request's head to the answer's head.
    pub took: Duration,
}

/// The node's own affairs.
#[async_trait]
pub trait Ops: Send + Sync + 'static {
    /// Whether the node serves. Called for every request: it must be quick.
    fn readiness(&self) -> Readiness;
    /// The same, asked anew where the answer comes from another process: for when it is not [`Readiness::Ready`].
    async fn ready_now(&self) -> Readiness {
        self.readiness()
    }
    /// The metrics in Prometheus' text format.
    async fn metrics(&self) -> String;
    /// Counts a finished request.
    fn seen(&self, request: Seen) {
        let _ = request;
    }
    /// Hears how many TLS handshakes a door in another process has finished so far: hybrid and classical.
    fn handshakes(&self, hybrid: u64, classical: u64) {
        let _ = (hybrid, classical);
    }
}

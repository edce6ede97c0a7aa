//! Bodies: taken off the wire, unframed and checked (`incoming`), and sent (`out`).

pub(crate) mod incoming;
pub(crate) mod out;

use crate::refuse::No;
use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Incoming};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::api::{BodyIn, Expected};

/// How much of a refused body is read, and for how long.
const DRAIN_BYTES_MAX: usize = 32 * 1024 * 1024;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(3);

/// The body of an object or part on its way to the store.
pub(crate) struct Taken {
    /// The plain bytes.
    pub stream: BodyIn,
    /// Their exact number.
    pub length: u64,
    /// What they must hash to.
    pub expected: Expected,
    /// Why the stream ended in an error, more exactly than the store can know.
    pub fault: Fault,
}

/// Where a stream that is dropped before its end leaves the connection's body.
#[derive(Clone, Default)]
pub(crate) struct Leftover {
    body: Arc<Mutex<Option<Incoming>>>,
    asked: Arc<AtomicBool>,
}

impl Leftover {
    pub(crate) fn leave(&self, body: Incoming) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }
    /// Bytes were asked for, so a client that waits for leave to send has been told `100 Continue`.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }
}

/// The body of a request on its connection. What is not read of it before a refusal is read by
/// [`drain`](Wire::drain): a client that is still sending would see a reset instead of the answer.
pub(crate) struct Wire {
    body: Option<Incoming>,
    leftover: Leftover,
    /// The client sends without being asked to.
    sending: bool,
    /// The client waits for leave to send.
    waiting: bool,
}

impl Wire {
    pub(crate) fn new(body: Incoming, headers: &HeaderMap) -> Self {
        // Whoever waits for leave to send has sent nothing.
        let sending = !headers.contains_key(EXPECT);
        Self {
            body: Some(body),
            leftover: Leftover::default(),
            sending,
            waiting: !sending,
        }
    }
    /// Whether the client waits for leave to send and is answered without having been given it. Some clients
    /// (botocore before 1.44) take the next answer on such a connection for this one, so it has to end.
    pub(crate) fn answered_unasked(&self) -> bool {
        self.waiting && !self.leftover.asked.load(Ordering::Relaxed)
    }
    /// The length that was announced.
    pub(crate) fn length(&self) -> Option<u64> {
        self.body.as_ref().and_then(|body| body.size_hint().exact())
    }
    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
    /// Reads on for a while.
    pub(crate) async fn drain(self) {
        let left = self
            .leftover
            .body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut body = match (self.body.filter(|_| self.sending), left) {
            (Some(body), _) | (None, Some(body)) if !body.is_end_stream() => body,
            _ => return,
        };
        let reading = async {
            let mut bytes = 0;
            while let Some(Ok(frame)) = body.frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > DRAIN_BYTES_MAX {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(DRAIN_TIME_MAX, reading).await;
    }
}

/// Where a body's stream leaves the reason of its error.
#[derive(Clone, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<No>>>);

impl Fault {
    pub(crate) fn set(&self, no: No) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(no);
    }
    pub(crate) fn take(&self) -> Option<No> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

//! The node's side of the control socket.

use super::protocol::{Line, Request};
use crate::node::Node;
use host::files;
use serde_json::Value;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// No request is longer: it carries a charter at most, whose line ends and quotes are two bytes each in JSON.
const REQUEST_BYTES_MAX: u64 = 512 * 1024;

/// Why a request was not done, in words that stay the same.
#[derive(Debug)]
pub struct Failure {
    pub kind: &'static str,
    pub message: String,
}

impl Failure {
    pub fn new(kind: &'static str, message: impl ToString) -> Self {
        Self {
            kind,
            message: message.to_string(),
        }
    }
}

impl From<vault::VaultError> for Failure {
    fn from(error: vault::VaultError) -> Self {
        use vault::VaultError as V;
        let kind = match &error {
            V::Sealed => "sealed",
            V::Denied => "denied",
            V::NoSuchBucket
            | V::NoSuchTenant(_)
            | V::NoSuchAccessKey(_)
            | V::NoSuchUpload
            | V::NoSuchSubject
            | V::NoSuchErasure(_)
            | V::NoBucketPolicy
            | V::NoSuchLoan(_)
            | V::NoSuchIdentity(_) => "not-found",
            V::Statement(_) => "denied",
            V::Exists(_) | V::Conflict | V::NotEmpty => "conflict",
            V::Rotation(_) => "conflict",
            V::Limit(_) | V::Usage(_) | V::Document(_) => "usage",
            V::NeedsQuorum(_) => "needs-quorum",
            V::Abroad(_) => "abroad",
            _ => "internal",
        };
        Self::new(kind, error)
    }
}

/// Tells how far a long request is. What nobody listens to is dropped.
#[derive(Clone)]
pub struct Progress(mpsc::Sender<Line>);

impl Progress {
    pub fn tell(&self, what: &str, done: u64, total: Option<u64>) {
        let _ = self.0.try_send(Line::Progress {
            what: what.to_owned(),
            done,
            total,
        });
    }
}

/// Who does what is asked.
pub trait Performs: Send + Sync + 'static {
    /// Does it.
    fn perform(
        self: &Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> impl Future<Output = Result<Value, Failure>> + Send;

    /// The node that has the catalog, if this is one.
    fn node(self: &Arc<Self>) -> Option<Arc<Node>> {
        None
    }
}

/// Listens until the node ends. The socket is open to the node's owner only.
pub async fn serve(node: Arc<impl Performs>, socket: &Path) -> io::Result<()> {
    let listener = bind(socket)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            if let Err(error) = answer(node, stream).await {
                tracing::debug!(%error, "a control connection broke");
            }
        });
    }
}

fn bind(socket: &Path) -> io::Result<UnixListener> {
    // A socket that a killed node left behind is taken away; a running node holds the catalog's lock, so it
    // cannot be one that is in use.
    files::remove(socket)?;
    let listener = UnixListener::bind(socket)?;
    files::set_mode(socket, 0o600)?;
    Ok(listener)
}

async fn answer(node: Arc<impl Performs>, stream: UnixStream) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(REQUEST_BYTES_MAX));
    read.read_line(&mut line).await?;
    let request = serde_json::from_str::<Request>(&line);
    if let (Ok(Request::Backup), Some(node)) = (&request, node.node()) {
        // Questions follow; each has a limit of its own.
        read.get_mut().set_limit(u64::MAX);
        crate::backup::session::serve(&node, &mut read, &mut write).await?;
        return write.shutdown().await;
    }
    let last = match request {
        Err(error) => failed(Failure::new(
            "usage",
            format!("the request could not be read: {error}"),
        )),
        Ok(request) => {
            let (to, mut from) = mpsc::channel(64);
            let mut work = std::pin::pin!(node.perform(request, Progress(to)));
            loop {
                tokio::select! {
                    biased;
                    Some(line) = from.recv() => send(&mut write, &line).await?,
                    done = &mut work => break match done {
                        Ok(value) => Line::Done(value),
                        Err(failure) => failed(failure),
                    },
                }
            }
        }
    };
    send(&mut write, &last).await?;
    write.shutdown().await
}

fn failed(failure: Failure) -> Line {
    Line::Failed {
        kind: failure.kind.to_owned(),
        message: failure.message,
    }
}

async fn send(write: &mut OwnedWriteHalf, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}

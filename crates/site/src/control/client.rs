//! The command line's side of the control socket.

use super::protocol::{Line, Request};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Why a request to the node was not done.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No node answers.
    #[error("no node answers at {}; start it with `clarence serve` or `clarence up`", .0.display())]
    NotRunning(PathBuf),
    /// The socket may not be opened.
    #[error("{} may not be opened by this user; run the command as the node's owner", .0.display())]
    NotAllowed(PathBuf),
    /// The connection broke.
    #[error("the connection to the node broke; look at `clarence status` before trying again: {0}")]
    Broken(#[source] std::io::Error),
    /// The node answered with something that is not an answer.
    #[error(
        "the node's answer could not be read; the node and this program may be of different versions: {0}"
    )]
    Answer(String),
    /// The node did not do it.
    #[error("{message}")]
    Failed {
        /// A stable word.
        kind: String,
        /// What happened.
        message: String,
    },
}

/// Asks the node for one thing and waits until it is done.
pub async fn call(
    socket: &Path,
    request: &Request,
    mut on_progress: impl FnMut(&str, u64, Option<u64>),
) -> Result<serde_json::Value, CallError> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => CallError::NotAllowed(socket.to_path_buf()),
            _ => CallError::NotRunning(socket.to_path_buf()),
        })?;
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_string(request).map_err(|e| CallError::Answer(e.to_string()))?;
    line.push('\n');
    write
        .write_all(line.as_bytes())
        .await
        .map_err(CallError::Broken)?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await.map_err(CallError::Broken)? {
        match serde_json::from_str(&line).map_err(|e| CallError::Answer(e.to_string()))? {
            Line::Progress { what, done, total } => on_progress(&what, done, total),
            Line::Done(value) => return Ok(value),
            Line::Failed { kind, message } => return Err(CallError::Failed { kind, message }),
        }
    }
    Err(CallError::Broken(std::io::ErrorKind::UnexpectedEof.into()))
}

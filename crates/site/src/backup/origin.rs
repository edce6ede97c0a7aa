//! The other side of a backup: what a running node gives over its control socket, for whoever writes it down.

use super::wire::{self, receive, send};
use crate::control::{CallError, Request};
use async_trait::async_trait;
use backup::{Begun, Given, Origin, OriginError};
use catalog::Point;
use chunks::ChunkRef;
use std::io;
use std::path::Path;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use words::wire::Writer;

/// A running node, asked for a backup.
pub struct FromNode {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl FromNode {
    /// Connects; nothing is asked yet.
    pub async fn connect(socket: &Path) -> Result<Self, CallError> {
        let stream = UnixStream::connect(socket).await;
        let stream = stream.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => CallError::NotAllowed(socket.to_path_buf()),
            _ => CallError::NotRunning(socket.to_path_buf()),
        })?;
        let (read, write) = stream.into_split();
        Ok(Self {
            read: BufReader::new(read),
            write,
        })
    }

    async fn question(&mut self, kind: u8, payload: &[u8]) -> Result<(), OriginError> {
        send(&mut self.write, kind, payload).await.map_err(broken)
    }

    async fn answer(&mut self) -> Result<(u8, Vec<u8>), OriginError> {
        let answer = receive(&mut self.read, wire::FRAME_BYTES_MAX).await;
        let (kind, payload) = answer.map_err(broken)?;
        if kind != wire::FAILED {
            return Ok((kind, payload));
        }
        let failed: wire::Failed = serde_json::from_slice(&payload).map_err(foreign)?;
        Err(OriginError {
            kind: failed.kind,
            message: failed.message,
        })
    }
}

fn broken(error: io::Error) -> OriginError {
    OriginError {
        kind: "broken".into(),
        message: format!(
            "the connection to the node broke: {error}; what was copied is kept: give the same command again when the node runs, it copies only what is missing"
        ),
    }
}

fn foreign(why: impl ToString) -> OriginError {
    OriginError {
        kind: "internal".into(),
        message: format!(
            "the node's answer could not be read; the node and this program may be of different versions: {}",
            why.to_string()
        ),
    }
}

#[async_trait]
impl Origin for FromNode {
    async fn begin(&mut self) -> Result<Begun, OriginError> {
        let mut line = serde_json::to_vec(&Request::Backup).map_err(foreign)?;
        line.push(b'\n');
        self.write.write_all(&line).await.map_err(broken)?;
        let (kind, payload) = self.answer().await?;
        if kind != wire::BEGUN {
            return Err(foreign("it did not begin"));
        }
        let begun: wire::Begun = serde_json::from_slice(&payload).map_err(foreign)?;
        let (cloud, taken) = begun.ids().ok_or_else(|| foreign("it names no cloud"))?;
        if begun.papers.len() > backup::manifest::PAPERS_MAX {
            return Err(foreign("it has too many papers"));
        }
        let mut papers = Vec::new();
        for name in begun.papers {
            match self.answer().await? {
                (wire::PAPER, paper) => papers.push((name, paper)),
                _ => return Err(foreign("a paper is missing")),
            }
        }
        Ok(Begun {
            cloud,
            taken,
            engine: begun.engine,
            epoch: begun.epoch,
            point: Point {
                version: begun.version,
                next_index: begun.next_index,
            },
            papers,
        })
    }

    async fn rows(&mut self) -> Result<Option<Vec<u8>>, OriginError> {
        self.question(wire::ROWS, &[]).await?;
        match self.answer().await? {
            (wire::ROWS, block) => Ok(Some(block)),
            (wire::NO_MORE, _) => Ok(None),
            _ => Err(foreign("rows were asked for")),
        }
    }

    async fn ask(&mut self, chunk: &ChunkRef) -> Result<(), OriginError> {
        let reference = chunk.write(Writer::bare()).finish();
        self.question(wire::CHUNK, &reference).await
    }

    async fn given(&mut self) -> Result<Given, OriginError> {
        match self.answer().await? {
            (wire::CHUNK, bytes) => Ok(Given::Whole(bytes.into())),
            (wire::LACKING, why) => Ok(Given::Lacking(String::from_utf8_lossy(&why).into_owned())),
            _ => Err(foreign("a chunk was asked for")),
        }
    }

    async fn end(&mut self) -> Result<(), OriginError> {
        self.question(wire::END, &[]).await?;
        self.answer().await.map(drop)
    }
}

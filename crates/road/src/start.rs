//! What the launcher tells a query engine at its start, over the socket that stands where standard input was: one note
//! in JSON, and with it the trunk to the vault and the listeners.

use link::Trunk;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// The words with which the launcher starts the engine.
pub const PART: &str = "--part=engine";

/// How the engine logs: as the launcher does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The level or filter.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
    /// With colours.
    pub colour: bool,
}

/// Where the certificates come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Certificates {
    /// A chain and its key, as PEM files.
    Files {
        /// The chain.
        chain: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The local authority in this data folder.
    LocalAuthority(PathBuf),
}

/// What an engine is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Where PostgreSQL's protocol is served.
    pub postgres: Option<SocketAddr>,
    /// Where HTTP is served.
    pub http: Option<SocketAddr>,
    /// Where Arrow Flight SQL is served.
    pub flight: Option<SocketAddr>,
    /// What TLS is served with; none on a loopback address, if absent.
    pub certificates: Option<Certificates>,
    /// TLS clients without hybrid key exchange are refused.
    pub refuse_classical: bool,
    /// The folder for what does not fit into memory. It is empty.
    pub spill: PathBuf,
    /// Bytes that statements may use of memory, together.
    pub memory_bytes: u64,
    /// Bytes of the cache of what was read.
    pub cache_bytes: u64,
    /// Bytes that statements may spill, together.
    pub spill_bytes_max: u64,
    /// How long a statement may take, in milliseconds.
    pub statement_timeout_ms: u64,
    /// How it logs.
    pub log: Log,
}

/// What comes with it.
#[derive(Debug)]
pub struct Handed {
    /// To the vault.
    pub vault: Trunk,
    /// For PostgreSQL's protocol.
    pub postgres: Option<TcpListener>,
    /// For HTTP.
    pub http: Option<TcpListener>,
    /// For Arrow Flight SQL.
    pub flight: Option<TcpListener>,
}

/// Why an engine was not told what it needs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket failed.
    #[error("the launcher cannot be heard: {0}")]
    Socket(#[from] io::Error),
    /// The note makes no sense.
    #[error(
        "the launcher and the query engine are not of one version ({0}); build and install both together"
    )]
    Note(#[from] serde_json::Error),
    /// A descriptor is missing.
    #[error("the launcher sent {0} descriptors, and not one for each address and the vault")]
    Descriptors(usize),
}

impl Start {
    /// Tells an engine. The listeners are those of the addresses, in the order PostgreSQL, HTTP, Flight SQL.
    pub fn tell(
        &self,
        to: &Trunk,
        vault: &Trunk,
        listeners: &[&TcpListener],
    ) -> Result<(), StartError> {
        let note = serde_json::to_vec(self)?;
        let fds: Vec<BorrowedFd<'_>> = [vault.as_fd()]
            .into_iter()
            .chain(listeners.iter().map(|listener| listener.as_fd()))
            .collect();
        Ok(to.send(&note, &fds)?)
    }

    /// Hears what the launcher tells; nothing if it has ended already. Blocks.
    pub fn hear(from: &Trunk) -> Result<Option<(Self, Handed)>, StartError> {
        let Some((note, fds)) = from.receive()? else {
            return Ok(None);
        };
        let start: Self = serde_json::from_slice(&note)?;
        let addresses = [start.postgres, start.http, start.flight];
        let wanted = 1 + addresses.iter().flatten().count();
        if fds.len() != wanted {
            return Err(StartError::Descriptors(fds.len()));
        }
        let mut fds = fds.into_iter();
        let vault = fds.next().ok_or(StartError::Descriptors(0))?;
        let mut listener =
            |address: Option<SocketAddr>| address.and_then(|_| fds.next().map(to_listener));
        let (postgres, http, flight) = (
            listener(start.postgres),
            listener(start.http),
            listener(start.flight),
        );
        let handed = Handed {
            vault: Trunk::of(vault),
            postgres,
            http,
            flight,
        };
        Ok(Some((start, handed)))
    }
}

fn to_listener(fd: OwnedFd) -> TcpListener {
    TcpListener::from(fd)
}

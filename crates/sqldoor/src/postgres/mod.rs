//! PostgreSQL's protocol, version 3 (PostgreSQL documentation, chapter 55, "Frontend/Backend Protocol").
//!
//! Who connects proves their key by SCRAM-SHA-256, which is only passed on to the vault. There is one session for each
//! connection. A statement's limits hold until its last row is sent; a client that goes away ends its statement.
//!
//! Reading order: `channel`, `start`, `session`, `commands`, `portal`, `values`, `settings`, `fail`, `cancels`.

mod cancels;
mod channel;
mod commands;
pub(crate) mod fail;
pub(crate) mod names;
pub(crate) mod portal;
mod session;
mod settings;
mod start;
mod values;

use crate::postgres::cancels::Cancels;
use host::Host;
use sql::Engine;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Clients at once.
const CLIENTS_MAX: usize = 1024;
/// How long somebody may take to come in.
const START: Duration = Duration::from_secs(10);
/// Between two tries to take a client, when the system gives none.
const AGAIN: Duration = Duration::from_millis(100);

/// What all clients share.
pub struct Door {
    engine: Arc<Engine>,
    tls: Option<Arc<tls::Server>>,
    cancels: Cancels,
}

/// Serves clients; never done.
pub async fn serve(listener: TcpListener, engine: Arc<Engine>, tls: Option<Arc<tls::Server>>) {
    let door = Arc::new(Door {
        engine,
        tls,
        cancels: Cancels::new(Host::real()),
    });
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no SQL client could be taken in");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let door = Arc::clone(&door);
        tokio::spawn(async move {
            // A client that breaks off is its own matter.
            if let Err(error) = Box::pin(take(&door, stream)).await {
                tracing::debug!(%error, "a SQL client's connection ended");
            }
            drop(place);
        });
    }
}

async fn take(door: &Arc<Door>, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let from = stream.peer_addr().ok().map(|address| address.ip());
    let begun = tokio::time::timeout(START, start::begin(door, stream, from)).await;
    let Ok(begun) = begun else {
        return Err(std::io::Error::other("it took too long to come in"));
    };
    match begun? {
        Some(begun) => session::serve(door, begun).await,
        None => Ok(()),
    }
}

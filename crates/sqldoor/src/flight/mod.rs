//! Arrow Flight SQL: SQL over gRPC, with rows as record batches, for ADBC, JDBC and whatever reads Arrow (`docs/sql.md`).
//!
//! Who asks says so with each call: by an access key and its secret (RFC 7617), or by the token that a handshake gave for them.
//! Statements are run as the door of HTTP runs them, with its limits: one is begun when its client asks for its FlightInfo, and
//! its rows go to whoever opens the ticket, once, if they have the same key.
//!
//! Reading order: `client`, `believe`, `tokens`, `service`, `statements`, `prepared`, `bound`, `checked`, `shape`, `lists`, `actions`,
//! `fail`.

mod actions;
mod believe;
mod bound;
mod checked;
mod client;
mod fail;
mod lists;
mod prepared;
mod service;
mod shape;
mod statements;
mod tokens;

use crate::http::runs::Runs;
use arrow_flight::flight_service_server::FlightServiceServer;
use believe::Believing;
use client::{Client, Peer};
use futures::stream;
use host::Host;
use prepared::Shelf;
use service::Flight;
use sql::Engine;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokens::Tokens;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tonic::transport::Server;

/// Clients at once.
const CLIENTS_MAX: usize = 1024;
/// Calls of one client at once.
const CALLS_MAX: u32 = 64;
/// How long a handshake of TLS, and then the first call that is believed, may take.
const START: Duration = Duration::from_secs(20);
/// Between two words to a client that it should answer, and how long it may take to.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);
/// Bytes of a call's headers.
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// Bytes of one message of a client.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Between two tries to take a client, when the system gives none.
const AGAIN: Duration = Duration::from_millis(100);
/// Between two looks at what has expired.
const SWEEP: Duration = Duration::from_secs(60);
/// The only protocol that gRPC is spoken over (RFC 9113, section 3.2).
const HTTP2: &[u8] = b"h2";

/// What all clients share.
struct Door {
    engine: Arc<Engine>,
    runs: Runs,
    tokens: Tokens,
    shelf: Shelf,
}

/// Serves clients; never done.
pub async fn serve(listener: TcpListener, engine: Arc<Engine>, tls: Option<Arc<tls::Server>>) {
    let host = Host::real();
    let door = Arc::new(Door {
        engine,
        runs: Runs::new(host.clone()),
        tokens: Tokens::new(host.clone()),
        shelf: Shelf::new(host),
    });
    let (come, coming) = mpsc::channel(1);
    let incoming = stream::unfold(coming, |mut coming: mpsc::Receiver<Client>| async move {
        let client = coming.recv().await?;
        Some((Ok::<_, Infallible>(client), coming))
    });
    let service = FlightServiceServer::new(Flight::new(Arc::clone(&door)))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let serving = Server::builder()
        .max_concurrent_streams(CALLS_MAX)
        .http2_max_header_list_size(HEAD_BYTES_MAX)
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PONG))
        .add_service(Believing::new(Arc::clone(&door), service))
        .serve_with_incoming(incoming);
    tokio::select! {
        () = accept(listener, tls, come) => {}
        () = sweep(&door) => {}
        served = serving => if let Err(error) = served {
            tracing::error!(%error, "Arrow Flight SQL is served no longer");
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<Arc<tls::Server>>, come: mpsc::Sender<Client>) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no client of Arrow Flight SQL could be taken in");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let (tls, come) = (tls.clone(), come.clone());
        tokio::spawn(async move {
            match take(tls, stream, place).await {
                // It is only full when the door is closing.
                Ok(client) => drop(come.send(client).await),
                // A client that breaks off is its own matter.
                Err(error) => tracing::debug!(%error, "a client of Arrow Flight SQL broke off"),
            }
        });
    }
}

async fn take(
    tls: Option<Arc<tls::Server>>,
    stream: TcpStream,
    place: OwnedSemaphorePermit,
) -> io::Result<Client> {
    stream.set_nodelay(true)?;
    let peer = Peer::new(stream.peer_addr().ok().map(|address| address.ip()));
    let Some(tls) = tls else {
        return Ok(Client::new(stream, peer, START, place));
    };
    let shaken = tokio::time::timeout(START, async {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = tls.config_for(&hello.client_hello());
        // As the other doors, but for what is spoken inside: clients of gRPC insist on being told.
        let mut config = config.as_ref().clone();
        config.alpn_protocols = vec![HTTP2.to_vec()];
        hello.into_stream(Arc::new(config)).await
    });
    let Ok(stream) = shaken.await else {
        return Err(io::Error::other("the handshake took too long"));
    };
    Ok(Client::new(stream?, peer, START, place))
}

/// Ends what nobody used for too long, also when nobody asks.
async fn sweep(door: &Door) {
    loop {
        tokio::time::sleep(SWEEP).await;
        door.tokens.sweep();
        door.shelf.sweep();
    }
}

//! SQL over HTTP, for programs that want no driver: a statement is handed in, looked at, fetched and cancelled by requests of
//! its own, under `/v1/` (`docs/sql.md`).
//!
//! Each request proves its access key (RFC 7617) to the vault. A statement belongs to the key that handed it in. Its rows go from
//! the engine to whoever fetches them, a few batches ahead and never kept: they are fetched once, and a client that goes away
//! or never comes ends its statement.
//!
//! Reading order: `service`, `asked`, `planned`, `runs`, `formats`, `answer`.

pub(crate) mod answer;
pub(crate) mod asked;
mod formats;
pub(crate) mod planned;
pub(crate) mod runs;
mod service;

use answer::Answered;
use host::Host;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use runs::Runs;
use sql::Engine;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;

/// Clients at once.
const CLIENTS_MAX: usize = 1024;
/// How long a handshake, and then the head of a request, may take; also how long a client may keep still between two.
const HEAD: Duration = Duration::from_secs(20);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 64;
/// Between two tries to take a client, when the system gives none.
const AGAIN: Duration = Duration::from_millis(100);

/// What all clients share.
struct Door {
    engine: Arc<Engine>,
    runs: Arc<Runs>,
}

/// Serves clients; never done.
pub async fn serve(listener: TcpListener, engine: Arc<Engine>, tls: Option<Arc<tls::Server>>) {
    let door = Arc::new(Door {
        engine,
        runs: Arc::new(Runs::new(Host::real())),
    });
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no client of SQL over HTTP could be taken in");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let (door, tls) = (Arc::clone(&door), tls.clone());
        tokio::spawn(async move {
            // A client that breaks off is its own matter.
            if let Err(error) = take(&door, tls, stream).await {
                tracing::debug!(%error, "a client of SQL over HTTP ended");
            }
            drop(place);
        });
    }
}

async fn take(
    door: &Arc<Door>,
    tls: Option<Arc<tls::Server>>,
    stream: TcpStream,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let from = stream.peer_addr().ok().map(|address| address.ip());
    let Some(tls) = tls else {
        return speak(door, stream, from).await;
    };
    let shaken = tokio::time::timeout(HEAD, async {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = tls.config_for(&hello.client_hello());
        hello.into_stream(config).await
    });
    let Ok(stream) = shaken.await else {
        return Err(std::io::Error::other("the handshake took too long"));
    };
    speak(door, stream?, from).await
}

async fn speak<S>(door: &Arc<Door>, stream: S, from: Option<IpAddr>) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: http::Request<Incoming>| {
        let door = Arc::clone(door);
        async move { Ok::<Answered, Infallible>(service::answer(&door, request, from).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(std::io::Error::other)
}

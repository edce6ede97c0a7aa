//! Connections to the host: made when needed, kept for the next request, dropped after any trouble.

use crate::pieces::Pieces;
use crate::place::{Place, PlaceError};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Connections that are kept while nobody uses them.
const IDLE_MAX: usize = 16;
/// How long one is kept. The other end, or something between, may have forgotten one that is older.
const IDLE: Duration = Duration::from_secs(15);
/// How long making a connection may take.
const CONNECT: Duration = Duration::from_millis(1500);

pub type Sender = SendRequest<Pieces>;

/// Makes and keeps connections to one host.
pub struct Connections {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: Mutex<Vec<(Instant, Sender)>>,
}

impl Connections {
    pub fn new(place: &Place) -> Result<Self, PlaceError> {
        let wrong = |why: String| PlaceError::Field {
            field: "endpoint",
            given: place.authority(),
            why,
        };
        let tls = match &place.authorities {
            Some(authorities) if place.tls => {
                let config = tls::client::config(authorities).map_err(|e| wrong(e.to_string()))?;
                let name =
                    ServerName::try_from(place.host.clone()).map_err(|e| wrong(e.to_string()))?;
                Some((TlsConnector::from(config), name))
            }
            _ if place.tls => return Err(wrong("no authority is given".into())),
            _ => None,
        };
        Ok(Self {
            host: place.host.clone(),
            port: place.port,
            tls,
            idle: Mutex::default(),
        })
    }

    /// A connection: a kept one, if `fresh` does not ask for a new one.
    pub async fn take(&self, fresh: bool) -> io::Result<Sender> {
        if !fresh {
            while let Some(mut kept) = self.kept() {
                if !kept.is_closed() && kept.ready().await.is_ok() {
                    return Ok(kept);
                }
            }
        }
        let made = tokio::time::timeout(CONNECT, self.connect()).await;
        made.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect(&self) -> io::Result<Sender> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => begin(stream).await,
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|e| io::Error::other(tls::client::explain(&e)))?;
                begin(stream).await
            }
        }
    }

    /// Keeps a connection whose last answer was read to its end.
    pub fn keep(&self, sender: Sender) {
        let mut idle = self.idle();
        if !sender.is_closed() && idle.len() < IDLE_MAX {
            idle.push((Instant::now(), sender));
        }
    }

    fn kept(&self) -> Option<Sender> {
        let mut idle = self.idle();
        idle.retain(|(since, _)| since.elapsed() < IDLE);
        idle.pop().map(|(_, sender)| sender)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Sender)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn begin<S>(stream: S) -> io::Result<Sender>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // Ends when the sender is dropped or the host closes.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// Shared by the clones of a bucket.
pub type Shared = Arc<Connections>;

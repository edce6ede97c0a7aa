//! The log's side: asks a witness over HTTP for cosignatures. If the witness is at another size than was
//! thought it says so, and is asked again with the proof from there. What comes back is not believed here:
//! `ledger::quorum` checks it.

use crate::answer::SIZE_TYPE;
use crate::request::Request;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use ledger::folder::FolderError;
use ledger::note::{Note, NoteError, SignatureLine};
use ledger::tree::Hash;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// For one request and its answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How often a witness is asked again because it is at another size; another log's side may ask as well.
const CONFLICTS_MAX: usize = 3;

/// Why there are no cosignatures.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It could not be reached.
    #[error("{0}: no connection: {1}")]
    Away(Place, String),
    /// The answer broke off or came too late.
    #[error("{0}: no answer: {1}")]
    Broken(Place, String),
    /// It refused.
    #[error("{place}: refused with {status}: {said}")]
    Refused {
        /// Whom was asked.
        place: Place,
        /// The status.
        status: StatusCode,
        /// What it said.
        said: String,
    },
    /// It cosigned more than the log shows.
    #[error(
        "{place}: it cosigned {theirs} entries already and this checkpoint has {ours}: the log was cut back, or this copy of it is old"
    )]
    Ahead {
        /// Whom was asked.
        place: Place,
        /// Entries that it cosigned.
        theirs: u64,
        /// Entries of the checkpoint.
        ours: u64,
    },
    /// It does not keep to the protocol.
    #[error("{0}: {1}")]
    Odd(Place, String),
    /// The proof cannot be made from the log's folder.
    #[error(transparent)]
    Proof(#[from] FolderError),
    /// The checkpoint is not one.
    #[error("{0}")]
    Note(#[from] NoteError),
}

/// Where a witness is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    is_tls: bool,
    host: String,
    port: u16,
    prefix: String,
}

impl Place {
    /// Whether it is asked over TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} {why}; write it like https://witness.example.lu");
        let uri: Uri = text.parse().map_err(|_| wrong("is no URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("begins neither with https:// nor with http://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong("has more than a host, a port and a path"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let address: Option<IpAddr> = host.parse().ok();
        let is_here = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        if !is_tls && !is_here {
            return Err(wrong("leads to another machine without TLS"));
        }
        Ok(Self {
            is_tls,
            host,
            port: authority
                .port_u16()
                .unwrap_or(if is_tls { 443 } else { 80 }),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let (host, port) = (&self.host, self.port);
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}{}", self.prefix),
            false => write!(f, "{scheme}://{host}:{port}{}", self.prefix),
        }
    }
}

/// Asks for cosignatures on a signed checkpoint. `guess` is the size that the witness may be at; `proof` gives
/// the proof between two sizes.
pub async fn ask(
    place: &Place,
    tls: Option<Arc<ClientConfig>>,
    note: &Note,
    guess: u64,
    proof: impl Fn(u64, u64) -> Result<Vec<Hash>, FolderError>,
) -> Result<Vec<SignatureLine>, AskError> {
    let size = Request::new(0, Vec::new(), note.clone())?.checkpoint.size;
    let mut old = if guess > size { 0 } else { guess };
    for _ in 0..=CONFLICTS_MAX {
        let request = Request::new(old, proof(old, size)?, note.clone())?;
        let exchange = post(place, tls.clone(), request.to_text());
        let answered = tokio::time::timeout(ASK_TIMEOUT, exchange).await;
        let late = |_| AskError::Broken(place.clone(), "it came too late".to_owned());
        let (status, kind, body) = answered.map_err(late)??;
        let theirs = match status {
            StatusCode::OK => return lines(place, &body),
            StatusCode::CONFLICT if kind == SIZE_TYPE => recorded(place, &body)?,
            status => return Err(refused(place, status, &body)),
        };
        if theirs > size {
            let (place, ours) = (place.clone(), size);
            return Err(AskError::Ahead {
                place,
                theirs,
                ours,
            });
        }
        old = theirs;
    }
    let why = "it named another size each time it was asked; ask again later";
    Err(AskError::Odd(place.clone(), why.to_owned()))
}

fn lines(place: &Place, body: &[u8]) -> Result<Vec<SignatureLine>, AskError> {
    SignatureLine::read_all(body).map_err(|error| AskError::Odd(place.clone(), error.to_string()))
}

fn recorded(place: &Place, body: &[u8]) -> Result<u64, AskError> {
    let size = std::str::from_utf8(body).ok();
    let size = size.and_then(|size| size.strip_suffix('\n')?.parse().ok());
    size.ok_or_else(|| AskError::Odd(place.clone(), "its conflict names no size".to_owned()))
}

fn refused(place: &Place, status: StatusCode, body: &[u8]) -> AskError {
    let said = String::from_utf8_lossy(body);
    let plain = said.chars().filter(|c| !c.is_control());
    AskError::Refused {
        place: place.clone(),
        status,
        said: plain.take(300).collect(),
    }
}

async fn post(
    place: &Place,
    tls: Option<Arc<ClientConfig>>,
    body: String,
) -> Result<(StatusCode, String, Bytes), AskError> {
    let broken = |why: String| AskError::Broken(place.clone(), why);
    let stream = connect(place, tls).await?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| broken(error.to_string()))?;
    tokio::spawn(connection);
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(format!("{}/add-checkpoint", place.prefix))
        .header(HOST, format!("{}:{}", place.host, place.port))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| broken(error.to_string()))?;
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(|error| broken(error.to_string()))?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| broken(error.to_string()))?.to_bytes();
    let kind = head.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    Ok((head.status, kind.to_owned(), body))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn connect(
    place: &Place,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, AskError> {
    let away = |why: String| AskError::Away(place.clone(), why);
    let stream = TcpStream::connect((place.host.as_str(), place.port)).await;
    let stream = stream.map_err(|error| away(error.to_string()))?;
    let _ = stream.set_nodelay(true);
    if !place.is_tls {
        return Ok(Box::new(stream));
    }
    let tls =
        tls.ok_or_else(|| away("no authority is given whose certificates to trust".into()))?;
    let name = ServerName::try_from(place.host.clone());
    let name = name.map_err(|_| away("its name is none that a certificate is for".into()))?;
    let stream = TlsConnector::from(tls).connect(name, stream).await;
    let stream = stream.map_err(|error| away(tls::client::explain(&error)))?;
    Ok(Box::new(stream))
}

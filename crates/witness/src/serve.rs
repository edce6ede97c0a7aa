//! The witness over HTTP (C2SP tlog-witness): `POST /add-checkpoint` and, for monitors,
//! `GET /<SHA-256 of the log's name>/checkpoint`. One thread owns the witness and does one request after the
//! other, because check and record may not be torn apart; everything before it is bounded.

use crate::answer::Answer;
use crate::decide::No;
use crate::folder::{Refused, Witness};
use crate::limits::{
    CONNECTION_TIMEOUT, CONNECTIONS_MAX, END_TIMEOUT, HEADER_BYTES_MAX, READ_TIMEOUT,
    REQUEST_BYTES_MAX, WAITING_MAX,
};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Certificates to serve with.
pub type Tls = Option<Arc<tls::Server>>;

/// Why a witness does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is for other machines and there is no TLS.
    #[error(
        "{0} is not a loopback address; a witness that other machines reach needs TLS: give a certificate and its key, or listen on 127.0.0.1"
    )]
    Plain(SocketAddr),
    /// The address cannot be used.
    #[error("{0} cannot be listened on: {1}")]
    Bind(SocketAddr, #[source] std::io::Error),
}

/// Listens; without TLS on this machine only.
pub async fn listen(address: SocketAddr, tls: &Tls) -> Result<TcpListener, ListenError> {
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(ListenError::Plain(address));
    }
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| ListenError::Bind(address, error))
}

/// Serves until `end` is done and requests under way have ended or their deadline is over.
pub async fn serve(
    listener: TcpListener,
    tls: Tls,
    witness: Witness,
    end: impl Future<Output = ()>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (ending, _) = watch::channel(false);
    let desk = Desk::open(witness);
    let mut end = std::pin::pin!(end);
    loop {
        let (stream, permit) = tokio::select! {
            biased;
            () = &mut end => break,
            accepted = accept(&listener, &room) => match accepted {
                Some(accepted) => accepted,
                None => continue,
            },
        };
        let (desk, tls, ending) = (desk.clone(), tls.clone(), ending.subscribe());
        tokio::spawn(async move {
            let life = connection(stream, tls, desk, ending);
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, life).await;
            drop(permit);
        });
    }
    drop(listener);
    ending.send_replace(true);
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(END_TIMEOUT, room.acquire_many(all)).await;
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, tls: Tls, desk: Desk, ending: watch::Receiver<bool>) {
    let Some(tls) = tls else {
        return speak(stream, desk, ending).await;
    };
    let handshake = async {
        let first = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = tls.config_for(&first.client_hello());
        first.into_stream(config).await
    };
    match tokio::time::timeout(READ_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => speak(stream, desk, ending).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn speak<S>(stream: S, desk: Desk, mut ending: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(response(desk.answer(request).await)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .max_header_size(HEADER_BYTES_MAX)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = told(&mut ending) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn told(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|ending| *ending).await;
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    let kind = HeaderValue::from_static(answer.content_type);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// What the thread that owns the witness is asked.
enum Question {
    Cosign(Bytes),
    Latest(String),
}

/// A question and the way back for its answer.
type Asked = (Question, oneshot::Sender<Answer>);

/// The way to the thread that owns the witness.
#[derive(Clone)]
struct Desk(mpsc::Sender<Asked>);

impl Desk {
    fn open(mut witness: Witness) -> Self {
        let (sender, mut questions) = mpsc::channel::<Asked>(WAITING_MAX);
        // It ends when the last sender is gone.
        tokio::task::spawn_blocking(move || {
            while let Some((question, reply)) = questions.blocking_recv() {
                let answer = match question {
                    Question::Cosign(request) => {
                        let outcome = witness.cosign(&request);
                        tell(outcome.as_ref().err());
                        Answer::to_request(outcome)
                    }
                    Question::Latest(hash) => Answer::to_latest(witness.latest(&hash)),
                };
                let _ = reply.send(answer);
            }
        });
        Self(sender)
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let latest = path
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix("/checkpoint"));
        match (&head.method, path, latest) {
            (&Method::POST, "/add-checkpoint", _) => match read(body).await {
                Ok(body) => self.ask(Question::Cosign(body)).await,
                Err(answer) => answer,
            },
            (&Method::GET, _, Some(hash)) => self.ask(Question::Latest(hash.to_owned())).await,
            (_, "/add-checkpoint", _) | (_, _, Some(_)) => Answer::said(
                StatusCode::METHOD_NOT_ALLOWED,
                "POST /add-checkpoint, GET /<origin hash>/checkpoint",
            ),
            _ => Answer::said(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    async fn ask(&self, question: Question) -> Answer {
        let (reply, answer) = oneshot::channel();
        let gone = || {
            let why = "the witness does not answer; ask again later";
            Answer::said(StatusCode::SERVICE_UNAVAILABLE, why)
        };
        match self.0.try_send((question, reply)) {
            Ok(()) => answer.await.unwrap_or_else(|_| gone()),
            Err(_) => gone(),
        }
    }
}

/// What the operator should see. What anybody can provoke without the log's keys is not told.
fn tell(refused: Option<&Refused>) {
    match refused {
        Some(error @ (Refused::Disk(_) | Refused::Clock(_))) => tracing::error!("{error}"),
        Some(error @ Refused::No(No::OtherRoot(_) | No::Proof(_) | No::EmptyRoot)) => {
            tracing::warn!("a checkpoint that the log signed was refused: {error}");
        }
        _ => {}
    }
}

async fn read(body: Incoming) -> Result<Bytes, Answer> {
    let max = usize::try_from(REQUEST_BYTES_MAX).unwrap_or(usize::MAX);
    let collected = Limited::new(body, max).collect();
    match tokio::time::timeout(READ_TIMEOUT, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Answer::said(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the request is too long",
        )),
        Ok(Err(_)) => Err(Answer::said(
            StatusCode::BAD_REQUEST,
            "the request broke off",
        )),
        Err(_) => Err(Answer::said(
            StatusCode::REQUEST_TIMEOUT,
            "the request took too long",
        )),
    }
}

//! The accept loop and the life of one connection: limits, timeouts, TLS, an orderly end.

use crate::backend::Backend;
use crate::body::out::Out;
use crate::config::Config;
use crate::door::Door;
use crate::ops::Ops;
use crate::watch::{Pulse, Watched};
use authn::Via;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use words::limits::HEADER_BYTES_MAX;

/// Bytes read from a connection at once; also what one connection may hold unread.
const READ_BYTES_MAX: usize = 512 * 1024;
/// How long to wait when the system has no more descriptors or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections are told to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serve,
    /// Finish the request you are on.
    Finish,
    /// End now.
    End,
}

/// Serves S3 until `shutdown` is done and the running requests have ended or their deadline is over.
pub async fn serve(
    listener: TcpListener,
    backend: Arc<dyn Backend>,
    ops: Arc<dyn Ops>,
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
) {
    let deadline = config.shutdown_timeout;
    let all = u32::try_from(config.connections_max)
        .unwrap_or(u32::MAX)
        .max(1);
    let room = Arc::new(Semaphore::new(all as usize));
    let (phase, _) = watch::channel(Phase::Serve);
    let door = Arc::new(Door::new(backend, ops, config.clone()));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, permit) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &room) => match accepted {
                Some(accepted) => accepted,
                None => continue,
            },
        };
        let connection = Connection {
            door: door.clone(),
            config: config.clone(),
            phase: phase.subscribe(),
        };
        // A panic in a request ends its task and connection, nothing else.
        tokio::spawn(async move {
            connection.run(stream).await;
            drop(permit);
        });
    }
    drop(listener);
    phase.send_replace(Phase::Finish);
    if tokio::time::timeout(deadline, room.acquire_many(all))
        .await
        .is_err()
    {
        tracing::warn!(
            "requests were still running at the end of the shutdown's deadline and are cut off"
        );
        phase.send_replace(Phase::End);
        let _ = tokio::time::timeout(Duration::from_secs(1), room.acquire_many(all)).await;
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Small answers must not wait for the acknowledgement of the segment before them.
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted; are there too many open files?");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// One connection.
struct Connection {
    door: Arc<Door>,
    config: Config,
    phase: watch::Receiver<Phase>,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let mut via = Via {
            source: stream.peer_addr().ok().map(|peer| peer.ip().to_canonical()),
            secure: false,
        };
        let Some(tls) = self.config.tls.clone() else {
            return self.speak(stream, via).await;
        };
        via.secure = true;
        let handshake = tls.accept(stream);
        match tokio::time::timeout(self.config.head_timeout, handshake).await {
            Ok(Ok(stream)) => self.speak(stream, via).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => {
                tls.count_slow();
                tracing::debug!("a TLS handshake took too long");
            }
        }
    }

    async fn speak<S>(self, stream: S, via: Via)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            door,
            config,
            mut phase,
        } = self;
        let pulse = Pulse::new(config.idle_timeout);
        let io = TokioIo::new(Watched::new(stream, pulse.clone()));
        let at_work = pulse.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(via);
            let (door, at_work) = (door.clone(), at_work.clone());
            async move {
                let _working = at_work.work();
                Ok::<Response<Out>, Infallible>(door.answer(request).await)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(config.head_timeout)
            .max_header_size(HEADER_BYTES_MAX)
            .max_buf_size(READ_BYTES_MAX)
            .half_close(false)
            .keep_alive(true)
            .writev(true)
            .serve_connection(io, service);
        let mut connection = std::pin::pin!(connection);
        loop {
            let now = *phase.borrow_and_update();
            match now {
                Phase::Serve => {}
                Phase::Finish => connection.as_mut().graceful_shutdown(),
                Phase::End => return,
            }
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                changed = phase.changed() => if changed.is_err() { return },
                () = pulse.stopped() => {
                    tracing::debug!("a connection stood still for too long and is closed");
                    return;
                }
            }
        }
    }
}

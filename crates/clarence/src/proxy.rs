//! A tunnel from plain HTTP on this machine to a node's hybrid TLS, for clients whose library of TLS knows
//! no post-quantum key exchange. Bytes go through as they are: the `Host` header stays the one that was
//! signed. Nothing is read, kept or logged of them.

use crate::talk::Talk;
use std::future::Future;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// For the connection and the handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection on which nothing moves in either direction for two looks is closed.
const IDLE_LOOK: Duration = Duration::from_secs(60);
/// How long connections may go on after the end was asked for.
const END_TIMEOUT: Duration = Duration::from_secs(30);
/// What one direction of one connection holds.
const BUFFER_BYTES: usize = 64 * 1024;
/// What is read of a request that cannot be sent on, so that its client reads the answer.
const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where the tunnel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} {why}; write it like https://s3.example.lu:443");
        let rest = text
            .strip_prefix("https://")
            .ok_or_else(|| wrong("does not begin with https://"))?;
        let place = rest.strip_suffix('/').unwrap_or(rest);
        if place.contains(['/', '?', '#', '@']) {
            return Err(wrong("has more than a host and a port"));
        }
        let after_host = place.rfind(']').map_or(0, |end| end + 1);
        let (host, port) = match place.get(after_host..).and_then(|p| p.rfind(':')) {
            Some(colon) => {
                let (host, port) = place.split_at(after_host + colon);
                let port = port.trim_start_matches(':').parse::<u16>();
                (
                    host,
                    port.map_err(|_| wrong("has no port that can be read"))?,
                )
            }
            None => (place, 443),
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name =
            ServerName::try_from(host.clone()).map_err(|_| wrong("has no host name or address"))?;
        if port == 0 {
            return Err(wrong("has port 0"));
        }
        Ok(Self { host, port, name })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "https://[{}]:{}", self.host, self.port),
            false => write!(f, "https://{}:{}", self.host, self.port),
        }
    }
}

/// The tunnel.
#[derive(Clone)]
pub struct Tunnel {
    target: Target,
    connector: TlsConnector,
}

impl Tunnel {
    pub fn new(target: Target, config: Arc<ClientConfig>) -> Self {
        Self {
            target,
            connector: TlsConnector::from(config),
        }
    }

    /// A handshake without a request: the name of the key exchange, or why it failed.
    pub async fn try_out(&self) -> Result<String, String> {
        let mut stream = self.connect().await?;
        let group = stream.get_ref().1.negotiated_key_exchange_group();
        let name = group.map_or_else(String::new, |group| format!("{:?}", group.name()));
        let _ = stream.shutdown().await;
        Ok(name)
    }

    /// Serves until `end` is done and connections under way have ended or their deadline is over.
    pub async fn serve(
        self,
        listener: TcpListener,
        connections: usize,
        talk: Talk,
        end: impl Future<Output = ()>,
    ) {
        let room = Arc::new(Semaphore::new(connections));
        let mut end = std::pin::pin!(end);
        loop {
            let accepted = async {
                let permit = room.clone().acquire_owned().await.ok()?;
                match listener.accept().await {
                    Ok((stream, _)) => Some((stream, permit)),
                    Err(error) => {
                        talk.warn(&format!("a connection could not be accepted: {error}"));
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        None
                    }
                }
            };
            let (stream, permit) = tokio::select! {
                biased;
                () = &mut end => break,
                accepted = accepted => match accepted {
                    Some(accepted) => accepted,
                    None => continue,
                },
            };
            let tunnel = self.clone();
            tokio::spawn(async move {
                tunnel.carry(stream, talk).await;
                drop(permit);
            });
        }
        drop(listener);
        let all = u32::try_from(connections).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(END_TIMEOUT, room.acquire_many(all)).await;
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, String> {
        let connecting = async {
            let place = (self.target.host.as_str(), self.target.port);
            let stream = TcpStream::connect(place)
                .await
                .map_err(|e| format!("no connection to the server: {e}"))?;
            let _ = stream.set_nodelay(true);
            self.connector
                .connect(self.target.name.clone(), stream)
                .await
                .map_err(|e| tls::client::explain(&e))
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .unwrap_or_else(|_| {
                let seconds = CONNECT_TIMEOUT.as_secs();
                Err(format!("the server did not answer within {seconds} s"))
            })
    }

    async fn carry(&self, mut client: TcpStream, talk: Talk) {
        let _ = client.set_nodelay(true);
        match self.connect().await {
            Ok(server) => {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = tokio::io::split(server);
                let moved = AtomicU64::new(0);
                let up = copy(from_client, to_server, &moved);
                let down = copy(from_server, to_client, &moved);
                // An error on one side, or no movement, ends both. What a client sees is a cut connection.
                let both = async { tokio::try_join!(up, down) };
                tokio::select! {
                    ended = both => drop(ended),
                    () = stands_still(&moved) => {}
                }
            }
            Err(why) => {
                talk.warn(&why);
                let _ = tokio::time::timeout(DRAIN_TIMEOUT, tell(&mut client, &why)).await;
            }
        }
    }
}

/// Copies until the end of one side, hands the end on, and counts each movement.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        let (bytes, _) = buffer.split_at(count);
        to.write_all(bytes).await?;
        to.flush().await?;
        moved.fetch_add(1, Ordering::Relaxed);
    }
}

/// Done when nothing has moved from one look to the next.
async fn stands_still(moved: &AtomicU64) {
    let mut seen = u64::MAX;
    loop {
        let now = moved.load(Ordering::Relaxed);
        if now == seen {
            return;
        }
        seen = now;
        tokio::time::sleep(IDLE_LOOK).await;
    }
}

/// Answers a client whose request cannot be sent on, as S3 answers, so that its own message shows why.
async fn tell(client: &mut TcpStream, why: &str) {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>BadGateway</Code><Message>clarence proxy: {}</Message></Error>\n",
        escaped(why)
    );
    let head = format!(
        "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // Something of the request has to be read first: some clients take an answer before it for a broken
    // connection.
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = DRAIN_BYTES_MAX;
    if !matches!(client.read(&mut buffer).await, Ok(count) if count > 0) {
        return;
    }
    let told = client.write_all((head + &body).as_bytes()).await;
    if told.is_err() || client.shutdown().await.is_err() {
        return;
    }
    // What is closed with bytes unread is reset, and a reset may overtake the answer.
    while let Ok(count) = client.read(&mut buffer).await {
        left = left.saturating_sub(count);
        if count == 0 || left == 0 {
            return;
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn targets_are_read_strictly() {
        for (text, shown) in [
            ("https://localhost", "https://localhost:443"),
            ("https://s3.example.lu:7480/", "https://s3.example.lu:7480"),
            ("https://10.0.0.1:1", "https://10.0.0.1:1"),
            ("https://[::1]:7480", "https://[::1]:7480"),
            ("https://[::1]", "https://[::1]:443"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
        }
        for wrong in [
            "http://localhost:7480",
            "localhost:7480",
            "https://",
            "https://a:0",
            "https://a:99999",
            "https://a/b",
            "https://u@a",
            "https://a b",
            "https://a:",
        ] {
            let error = wrong.parse::<Target>().unwrap_err();
            assert!(error.contains("write it like"), "{wrong}: {error}");
        }
    }
}

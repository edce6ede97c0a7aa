//! TLS at the door: the handshake of one connection. Which group, cipher and certificate a client gets is
//! decided in the room `tls`; here the first message is read, the handshake is done and counted.

use std::io;
use std::sync::Arc;
use tls::{Classical, Handshakes, Identity, KeyExchange, Refused, Server};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;

/// Why certificate and key cannot be used.
pub use tls::IdentityError as TlsError;

/// Certificates and keys, ready for use. Clones share their counters.
#[derive(Clone)]
pub struct Tls(Arc<Server>);

impl Tls {
    /// Serves with the first of these identities whose signatures a client verifies.
    pub fn new(identities: &[Identity], classical: Classical) -> Result<Self, TlsError> {
        Server::new(identities, classical).map(|server| Self(Arc::new(server)))
    }

    /// Reads a certificate chain and its private key, both PEM. Clients without hybrid key exchange are
    /// served.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::new(&[Identity::from_pem(chain, key)?], Classical::Allow)
    }

    /// The serving side: counters, certificates, exchange of certificates.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.0
    }

    /// Does the handshake. The caller sets the deadline, and calls [`Self::count_slow`] when it has passed.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        match self.shake_hands(stream).await {
            Ok(stream) => {
                let (_, session) = stream.get_ref();
                let group = session.negotiated_key_exchange_group().map(|g| g.name());
                self.counts()
                    .count(session.protocol_version(), KeyExchange::of(group));
                Ok(stream)
            }
            Err(error) => {
                let strict = self.0.classical() == Classical::Refuse;
                let why = Refused::of(&error, strict);
                let count = self.counts().count_refused(why);
                // At each doubling, so that an operator sees it and nobody can fill the log with it.
                if why == Refused::Classical && count.is_power_of_two() {
                    tracing::warn!(
                        count,
                        "a TLS client without hybrid key exchange was refused; a newer client, or `clarence proxy` beside it, is served; s3.tls_classical = \"allow\" lets it in"
                    );
                }
                Err(error)
            }
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let first = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = self.0.config_for(&first.client_hello());
        first.into_stream(config).await
    }

    /// Counts a handshake that was given up.
    pub(crate) fn count_slow(&self) {
        self.counts().count_refused(Refused::Slow);
    }

    fn counts(&self) -> &Handshakes {
        self.0.handshakes()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(…)")
    }
}

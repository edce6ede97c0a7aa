//! TLS at the door: the handshake of one connection. Which group, cipher and certificate a client gets is
//! decided in the room `tls`; here the first message is read, the handshake is done and counted.

use std::fmt::Write as _;
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

    /// Handshakes and the ends of certificates, in Prometheus' text format.
    pub fn write_metrics(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = self.write(out);
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let handshakes = self.0.handshakes();
        out.push_str("# HELP clarence_tls_handshakes_total TLS handshakes that were finished, by version and key exchange; class is hybrid or classical.\n# TYPE clarence_tls_handshakes_total counter\n");
        for (version, exchange, count) in handshakes.all() {
            // TLS 1.2 has no hybrid key exchange: no line for what cannot be.
            if version == "1.2" && exchange.is_hybrid() {
                continue;
            }
            let class = if exchange.is_hybrid() {
                "hybrid"
            } else {
                "classical"
            };
            writeln!(
                out,
                "clarence_tls_handshakes_total{{version=\"{version}\",key_exchange=\"{}\",class=\"{class}\"}} {count}",
                exchange.title()
            )?;
        }
        out.push_str("# HELP clarence_tls_handshakes_refused_total TLS handshakes that were not finished, by reason.\n# TYPE clarence_tls_handshakes_refused_total counter\n");
        for (why, count) in handshakes.all_refused() {
            writeln!(
                out,
                "clarence_tls_handshakes_refused_total{{reason=\"{}\"}} {count}",
                why.word()
            )?;
        }
        out.push_str("# HELP clarence_tls_certificate_end_seconds When a certificate in use ends, in seconds since 1970.\n# TYPE clarence_tls_certificate_end_seconds gauge\n");
        for facts in self.0.certificates() {
            let algorithm = facts.algorithm.map_or("other", tls::Algorithm::word);
            writeln!(
                out,
                "clarence_tls_certificate_end_seconds{{algorithm=\"{algorithm}\"}} {}",
                facts.not_after.0 / 1000
            )?;
        }
        Ok(())
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

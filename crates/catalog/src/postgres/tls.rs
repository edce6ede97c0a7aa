//! TLS to a server, after PostgreSQL's own request for it. Without channel binding (RFC 5929):
//! the server is known by its certificate, which the operator's own authority signed.

use super::dial::Stream;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// Speaks TLS with a server of this name.
pub struct Speaks {
    pub config: Arc<ClientConfig>,
    pub name: ServerName<'static>,
}

/// A connection with TLS.
pub struct Spoken(tokio_rustls::client::TlsStream<Wire>);

/// A connection as it was opened.
pub struct Wire(pub Box<dyn Stream>);

impl TlsConnect<Wire> for Speaks {
    type Stream = Spoken;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Spoken>> + Send>>;

    fn connect(self, stream: Wire) -> Self::Future {
        Box::pin(async move {
            let connector = TlsConnector::from(self.config);
            Ok(Spoken(connector.connect(self.name, stream).await?))
        })
    }
}

impl TlsStream for Spoken {
    fn channel_binding(&self) -> ChannelBinding {
        // The digest that a certificate's own signature names would have to be known to bind to it; the
        // certificate is checked by the operator's authority all the same.
        ChannelBinding::none()
    }
}

/// Hands reads and writes on to what is inside.
macro_rules! hands_on {
    ($outer:ty) => {
        impl AsyncRead for $outer {
            fn poll_read(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_read(context, buffer)
            }
        }

        impl AsyncWrite for $outer {
            fn poll_write(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.0).poll_write(context, bytes)
            }
            fn poll_flush(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_flush(context)
            }
            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_shutdown(context)
            }
        }
    };
}

hands_on!(Wire);
hands_on!(Spoken);

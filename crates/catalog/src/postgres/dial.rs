//! How a server is reached: the engine asks for a stream and does not care who opened it.

use super::options::Member;
use async_trait::async_trait;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A connection to a server.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Opens connections.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// A new connection to a member.
    async fn dial(&self, member: &Member) -> io::Result<Box<dyn Stream>>;
}

/// Opens connections from this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

#[async_trait]
impl Dial for Direct {
    async fn dial(&self, member: &Member) -> io::Result<Box<dyn Stream>> {
        if member.host.starts_with('/') {
            let path = format!("{}/.s.PGSQL.{}", member.host, member.port);
            return Ok(Box::new(UnixStream::connect(path).await?));
        }
        let stream = TcpStream::connect((member.host.as_str(), member.port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

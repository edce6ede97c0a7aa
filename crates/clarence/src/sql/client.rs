//! The client's side of SQL over HTTP: one request on one connection.

use crate::exit::{Exit, Failure};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

const CONNECT: Duration = Duration::from_secs(15);
/// Bytes of what is said of a statement.
const SAID_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where SQL is served.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    pub tls: bool,
    host: String,
    port: u16,
}

impl Place {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format!(
                "{url:?} {why}; write it like https://sql.example.lu:7482"
            ))
        };
        let uri: http::Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("begins neither with https:// nor with http://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !plain || authority.as_str().contains('@') {
            return Err(wrong("has more than a host and a port"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let loopback = host == "localhost"
            || host
                .parse()
                .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        if !tls && !loopback {
            return Err(wrong(
                "is not encrypted, and leads to another machine: your secret would go there in clear",
            ));
        }
        Ok(Self { tls, host, port })
    }
}

/// Somebody who asks.
pub struct Client {
    place: Place,
    tls: Option<Arc<ClientConfig>>,
    credential: HeaderValue,
    token: Option<HeaderValue>,
}

impl Client {
    pub fn new(
        place: Place,
        tls: Option<Arc<ClientConfig>>,
        credential: &str,
        token: Option<&str>,
    ) -> Result<Self, Failure> {
        let header = |text: &str| {
            let mut value = HeaderValue::from_str(text)
                .map_err(|_| Failure::usage("the credential has characters that none has"))?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        };
        Ok(Self {
            place,
            tls,
            credential: header(credential)?,
            token: token.map(header).transpose()?,
        })
    }

    /// An answer in JSON; a refusal is a failure.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let answer = self.send(method, path, body).await?;
        told(answer).await
    }

    /// An answer whose body is still on its way; a refusal is a failure.
    pub async fn fetch(&self, path: &str) -> Result<Incoming, Failure> {
        let answer = self.send(Method::GET, path, None).await?;
        match answer.status().is_success() {
            true => Ok(answer.into_body()),
            false => Err(told(answer)
                .await
                .err()
                .unwrap_or_else(|| broken("it said nothing"))),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, Failure> {
        let body = Bytes::from(body.map(Value::to_string).unwrap_or_default());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, format!("{}:{}", self.place.host, self.place.port))
            .header(CONTENT_LENGTH, body.len())
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, self.credential.clone());
        if let Some(token) = &self.token {
            request = request.header("x-amz-security-token", token.clone());
        }
        let request = request.body(Full::new(body)).map_err(broken)?;
        let connected = tokio::time::timeout(CONNECT, self.connect());
        let stream = connected
            .await
            .map_err(|_| self.away("it did not answer in time"))??;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.away(error))?;
        tokio::spawn(connection);
        sender
            .send_request(request)
            .await
            .map_err(|error| self.away(error))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let Place { host, port, .. } = &self.place;
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|error| self.away(error))?;
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(host.clone())
            .map_err(|_| Failure::usage(format!("{host} is no name that a certificate is for")))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        let stream = stream
            .await
            .map_err(|error| Failure::new(Exit::Network, tls::client::explain(&error)))?;
        Ok(Box::new(stream))
    }

    fn away(&self, why: impl std::fmt::Display) -> Failure {
        Failure::new(
            Exit::Network,
            format!(
                "SQL over HTTP is not answered at {}:{}: {why}",
                self.place.host, self.place.port
            ),
        )
        .suggest("serve it with sql.http_listen in the configuration, or `clarence up --sql-http 127.0.0.1:7482`")
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub fn broken(why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Network, format!("the answer broke off: {why}"))
}

async fn told(answer: Response<Incoming>) -> Result<Value, Failure> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), SAID_BYTES_MAX).collect();
    let bytes = body.await.map_err(broken)?.to_bytes();
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|_| broken("what answers there is not SQL over HTTP"))?;
    match status.is_success() {
        true => Ok(value),
        false => Err(refused(status, &value["error"])),
    }
}

fn refused(status: StatusCode, error: &Value) -> Failure {
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Auth,
        StatusCode::NOT_FOUND | StatusCode::GONE => Exit::NotFound,
        StatusCode::CONFLICT => Exit::Conflict,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Exit::Network,
        status if status.is_client_error() => Exit::Usage,
        _ => Exit::General,
    };
    failed(exit, error)
}

/// What the door said, with its code.
pub fn failed(exit: Exit, error: &Value) -> Failure {
    let message = error["message"].as_str().unwrap_or("it gave no reason");
    let code = error["code"].as_str().unwrap_or("XX000");
    Failure::new(exit, format!("{message} ({code})")).named("sql")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_goes_to_another_machine_in_clear() {
        let place = Place::parse("http://127.0.0.1:7482").unwrap();
        assert_eq!((place.tls, place.port), (false, 7482));
        assert_eq!(Place::parse("https://sql.example.lu").unwrap().port, 443);
        assert_eq!(Place::parse("https://[::1]:7482/").unwrap().host, "::1");
        for bad in [
            "",
            "7482",
            "ftp://localhost",
            "http://sql.example.lu:7482",
            "http://10.0.0.1:7482",
            "https://a@b",
            "https://b/v1",
            "https://b/?x",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }
}

//! How somebody comes in: TLS, the start-up message, and SCRAM-SHA-256 (RFC 5802, RFC 7677), passed on to the vault.

use super::Door;
use super::channel::{Channel, Stream, first_eight};
use super::fail::fatal;
use super::settings::Settings;
use bytes::Bytes;
use pgwire::messages::startup::{
    Authentication, GssEncRequest, NegotiateProtocolVersion, SslRequest, Startup,
};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use sql::{Connection, Fault, SignedIn, SqlError};
use statement::{Sign, Why};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;

const MECHANISM: &str = "SCRAM-SHA-256";
/// The database of somebody who names none: their own.
const OWN: &str = "clarence";
/// SSLRequest and GSSENCRequest before a start-up message.
const REQUESTS_MAX: usize = 4;

/// Somebody who is in.
pub struct Begun {
    pub channel: Channel,
    pub connection: Arc<Connection>,
    pub settings: Settings,
}

/// Takes a client in; none if it only wanted to cancel something, or has left.
pub async fn begin(
    door: &Arc<Door>,
    mut stream: TcpStream,
    from: Option<IpAddr>,
) -> io::Result<Option<Begun>> {
    for _ in 0..REQUESTS_MAX {
        let first = first_eight(&mut stream).await?;
        if SslRequest::is_ssl_request_packet(&first) {
            stream.read_exact(&mut [0; 8]).await?;
            let Some(tls) = &door.tls else {
                stream.write_all(b"N").await?;
                continue;
            };
            stream.write_all(b"S").await?;
            // What fails here ends the connection: nothing goes on in the clear.
            let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
            let config = tls.config_for(&hello.client_hello());
            let stream = hello.into_stream(config).await?;
            return come_in(door, Box::new(stream), from).await;
        }
        if GssEncRequest::is_gss_enc_request_packet(&first) {
            stream.read_exact(&mut [0; 8]).await?;
            stream.write_all(b"N").await?;
            continue;
        }
        let plain_is_refused = door.tls.is_some();
        if plain_is_refused && !is_cancel(&first) {
            let mut channel = Channel::new(Box::new(stream));
            channel.next().await?;
            channel
                .say(fatal(
                    "28000",
                    "TLS is required here: connect with sslmode=require or stronger",
                ))
                .await?;
            channel.flush().await?;
            return Ok(None);
        }
        return come_in(door, Box::new(stream), from).await;
    }
    Err(io::Error::other("it asked for encryption again and again"))
}

/// A request to cancel carries no data, and comes without TLS from some clients.
fn is_cancel(first: &[u8; 8]) -> bool {
    pgwire::messages::cancel::CancelRequest::is_cancel_request_packet(first)
}

async fn come_in(
    door: &Arc<Door>,
    stream: Box<dyn Stream>,
    from: Option<IpAddr>,
) -> io::Result<Option<Begun>> {
    let mut channel = Channel::new(stream);
    let startup = match channel.next().await? {
        Some(PgWireFrontendMessage::Startup(startup)) => startup,
        Some(PgWireFrontendMessage::CancelRequest(cancel)) => {
            door.cancels.cancel(cancel.pid, &cancel.secret_key);
            return Ok(None);
        }
        _ => return Ok(None),
    };
    channel.context.awaiting_frontend_startup = false;
    channel.context.protocol_version = pgwire::messages::ProtocolVersion::PROTOCOL3_0;
    let mut settings = Settings::default();
    if let Err(message) = introduced(&mut channel, &startup, &mut settings).await? {
        channel.say(fatal("08P01", &message)).await?;
        channel.flush().await?;
        return Ok(None);
    }
    let user = startup.parameters.get("user").cloned().unwrap_or_default();
    let database = startup
        .parameters
        .get("database")
        .map_or(OWN, String::as_str);
    match sign_in(door, &mut channel, &user, database, from).await? {
        Ok(connection) => {
            settings.tell(&connection);
            Ok(Some(Begun {
                channel,
                connection,
                settings,
            }))
        }
        Err(error) => {
            let message = match error.fault {
                // The same words for a user who is not there and a wrong password.
                Fault::Refused(Why::Unauthenticated) => {
                    format!("password authentication failed for user \"{user}\"")
                }
                _ => error.message.clone(),
            };
            let code = match error.fault {
                Fault::Refused(Why::NotFound) => "3D000",
                other => super::fail::code_of(other),
            };
            channel.say(fatal(code, &message)).await?;
            channel.flush().await?;
            Ok(None)
        }
    }
}

/// What a start-up message says besides who and where.
async fn introduced(
    channel: &mut Channel,
    startup: &Startup,
    settings: &mut Settings,
) -> io::Result<Result<(), String>> {
    if startup.protocol_number_major != 3 {
        return Ok(Err(
            "only version 3 of PostgreSQL's protocol is spoken here".to_owned(),
        ));
    }
    let unknown: Vec<String> = startup
        .parameters
        .keys()
        .filter(|name| name.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.protocol_number_minor != 0 || !unknown.is_empty() {
        let message = NegotiateProtocolVersion::new(0, unknown);
        channel
            .say(PgWireBackendMessage::NegotiateProtocolVersion(message))
            .await?;
    }
    for (name, value) in &startup.parameters {
        let set = match name.as_str() {
            "user" | "database" => Ok(()),
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => Ok(()),
            "replication" => Err("replication is not served".to_owned()),
            "options" => settings.options(value),
            name if name.starts_with("_pq_.") => Ok(()),
            name => settings.set(name, value).map_err(|error| error.message),
        };
        if let Err(message) = set {
            return Ok(Err(message));
        }
    }
    Ok(Ok(()))
}

async fn sign_in(
    door: &Arc<Door>,
    channel: &mut Channel,
    user: &str,
    database: &str,
    from: Option<IpAddr>,
) -> io::Result<Result<Arc<Connection>, SqlError>> {
    let unheard = || {
        Ok(Err(SqlError::new(
            Fault::Refused(Why::Unauthenticated),
            "the client did not speak SCRAM-SHA-256",
        )))
    };
    authentication(channel, Authentication::SASL(vec![MECHANISM.to_owned()])).await?;
    channel.flush().await?;
    let first = match channel.next().await? {
        Some(PgWireFrontendMessage::PasswordMessageFamily(message)) => message,
        Some(_) => return unheard(),
        None => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    let first = match first.into_sasl_initial_response() {
        Ok(first) if first.auth_method == MECHANISM => first.data.unwrap_or_default(),
        _ => return unheard(),
    };
    let Ok(message) = String::from_utf8(first.to_vec()) else {
        return unheard();
    };
    let sign = Sign::ScramFirst {
        user: user.to_owned(),
        message,
    };
    let (exchange, message) = match door.engine.sign_in(sign, database, from).await {
        Ok(SignedIn::Challenge { exchange, message }) => (exchange, message),
        Ok(SignedIn::In { .. }) => return unheard(),
        Err(error) => return Ok(Err(error)),
    };
    authentication(channel, Authentication::SASLContinue(Bytes::from(message))).await?;
    channel.flush().await?;
    let last = match channel.next().await? {
        Some(PgWireFrontendMessage::PasswordMessageFamily(message)) => message,
        Some(_) => return unheard(),
        None => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    let Some(message) = last
        .into_sasl_response()
        .ok()
        .and_then(|last| String::from_utf8(last.data.to_vec()).ok())
    else {
        return unheard();
    };
    let sign = Sign::ScramFinal { exchange, message };
    match door.engine.sign_in(sign, database, from).await {
        Ok(SignedIn::In {
            connection,
            message,
        }) => {
            authentication(channel, Authentication::SASLFinal(Bytes::from(message))).await?;
            authentication(channel, Authentication::Ok).await?;
            Ok(Ok(connection))
        }
        Ok(SignedIn::Challenge { .. }) => unheard(),
        Err(error) => Ok(Err(error)),
    }
}

async fn authentication(channel: &mut Channel, message: Authentication) -> io::Result<()> {
    channel
        .say(PgWireBackendMessage::Authentication(message))
        .await
}

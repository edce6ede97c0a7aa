//! One connection to one server, as it has to be for a commit: synchronous, with time limits on what it may
//! hold, and with an ear for warnings.

use super::dial::{Dial, Stream};
use super::error::OpenError;
use super::options::{Durability, Member, Options};
use super::tls::{Speaks, Wire};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::Severity;
use tokio_postgres::tls::{NoTls, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, Statement};
use tokio_rustls::rustls::pki_types::ServerName;
use words::SiteId;

/// What every session sets. A session that stops between the two halves of a batch is ended by the server, so
/// that it does not keep the head locked for the others.
const SETTINGS: &str = "-c synchronous_commit=on -c lock_timeout=5s -c statement_timeout=0 \
    -c idle_in_transaction_session_timeout=3s -c default_transaction_isolation=read\\ committed \
    -c default_transaction_read_only=off -c client_min_messages=warning -c search_path=pg_catalog \
    -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10s";

/// A node whose machine lost power is noticed by the server within some ten seconds, so that another can take its place.
const WHO: &str = "SELECT pg_is_in_recovery(), current_setting('server_version_num')::int, \
    current_setting('server_version'), CASE WHEN NOT pg_is_in_recovery() \
    THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END, \
    current_setting('fsync'), current_setting('full_page_writes')";

/// The advisory lock that shows that a node uses the database's catalog: "CLARENCE" in ASCII.
const IN_USE: i64 = 0x434c_4152_454e_4345;

/// Who shows that it uses this database's catalog. A key of 64 bits stands there in two halves, its `objsubid` is 1.
macro_rules! users {
    () => {
        "FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
         AND classid::bigint = 1129070930 AND objid::bigint = 1162756933 \
         AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    };
}

/// What a node that stands by looks at: who holds the catalog, how far it has come, and whether somebody shows that it is
/// in use.
pub const LOOK: &str = concat!(
    "SELECT holder, version, barrier, EXISTS (SELECT 1 ",
    users!(),
    ") FROM clarence.head"
);

/// Ends the connections of the role that holds the mark, and any other of the same node that waits for a lock.
pub const END_OTHERS: &str = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
     WHERE usename = current_user AND datname = current_database() AND pid <> pg_catalog.pg_backend_pid() \
     AND application_name = 'clarence'";

/// A connection. Dropping it closes the socket, without asking the server to cancel anything.
pub struct Session {
    pub client: Client,
    pub member: usize,
    pub site: SiteId,
    /// The timeline if the server is primary; `None` on a standby.
    pub timeline: Option<u32>,
    pub server: (i32, String),
    pub statements: Option<Statements>,
    /// The setting by which a power cut would take what was acknowledged.
    forgets: Option<String>,
    warned: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The statements of a session, parsed once.
pub struct Statements {
    pub head: Statement,
    pub versions: Statement,
    pub ranges: Statement,
    pub ops: Statement,
    pub put: Statement,
    pub delete: Statement,
    pub remember: Statement,
    pub advance: Statement,
    pub standbys: Statement,
    pub get: Statement,
    pub up: Statement,
    pub down: Statement,
}

impl Session {
    /// Connects to a member and asks it who it is.
    pub async fn open(options: &Options, dial: &dyn Dial, index: usize) -> Result<Self, OpenError> {
        let member = &options.members[index];
        let away = |why: String| OpenError::NoPrimary(format!("{} {why}", name(member)));
        let server = speaks(options, member)?;
        let opening = async {
            let stream = dial.dial(member).await.map_err(|e| away(e.to_string()))?;
            let stream = Wire(stream);
            let mut config = Config::new();
            config.user(&options.user).dbname(&options.database);
            config.application_name("clarence").options(SETTINGS);
            if let Some(password) = &options.password {
                config.password(password.as_str());
            }
            let opened = match server {
                Some(tls) => {
                    config.ssl_mode(SslMode::Require);
                    Self::connect(&config, stream, tls, member, index).await
                }
                None => {
                    config.ssl_mode(SslMode::Disable);
                    Self::connect(&config, stream, NoTls, member, index).await
                }
            };
            let session = opened.map_err(|error| said_no(member, &error))?;
            match (options.durability, &session.forgets) {
                (Durability::Required, Some(what)) => Err(OpenError::NotDurable(what.clone())),
                _ => Ok(session),
            }
        };
        match timeout(options.deadline.min(Duration::from_secs(5)), opening).await {
            Ok(opened) => opened,
            Err(_) => Err(away("did not answer in time".to_owned())),
        }
    }

    async fn connect<T: TlsConnect<Wire>>(
        config: &Config,
        stream: Wire,
        tls: T,
        member: &Member,
        index: usize,
    ) -> Result<Self, Error>
    where
        T::Stream: Send + 'static,
    {
        let (client, connection) = config.connect_raw(stream, tls).await?;
        let warned = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(hear(connection, Arc::clone(&warned))).abort_handle();
        let mut session = Self {
            client,
            member: index,
            site: member.site,
            timeline: None,
            server: (0, String::new()),
            statements: None,
            forgets: None,
            warned,
            task,
        };
        let row = session.client.query_one(WHO, &[]).await?;
        let timeline: Option<String> = row.try_get(3)?;
        session.timeline = timeline.and_then(|text| u32::from_str_radix(&text, 16).ok());
        session.server = (row.try_get(1)?, row.try_get(2)?);
        for (at, setting) in [(4, "fsync"), (5, "full_page_writes")] {
            let is: String = row.try_get(at)?;
            if is != "on" {
                session.forgets = Some(format!("{setting} = {is}"));
            }
        }
        Ok(session)
    }

    /// Parses the statements; only when the tables are there.
    pub async fn prepare(&mut self) -> Result<(), Error> {
        let client = &self.client;
        self.statements = Some(Statements {
            head: client.prepare(super::batch::HEAD).await?,
            versions: client.prepare(super::batch::VERSIONS).await?,
            ranges: client.prepare(super::batch::RANGES).await?,
            ops: client.prepare(super::batch::OPS).await?,
            put: client.prepare(super::batch::PUT).await?,
            delete: client.prepare(super::batch::DELETE).await?,
            remember: client.prepare(super::batch::REMEMBER).await?,
            advance: client.prepare(super::batch::ADVANCE).await?,
            standbys: client.prepare(super::batch::STANDBYS).await?,
            get: client.prepare(super::reads::GET).await?,
            up: client.prepare(super::reads::UP).await?,
            down: client.prepare(super::reads::DOWN).await?,
        });
        Ok(())
    }

    /// Shows others that the catalog is in use, for as long as the connection lasts. False if somebody else does.
    pub async fn mark(&self) -> Result<bool, Error> {
        let mark = format!("SELECT pg_catalog.pg_try_advisory_lock({IN_USE})");
        self.client.query_one(&mark, &[]).await?.try_get(0)
    }

    /// Whether the server warned of anything since this was last asked. A warning while a commit was waited for
    /// may mean that the standby does not have it.
    pub fn take_warning(&self) -> bool {
        self.warned.swap(false, Ordering::AcqRel)
    }
}

/// TLS to a member; none over a socket, nor without authorities on this machine.
fn speaks(options: &Options, member: &Member) -> Result<Option<Speaks>, OpenError> {
    match &options.tls {
        _ if member.host.starts_with('/') => Ok(None),
        Some(config) => Ok(Some(Speaks {
            config: Arc::clone(config),
            name: ServerName::try_from(member.host.clone())
                .map_err(|_| OpenError::Name(name(member)))?,
        })),
        None if stays_here(member) => Ok(None),
        None => Err(OpenError::Plain(name(member))),
    }
}

/// Whether every member can be called as it has to be, before any is.
pub fn callable(options: &Options) -> Result<(), OpenError> {
    let mut members = options.members.iter();
    members.try_for_each(|member| speaks(options, member).map(drop))
}

/// What the server is called in messages.
pub fn name(member: &Member) -> String {
    format!("{}:{} ({})", member.host, member.port, member.site)
}

/// Drives the connection and notes warnings; a warning comes before the answer that it belongs to.
async fn hear<S, T>(mut connection: Connection<S, T>, warned: Arc<AtomicBool>)
where
    S: Stream,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                let harmless = matches!(
                    notice.parsed_severity(),
                    Some(Severity::Debug | Severity::Log | Severity::Info | Severity::Notice)
                );
                if !harmless {
                    tracing::warn!(code = notice.code().code(), message = %notice.message(), "the catalog's server warns");
                    warned.store(true, Ordering::Release);
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection to the catalog's server ended");
                return;
            }
            None => return,
        }
    }
}

/// Whether what is sent to the member stays on this machine.
fn stays_here(member: &Member) -> bool {
    let host = member.host.as_str();
    host.starts_with('/')
        || host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A refusal that waiting will not mend, or a member that is away.
fn said_no(member: &Member, error: &Error) -> OpenError {
    let why = error
        .as_db_error()
        .map_or_else(|| error_chain(error), |said| said.message().to_owned());
    let class = error.code().map(|code| &code.code()[..2]);
    match class {
        // Authorisation, and a database that does not exist.
        Some("28" | "3D") => OpenError::Denied {
            member: name(member),
            why,
        },
        _ => OpenError::NoPrimary(format!("{} {why}", name(member))),
    }
}

/// An error with its causes, in one line.
pub fn error_chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

//! The running node: opened, perhaps unsealed, serving until it is told to stop.

use crate::apart::Doors;
use crate::certificates::{self, Watch};
use crate::config::{NodeConfig, SqlConfig};
use crate::control;
use crate::metrics::Counts;
use crate::open::{OpenError, Opened, open, open_with};
use crate::publish::Publishers;
use crate::rooms::Rooms;
use crate::root::Held;
use crate::standby;
use crate::statements::Statements;
use charter::Unsealing;
use gate::Ops;
use host::{Host, files};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, RwLock, watch};
use vault::HeldKeys;

/// Why a node ended or did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {error}; choose another address with {flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// The control socket cannot be made.
    #[error(
        "the control socket cannot be made: {0}; the path of the data folder may be too long (about 90 characters)"
    )]
    Control(#[source] io::Error),
    /// Plain HTTP would leave this machine.
    #[error(
        "{0} is not a loopback address and there is no TLS certificate; give one, or say that plain HTTP may leave this machine"
    )]
    PlainBeyondLoopback(SocketAddr),
    /// SQL would leave this machine without TLS.
    #[error(
        "{0} is where SQL would be served, other machines reach it, and there is no TLS certificate; set s3.tls_local_authority, or s3.tls_cert and s3.tls_key, which SQL uses as well"
    )]
    PlainSql(SocketAddr),
    /// SQL is asked for and cannot be had.
    #[error(
        "an address for SQL is set, and its query engine {} is not there; build it with `cargo build --release --bin clarence-sql` and put it beside `clarence`, or say where it is with sql.engine, or set no address",
        .0.display()
    )]
    NoEngine(PathBuf),
    /// The certificate cannot be used.
    #[error("{0}")]
    Tls(String),
    /// Another process has the folder.
    #[error("another node has {} and does not let go of it; end it first", .0.display())]
    Held(PathBuf),
    /// The vault's process did not start, or ended by itself.
    #[error("{message}")]
    Apart {
        /// A stable word, as on the control socket.
        kind: String,
        /// What happened and what to do.
        message: String,
        /// It is about opening the folders.
        opening: bool,
    },
    /// The work in the background stopped.
    #[error("the node stopped itself: {0}")]
    Stopped(String),
}

impl RunError {
    /// A stable word, as on the control socket, and whether it is about opening the folders.
    #[must_use]
    pub fn kind(&self) -> (&str, bool) {
        match self {
            Self::Open(OpenError::NotFounded { .. }) => ("not-found", true),
            Self::Open(
                OpenError::Foreign { .. } | OpenError::ForeignBucket { .. } | OpenError::Refused(_),
            ) => ("conflict", true),
            Self::Open(_) => ("internal", true),
            Self::Listen { .. } => ("unavailable", false),
            Self::PlainBeyondLoopback(_) | Self::PlainSql(_) | Self::NoEngine(_) | Self::Tls(_) => {
                ("usage", false)
            }
            Self::Held(_) => ("conflict", false),
            Self::Apart { kind, opening, .. } => (kind, *opening),
            Self::Control(_) | Self::Stopped(_) => ("internal", false),
        }
    }
}

/// How long a node that ends waits for the last entries of the ledger.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);
/// How often, and how many times, it is tried to take the folder.
const LOCK_LOOK: Duration = Duration::from_millis(20);
const LOCK_LOOKS: u32 = 500;

/// The flag that says where S3 is served.
pub(crate) const S3_FLAG: &str = "--s3";

/// A running node.
pub struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) host: Host,
    pub(crate) opened: Opened,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) statements: Arc<Statements>,
    /// What query engines did.
    pub(crate) sql_counts: Arc<road::Counts>,
    pub(crate) unsealing: Mutex<Unsealing>,
    /// The root in force.
    pub(crate) held: std::sync::RwLock<Held>,
    /// Only one thing at a time is done with the root or its shares.
    pub(crate) root_work: Mutex<()>,
    pub(crate) joinings: Mutex<charter::officers::Joinings>,
    pub(crate) opened_now: Notify,
    pub(crate) rotate_now: Notify,
    /// Keys that are lent to hosts.
    pub(crate) lending: crate::lending::Loans,
    pub(crate) endpoint: String,
    pub(crate) counts: Counts,
    /// What this process's own door serves with.
    pub(crate) tls: Option<gate::Tls>,
    /// Handshakes of a door in another process.
    pub(crate) handshakes: std::sync::Mutex<Option<(u64, u64)>>,
    pub(crate) stop: watch::Sender<bool>,
    /// Only one heal or scrub runs at a time.
    pub(crate) healing: Mutex<()>,
    /// Only one backup is taken at a time.
    pub(crate) backing_up: Mutex<()>,
    /// Held for writing by what sweeps garbage, for reading by a backup, whose chunks have to stay.
    pub(crate) sweeping: RwLock<()>,
    pub(crate) published: watch::Sender<u64>,
    pub(crate) publishers: Publishers,
    /// Why a restart without officers was refused, until it is in the ledger.
    pub(crate) restart_refused: std::sync::Mutex<Option<String>>,
}

/// Where a node's door is.
enum Door {
    /// In this process.
    Here(TcpListener, gate::Config),
    /// In a process of its own.
    Apart(Doors),
}

/// Opens the node and serves from this one process until `shutdown` is done, the node is told to stop, or it has to
/// stop itself. What speaks to the network and what holds the keys then share one memory: see [`crate::apart`].
pub async fn run(
    config: NodeConfig,
    host: Host,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    check_plain(&config)?;
    refuse_unfinished(&config)?;
    let mut config = config;
    if !config.sql.addresses().is_empty() {
        tracing::warn!(
            "SQL is not served while the vault is in this process (unsafe_vault_in_process)"
        );
        config.sql = SqlConfig::default();
    }
    let _lock = hold(&config).await?;
    let opened = open(&config, &host).await?;
    let (listener, address) = listen(config.s3_listen, S3_FLAG).await?;
    config.s3_listen = address;
    let gate = gate_config(&config, &host)?;
    let (gate_tls, door) = (gate.tls.clone(), Door::Here(listener, gate));
    run_with(config, host, (opened, None), gate_tls, door, shutdown).await
}

/// Opens the node and serves doors that are processes of their own. `s3_listen` is the address they serve.
pub(crate) async fn run_apart(
    config: NodeConfig,
    host: Host,
    doors: Doors,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    refuse_unfinished(&config)?;
    let _lock = hold(&config).await?;
    let mut shutdown = std::pin::pin!(shutdown);
    let ready = match config.catalog.as_ref().filter(|_| config.standby) {
        None => None,
        Some(servers) => {
            match standby::wait(&config, servers, &host, shutdown.as_mut()).await? {
                // Told to end before its turn came.
                None => return Ok(()),
                ready => ready,
            }
        }
    };
    let (catalog, keys) = ready.map_or((None, None), |ready| (Some(ready.catalog), ready.keys));
    let opened = open_with(&config, &host, false, catalog).await?;
    let door = Door::Apart(doors);
    run_with(config, host, (opened, keys), None, door, shutdown).await
}

async fn run_with(
    config: NodeConfig,
    host: Host,
    (opened, keys): (Opened, Option<HeldKeys>),
    tls: Option<gate::Tls>,
    door: Door,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let endpoint = format!("{scheme}://{}", config.s3_listen);
    let node = assemble(config, host, opened, endpoint, tls);
    let outcome = node.serve(door, keys, shutdown).await;
    node.end().await;
    outcome
}

/// A node around its opened rooms; nothing runs yet.
pub(crate) fn assemble(
    config: NodeConfig,
    host: Host,
    opened: Opened,
    endpoint: String,
    tls: Option<gate::Tls>,
) -> Arc<Node> {
    let rooms = Arc::new(Rooms {
        vault: Arc::clone(&opened.vault),
        store: Arc::clone(&opened.store),
    });
    Arc::new(Node {
        statements: Statements::new(Arc::clone(&rooms), host.clone()),
        rooms,
        sql_counts: Arc::default(),
        unsealing: Mutex::new(crate::joint::unsealing(
            opened.custody.clone(),
            opened.vault.law().as_deref(),
        )),
        held: std::sync::RwLock::new(Held {
            header: opened.header.clone(),
            custody: opened.custody.clone(),
        }),
        root_work: Mutex::new(()),
        joinings: Mutex::default(),
        rotate_now: Notify::new(),
        lending: crate::lending::Loans::default(),
        opened_now: Notify::new(),
        endpoint,
        counts: Counts::default(),
        stop: watch::channel(false).0,
        healing: Mutex::new(()),
        backing_up: Mutex::new(()),
        sweeping: RwLock::new(()),
        published: watch::channel(0).0,
        publishers: Publishers::default(),
        restart_refused: std::sync::Mutex::default(),
        handshakes: std::sync::Mutex::new(None),
        tls,
        config,
        host,
        opened,
    })
}

pub(crate) fn check_plain(config: &NodeConfig) -> Result<(), RunError> {
    let plain = config.tls.is_none() && !config.s3_listen.ip().is_loopback();
    if plain && !config.allow_plain_beyond_loopback {
        return Err(RunError::PlainBeyondLoopback(config.s3_listen));
    }
    let addresses = config.sql.addresses();
    match addresses
        .iter()
        .find(|(address, _)| !address.ip().is_loopback())
    {
        Some((address, _)) if config.tls.is_none() => Err(RunError::PlainSql(*address)),
        _ => Ok(()),
    }
}

/// A restore that was interrupted leaves folders that lack chunks.
fn refuse_unfinished(config: &NodeConfig) -> Result<(), OpenError> {
    for site in words::SiteId::BOTH {
        let mark = config.layout.site(site).join(crate::restore::MARK);
        if matches!(files::stat(&mark), Ok(Some(_))) {
            return Err(OpenError::Refused(format!(
                "{} is there: a restore was interrupted before everything was back; give `clarence restore` again as before, or remove the folders and restore again",
                mark.display()
            )));
        }
    }
    Ok(())
}

/// Listens, and gives the address that it came to be.
pub(crate) async fn listen(
    address: SocketAddr,
    flag: &'static str,
) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |error| RunError::Listen {
        address,
        flag,
        error,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Takes the folder for this process. A process that was killed may need a moment to let go of it.
async fn hold(config: &NodeConfig) -> Result<Option<files::Lock>, RunError> {
    let path = config.layout.lock();
    for _ in 0..LOCK_LOOKS {
        match files::lock(&path) {
            Ok(Some(lock)) => return Ok(Some(lock)),
            Ok(None) => tokio::time::sleep(LOCK_LOOK).await,
            // No folder, no cloud: opening says so.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RunError::Open(OpenError::Read { path, error })),
        }
    }
    Err(RunError::Held(path))
}

pub(crate) fn gate_config(config: &NodeConfig, host: &Host) -> Result<gate::Config, RunError> {
    let mut gate = gate::Config::new(host.clone());
    gate.region.clone_from(&config.region);
    gate.domains.clone_from(&config.base_domains);
    gate.tls = certificates::load(config)?;
    Ok(gate)
}

impl Node {
    /// What doors in other processes find behind their lanes.
    fn behind(self: &Arc<Self>) -> link::Behind {
        link::Behind {
            backend: Arc::clone(&self.rooms) as _,
            ops: Arc::clone(self) as _,
            domains: self.config.base_domains.clone().into(),
        }
    }

    /// What query engines find behind theirs.
    fn road(&self) -> road::Behind {
        road::Behind {
            road: Arc::clone(&self.statements) as _,
            counts: Arc::clone(&self.sql_counts),
        }
    }

    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch {
            config: &self.config,
            host: &self.host,
            tls: self.tls.as_ref(),
        }
    }

    async fn serve(
        self: &Arc<Self>,
        door: Door,
        keys: Option<HeldKeys>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), RunError> {
        if let Err(failure) = self.share_papers().await {
            tracing::warn!("{}", failure.message);
        }
        // Before anybody can ask: what a lease opens is open when the node answers.
        match keys {
            Some(keys) => self.open_held(keys).await,
            None => self.restart().await,
        }
        let socket = self.config.layout.socket();
        let control = tokio::spawn({
            let node = Arc::clone(self);
            async move { control::serve(node, &socket).await }
        });
        let lease = tokio::spawn(Arc::clone(self).keep_lease());
        if self.config.unsafe_unseal_from_this_machine
            && let Err(failure) = self.unseal_from_this_machine().await
        {
            tracing::error!("{}", failure.message);
        }
        let background = tokio::spawn(Arc::clone(self).upkeep());
        let mut stop = self.stop.subscribe();
        let (door_stop, mut door_stopped) = watch::channel(false);
        let until = async move {
            let _ = door_stopped.wait_for(|stop| *stop).await;
        };
        let door = match door {
            Door::Here(listener, gate) => {
                let (backend, ops) = (Arc::clone(&self.rooms), Arc::clone(self) as Arc<dyn Ops>);
                tokio::spawn(async move {
                    gate::serve(listener, backend, ops, gate, until).await;
                })
            }
            Door::Apart(doors) => tokio::spawn(doors.serve(self.behind(), self.road(), until)),
        };
        tracing::info!(
            endpoint = self.endpoint,
            sealed = self.rooms.vault.is_sealed(),
            "serving"
        );
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            ended = control => Err(match ended {
                Ok(Err(error)) => RunError::Control(error),
                _ => RunError::Stopped("the control socket ended".into()),
            }),
            ended = background => Err(RunError::Stopped(match ended {
                Ok(why) => why,
                Err(error) => error.to_string(),
            })),
        };
        lease.abort();
        let _ = door_stop.send(true);
        let _ = door.await;
        outcome
    }

    /// Ends cleanly: what is recorded is published, the catalog is closed.
    async fn end(&self) {
        if !self.rooms.vault.flush_later(FLUSH_PATIENCE).await {
            tracing::warn!(
                "some ledger entries that nobody waited for could not be written before the end"
            );
        }
        if !self.rooms.vault.is_sealed()
            && let Err(error) = self.rooms.vault.flush_meter().await
        {
            tracing::warn!(%error, "what tenants used in the last minute is not written down");
        }
        if !self.rooms.vault.is_sealed()
            && let Err(error) = self.publish_all().await
        {
            tracing::warn!(%error, "the last entries are not published yet; they are safe in the catalog");
        }
        if let Some(guest) = &self.opened.guest {
            guest.flush(self.opened.engine.head()).await;
        }
        self.opened.engine.shutdown().await;
        if let Err(error) = files::remove(&self.config.layout.socket()) {
            tracing::debug!(%error, "the control socket stays behind");
        }
        tracing::info!("the node has ended");
    }
}

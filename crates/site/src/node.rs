//! The running node: opened, perhaps unsealed, serving until it is told to stop.

use crate::certificates;
use crate::config::NodeConfig;
use crate::control;
use crate::metrics::Counts;
use crate::open::{OpenError, Opened, open};
use crate::publish::Publishers;
use crate::rooms::Rooms;
use charter::Unsealing;
use gate::Ops;
use host::{Host, files};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, watch};

/// Why a node ended or did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {error}; choose another address with --s3")]
    Listen {
        /// The address.
        address: SocketAddr,
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
    /// The certificate cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The work in the background stopped.
    #[error("the node stopped itself: {0}")]
    Stopped(String),
}

/// How long a node that ends waits for the last entries of the ledger.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);

/// A running node.
pub struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) host: Host,
    pub(crate) opened: Opened,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) unsealing: Mutex<Unsealing>,
    pub(crate) opened_now: Notify,
    pub(crate) endpoint: String,
    pub(crate) counts: Counts,
    pub(crate) tls: Option<gate::Tls>,
    pub(crate) stop: watch::Sender<bool>,
    /// Only one heal or scrub runs at a time.
    pub(crate) healing: Mutex<()>,
    pub(crate) published: watch::Sender<u64>,
    pub(crate) publishers: Publishers,
}

/// Opens the node and serves until `shutdown` is done, the node is told to stop, or it has to stop itself.
pub async fn run(
    config: NodeConfig,
    host: Host,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    if config.tls.is_none()
        && !config.s3_listen.ip().is_loopback()
        && !config.allow_plain_beyond_loopback
    {
        return Err(RunError::PlainBeyondLoopback(config.s3_listen));
    }
    let opened = open(&config, &host).await?;
    let listener = TcpListener::bind(config.s3_listen)
        .await
        .map_err(|error| RunError::Listen {
            address: config.s3_listen,
            error,
        })?;
    let address = listener.local_addr().map_err(|error| RunError::Listen {
        address: config.s3_listen,
        error,
    })?;
    let gate = gate_config(&config, &host)?;
    let node = Arc::new(Node {
        rooms: Arc::new(Rooms {
            vault: Arc::clone(&opened.vault),
            store: Arc::clone(&opened.store),
        }),
        unsealing: Mutex::new(Unsealing::new(opened.custody.clone())),
        opened_now: Notify::new(),
        endpoint: format!(
            "{}://{address}",
            if gate.tls.is_some() { "https" } else { "http" }
        ),
        counts: Counts::default(),
        stop: watch::channel(false).0,
        healing: Mutex::new(()),
        published: watch::channel(0).0,
        publishers: Publishers::default(),
        tls: gate.tls.clone(),
        config,
        host,
        opened,
    });
    let outcome = node.serve(listener, gate, shutdown).await;
    node.end().await;
    outcome
}

fn gate_config(config: &NodeConfig, host: &Host) -> Result<gate::Config, RunError> {
    let mut gate = gate::Config::new(host.clone());
    gate.region.clone_from(&config.region);
    gate.domains.clone_from(&config.base_domains);
    gate.tls = certificates::load(config)?;
    Ok(gate)
}

impl Node {
    async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        gate: gate::Config,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), RunError> {
        let socket = self.config.layout.socket();
        let control = tokio::spawn({
            let node = Arc::clone(self);
            async move { control::serve(node, &socket).await }
        });
        if self.config.unsafe_unseal_from_this_machine
            && let Err(failure) = self.unseal_from_this_machine().await
        {
            tracing::error!("{}", failure.message);
        }
        let background = tokio::spawn(Arc::clone(self).upkeep());
        let mut stop = self.stop.subscribe();
        let (door_stop, mut door_stopped) = watch::channel(false);
        let door = tokio::spawn({
            let (backend, ops) = (Arc::clone(&self.rooms), Arc::clone(self) as Arc<dyn Ops>);
            async move {
                let until = async move {
                    let _ = door_stopped.wait_for(|stop| *stop).await;
                };
                gate::serve(listener, backend, ops, gate, until).await;
            }
        });
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
        self.opened.engine.shutdown().await;
        if let Err(error) = files::remove(&self.config.layout.socket()) {
            tracing::debug!(%error, "the control socket stays behind");
        }
        tracing::info!("the node has ended");
    }
}

//! The vault's process: the node without a door of its own.

use super::{END_DOORS, FAILED, NEW_ENGINE, OPENED, failed, runtime};
use crate::config::{CatalogServers, NodeConfig};
use crate::node::{self, RunError};
use host::Host;
use link::{Behind, Trunk};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long doors and engines may take to finish what they are doing, a little longer than they give themselves.
const DOORS_END: Duration = Duration::from_secs(35);

pub fn run(launcher: Trunk, config: NodeConfig) -> Result<(), RunError> {
    if !wall::forbid_images() {
        tracing::warn!(
            "images of the vault's memory cannot be forbidden; one on a disk would hold its keys"
        );
    }
    let launcher = Arc::new(launcher);
    let outcome = walled(&launcher, config);
    if let Err(error) = &outcome {
        tell(&launcher, error);
    }
    outcome
}

fn walled(launcher: &Arc<Trunk>, mut config: NodeConfig) -> Result<(), RunError> {
    if let Some(access) = &mut config.hsm {
        access.starter = super::module::starter(launcher);
    }
    let servers = config.catalog.as_ref();
    let calls = config.embassy.is_some()
        || config.lends
        || config.site_buckets.iter().any(Option::is_some)
        || servers.is_some_and(CatalogServers::over_network);
    let role = match calls {
        false => wall::Role::Vault,
        true => wall::Role::Guest,
    };
    let built = wall::build(role, &reads(&config), &writes(&config));
    let built = built.map_err(|e| failed(&e))?;
    let locked = wall::lock_memory();
    tracing::debug!(?built, locked, "the vault's walls stand");
    runtime().map_err(|e| failed(&e))?.block_on(async {
        let mut end = signal(SignalKind::terminate()).map_err(|e| failed(&e))?;
        let doors = Doors::follow(Arc::clone(launcher)).map_err(|e| failed(&e))?;
        node::run_apart(config, Host::real(), doors, async move {
            end.recv().await;
        })
        .await
    })
}

/// What the C library and the runtime look at, and the files with an HSM's PIN and with what opens the catalog's servers.
fn reads(config: &NodeConfig) -> Vec<PathBuf> {
    let system = [
        "/proc",
        "/sys/fs/cgroup",
        "/sys/devices/system",
        "/dev",
        "/etc",
    ];
    let pin = config.hsm.iter().map(|access| access.pin_file.clone());
    let servers = config.catalog.iter().flat_map(|catalog| {
        let files = catalog.password_file.iter().chain(&catalog.authorities);
        let sockets = catalog.servers.iter().filter(|s| s.host.starts_with('/'));
        let sockets = sockets.map(|server| PathBuf::from(&server.host));
        files.cloned().chain(sockets)
    });
    let system = system.map(PathBuf::from).into_iter();
    system.chain(pin).chain(servers).collect()
}

/// The node's folder, and where the sites' and the parties' folders lie: a folder that was lost is made again there.
fn writes(config: &NodeConfig) -> Vec<PathBuf> {
    let layout = &config.layout;
    let mut paths = vec![layout.data.clone()];
    if let tpm::Place::Device(device) = &config.tpm {
        paths.push(device.clone());
    }
    for folder in layout.sites.iter().chain([&layout.parents]) {
        let inside = folder.starts_with(&layout.data);
        match folder.parent() {
            Some(parent) if !inside && parent.is_dir() => paths.push(parent.to_path_buf()),
            _ => paths.push(folder.clone()),
        }
    }
    paths
}

/// Why the vault ended, for the launcher to say.
fn tell(launcher: &Trunk, error: &RunError) {
    let (kind, opening) = error.kind();
    let said =
        serde_json::json!({ "kind": kind, "message": error.to_string(), "opening": opening });
    let mut note = vec![FAILED];
    note.extend_from_slice(said.to_string().as_bytes());
    note.truncate(link::trunk::NOTE_BYTES_MAX);
    if let Err(error) = launcher.send(&note, &[]) {
        tracing::debug!(%error, "the launcher has ended before the vault");
    }
}

/// What the launcher has started.
enum Started {
    Door(Trunk),
    Engine(Trunk),
}

/// The doors and query engines that the launcher starts, as they come.
pub struct Doors {
    launcher: Arc<Trunk>,
    trunks: mpsc::Receiver<Started>,
}

impl Doors {
    /// Listens to the launcher.
    fn follow(launcher: Arc<Trunk>) -> std::io::Result<Self> {
        let (sender, trunks) = mpsc::channel(4);
        let from = Arc::clone(&launcher);
        std::thread::Builder::new()
            .name("launcher".into())
            .spawn(move || {
                while let Ok(Some((note, fds))) = from.receive() {
                    for fd in fds {
                        let trunk = Trunk::of(fd);
                        let started = match note == NEW_ENGINE {
                            true => Started::Engine(trunk),
                            false => Started::Door(trunk),
                        };
                        if sender.blocking_send(started).is_err() {
                            return;
                        }
                    }
                }
            })?;
        Ok(Self { launcher, trunks })
    }

    /// Serves doors and engines until told to end; then they finish what they are doing.
    pub async fn serve(
        mut self,
        behind: Behind,
        road: road::Behind,
        until: impl Future<Output = ()>,
    ) {
        let mut until = std::pin::pin!(until);
        let mut serving = JoinSet::new();
        if let Err(error) = self.launcher.send(OPENED, &[]) {
            tracing::debug!(%error, "the launcher has ended before the vault");
        }
        loop {
            tokio::select! {
                () = &mut until => break,
                Some(started) = self.trunks.recv() => {
                    let (behind, road) = (behind.clone(), road.clone());
                    serving.spawn(async move {
                        let served = match started {
                            Started::Door(trunk) => link::serve(trunk, behind).await,
                            Started::Engine(trunk) => road::serve(trunk, road).await,
                        };
                        if let Err(error) = served {
                            tracing::error!(%error, "a door or a query engine could not be served on");
                        }
                    });
                }
                Some(_) = serving.join_next() => {}
            }
        }
        if let Err(error) = self.launcher.send(END_DOORS, &[]) {
            tracing::debug!(%error, "the launcher has ended before the vault");
        }
        let ended = async { while serving.join_next().await.is_some() {} };
        if tokio::time::timeout(DOORS_END, ended).await.is_err() {
            tracing::warn!("a door or a query engine did not end in time");
        }
    }
}

//! The launcher: starts the parts, starts the door again when it ends, ends them in order.

use super::engine::Engine;
use super::module::Module;
use super::{
    DOOR, END_DOORS, END_MODULE, FAILED, Log, MODULE, NEW_DOOR, OPENED, Told, VAULT, failed,
};
use crate::config::NodeConfig;
use crate::node::{RunError, S3_FLAG, check_plain, listen};
use host::Host;
use link::Trunk;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Child;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Doors that may end by themselves within [`DOORS_TIME`] before the node gives up.
const DOORS_MAX: usize = 10;
const DOORS_TIME: Duration = Duration::from_secs(60);
/// Before a door is started again.
const DOOR_AGAIN: Duration = Duration::from_millis(50);
/// How long a door may take to end once the vault has ended.
const LAST_DOOR: Duration = Duration::from_secs(2);

/// What the vault says when it has failed.
#[derive(Deserialize)]
struct Failed {
    kind: String,
    message: String,
    opening: bool,
}

/// What the vault says.
enum Said {
    Opened,
    EndDoors,
    Module(OwnedFd),
    EndModule,
    Failed(Failed),
}

/// Serves with the vault and the door in processes of their own, until `shutdown` is done, the node is told to
/// stop, or it has to stop itself. Must be polled by a thread that lives as long as the node: the parts end with it.
pub async fn run(
    mut config: NodeConfig,
    log: Log,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    check_plain(&config)?;
    // A certificate that cannot be read is told before anything is started.
    drop(crate::certificates::load(&config)?);
    let (listener, address) = listen(config.s3_listen, S3_FLAG).await?;
    config.s3_listen = address;
    let mut engine = Engine::prepare(&mut config, &log).await?;
    let mut listener = Some(listener.into_std().map_err(|e| failed(&e))?);
    let mut later = None;
    if config.standby {
        // Its addresses can be had. Until it serves nobody is to connect: who balances clients sees that it is away.
        (listener, engine) = (None, Engine::none());
        later = Some((config.clone(), log.clone()));
    }
    let told = |config: &NodeConfig| {
        let told = Told {
            config: config.clone(),
            log: log.clone(),
        };
        serde_json::to_vec(&told).map_err(|e| failed(&e))
    };
    // A guest's credential at its host is the vault's affair.
    let vaults = Zeroizing::new(told(&config)?);
    config.embassy = None;
    config.hsm = None;
    let told = told(&config)?;
    let (vault, trunk) = start(VAULT, &vaults, &[]).map_err(|e| failed(&e))?;
    let trunk = Arc::new(trunk);
    let heard = hear(Arc::clone(&trunk)).map_err(|e| failed(&e))?;
    Launched {
        told,
        listener,
        later,
        vault,
        trunk,
        heard,
        engine,
        ended: Vec::new(),
        host: Host::real(),
    }
    .run(shutdown)
    .await
}

/// Starts this program in another part, with a trunk where its standard input would be.
fn start(part: &str, told: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<(Child, Trunk)> {
    let (ours, theirs) = Trunk::pair()?;
    ours.send(told, fds)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(part)
        .stdin(Stdio::from(theirs.into_fd()))
        .stdout(Stdio::null())
        // A key pressed at the terminal is for the launcher alone.
        .process_group(0);
    let mut command = tokio::process::Command::from(command);
    let child = command.kill_on_drop(true).spawn()?;
    Ok((child, ours))
}

/// What the vault says, as it comes.
fn hear(trunk: Arc<Trunk>) -> io::Result<mpsc::Receiver<Said>> {
    let (sender, heard) = mpsc::channel(4);
    std::thread::Builder::new()
        .name("vault".into())
        .spawn(move || {
            while let Ok(Some((note, fds))) = trunk.receive() {
                let said = match note.split_first() {
                    Some((&FAILED, text)) => serde_json::from_slice(text).ok().map(Said::Failed),
                    _ if note == OPENED => Some(Said::Opened),
                    _ if note == END_DOORS => Some(Said::EndDoors),
                    _ if note == MODULE => fds.into_iter().next().map(Said::Module),
                    _ if note == END_MODULE => Some(Said::EndModule),
                    _ => None,
                };
                if let Some(said) = said
                    && sender.blocking_send(said).is_err()
                {
                    return;
                }
            }
        })?;
    Ok(heard)
}

pub(super) fn end(child: &Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw)
        && let Err(error) = kill_process(pid, Signal::TERM)
    {
        tracing::debug!(%error, "a part has ended already");
    }
}

/// Waits until the door ends; for ever, if there is none.
async fn ended(door: &mut Option<Child>) -> io::Result<std::process::ExitStatus> {
    match door {
        Some(door) => door.wait().await,
        None => std::future::pending().await,
    }
}

struct Launched {
    told: Vec<u8>,
    /// None while the node stands by.
    listener: Option<std::net::TcpListener>,
    /// What to listen on with, then.
    later: Option<(NodeConfig, Log)>,
    vault: Child,
    trunk: Arc<Trunk>,
    heard: mpsc::Receiver<Said>,
    engine: Engine,
    /// When doors ended by themselves.
    ended: Vec<Duration>,
    host: Host,
}

impl Launched {
    async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut door = self.door().map_err(|e| failed(&e))?;
        let (mut told, mut ending, mut why) = (false, false, None);
        let mut module = Module::default();
        loop {
            tokio::select! {
                () = &mut shutdown, if !told => {
                    told = true;
                    end(&self.vault);
                }
                said = self.heard.recv() => match said {
                    Some(Said::Opened) => {
                        if let Some((config, log)) = self.later.take() {
                            self.listen(config, &log).await?;
                            door = self.door().map_err(|e| failed(&e))?;
                        }
                        self.engine.begin();
                    }
                    Some(Said::EndDoors) => {
                        ending = true;
                        if let Some(door) = &door {
                            end(door);
                        }
                        self.engine.end();
                    }
                    Some(Said::Module(input)) => module.start(input),
                    Some(Said::EndModule) => module.end(),
                    Some(Said::Failed(failed)) => why = Some(failed),
                    // The vault has closed its end: its exit is next.
                    None => {
                        let status = self.vault.wait().await;
                        return self.ended(status, why, door).await;
                    }
                },
                status = self.vault.wait() => {
                    while let Some(said) = self.heard.recv().await {
                        if let Said::Failed(failed) = said {
                            why = Some(failed);
                        }
                    }
                    return self.ended(status, why, door).await;
                }
                () = self.engine.tend(&self.trunk, &self.host), if !ending => {}
                status = ended(&mut door), if !ending => {
                    let status = status.map_or_else(|e| e.to_string(), |status| status.to_string());
                    tracing::error!(status, "the door ended by itself and is started again; the vault stays open");
                    self.again()?;
                    tokio::time::sleep(DOOR_AGAIN).await;
                    door = self.door().map_err(|e| failed(&e))?;
                }
            }
        }
    }

    /// Starts a door, and tells the vault of it; none while the node stands by.
    fn door(&self) -> io::Result<Option<Child>> {
        let Some(listener) = &self.listener else {
            return Ok(None);
        };
        let (vaults, doors) = Trunk::pair()?;
        let (door, _) = start(DOOR, &self.told, &[listener.as_fd(), doors.as_fd()])?;
        self.trunk.send(NEW_DOOR, &[vaults.as_fd()])?;
        Ok(Some(door))
    }

    /// The node does not stand by any more.
    async fn listen(&mut self, mut config: NodeConfig, log: &Log) -> Result<(), RunError> {
        let (listener, _) = listen(config.s3_listen, S3_FLAG).await?;
        self.listener = Some(listener.into_std().map_err(|e| failed(&e))?);
        self.engine = Engine::prepare(&mut config, log).await?;
        Ok(())
    }

    /// Whether another door may be started.
    fn again(&mut self) -> Result<(), RunError> {
        let now = self.host.elapsed();
        self.ended.retain(|at| now.saturating_sub(*at) < DOORS_TIME);
        self.ended.push(now);
        if self.ended.len() > DOORS_MAX {
            return Err(RunError::Stopped(format!(
                "its door ended {DOORS_MAX} times within {} seconds; what was acknowledged is safe, and the log says why",
                DOORS_TIME.as_secs()
            )));
        }
        Ok(())
    }

    async fn ended(
        mut self,
        status: io::Result<std::process::ExitStatus>,
        why: Option<Failed>,
        mut door: Option<Child>,
    ) -> Result<(), RunError> {
        if let Some(door) = &door {
            end(door);
        }
        self.engine.end();
        let door = async {
            match &mut door {
                Some(door) => door.wait().await.map(drop),
                None => Ok(()),
            }
        };
        let all = async { tokio::join!(door, self.engine.ended()) };
        if tokio::time::timeout(LAST_DOOR, all).await.is_err() {
            tracing::warn!("the door or the query engine did not end and is killed");
        }
        if let Some(Failed {
            kind,
            message,
            opening,
        }) = why
        {
            return Err(RunError::Apart {
                kind,
                message,
                opening,
            });
        }
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(RunError::Stopped(format!(
                "the vault's process ended ({status}); what was acknowledged is safe: start the node again"
            ))),
            Err(error) => Err(failed(&error)),
        }
    }
}

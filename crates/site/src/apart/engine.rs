//! The query engine's process, as the launcher keeps it: the program `clarence-sql`, started where SQL is
//! served, and again when it ends by itself. One that keeps ending waits longer: S3 goes on without it.

use super::launch::end;
use super::{Log, NEW_ENGINE};
use crate::config::{Certificates, NodeConfig};
use crate::node::{RunError, listen};
use host::{Host, files};
use link::Trunk;
use road::Start;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::process::Child;
use tokio::time::{Sleep, sleep};

/// The program's name.
const PROGRAM: &str = "clarence-sql";
/// Engines that may end by themselves within [`ENDS_TIME`] before the next one waits as long.
const ENDS_MAX: usize = 10;
const ENDS_TIME: Duration = Duration::from_secs(60);
/// Before an engine is started again.
const AGAIN: Duration = Duration::from_millis(100);
/// The part of the machine's memory that statements may use, and what they get when it is not known.
const MEMORY_PART: u64 = 4;
const MEMORY_UNKNOWN: u64 = 1024 * 1024 * 1024;
const SYSTEM_BYTES_MAX: u64 = 64 * 1024;

/// The engine of one node; none where no SQL is served.
pub struct Engine {
    sql: Option<Sql>,
    running: Option<Child>,
    /// When the next one starts.
    next: Option<Pin<Box<Sleep>>>,
    /// When engines ended by themselves.
    ends: Vec<Duration>,
}

struct Sql {
    program: PathBuf,
    start: Start,
    listeners: Vec<TcpListener>,
}

impl Engine {
    /// Looks for the program and listens; nothing is started yet. The addresses in `config` become those that are
    /// listened on.
    pub async fn prepare(config: &mut NodeConfig, log: &Log) -> Result<Self, RunError> {
        let sql = match config.sql.addresses().is_empty() {
            true => None,
            false => Some(Sql::prepare(config, log).await?),
        };
        Ok(Self {
            sql,
            running: None,
            next: None,
            ends: Vec::new(),
        })
    }

    /// None, for now.
    pub fn none() -> Self {
        Self {
            sql: None,
            running: None,
            next: None,
            ends: Vec::new(),
        }
    }

    /// Starts the first one, with the next [`tend`](Self::tend).
    pub fn begin(&mut self) {
        if self.sql.is_some() {
            self.next = Some(Box::pin(sleep(Duration::ZERO)));
        }
    }

    /// Keeps an engine running; never done. May be dropped and called again.
    pub async fn tend(&mut self, vault: &Trunk, host: &Host) {
        loop {
            if let Some(running) = &mut self.running {
                let status = running.wait().await;
                self.running = None;
                let status = status.map_or_else(|e| e.to_string(), |status| status.to_string());
                self.again(&status, host);
            } else if let (Some(next), Some(sql)) = (&mut self.next, &self.sql) {
                next.as_mut().await;
                self.next = None;
                match sql.start(vault) {
                    Ok(child) => self.running = Some(child),
                    Err(error) => self.again(&format!("it could not be started: {error}"), host),
                }
            } else {
                std::future::pending().await
            }
        }
    }

    fn again(&mut self, status: &str, host: &Host) {
        let now = host.elapsed();
        self.ends.retain(|at| now.saturating_sub(*at) < ENDS_TIME);
        self.ends.push(now);
        let wait = match self.ends.len() > ENDS_MAX {
            false => AGAIN,
            true => ENDS_TIME,
        };
        tracing::error!(
            status,
            again_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "the query engine ended by itself and is started again; its statements are closed as broken, the vault stays open"
        );
        self.next = Some(Box::pin(sleep(wait)));
    }

    /// Tells it to end, and starts none again.
    pub fn end(&mut self) {
        self.next = None;
        self.sql = None;
        if let Some(running) = &self.running {
            end(running);
        }
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) {
        if let Some(mut running) = self.running.take()
            && let Err(error) = running.wait().await
        {
            tracing::debug!(%error, "the query engine's end was not seen");
        }
    }
}

impl Sql {
    async fn prepare(config: &mut NodeConfig, log: &Log) -> Result<Self, RunError> {
        let program = program(config)?;
        let mut listeners = Vec::new();
        let sql = &mut config.sql;
        let addresses = [
            (&mut sql.listen, "--sql"),
            (&mut sql.http_listen, "--sql-http"),
            (&mut sql.flight_listen, "--sql-flight"),
        ];
        for (asked, flag) in addresses {
            let Some(address) = asked else { continue };
            let (listener, real) = listen(*address, flag).await?;
            let failed = |error| RunError::Listen {
                address: real,
                flag,
                error,
            };
            listeners.push(listener.into_std().map_err(failed)?);
            *address = real;
        }
        Ok(Self {
            program,
            start: told(config, log),
            listeners,
        })
    }

    fn start(&self, vault: &Trunk) -> io::Result<Child> {
        let spill = &self.start.spill;
        files::remove_tree(spill)?;
        files::make_folder(spill, 0o700)?;
        let (ours, theirs) = Trunk::pair()?;
        let (vaults, engines) = Trunk::pair()?;
        let listeners: Vec<&TcpListener> = self.listeners.iter().collect();
        self.start
            .tell(&ours, &engines, &listeners)
            .map_err(io::Error::other)?;
        let mut command = Command::new(&self.program);
        command
            .arg(road::start::PART)
            // Nothing that somebody set for another program changes what a statement does.
            .env_clear()
            .stdin(Stdio::from(theirs.into_fd()))
            .stdout(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut command = tokio::process::Command::from(command);
        let child = command.kill_on_drop(true).spawn()?;
        vault.send(NEW_ENGINE, &[vaults.as_fd()])?;
        Ok(child)
    }
}

/// Where the engine's program is.
fn program(config: &NodeConfig) -> Result<PathBuf, RunError> {
    let beside = || {
        let own = std::env::current_exe().unwrap_or_default();
        own.with_file_name(PROGRAM)
    };
    let program = config.sql.engine.clone().unwrap_or_else(beside);
    match program.is_file() {
        true => Ok(program),
        false => Err(RunError::NoEngine(program)),
    }
}

fn told(config: &NodeConfig, log: &Log) -> Start {
    let sql = &config.sql;
    Start {
        postgres: sql.listen,
        http: sql.http_listen,
        flight: sql.flight_listen,
        certificates: config.tls.as_ref().map(|source| match source {
            Certificates::Files { chain, key } => road::Certificates::Files {
                chain: chain.clone(),
                key: key.clone(),
            },
            Certificates::LocalAuthority => {
                road::Certificates::LocalAuthority(config.layout.data.clone())
            }
        }),
        refuse_classical: config.tls_classical == tls::Classical::Refuse,
        spill: config.layout.spill(),
        memory_bytes: sql.memory_bytes.unwrap_or_else(part_of_memory),
        cache_bytes: sql.cache_bytes,
        spill_bytes_max: sql.spill_bytes_max,
        statement_timeout_ms: sql.statement_timeout_seconds.saturating_mul(1000),
        log: road::Log {
            level: log.level.clone(),
            format: log.format.clone(),
            colour: log.colour,
        },
    }
}

/// A part of the memory that this machine has, or that this service may use of it.
fn part_of_memory() -> u64 {
    let text = |path| {
        let bytes = files::read(Path::new(path), SYSTEM_BYTES_MAX)
            .ok()
            .flatten();
        bytes.and_then(|bytes| String::from_utf8(bytes).ok())
    };
    let machine = text("/proc/meminfo").and_then(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib.saturating_mul(1024))
    });
    let service = text("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    let all = machine.into_iter().chain(service).min();
    all.map_or(MEMORY_UNKNOWN, |bytes: u64| bytes / MEMORY_PART)
}

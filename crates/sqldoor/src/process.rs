//! The query engine's process, as the launcher started it: it hears what it is told, builds its walls, and then serves.
//! It has no folder but that of what it spills and those of its certificates, no socket but those it was handed, and
//! starts no program.

use crate::certificates::Serving;
use road::{Far, Handed, Start, StartError};
use statement::Road;
use std::future::Future;
use std::io::{self, Write as _};
use std::net::TcpListener as StdListener;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tls::IdentityError;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// When memory runs out, the kernel ends this process before others (0 to 1000).
const ENDED_FIRST: &[u8] = b"500";

/// Why the engine ended or did not start.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It was started by hand.
    #[error(
        "clarence-sql is started by `clarence serve` where an address for SQL is set (sql.listen); it does nothing by itself"
    )]
    ByHand,
    /// It was not told what it needs.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A certificate cannot be used.
    #[error("the TLS certificates cannot be used: {0}")]
    Certificates(String),
    /// The walls do not stand.
    #[error(transparent)]
    Walls(#[from] wall::WallError),
    /// The operating system refused something.
    #[error("the query engine could not begin: {0}")]
    System(#[from] io::Error),
}

impl From<IdentityError> for ProcessError {
    fn from(error: IdentityError) -> Self {
        Self::Certificates(error.to_string())
    }
}

/// The doors that are open.
#[derive(Debug, Default)]
pub struct Listeners {
    /// PostgreSQL's protocol.
    pub postgres: Option<TcpListener>,
    /// HTTP.
    pub http: Option<TcpListener>,
    /// Arrow Flight SQL.
    pub flight: Option<TcpListener>,
}

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What TLS is served with; without, every listener is on a loopback address.
    pub tls: Option<Arc<tls::Server>>,
    /// The folder for what does not fit into memory. It is empty, and the only one that can be written to.
    pub spill: PathBuf,
    /// Bytes of memory that statements may use together.
    pub memory_bytes: u64,
    /// Bytes of the cache of what was read.
    pub cache_bytes: u64,
    /// Bytes that statements may spill together.
    pub spill_bytes_max: u64,
    /// How long a statement may take.
    pub statement_timeout: std::time::Duration,
    /// Threads that compute.
    pub threads: usize,
}

/// What serving begins with.
pub struct Begun {
    /// To the vault.
    pub road: Arc<dyn Road>,
    /// The doors.
    pub listeners: Listeners,
    /// The rest.
    pub settings: Settings,
}

/// Runs the process. Call it before there is a second thread. `serve` serves until its second argument is done, and ends
/// what is under way; it is called inside a runtime.
pub fn run<F, S>(serve: F) -> Result<(), ProcessError>
where
    F: FnOnce(Begun, std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> S,
    S: Future<Output = ()>,
{
    if std::env::args().nth(1).as_deref() != Some(road::start::PART) {
        return Err(ProcessError::ByHand);
    }
    wall::die_with_parent();
    let launcher = link::Trunk::of(io::stdin().as_fd().try_clone_to_owned()?);
    let Some((start, handed)) = Start::hear(&launcher)? else {
        return Ok(()); // the launcher has ended already
    };
    begin_log(&start.log);
    walled(start, handed, serve).inspect_err(|error| tracing::error!("{error}"))
}

fn walled<F, S>(start: Start, handed: Handed, serve: F) -> Result<(), ProcessError>
where
    F: FnOnce(Begun, std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> S,
    S: Future<Output = ()>,
{
    // While the files of this process are its own still; a machine without this knob ends whom it likes.
    let first = host::files::open_rw(Path::new("/proc/self/oom_score_adj"))
        .and_then(|mut file| file.write_all(ENDED_FIRST));
    if let Err(error) = first {
        tracing::debug!(%error, "this process cannot be made the first to end");
    }
    // Asked before the folders are fenced off, for limits of a service stand in files.
    let threads = std::thread::available_parallelism()?.get();
    if !wall::forbid_images() {
        tracing::warn!(
            "images of the query engine's memory cannot be forbidden; one on a disk would hold data"
        );
    }
    let serving = Serving::load(&start)?;
    let built = wall::build(
        wall::Role::Engine,
        &serving.folders(),
        std::slice::from_ref(&start.spill),
    )?;
    tracing::debug!(?built, "the query engine's walls stand");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut end = signal(SignalKind::terminate())?;
        let begun = Begun {
            road: Arc::new(Far::new(handed.vault)),
            listeners: Listeners {
                postgres: handed.postgres.map(listener).transpose()?,
                http: handed.http.map(listener).transpose()?,
                flight: handed.flight.map(listener).transpose()?,
            },
            settings: Settings {
                tls: serving.server(),
                spill: start.spill,
                memory_bytes: start.memory_bytes,
                cache_bytes: start.cache_bytes,
                spill_bytes_max: start.spill_bytes_max,
                statement_timeout: std::time::Duration::from_millis(start.statement_timeout_ms),
                threads,
            },
        };
        let told = Box::pin(async move {
            end.recv().await;
        });
        tokio::select! {
            () = serve(begun, told) => {}
            () = serving.watch() => {}
        }
        Ok(())
    })
}

fn listener(listener: StdListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Begins to log as the launcher does; a process without a log serves all the same.
fn begin_log(log: &road::Log) {
    let Ok(filter) = tracing_subscriber::EnvFilter::try_new(&log.level) else {
        return;
    };
    let text = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(log.colour);
    let _ = match log.format.as_str() {
        "json" => text.json().flatten_event(true).try_init(),
        _ => text.with_target(false).try_init(),
    };
}

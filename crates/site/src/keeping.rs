//! What keeps the catalog's rows: a database in each site's folder, or servers of PostgreSQL that replicate them
//! themselves. In the second case the sites' folders hold chunks, the published log and the papers, and who is
//! current is said of these alone.

use crate::config::CatalogServers;
use crate::layout::Layout;
use crate::open::OpenError;
use crate::papers::Papers;
use async_trait::async_trait;
use catalog::embedded::Embedded;
use catalog::postgres::{
    Blocks, Direct, Filled, Hold, Member, Options, Postgres, Watch, fill, found, vacant,
};
use catalog::{Commit, Engine, KeyRange, Order, Outcome, Point, ReadError, Refused, Row, Snapshot};
use epoch::{Standing, Tenure};
use host::{Host, files};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::RwLock;
use tokio::time::Instant;
use words::{CloudId, OpId, SiteId};
use zeroize::Zeroizing;

/// Between two attempts to record who is current.
const TRY_AGAIN: Duration = Duration::from_secs(1);
const NOT_RECORDED: &str = "the standing of the sites is not recorded yet";
const PASSWORD_BYTES_MAX: u64 = 1024;
const AUTHORITIES_BYTES_MAX: u64 = 1024 * 1024;

/// The engine of the catalog.
#[derive(Clone)]
pub enum Keeping {
    /// A database in each site's folder.
    Folders(Arc<Embedded>),
    /// Servers of PostgreSQL.
    Servers(Arc<Servers>),
}

impl Keeping {
    /// The engine behind its contract.
    pub fn engine(&self) -> Arc<dyn Engine> {
        match self {
            Self::Folders(engine) => Arc::clone(engine) as _,
            Self::Servers(engine) => Arc::clone(engine) as _,
        }
    }

    /// The databases in the sites' folders; what needs them is refused where there are none.
    pub fn folders(&self, what: &str) -> Result<&Arc<Embedded>, OpenError> {
        match self {
            Self::Folders(engine) => Ok(engine),
            Self::Servers(_) => Err(OpenError::Refused(format!(
                "{what} needs the catalog in the sites' folders, and this cloud's is on PostgreSQL (catalog.servers); nothing was changed"
            ))),
        }
    }

    /// Whether a site's catalog answers. Servers are looked after by their own cluster.
    pub fn probe(&self, site: SiteId) -> Result<(), String> {
        match self {
            Self::Folders(engine) => engine.probe(site).map(drop).map_err(|e| e.to_string()),
            Self::Servers(_) => Ok(()),
        }
    }

    /// Gives a site up: the other goes on alone.
    pub async fn give_up(&self, site: SiteId, why: &str) -> Result<(), String> {
        match self {
            Self::Folders(engine) => {
                let given_up = engine.give_up(site, why).await;
                given_up.map_err(|error| error.to_string())
            }
            Self::Servers(servers) => servers.drop_site(site, why).await,
        }
    }

    /// Takes a site back that has every chunk; gives the rows that were brought over.
    pub async fn heal(&self, site: SiteId) -> Result<u64, String> {
        match self {
            Self::Folders(engine) => {
                let healed = engine.heal(site).await;
                healed
                    .map(|report| report.copied)
                    .map_err(|error| error.to_string())
            }
            Self::Servers(servers) => servers.readmit(site).await.map(|()| 0),
        }
    }

    /// Reads a site's catalog whole and compares it with the other's: what came of it, and rows put right.
    pub async fn scrub(&self, site: SiteId) -> Result<(Value, u64), String> {
        let Self::Folders(engine) = self else {
            let by = "the servers check their own pages (pg_amcheck, data checksums)";
            return Ok((json!({ "skipped": by }), 0));
        };
        let report = engine.scrub(site).await.map_err(|e| e.to_string())?;
        let shown = json!({
            "rows": report.rows,
            "bytes": report.bytes,
            "wrong": report.wrong,
            "mended": report.mended,
            "undecided": report.undecided,
            "rebuild": report.rebuild,
        });
        Ok((shown, report.mended))
    }

    /// Sites whose catalog has to be built anew while they serve.
    pub fn damaged(&self) -> Vec<SiteId> {
        match self {
            Self::Folders(engine) => {
                let sites = engine.status().sites.into_iter();
                let damaged = sites.filter(|status| status.damaged && status.serving);
                damaged.map(|status| status.site).collect()
            }
            Self::Servers(_) => Vec::new(),
        }
    }

    /// The last batch, where batches are numbered at home.
    pub fn head(&self) -> Option<u64> {
        match self {
            Self::Folders(engine) => engine.head().ok(),
            Self::Servers(_) => None,
        }
    }

    /// How servers stand, for `status`.
    pub fn status(&self) -> Value {
        let Self::Servers(servers) = self else {
            return json!({ "engine": "embedded" });
        };
        let status = servers.postgres.status();
        let primary = status.primary.and_then(|at| servers.names.get(at));
        json!({
            "engine": "postgres",
            "servers": servers.names,
            "primary": primary,
            "timeline": status.timeline,
            "batches": status.batches,
            "commits": status.commits,
            "unknown": status.unknown,
        })
    }

    /// Makes certain that what can be read is durable. Rows in the sites' folders are read only when they are; servers
    /// show what their standby may not have yet, and a lookup waits for it.
    pub async fn confirm(&self, host: &Host) -> Result<(), String> {
        let Self::Servers(servers) = self else {
            return Ok(());
        };
        let any = OpId::from_bytes(host.random());
        let found = servers.postgres.lookup(any).await;
        found.map(drop).map_err(|error| error.to_string())
    }

    /// Waits until another node holds the catalog; says so. Folders belong to one node for as long as it runs.
    pub async fn lost(&self) -> String {
        match self {
            Self::Folders(_) => std::future::pending().await,
            Self::Servers(servers) => servers.postgres.lost().await,
        }
    }

    /// Commits since the catalog was opened, where another node may look whether there are any.
    pub fn moved(&self) -> Option<u64> {
        match self {
            Self::Folders(_) => None,
            Self::Servers(servers) => Some(servers.postgres.status().commits),
        }
    }

    /// Which engine it is, in a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Folders(_) => "embedded",
            Self::Servers(_) => "postgres",
        }
    }

    /// Every row of this moment.
    pub async fn snapshot(&self) -> Result<Box<dyn Snapshot>, ReadError> {
        match self {
            Self::Folders(engine) => engine.snapshot(),
            Self::Servers(servers) => servers.postgres.snapshot().await,
        }
    }

    /// Ends the writer after what it has taken.
    pub async fn shutdown(&self) {
        match self {
            Self::Folders(engine) => engine.shutdown().await,
            Self::Servers(servers) => servers.postgres.shutdown().await,
        }
    }
}

/// A catalog on servers that this node holds; what the node's own files say is not looked at yet.
pub struct Connected {
    postgres: Arc<Postgres>,
    names: Vec<String>,
}

impl Connected {
    /// Opens the catalog and takes it over: this node alone writes it from then on.
    pub async fn open(
        config: &CatalogServers,
        cloud: CloudId,
        hold: Hold,
        host: &Host,
    ) -> Result<Self, OpenError> {
        let mut options = options(config, &config.user, config.password_file.as_deref())?;
        options.holder = Some(host.random());
        options.hold_as = hold;
        let names = config.servers.iter().map(ToString::to_string).collect();
        let opening = Postgres::open(options, Arc::new(Direct), cloud);
        let postgres = Box::pin(opening).await;
        let postgres = Arc::new(postgres.map_err(OpenError::Servers)?);
        Ok(Self { postgres, names })
    }

    /// The papers beside the rows.
    pub fn papers(&self, layout: &Layout, host: &Host) -> Papers {
        Papers::new(Arc::clone(&self.postgres) as _, layout, host)
    }

    /// Lets go of the catalog.
    pub async fn shutdown(&self) {
        self.postgres.shutdown().await;
    }
}

/// Looks at a catalog that another node may hold.
pub fn watch(config: &CatalogServers) -> Result<Watch, OpenError> {
    let options = options(config, &config.user, config.password_file.as_deref())?;
    Watch::new(options, Arc::new(Direct)).map_err(OpenError::Servers)
}

/// The engine on PostgreSQL beside the record of who is current.
pub struct Servers {
    postgres: Arc<Postgres>,
    names: Vec<String>,
    tenure: Arc<Tenure>,
    /// Held for reading by each commit, for writing by what changes who is current.
    turn: Arc<RwLock<()>>,
    /// When it was last tried to record who is current.
    tried: Mutex<Option<Instant>>,
}

impl Servers {
    /// The engine of a node that holds the catalog and knows who is current.
    pub fn over(connected: Connected, tenure: &Arc<Tenure>) -> Arc<Self> {
        Arc::new(Self {
            postgres: connected.postgres,
            names: connected.names,
            tenure: Arc::clone(tenure),
            turn: Arc::default(),
            tried: Mutex::default(),
        })
    }

    /// Makes the tables of a new cloud.
    pub async fn found(config: &CatalogServers, cloud: CloudId) -> Result<(), OpenError> {
        let options = owner(config)?;
        let made = found(options, Arc::new(Direct), cloud, worker(config)).await;
        made.map_err(OpenError::Servers)
    }

    /// Makes them with the rows of another catalog of the same cloud.
    pub async fn fill(
        config: &CatalogServers,
        of: (CloudId, [u8; 16]),
        point: Point,
        rows: Blocks<'_>,
    ) -> Result<Filled, OpenError> {
        let options = owner(config)?;
        let made = fill(options, Arc::new(Direct), of, worker(config), point, rows).await;
        made.map_err(OpenError::Servers)
    }

    /// Whether that can be done.
    pub async fn vacant(
        config: &CatalogServers,
        cloud: CloudId,
        attempt: [u8; 16],
    ) -> Result<Filled, OpenError> {
        let looked = vacant(owner(config)?, Arc::new(Direct), cloud, attempt).await;
        looked.map_err(OpenError::Servers)
    }

    async fn drop_site(&self, site: SiteId, why: &str) -> Result<(), String> {
        if !self.tenure.serving(site) {
            return Ok(());
        }
        let (tenure, why) = (Arc::clone(&self.tenure), why.to_owned());
        let head = tenure.record().head;
        self.change(move || {
            tenure
                .drop_site(site, head, &why)
                .map(drop)
                .map_err(|e| e.to_string())
        })
        .await
    }

    async fn readmit(&self, site: SiteId) -> Result<(), String> {
        let tenure = Arc::clone(&self.tenure);
        let head = tenure.record().head;
        self.change(move || {
            tenure
                .readmit(site, head)
                .map(drop)
                .map_err(|e| e.to_string())
        })
        .await
    }

    /// Changes who is current, while no commit is on its way. It writes files and waits for them.
    async fn change(
        &self,
        what: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let turn = Arc::clone(&self.turn).write_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            what()
        });
        done.await
            .unwrap_or_else(|_| Err("the task that records it stopped".to_owned()))
    }

    /// The site that goes on alone although that is not recorded where it has to be. While both are current an attempt to
    /// give one up that was recorded in part is no danger: whoever serves, has every chunk, and the rows are elsewhere.
    fn unrecorded(&self) -> Option<SiteId> {
        match self.tenure.standing() {
            Standing::Only(remaining) if !self.tenure.view().settled => Some(remaining),
            _ => None,
        }
    }

    /// Whether who is current is recorded where it has to be; tries again if it is not.
    async fn recorded(&self) -> Result<(), String> {
        let Some(remaining) = self.unrecorded() else {
            return Ok(());
        };
        {
            let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
            if tried.is_some_and(|last| last.elapsed() < TRY_AGAIN) {
                return Err(NOT_RECORDED.to_owned());
            }
            *tried = Some(Instant::now());
        }
        let (tenure, away) = (Arc::clone(&self.tenure), remaining.other());
        let head = tenure.record().head;
        let again = move || {
            let recorded = tenure.drop_site(away, head, "it failed earlier");
            let unrecorded =
                |error| format!("{away} failed, and that could not be recorded: {error}");
            recorded.map(drop).map_err(unrecorded)
        };
        self.change(again).await
    }
}

#[async_trait]
impl Engine for Servers {
    async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        self.postgres.get(key).await
    }

    async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        self.postgres.scan(range, limit, order).await
    }

    async fn commit(&self, request: Commit) -> Outcome {
        let refused = |why| Outcome::Refused(Refused::NotWritable(why));
        if let Err(why) = self.recorded().await {
            return refused(why);
        }
        let _turn = self.turn.read().await;
        if self.unrecorded().is_some() {
            return refused(NOT_RECORDED.to_owned());
        }
        self.postgres.commit(request).await
    }

    async fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError> {
        self.postgres.lookup(op).await
    }
}

/// The role that owns the tables.
fn owner(config: &CatalogServers) -> Result<Options, OpenError> {
    let (role, password) = match &config.owner {
        Some(owner) => (owner, &config.owner_password_file),
        None => (&config.user, &config.password_file),
    };
    options(config, role, password.as_deref())
}

/// The node's role, where it does not own the tables.
fn worker(config: &CatalogServers) -> Option<&str> {
    config.owner.is_some().then_some(config.user.as_str())
}

fn options(
    config: &CatalogServers,
    role: &str,
    password: Option<&Path>,
) -> Result<Options, OpenError> {
    let members = config.servers.iter().map(|server| Member {
        site: server.site,
        host: server.host.clone(),
        port: server.port,
    });
    let mut options = Options::new(members.collect(), &config.database, role);
    options.password = password.map(secret).transpose()?;
    if let Some(path) = &config.authorities {
        let read = files::read(path, AUTHORITIES_BYTES_MAX);
        let bytes = read.and_then(|bytes| bytes.ok_or(std::io::ErrorKind::NotFound.into()));
        let bytes = bytes.map_err(|error| OpenError::Read {
            path: path.clone(),
            error,
        })?;
        let tls = tls::client::for_servers(&bytes)
            .map_err(|e| OpenError::Refused(format!("catalog.ca, {}: {e}", path.display())))?;
        options.tls = Some(tls);
    }
    Ok(options)
}

/// A password, from a file that only its owner can read; a line feed at its end does not belong to it.
fn secret(path: &Path) -> Result<Zeroizing<String>, OpenError> {
    let broken = |error| OpenError::Read {
        path: path.to_owned(),
        error,
    };
    let refused = |why: String| OpenError::Refused(format!("{} {why}", path.display()));
    let mode = files::mode(path).map_err(broken)?;
    if mode & 0o077 != 0 {
        return Err(refused(format!(
            "can be read by others (mode {mode:03o}); make it 600, and change the password if others had access"
        )));
    }
    let bytes = files::read(path, PASSWORD_BYTES_MAX).map_err(broken)?;
    let bytes = Zeroizing::new(bytes.unwrap_or_default());
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let text = text.trim_end_matches(['\n', '\r']);
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err(refused(
            "holds no password: one line of text is expected".to_owned(),
        )),
        false => Ok(Zeroizing::new(text.to_owned())),
    }
}

//! The only file that knows `site`: what the command line asks of a node, and how its refusals become exit
//! codes.

use crate::args::Found;
use crate::config::{SITE_BUCKETS, Settings};
use crate::exit::{Exit, Failure};
use crate::logging;
use crate::talk::Talk;
use charter::approval::Refusal;
use charter::{Charter, ShareFile};
use embassy::Acknowledge;
use host::Host;
use s3::{Place, TakeError};
use serde_json::Value;
use site::apart::{self, Log};
use site::config::{Certificates, Classical, SitePolicy};
use site::control::{CallError, Request, call};
use site::inventory::Inventory;
use site::{
    AcceptLossError, CatalogServers, EmbassyConfig, EnrolError, EnrolReport, FoundError,
    FoundReport, HsmStatus, JoinError, JoinReport, Layout, LossReport, NodeConfig, RunError,
    SqlConfig,
};
use std::future::Future;
use std::path::{Path, PathBuf};
use words::SiteId;

const LOOK_AT_FOLDERS: &str = "`clarence doctor` looks at folders, permissions and witnesses";

/// Where things lie, as configured.
pub fn layout(settings: &Settings) -> Layout {
    let mut layout = Layout::in_folder(&settings.places.data);
    layout.sites = [settings.path("sites.a"), settings.path("sites.b")];
    layout.parents = settings.path("parents.folder");
    layout
}

/// What a node is told at its start.
pub fn config(settings: &Settings) -> Result<NodeConfig, Failure> {
    let mut config = NodeConfig::new(layout(settings));
    config.s3_listen = settings.listen()?;
    config.sql = sql(settings);
    config.region = settings.text("s3.region").to_owned();
    config.node = settings.text("node.name").to_owned();
    config.jurisdiction = settings
        .optional("node.jurisdiction")
        .map(ToOwned::to_owned);
    config.base_domains = settings.list("s3.base_domains");
    config.tls = match (
        settings.optional("s3.tls_cert"),
        settings.optional("s3.tls_key"),
    ) {
        (Some(chain), Some(key)) => Some(Certificates::Files {
            chain: PathBuf::from(chain),
            key: PathBuf::from(key),
        }),
        _ => settings
            .flag("s3.tls_local_authority")
            .then_some(Certificates::LocalAuthority),
    };
    config.tls_classical = Classical::parse(settings.text("s3.tls_classical")).unwrap_or_default();
    config.allow_plain_beyond_loopback = settings.flag("s3.allow_plain_http_beyond_loopback");
    config.site_policy = match settings.text("writes.while_a_site_is_away") {
        "strict" => SitePolicy::Strict,
        _ => SitePolicy::Available,
    };
    if let Some(file) = settings.optional("embassy.host") {
        config.embassy = Some(EmbassyConfig {
            place: embassy_place(Path::new(file), settings.text("embassy.bucket"))?,
            acknowledge: match settings.text("embassy.acknowledge") {
                "at-home" => Acknowledge::AtHome,
                _ => Acknowledge::AtHost,
            },
        });
    }
    config.lends = settings.flag("embassy.lends");
    config.unsafe_unseal_from_this_machine = settings.flag("unsafe_unseal_from_this_machine");
    config.hsm = settings
        .optional("hsm.uri")
        .map(hsm::Access::parse)
        .transpose()
        .map_err(|e| Failure::usage(format!("hsm.uri: {e}")).named("configuration"))?;
    config.tpm = site::tpm_place(settings.text("tpm.device"));
    config.catalog = catalog_servers(settings)?;
    config.site_buckets = site_buckets(settings)?;
    config.first_tenant = settings
        .optional("node.first_tenant")
        .map(ToOwned::to_owned);
    config.write_connect = config.first_tenant.is_some();
    config.catalog_cache_bytes = settings.size("cache.catalog");
    config.names_cache_bytes = usize::try_from(settings.size("cache.names")).unwrap_or(usize::MAX);
    Ok(config)
}

/// The servers that keep the catalog, if any are configured.
fn catalog_servers(settings: &Settings) -> Result<Option<CatalogServers>, Failure> {
    let servers = settings.list("catalog.servers");
    if servers.is_empty() {
        return Ok(None);
    }
    let servers: Result<_, _> = servers.iter().map(|server| server.parse()).collect();
    let path = |name| settings.optional(name).map(PathBuf::from);
    Ok(Some(CatalogServers {
        servers: servers.map_err(|why: String| {
            Failure::usage(format!("catalog.servers: {why}")).named("configuration")
        })?,
        database: settings.text("catalog.database").to_owned(),
        user: settings.text("catalog.user").to_owned(),
        password_file: path("catalog.password_file"),
        owner: None,
        owner_password_file: None,
        authorities: path("catalog.ca"),
    }))
}

/// The buckets of sites whose chunks lie on an S3.
fn site_buckets(settings: &Settings) -> Result<[Option<Place>; 2], Failure> {
    let [a, b] = SITE_BUCKETS.map(|key| {
        let read = |file| Place::read_for_site(Path::new(file));
        let place = settings.optional(key).map(read).transpose();
        place.map_err(|e| Failure::usage(format!("{key}: {e}")).named("configuration"))
    });
    Ok([a?, b?])
}

fn sql(settings: &Settings) -> SqlConfig {
    SqlConfig {
        listen: settings.address("sql.listen"),
        http_listen: settings.address("sql.http_listen"),
        flight_listen: settings.address("sql.flight_listen"),
        engine: settings.optional("sql.engine").map(PathBuf::from),
        memory_bytes: Some(settings.size("sql.memory")).filter(|bytes| *bytes > 0),
        cache_bytes: settings.size("sql.cache"),
        spill_bytes_max: settings.size("sql.spill_max"),
        statement_timeout_seconds: settings.seconds("sql.statement_timeout"),
    }
}

/// A bucket at a host, from the file that the host handed out.
pub fn embassy_place(file: &Path, bucket: &str) -> Result<Place, Failure> {
    Place::read(file, bucket).map_err(|e| Failure::usage(e).named("embassy"))
}

/// Whether nothing was ever founded here: no folder of the cloud holds anything.
pub fn is_new(settings: &Settings) -> Result<bool, Failure> {
    let layout = layout(settings);
    for folder in layout.sites.iter().chain([&layout.parents]) {
        let names = host::files::list(folder).map_err(|e| {
            Failure::new(
                Exit::General,
                format!("{} could not be read: {e}", folder.display()),
            )
        })?;
        if !names.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Holds the key ceremony and makes the folders.
pub async fn found(
    settings: &Settings,
    charter: &Charter,
    asked: &Found,
) -> Result<FoundReport, Failure> {
    let log_name = settings.text("node.log_name");
    let (layout, mut servers) = (layout(settings), catalog_servers(settings)?);
    let (owner, password) = (&asked.catalog_owner, &asked.catalog_owner_password);
    own(&mut servers, owner.as_ref(), password.as_ref())?;
    let (host, buckets) = (Host::real(), site_buckets(settings)?);
    let servers = servers.as_ref();
    Ok(site::found(&layout, charter, &host, log_name, servers, &buckets).await?)
}

/// Says which role makes the catalog's tables and owns them.
pub fn own(
    servers: &mut Option<CatalogServers>,
    owner: Option<&String>,
    password: Option<&PathBuf>,
) -> Result<(), Failure> {
    match (servers, owner) {
        (Some(servers), owner) => {
            servers.owner = owner.cloned();
            servers.owner_password_file = password.cloned();
            Ok(())
        }
        (None, Some(_)) => Err(Failure::usage(
            "--catalog-owner is given, and catalog.servers names no server; set it, or leave the flag away",
        )),
        (None, None) => Ok(()),
    }
}

/// Serves until told to stop: with the vault and the door in processes of their own, or all in this one.
pub async fn run(
    config: NodeConfig,
    apart: Option<Log>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    match apart {
        Some(log) => Ok(apart::run(config, log, shutdown).await?),
        None => Ok(site::run(config, Host::real(), shutdown).await?),
    }
}

/// Runs a part of a node, if the launcher started this process as one; gives its exit code.
pub fn part() -> Option<u8> {
    let part = apart::part()?;
    let ended = apart::run_part(part, |log| {
        // A part without a log serves all the same.
        let _ = logging::begin_as(&log.level, &log.format, log.colour);
    });
    Some(match ended {
        Ok(()) => 0,
        Err(error) => {
            tracing::debug!(%error, ?part, "a part of the node ended");
            Exit::General.code()
        }
    })
}

/// Asks the running node, with a bar for long work.
pub async fn ask(settings: &Settings, talk: &Talk, request: Request) -> Result<Value, Failure> {
    let socket = layout(settings).socket();
    let mut progress = talk.progress();
    let answer = call(&socket, &request, |what, done, total| {
        progress.tell(what, done, total)
    })
    .await;
    progress.end();
    Ok(answer?)
}

/// Every use of cryptography: by the running node, or from the files if none runs.
pub async fn inventory(settings: &Settings, talk: &Talk) -> Result<Value, Failure> {
    match ask(settings, talk, Request::CryptoInventory).await {
        Err(failure) if failure.kind == "not-running" => {
            Ok(Inventory::of_files(&config(settings)?).to_json())
        }
        answered => answered,
    }
}

/// The names that a certificate of this node is for.
pub fn certificate_names(settings: &Settings, more: &[String]) -> Result<Vec<String>, Failure> {
    let mut names = site::certificate_names(&config(settings)?);
    for name in more {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

/// Lets a site that is behind serve alone. Only on a node that does not run.
pub async fn accept_loss(
    settings: &Settings,
    site: SiteId,
    shares: Vec<ShareFile>,
) -> Result<LossReport, Failure> {
    let (config, host) = (config(settings)?, Host::real());
    Ok(Box::pin(site::accept_loss(&config, &host, site, shares)).await?)
}

/// Makes a second node's folders.
pub async fn join(settings: &Settings) -> Result<JoinReport, Failure> {
    Ok(site::join(&config(settings)?).await?)
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        let exit = match &error {
            JoinError::Open(open) => return Self::from_open(open),
            JoinError::NoServers => Exit::Usage,
            JoinError::NoPapers => Exit::NotFound,
            JoinError::Occupied(_) | JoinError::NoChunks { .. } => Exit::Conflict,
            JoinError::Papers(_) | JoinError::Write { .. } => Exit::General,
        };
        Self::new(exit, error)
    }
}

impl From<AcceptLossError> for Failure {
    fn from(error: AcceptLossError) -> Self {
        let exit = match &error {
            AcceptLossError::Open(open) => return Self::from_open(open),
            AcceptLossError::NotNeeded | AcceptLossError::Record(_) => Exit::Conflict,
            AcceptLossError::NoFolder(_) => Exit::NotFound,
            AcceptLossError::Share(_)
            | AcceptLossError::TooFew { .. }
            | AcceptLossError::Outer(_) => Exit::Auth,
            AcceptLossError::NotEntered { .. } => Exit::General,
        };
        Self::new(exit, error)
    }
}

/// Enrols an HSM token. Only on a node that does not run.
pub async fn hsm_enrol(
    settings: &Settings,
    shares: Vec<ShareFile>,
    token: Option<hsm::Access>,
) -> Result<EnrolReport, Failure> {
    let (config, host) = (config(settings)?, Host::real());
    Ok(Box::pin(site::enrol(&config, &host, shares, token)).await?)
}

/// Takes the HSM away from what opens the cloud. Only on a node that does not run.
pub async fn hsm_withdraw(
    settings: &Settings,
    shares: Vec<ShareFile>,
) -> Result<EnrolReport, Failure> {
    let (config, host) = (config(settings)?, Host::real());
    Ok(Box::pin(site::withdraw(&config, &host, shares)).await?)
}

/// Which tokens are enrolled, and whether the configured one opens.
pub fn hsm_status(settings: &Settings) -> Result<HsmStatus, Failure> {
    Ok(site::hsm_status(&config(settings)?, &Host::real())?)
}

impl From<EnrolError> for Failure {
    fn from(error: EnrolError) -> Self {
        let exit = match &error {
            EnrolError::Open(open) => return Self::from_open(open),
            EnrolError::Away(_) | EnrolError::None | EnrolError::Full => Exit::Conflict,
            EnrolError::Share(_) | EnrolError::TooFew { .. } | EnrolError::Outer(_) => Exit::Auth,
            EnrolError::NoToken => Exit::Usage,
            _ => Exit::General,
        };
        Self::new(exit, error)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::NotRunning(_) => Self::new(Exit::Network, message).named("not-running"),
            CallError::NotAllowed(_) => Self::new(Exit::Auth, message),
            CallError::Broken(_) => Self::new(Exit::Network, message).named("broken"),
            CallError::Answer(_) => Self::new(Exit::General, message),
            CallError::Failed { kind, .. } => {
                let (exit, suggestion) = refusal(&kind);
                let mut failure = Self::new(exit, message).named(&kind);
                failure.retryable |= kind == "too-early";
                match suggestion {
                    Some(suggestion) => failure.suggest(suggestion),
                    None => failure,
                }
            }
        }
    }
}

/// The exit code and the next step of a node's refusal.
fn refusal(kind: &str) -> (Exit, Option<&'static str>) {
    match kind {
        "sealed" => (
            Exit::Auth,
            Some("open the node with `clarence unseal --share FILE --share FILE`"),
        ),
        "denied" => (Exit::Auth, None),
        "not-found" => (Exit::NotFound, None),
        "conflict" => (Exit::Conflict, None),
        "usage" => (Exit::Usage, None),
        "unavailable" => (
            Exit::Network,
            Some("look at `clarence status`, then try again"),
        ),
        "unsupported" | "not-carried-out" => (Exit::Unsupported, None),
        "document" | "charter" => (Exit::Usage, None),
        "docket-full" | "older-card" => (Exit::Conflict, None),
        "needs-quorum" | "abroad" | "card" | "never-opens" | "other-node" => (Exit::Auth, None),
        refused if Refusal::WORDS.contains(&refused) => (
            Exit::Auth,
            Some("clarence docket shows what is there; clarence who-can says what it takes"),
        ),
        _ => (
            Exit::General,
            Some("`clarence status` and the node's log say more"),
        ),
    }
}

impl From<FoundError> for Failure {
    fn from(error: FoundError) -> Self {
        let exit = match &error {
            FoundError::Occupied(_)
            | FoundError::Bucket(TakeError::Occupied { .. } | TakeError::Taken { .. }) => {
                Exit::Conflict
            }
            FoundError::Bucket(TakeError::S3(_)) => Exit::Network,
            FoundError::Place(_) => Exit::Usage,
            _ => Exit::General,
        };
        Self::new(exit, error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let (kind, opening) = error.kind();
        let exit = match kind {
            "not-found" => Exit::NotFound,
            "conflict" => Exit::Conflict,
            "unavailable" => Exit::Network,
            "usage" => Exit::Usage,
            _ => Exit::General,
        };
        let failure = Self::new(exit, &error);
        match opening {
            true => failure.suggest(LOOK_AT_FOLDERS),
            false => failure,
        }
    }
}

impl Failure {
    fn from_open(error: &site::OpenError) -> Self {
        let exit = match error {
            site::OpenError::NotFounded { .. } => Exit::NotFound,
            site::OpenError::Foreign { .. }
            | site::OpenError::ForeignBucket { .. }
            | site::OpenError::Refused(_) => Exit::Conflict,
            _ => Exit::General,
        };
        Self::new(exit, error).suggest(LOOK_AT_FOLDERS)
    }
}

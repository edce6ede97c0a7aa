//! Opening what is there: headers checked, the epoch decided, the catalog opened, the rooms wired.

use crate::buckets::{self, Buckets};
use crate::config::NodeConfig;
use crate::found::places;
use crate::guest::{self, Guest};
use crate::keeping::{Connected, Keeping, Servers};
use crate::layout::Layout;
use crate::loss::Loss;
use crate::papers::Papers;
use crate::root::files::{custody_of, header_in_force};
use catalog::Engine;
use catalog::embedded::{Embedded, Options};
use catalog::postgres::Hold;
use charter::{Charter, Custody};
use chunks::ChunkStore;
use embassy::{Acknowledge, Twinned};
use epoch::Tenure;
use host::{Host, files};
use mirror::Mirror;
use names::Index;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Store;
use vault::record::site_header::{self, SiteHeader, SiteHeaderError};
use vault::{SitePolicy, Vault, VaultConfig};
use words::SiteId;

/// Why a node did not open. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither site folder has a header.
    #[error("no cloud is founded in {} and {}; `clarence found` or `clarence up` makes one", a.display(), b.display())]
    NotFounded {
        /// The first folder.
        a: PathBuf,
        /// The second folder.
        b: PathBuf,
    },
    /// A header could not be read.
    #[error("{}: {error}; if the other site is whole, take this folder away and heal it from there", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: SiteHeaderError,
    },
    /// A folder belongs to another cloud or site.
    #[error("{} belongs to {found}, expected {expected}; nothing was touched: check the paths of the site folders", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What it says it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A bucket belongs to another cloud or site.
    #[error(
        "{place} belongs to {found}, expected {expected}; nothing in it was touched: check the files that sites.a_s3 and sites.b_s3 name"
    )]
    ForeignBucket {
        /// The bucket.
        place: Arc<str>,
        /// What it says it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The charter, the custody record or the epoch does not allow to start.
    #[error("{0}")]
    Refused(String),
    /// The catalog did not open.
    #[error(transparent)]
    Catalog(#[from] catalog::embedded::OpenError),
    /// The catalog on servers did not open.
    #[error("catalog.servers: {0}")]
    Servers(#[from] catalog::postgres::OpenError),
    /// The vault did not start.
    #[error(transparent)]
    Vault(#[from] vault::VaultError),
    /// A chunk folder did not open.
    #[error("{0}")]
    Chunks(String),
    /// A file could not be read.
    #[error("{} could not be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
}

/// The rooms of a node, wired.
pub struct Opened {
    pub header: SiteHeader,
    pub custody: Custody,
    pub charter: Charter,
    pub tenure: Arc<Tenure>,
    pub engine: Keeping,
    pub mirror: Arc<Mirror>,
    pub vault: Arc<Vault>,
    pub index: Arc<Index>,
    pub store: Arc<Store>,
    pub guest: Option<Guest>,
    /// The papers beside a catalog that is on servers.
    pub papers: Option<Papers>,
    pub buckets: Buckets,
}

/// The header of a site folder; `None` if the folder or the file is not there.
pub fn header_of(folder: &Path) -> Result<Option<SiteHeader>, OpenError> {
    let path = folder.join(site_header::FILE);
    let bytes = files::read(&path, site_header::BYTES_MAX).map_err(|error| OpenError::Read {
        path: path.clone(),
        error,
    })?;
    bytes
        .map(|bytes| SiteHeader::decode(&bytes).map_err(|error| OpenError::Header { path, error }))
        .transpose()
}

/// The headers of both folders, checked against each other and against where they lie.
pub fn headers(layout: &Layout) -> Result<([bool; 2], SiteHeader), OpenError> {
    let found = [
        header_of(layout.site(SiteId::A))?,
        header_of(layout.site(SiteId::B))?,
    ];
    let newest = found.iter().flatten().max_by_key(|header| header.rank());
    let Some(first) = newest.cloned() else {
        return Err(OpenError::NotFounded {
            a: layout.site(SiteId::A).to_path_buf(),
            b: layout.site(SiteId::B).to_path_buf(),
        });
    };
    for site in SiteId::BOTH {
        let Some(header) = &found[site.index()] else {
            continue;
        };
        if header.site != site || header.cloud != first.cloud {
            return Err(OpenError::Foreign {
                path: layout.site(site).to_path_buf(),
                found: format!("{} of cloud {}", header.site, header.cloud),
                expected: format!("{site} of cloud {}", first.cloud),
            });
        }
    }
    Ok((
        SiteId::BOTH.map(|site| found[site.index()].is_some()),
        first,
    ))
}

/// The charter of the cloud, from either site's folder.
pub fn charter_of(layout: &Layout, header: &SiteHeader) -> Result<Charter, OpenError> {
    for site in SiteId::BOTH {
        let folder = layout.site(site);
        let path = folder.join("charter.toml");
        let text = match files::read(&path, 256 * 1024) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(None) => continue,
            Err(error) => return Err(OpenError::Read { path, error }),
        };
        let charter = Charter::parse(&text)
            .map_err(|e| OpenError::Refused(format!("{}: {e}", path.display())))?;
        if *charter.digest().as_bytes() != header.charter {
            let why =
                "it is not the charter that this cloud was founded with; put the signed text back";
            return Err(OpenError::Refused(format!("{}: {why}", path.display())));
        }
        return Ok(charter);
    }
    Err(OpenError::Refused(
        "no site folder has a readable charter".to_owned(),
    ))
}

/// Opens a node's rooms, sealed.
pub async fn open(config: &NodeConfig, host: &Host) -> Result<Opened, OpenError> {
    open_with(config, host, false, None).await
}

/// Opens a node's rooms, sealed. With `accept_loss` a catalog is opened although it lacks batches that were
/// acknowledged; only [`mod@crate::accept_loss`] may ask for that. A node that stood by brings the catalog that it has
/// taken over.
pub async fn open_with(
    config: &NodeConfig,
    host: &Host,
    accept_loss: bool,
    taken: Option<Connected>,
) -> Result<Opened, OpenError> {
    let guest = match &config.embassy {
        Some(embassy) => Some(Guest::new(embassy, host)?),
        None => None,
    };
    let layout = &config.layout;
    let (_, header) = headers(layout)?;
    let buckets = buckets::open(config, host, header.cloud).await?;
    let [a, mut b] = SiteId::BOTH.map(|site| buckets::store(layout, &buckets, site));
    if let Some(guest) = &guest {
        b = Arc::new(guest.chunks());
    }
    let held = match taken {
        None => connect(config, host).await?,
        taken => taken,
    };
    let opening = open_held(config, host, accept_loss, [a, b], guest, held);
    let mut opened = Box::pin(opening).await?;
    opened.buckets = buckets;
    Ok(opened)
}

/// Takes the catalog, if it is on servers and no other node holds it.
pub async fn connect(config: &NodeConfig, host: &Host) -> Result<Option<Connected>, OpenError> {
    let Some(servers) = &config.catalog else {
        return Ok(None);
    };
    let (_, header) = headers(&config.layout)?;
    let held = Connected::open(servers, header.cloud, Hold::Free, host);
    held.await.map(Some)
}

/// The catalog in the folders that are there.
fn catalog_on(
    config: &NodeConfig,
    host: &Host,
    present: [bool; 2],
    tenure: &Arc<Tenure>,
    accept_loss: bool,
) -> Result<Arc<Embedded>, OpenError> {
    let layout = &config.layout;
    let lies_in = |site: SiteId| layout.site(site).join("catalog").is_dir();
    if present == [true; 2] && !SiteId::BOTH.into_iter().any(lies_in) {
        return Err(OpenError::Refused(
            "no site folder holds a catalog; if this cloud's is on PostgreSQL, set catalog.servers. Nothing was changed".to_owned(),
        ));
    }
    let folders =
        SiteId::BOTH.map(|site| present[site.index()].then(|| layout.site(site).to_path_buf()));
    let options = Options {
        cache_bytes: config.catalog_cache_bytes,
        accept_loss,
        ..Options::default()
    };
    let engine = Embedded::open(folders, Arc::clone(tenure), options, host.clone())?;
    for site in SiteId::BOTH {
        // A folder that is away now is known by its place when it is back.
        engine.set_folder(site, layout.site(site).to_path_buf());
    }
    Ok(Arc::new(engine))
}

fn vault_config(config: &NodeConfig) -> VaultConfig {
    VaultConfig {
        region: config.region.clone(),
        node: config.node.clone(),
        site_policy: match &config.embassy {
            // What is acknowledged at the host has its chunks there.
            Some(embassy) if embassy.acknowledge == Acknowledge::AtHost => SitePolicy::Strict,
            _ => config.site_policy,
        },
    }
}

/// Which keeps the rows, and who is current; of a catalog on servers, the papers beside it, as the last node left them.
async fn keep(
    config: &NodeConfig,
    host: &Host,
    accept_loss: bool,
    held: Option<Connected>,
) -> Result<(Keeping, Arc<Tenure>, Option<Papers>), OpenError> {
    let layout = &config.layout;
    let refused = |why: &dyn ToString| OpenError::Refused(why.to_string());
    let papers = held.as_ref().map(|held| held.papers(layout, host));
    if let Some(papers) = &papers {
        papers.fetch().await.map_err(|e| refused(&e))?;
    }
    let (present, header) = headers(layout)?;
    let charter = charter_of(layout, &header)?;
    let places = places(layout, &charter, header.cloud, host);
    let tenure = match &papers {
        Some(papers) => papers.tenure(places).await,
        None => Tenure::start(places),
    };
    let tenure = Arc::new(tenure.map_err(|e| refused(&e))?);
    let engine = match held {
        None => Keeping::Folders(catalog_on(config, host, present, &tenure, accept_loss)?),
        Some(held) => Keeping::Servers(Servers::over(held, &tenure)),
    };
    Ok((engine, tenure, papers))
}

/// The rows: a guest's are at its host as well.
fn facts_of(engine: &Keeping, guest: Option<&Guest>) -> Result<Arc<dyn Engine>, OpenError> {
    let Some(guest) = guest else {
        return Ok(engine.engine());
    };
    let home = engine.folders("a guest's twin")?;
    let twinned = Twinned::new(Arc::clone(home), Arc::clone(&guest.twin));
    Ok(Arc::new(twinned))
}

/// The same with given stores of chunks.
pub async fn open_on(
    config: &NodeConfig,
    host: &Host,
    accept_loss: bool,
    stores: [Arc<dyn ChunkStore>; 2],
    guest: Option<Guest>,
) -> Result<Opened, OpenError> {
    let held = connect(config, host).await?;
    Box::pin(open_held(config, host, accept_loss, stores, guest, held)).await
}

async fn open_held(
    config: &NodeConfig,
    host: &Host,
    accept_loss: bool,
    stores: [Arc<dyn ChunkStore>; 2],
    guest: Option<Guest>,
    held: Option<Connected>,
) -> Result<Opened, OpenError> {
    let layout = &config.layout;
    let (engine, tenure, papers) = keep(config, host, accept_loss, held).await?;
    let header = header_in_force(layout, &tenure)?;
    let charter = charter_of(layout, &header)?;
    let custody = custody_of(layout, &header)?;
    let loss = Arc::new(Loss {
        engine: engine.clone(),
    });
    let mirror = Mirror::new(stores, Arc::clone(&tenure) as _, loss, host.clone());
    if let epoch::Standing::Only(site) = tenure.standing() {
        mirror.prefer(site);
    }
    let facts = facts_of(&engine, guest.as_ref())?;
    let vault = Vault::new(host.clone(), Arc::clone(&facts), vault_config(config))?;
    match crate::law::find(config, header.cloud, &charter, &custody, &vault).await {
        Ok(law) => vault.govern(law),
        Err(refused) => {
            engine.shutdown().await;
            return Err(refused);
        }
    }
    let index = Arc::new(Index::new(
        Arc::clone(&facts),
        host.clone(),
        config.names_cache_bytes,
    ));
    let store = Store::new(
        Arc::clone(&vault),
        facts,
        Arc::clone(&mirror),
        Arc::clone(&index),
        host.clone(),
    );
    let opened = Opened {
        header,
        custody,
        charter,
        tenure,
        engine,
        mirror,
        vault,
        index,
        store,
        guest,
        papers,
        buckets: [None, None],
    };
    if opened.guest.is_some() {
        drop(guest::home(layout, &opened)?);
    }
    Ok(opened)
}

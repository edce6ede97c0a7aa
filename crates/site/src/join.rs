//! A second node of a cloud whose catalog is on servers: its folders are made from the papers beside the catalog. Nothing
//! is written there, and nothing that lies here is touched.

use crate::config::NodeConfig;
use crate::keeping::watch;
use crate::open::{OpenError, header_of};
use crate::papers::{self, PaperError};
use host::files;
use std::io;
use std::path::PathBuf;
use words::{CloudId, SiteId};

/// Why a node was not joined. Nothing was changed, unless a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The catalog lies in folders.
    #[error(
        "a second node joins a cloud whose catalog is on servers, and catalog.servers names none; nothing was changed"
    )]
    NoServers,
    /// The servers did not answer, or what is here cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The papers are not there or cannot be read.
    #[error(transparent)]
    Papers(#[from] PaperError),
    /// No node has put papers there.
    #[error(
        "the catalog has no papers beside it yet: start the node that founded the cloud once, then join again; nothing was changed"
    )]
    NoPapers,
    /// A folder holds something else.
    #[error("{} holds something that is not this cloud's; nothing was changed: choose another folder or move this one away", .0.display())]
    Occupied(PathBuf),
    /// The folder should hold the chunks and is not here.
    #[error(
        "the chunks of {site} lie in its folder, and {} is not that folder: mount the same one here, or keep the site's chunks on S3 (sites.a_s3, sites.b_s3); nothing was changed",
        folder.display()
    )]
    NoChunks {
        /// The site.
        site: SiteId,
        /// Its folder here.
        folder: PathBuf,
    },
    /// A folder could not be made.
    #[error("{} could not be made: {error}; mend that and join again", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
}

/// What joining made.
#[derive(Debug)]
pub struct JoinReport {
    /// The cloud.
    pub cloud: CloudId,
    /// The folders that were made.
    pub made: Vec<PathBuf>,
}

/// Makes this machine's folders of a cloud that exists.
pub async fn join(config: &NodeConfig) -> Result<JoinReport, JoinError> {
    let servers = config.catalog.as_ref().ok_or(JoinError::NoServers)?;
    let watch = watch(servers)?;
    let cloud = watch.cloud().await.map_err(OpenError::Servers)?;
    let rows = watch.rows(&papers::range()).await;
    let found = papers::found(rows.map_err(OpenError::Servers)?)?;
    if found.is_empty() {
        return Err(JoinError::NoPapers);
    }
    let layout = &config.layout;
    let mut missing = Vec::new();
    for site in SiteId::BOTH {
        let folder = layout.site(site);
        match header_of(folder)? {
            Some(header) if header.cloud == cloud && header.site == site => continue,
            Some(_) => return Err(JoinError::Occupied(folder.to_path_buf())),
            None => {}
        }
        let names = files::list(folder).map_err(|error| write(folder, error))?;
        if !names.is_empty() {
            return Err(JoinError::Occupied(folder.to_path_buf()));
        }
        if config.site_buckets[site.index()].is_none() {
            return Err(JoinError::NoChunks {
                site,
                folder: folder.to_path_buf(),
            });
        }
        missing.push(site);
    }
    let mut made = Vec::new();
    for folder in [&layout.data, &layout.parents] {
        files::make_folder(folder, 0o700).map_err(|error| write(folder, error))?;
    }
    for site in missing {
        let folder = layout.site(site);
        files::make_folder(folder, 0o700).map_err(|error| write(folder, error))?;
        let ledger = layout.ledger(site);
        files::make_folder(&ledger, 0o755).map_err(|error| write(&ledger, error))?;
        made.push(folder.to_path_buf());
    }
    papers::write(layout, &found)?;
    Ok(JoinReport { cloud, made })
}

fn write(path: &std::path::Path, error: io::Error) -> JoinError {
    JoinError::Write {
        path: path.to_path_buf(),
        error,
    }
}

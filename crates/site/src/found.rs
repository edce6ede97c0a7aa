//! Founding: the ceremony, the first keys, the two folders. The root exists for this one call.

use crate::buckets;
use crate::config::CatalogServers;
use crate::keeping::{Connected, Keeping, Servers};
use crate::layout::Layout;
use catalog::embedded::{Embedded, Options};
use catalog::postgres::Hold;
use catalog::{Commit, Outcome};
use charter::{Charter, Contribution, Custody, Founding};
use epoch::{Places, Tenure};
use host::{Host, files};
use s3::{Place, PlaceError, TakeError};
use std::path::PathBuf;
use std::sync::Arc;
use vault::record::site_header;
use words::{CloudId, OpId, PartyName, SiteId};

/// Why a cloud was not founded. Nothing that was there before was changed.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// A folder holds something.
    #[error("{} is not empty; founding never writes over anything: choose other folders or move this one away", .0.display())]
    Occupied(PathBuf),
    /// A bucket cannot be a site's.
    #[error("{0}; nothing was founded")]
    Bucket(#[from] TakeError),
    /// A bucket cannot be called.
    #[error("{0}; nothing was founded")]
    Place(#[from] PlaceError),
    /// A bucket could not be marked.
    #[error(
        "the founding is void, since a bucket could not be marked; remove the folders, empty the buckets and found again: {0}"
    )]
    Mark(#[source] TakeError),
    /// Nobody could live under the charter.
    #[error("{0}")]
    Charter(String),
    /// The ceremony failed.
    #[error("the ceremony failed, no share is valid: {0}")]
    Ceremony(#[from] charter::CeremonyError),
    /// A share or the record of custody could not be written.
    #[error(
        "a share could not be written, so the founding is void; remove the folders and found again: {0}"
    )]
    Shares(#[from] charter::files::FileError),
    /// A file could not be written.
    #[error("{} could not be written, so the founding is void; remove the folders and found again: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
    /// The first keys could not be made.
    #[error(transparent)]
    Keys(#[from] vault::VaultError),
    /// The epoch record could not be written.
    #[error("the epoch record could not be written, so the founding is void: {0}")]
    Epoch(#[from] epoch::StartError),
    /// The catalog could not be made.
    #[error(
        "the catalog could not be made, so the founding is void; remove the folders and found again: {0}"
    )]
    Catalog(String),
}

/// What a founding made.
#[derive(Debug)]
pub struct FoundReport {
    /// The new cloud.
    pub cloud: CloudId,
    /// Each party's share file.
    pub shares: Vec<(PartyName, PathBuf)>,
    /// The ledger's public keys.
    pub verifier_keys_path: PathBuf,
    /// How many sets of shares rebuild the root, and how many smaller ones were shown to fail.
    pub proof: (u64, u64),
}

/// Holds the ceremony and makes the folders of a new cloud.
pub async fn found(
    layout: &Layout,
    charter: &Charter,
    host: &Host,
    log_name: &str,
    servers: Option<&CatalogServers>,
    places_of_chunks: &[Option<Place>; 2],
) -> Result<FoundReport, FoundError> {
    for folder in layout.sites.iter().chain([&layout.parents]) {
        if !files::list(folder)
            .map_err(|e| write(folder, e))?
            .is_empty()
        {
            return Err(FoundError::Occupied(folder.clone()));
        }
    }
    buckets::must_be_empty(places_of_chunks, host).await?;
    if charter.terms().is_some() {
        vault::joint::check_can_be_opened(charter, charter.parties())
            .map_err(|e| FoundError::Charter(e.to_string()))?;
    }
    let founding = charter::found(
        charter,
        host,
        Contribution::draw_for_all(charter.parties(), host),
    )?;
    let made = vault::found(
        host,
        founding.cloud,
        &founding.root,
        *founding.transcript.custody().ceremony().as_bytes(),
        *charter.digest().as_bytes(),
        log_name,
        founding.transcript.to_json(),
    )?;
    for folder in layout.sites.iter().chain([&layout.data, &layout.parents]) {
        files::make_folder(folder, 0o700).map_err(|e| write(folder, e))?;
    }
    let shares = hand_out(layout, charter, &founding, &made.verifier_keys)?;
    for site in SiteId::BOTH {
        furnish(layout, site, charter, founding.transcript.custody())?;
    }
    buckets::make(layout, places_of_chunks, host, founding.cloud).await?;
    let places = places(layout, charter, founding.cloud, host);
    places.found()?;
    first_rows(layout, places, host, (made.rows, made.entry), servers).await?;
    put(layout.verifier_keys(), made.verifier_keys.as_bytes(), 0o644)?;
    for header in &made.headers {
        // Last: a folder with a header is a folder of a founded cloud.
        put(
            layout.site(header.site).join(site_header::FILE),
            &header.encode(),
            0o600,
        )?;
    }
    let proof = founding.transcript.proof();
    Ok(FoundReport {
        cloud: founding.cloud,
        shares,
        verifier_keys_path: layout.verifier_keys(),
        proof: (proof.sets_that_rebuild.into(), proof.sets_that_fail.into()),
    })
}

/// Gives each party its share, the charter, the transcript and the ledger's public keys.
fn hand_out(
    layout: &Layout,
    charter: &Charter,
    founding: &Founding,
    verifier_keys: &str,
) -> Result<Vec<(PartyName, PathBuf)>, FoundError> {
    let transcript = founding.transcript.to_json();
    let charter = charter.to_toml();
    let mut shares = Vec::new();
    for (party, share) in &founding.shares {
        shares.push((
            party.clone(),
            charter::files::write_share(&layout.parents, share)?,
        ));
        let folder = layout.parents.join(party.as_str());
        put(folder.join("charter.toml"), charter.as_bytes(), 0o644)?;
        put(folder.join("ledger.keys"), verifier_keys.as_bytes(), 0o644)?;
        put(folder.join("transcript.json"), transcript.as_bytes(), 0o644)?;
    }
    Ok(shares)
}

/// Puts into a site's folder what a node needs before it has any key; all but the header and the place of chunks.
pub(crate) fn furnish(
    layout: &Layout,
    site: SiteId,
    charter: &Charter,
    custody: &Custody,
) -> Result<(), FoundError> {
    let folder = layout.site(site);
    charter::files::write_custody(folder, custody)?;
    put(
        folder.join("charter.toml"),
        charter.to_toml().as_bytes(),
        0o644,
    )?;
    if let Some(terms) = charter.terms() {
        let label = format!("{}\n", terms.jurisdictions().site(site));
        put(folder.join(crate::law::LABEL), label.as_bytes(), 0o644)?;
    }
    files::make_folder(&layout.ledger(site), 0o755).map_err(|e| write(folder, e))
}

/// The places that remember which site is current.
pub(crate) fn places(layout: &Layout, charter: &Charter, cloud: CloudId, host: &Host) -> Places {
    let parents: Vec<_> = charter
        .parties()
        .iter()
        .map(|party| (party.to_string(), layout.parents.join(party.as_str())))
        .collect();
    Places::folders(
        cloud,
        [layout.site(SiteId::A), layout.site(SiteId::B)],
        &parents,
        host.clone(),
    )
}

async fn first_rows(
    layout: &Layout,
    places: Places,
    host: &Host,
    (rows, entry): (Vec<catalog::Mutation>, ledger::Entry),
    servers: Option<&CatalogServers>,
) -> Result<(), FoundError> {
    let failed = |why: &dyn ToString| FoundError::Catalog(why.to_string());
    let cloud = places.cloud;
    let engine = match servers {
        None => {
            let options = Options::default();
            let sites = [layout.site(SiteId::A), layout.site(SiteId::B)];
            Embedded::create(sites, cloud, &options).map_err(|e| failed(&e))?;
            let tenure = Arc::new(Tenure::start(places)?);
            let folders = SiteId::BOTH.map(|site| Some(layout.site(site).to_path_buf()));
            let engine = Embedded::open(folders, tenure, options, host.clone());
            Keeping::Folders(Arc::new(engine.map_err(|e| failed(&e))?))
        }
        Some(servers) => {
            let made = Servers::found(servers, cloud).await;
            made.map_err(|e| failed(&e))?;
            let connected = Connected::open(servers, cloud, Hold::Free, host).await;
            let connected = connected.map_err(|e| failed(&e))?;
            let tenure = connected.papers(layout, host).tenure(places).await?;
            Keeping::Servers(Servers::over(connected, &Arc::new(tenure)))
        }
    };
    let commit = Commit {
        op: OpId::from_bytes(host.random()),
        preconditions: Vec::new(),
        mutations: rows,
        entries: vec![entry],
    };
    let outcome = engine.engine().commit(commit).await;
    engine.shutdown().await;
    match outcome {
        Outcome::Committed(_) => Ok(()),
        other => Err(FoundError::Catalog(format!("{other:?}"))),
    }
}

pub(crate) fn put(path: PathBuf, bytes: &[u8], mode: u32) -> Result<(), FoundError> {
    files::write_durable(&path, bytes, mode).map_err(|e| write(&path, e))
}

fn write(path: &std::path::Path, error: std::io::Error) -> FoundError {
    FoundError::Write {
        path: path.to_path_buf(),
        error,
    }
}

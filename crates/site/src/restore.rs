//! A guest's cloud from its twin: the catalog and the papers from sealed objects that a quorum of shares
//! opens, the chunks as they are. From the host's bucket or from an export of it, without the guest's home.

use crate::buckets;
use crate::config::NodeConfig;
use crate::found::{FoundError, furnish, places, put};
use crate::guest::make_owner;
use crate::open::{OpenError, Opened, open_on};
use crate::root::files::header_for;
use crate::status::all_chunks;
use catalog::embedded::follow::FollowedRow;
use catalog::embedded::{Embedded, Options};
use charter::{Charter, Custody, Progress, RootSecret, ShareFile, UnsealError, Unsealing};
use chunks::ChunkStore;
use chunks::dir::Dir;
use embassy::twin::{Tip, close, headers};
use embassy::{Papers, ReadOnly, Replay, ReplayError, Source};
use futures::StreamExt;
use host::{Host, files};
use ledger::Kind;
use mirror::Pace;
use s3::{Bucket, S3Error};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use vault::record::site_header::{self, SiteHeader};
use words::{CloudId, PartyName, SiteId};

/// While it lies in a site's folder, the folder is not complete and no node starts on it.
pub const MARK: &str = "restoring";

/// Why nothing was restored. The source was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A folder holds something.
    #[error("{} is not empty; restoring never writes over anything: choose another folder, or remove what an interrupted restore left", .0.display())]
    Occupied(PathBuf),
    /// A share was refused.
    #[error("{0}; nothing was written")]
    Share(#[from] UnsealError),
    /// Fewer shares than the charter asks for.
    #[error(
        "{have} of the {need} shares that the charter asks for were given; nothing was written"
    )]
    TooFew {
        /// Shares that were right.
        have: u8,
        /// Shares that are needed.
        need: u8,
    },
    /// No share was given.
    #[error("no share was given; nothing was written")]
    NoShare,
    /// The twin is of another cloud.
    #[error(
        "{place} holds the twin of cloud {found}; the shares are of cloud {given}; nothing was written"
    )]
    OtherCloud {
        /// Where.
        place: Arc<str>,
        /// Whose it is.
        found: CloudId,
        /// Whose the shares are.
        given: CloudId,
    },
    /// The twin could not be read.
    #[error(transparent)]
    Twin(#[from] ReplayError),
    /// The shares do not open it.
    #[error("the shares do not open the twin in {place}: {error}; nothing was written")]
    Key {
        /// Where.
        place: Arc<str>,
        /// What happened.
        #[source]
        error: vault::VaultError,
    },
    /// The host could not be told that this instance takes over.
    #[error(
        "this instance could not take over: {0}; nothing was written here, and the home goes on as before"
    )]
    TakeOver(#[from] S3Error),
    /// What is sealed in the twin is not what a cloud needs.
    #[error("the papers in the twin are not whole: {0}")]
    Papers(String),
    /// A folder could not be made or written.
    #[error(transparent)]
    Found(#[from] FoundError),
    /// The restored folders do not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The catalog could not be made.
    #[error("the catalog could not be restored: {0}; remove the folders and try again")]
    Catalog(String),
    /// Chunks are missing.
    #[error(
        "{left} chunks that the catalog names could not be brought back: {why}; remove the folders and try again with another copy"
    )]
    Chunks {
        /// How many.
        left: u64,
        /// The first of them.
        why: String,
    },
    /// The restored vault did not open.
    #[error("the restored vault did not open: {0}")]
    Vault(#[from] vault::VaultError),
}

/// What is asked.
pub struct RestoreAsked {
    /// Where the twin is.
    pub source: Arc<dyn Source>,
    /// The bucket, if this instance takes over from whoever writes it.
    pub take_over: Option<Bucket>,
    /// Shares of the guest's root.
    pub shares: Vec<ShareFile>,
    /// The node to be made; its folders must be empty.
    pub config: NodeConfig,
}

/// One step of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreStep {
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What was done or checked.
    pub what: String,
}

/// What was restored.
#[derive(Debug)]
pub struct RestoreReport {
    /// The cloud.
    pub cloud: CloudId,
    /// The last batch of the catalog that came back.
    pub batch: u64,
    /// Rows written, those that were written twice included.
    pub rows: u64,
    /// Chunks.
    pub chunks: u64,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Whose shares opened it.
    pub parties: Vec<PartyName>,
    /// Each step with its time.
    pub steps: Vec<RestoreStep>,
}

/// Tells how far a restore is: what, how much, of how much.
pub type Told = Arc<dyn Fn(&str, u64, Option<u64>) + Send + Sync>;

/// Notes how long each step took.
pub(crate) struct Watch {
    host: Host,
    began: Duration,
    steps: Vec<RestoreStep>,
}

impl Watch {
    pub(crate) fn new(host: &Host) -> Self {
        Self {
            began: host.elapsed(),
            host: host.clone(),
            steps: Vec::new(),
        }
    }

    pub(crate) fn steps(self) -> Vec<RestoreStep> {
        self.steps
    }

    pub(crate) fn step(&mut self, name: &'static str, what: String) {
        let now = self.host.elapsed();
        self.steps.push(RestoreStep {
            name,
            took: now.saturating_sub(self.began),
            what,
        });
        self.began = now;
    }
}

/// Restores a cloud into the empty folders of `asked.config`.
pub async fn restore(
    asked: RestoreAsked,
    host: &Host,
    told: Told,
) -> Result<RestoreReport, RestoreError> {
    let layout = &asked.config.layout;
    refuse_occupied(&asked.config)?;
    let mut watch = Watch::new(host);
    let (root, custody, parties) = quorum(asked.shares)?;
    watch.step(
        "shares",
        format!("the root was rebuilt from {} shares", parties.len()),
    );
    let (replay, tip) = find(&asked.source, &root, custody.cloud()).await?;
    watch.step("find", format!("the twin reaches batch {}", tip.seq));
    if let Some(bucket) = &asked.take_over {
        close(bucket, &replay, &tip, host.random()).await?;
        watch.step("take over", "the home can write to the host no more".into());
    }
    let (papers, rows) = catalog(&replay, &tip, &asked.config, &told).await?;
    watch.step("catalog", format!("{rows} rows, each opened and checked"));
    let charter = furnish_all(&asked.config, &papers, host)?;
    buckets::make(layout, &[None, None], host, custody.cloud()).await?;
    if asked.take_over.is_some() {
        make_owner(layout, host).map_err(|error| FoundError::Write {
            path: layout.data.clone(),
            error,
        })?;
    }
    let mut report = RestoreReport {
        cloud: custody.cloud(),
        batch: tip.seq,
        rows,
        chunks: 0,
        bytes: 0,
        parties,
        steps: Vec::new(),
    };
    let opened = from_source(&asked.source, &asked.config, host, &told, &mut report).await?;
    let what = format!(
        "{} chunks of {} bytes, each compared with its hash",
        report.chunks, report.bytes
    );
    watch.step("chunks", what);
    enter(&opened, root, &report, asked.take_over.is_some()).await?;
    opened.engine.shutdown().await;
    drop(opened);
    watch.step(
        "unseal",
        "the vault opened with the shares and wrote the restore into the ledger".into(),
    );
    if asked.take_over.is_none() {
        second_copy(&asked.config, host, &told).await?;
        watch.step("second copy", "site b was filled from site a".into());
    }
    for site in SiteId::BOTH {
        let mark = layout.site(site).join(MARK);
        files::remove(&mark).map_err(|error| FoundError::Write { path: mark, error })?;
    }
    tracing::info!(cloud = %report.cloud, charter = %charter.digest(), batch = report.batch, "a cloud was restored from its twin");
    report.steps = watch.steps();
    Ok(report)
}

fn refuse_occupied(config: &NodeConfig) -> Result<(), RestoreError> {
    let layout = &config.layout;
    for folder in layout.sites.iter().chain([&layout.parents]) {
        let names = files::list(folder).map_err(|error| FoundError::Write {
            path: folder.clone(),
            error,
        })?;
        if !names.is_empty() {
            return Err(RestoreError::Occupied(folder.clone()));
        }
    }
    Ok(())
}

/// The root, once enough shares are right. What they have to agree with is the first one's record.
fn quorum(shares: Vec<ShareFile>) -> Result<(RootSecret, Custody, Vec<PartyName>), RestoreError> {
    let custody = shares
        .first()
        .ok_or(RestoreError::NoShare)?
        .custody()
        .clone();
    let mut unsealing = Unsealing::new(custody.clone());
    let mut parties = Vec::new();
    for share in shares {
        parties.push(share.party().clone());
        if let Progress::Complete(root) = unsealing.add(share)? {
            return Ok((root, custody, parties));
        }
    }
    Err(RestoreError::TooFew {
        have: unsealing.have(),
        need: unsealing.need(),
    })
}

/// The generation that came furthest.
async fn find(
    source: &Arc<dyn Source>,
    root: &RootSecret,
    cloud: CloudId,
) -> Result<(Replay, Tip), RestoreError> {
    let mut best: Option<(Replay, Tip)> = None;
    let mut refused = None;
    for (header, last) in headers(&**source).await? {
        if header.cloud != cloud {
            return Err(RestoreError::OtherCloud {
                place: source.shown(),
                found: header.cloud,
                given: cloud,
            });
        }
        let key = match vault::twin_key(root, cloud, header.key_version, header.site_key) {
            Ok(key) => key,
            Err(error) => {
                refused = Some(error);
                continue;
            }
        };
        let replay = Replay::new(Arc::clone(source), header, last, key);
        if let Some(tip) = replay.tip().await?
            && best.as_ref().is_none_or(|(_, best)| best.seq < tip.seq)
        {
            best = Some((replay, tip));
        }
    }
    best.ok_or_else(|| match refused {
        Some(error) => RestoreError::Key {
            place: source.shown(),
            error,
        },
        None => ReplayError::None(source.shown()).into(),
    })
}

/// Fills the catalogs of both sites; gives the papers and how many rows were written.
async fn catalog(
    replay: &Replay,
    tip: &Tip,
    config: &NodeConfig,
    told: &Told,
) -> Result<(Papers, u64), RestoreError> {
    let layout = &config.layout;
    let failed = |e: &dyn ToString| RestoreError::Catalog(e.to_string());
    for folder in layout.sites.iter().chain([&layout.data, &layout.parents]) {
        files::make_folder(folder, 0o700).map_err(|e| failed(&e))?;
    }
    for site in SiteId::BOTH {
        let text = b"a restore is under way or was interrupted; no node starts on this folder\n";
        put(layout.site(site).join(MARK), text, 0o600)?;
    }
    let folders = [layout.site(SiteId::A), layout.site(SiteId::B)];
    let import = Embedded::import(folders, replay.header().cloud, &Options::default())
        .map_err(|e| failed(&e))?;
    let mut count = 0_u64;
    let mut take = |rows: &[FollowedRow]| {
        count += rows.len() as u64;
        import.write(rows).map_err(|e| e.to_string())
    };
    let tell = Arc::clone(told);
    let (reached, papers) = replay
        .run(tip, &mut take, &move |at, of| tell("catalog", at, Some(of)))
        .await?;
    import.finish(&reached).map_err(|e| failed(&e))?;
    Ok((papers, count))
}

/// Puts everything but chunks into the two folders, the header last.
fn furnish_all(config: &NodeConfig, papers: &Papers, host: &Host) -> Result<Charter, RestoreError> {
    let layout = &config.layout;
    let missing = |name: &str| RestoreError::Papers(format!("{name} is not there"));
    let text = |name: &str| {
        let bytes = papers.get(name).ok_or_else(|| missing(name))?;
        std::str::from_utf8(bytes).map_err(|_| RestoreError::Papers(format!("{name} is no text")))
    };
    let wrong = |e: &dyn ToString| RestoreError::Papers(e.to_string());
    let header = papers
        .get(site_header::FILE)
        .ok_or_else(|| missing(site_header::FILE))?;
    let header = SiteHeader::decode(header).map_err(|e| wrong(&e))?;
    let charter = Charter::parse(text("charter.toml")?).map_err(|e| wrong(&e))?;
    let custody = Custody::from_json(text("custody.json")?).map_err(|e| wrong(&e))?;
    for site in SiteId::BOTH {
        furnish(layout, site, &charter, &custody)?;
    }
    for party in charter.parties() {
        let folder = layout.parents.join(party.as_str());
        files::make_folder(&folder, 0o700).map_err(|error| FoundError::Write {
            path: folder.clone(),
            error,
        })?;
    }
    if let Some(keys) = papers.get("ledger.keys") {
        put(layout.verifier_keys(), keys, 0o644)?;
    }
    let places = places(layout, &charter, header.cloud, host);
    places.found().map_err(FoundError::from)?;
    for site in SiteId::BOTH {
        let header = header_for(&header, site);
        put(
            layout.site(site).join(site_header::FILE),
            &header.encode(),
            0o600,
        )?;
    }
    Ok(charter)
}

/// Opens the restored rooms over the source and fills site a with every chunk that the catalog names.
async fn from_source(
    source: &Arc<dyn Source>,
    config: &NodeConfig,
    host: &Host,
    told: &Told,
    report: &mut RestoreReport,
) -> Result<Opened, RestoreError> {
    let from: Arc<dyn ChunkStore> = Arc::new(ReadOnly::new(Arc::clone(source)));
    let own: Arc<dyn ChunkStore> = Arc::new(Dir::awaiting(config.layout.site(SiteId::A)));
    let opened = open_on(config, host, false, [own, from], None).await?;
    let (chunks, bytes) = fill(&opened, SiteId::A, told).await?;
    (report.chunks, report.bytes) = (chunks, bytes);
    Ok(opened)
}

async fn fill(opened: &Opened, site: SiteId, told: &Told) -> Result<(u64, u64), RestoreError> {
    let failed = |e: &dyn ToString| RestoreError::Catalog(e.to_string());
    opened.mirror.adopt(site).await.map_err(|e| failed(&e))?;
    let refs = all_chunks(Arc::clone(&opened.store)).boxed();
    let pace = Pace {
        in_flight: 8,
        ..Pace::default()
    };
    let mut tell = |at: &mirror::InventoryReport| told("chunks", at.chunks, None);
    let looked = mirror::inventory(&opened.mirror, site, refs, pace, &mut tell).await;
    let report = looked.map_err(|e| failed(&e))?;
    match report.left {
        0 => Ok((report.chunks, report.bytes)),
        left => Err(RestoreError::Chunks {
            left,
            why: report.failures.join("; "),
        }),
    }
}

/// A cloud of its own has every chunk at both of its sites.
async fn second_copy(config: &NodeConfig, host: &Host, told: &Told) -> Result<(), RestoreError> {
    let stores = SiteId::BOTH
        .map(|site| -> Arc<dyn ChunkStore> { Arc::new(Dir::awaiting(config.layout.site(site))) });
    let opened = open_on(config, host, false, stores, None).await?;
    let filled = fill(&opened, SiteId::B, told).await;
    opened.engine.shutdown().await;
    filled.map(drop)
}

async fn enter(
    opened: &Opened,
    root: RootSecret,
    report: &RestoreReport,
    took_over: bool,
) -> Result<(), vault::VaultError> {
    let vault = &opened.vault;
    vault.unseal(root, &opened.header, &report.parties).await?;
    let reason = format!(
        "the cloud was restored from its twin at batch {}: {} rows, {} chunks; {}",
        report.batch,
        report.rows,
        report.chunks,
        match took_over {
            true => "this instance takes over",
            false => "a copy, the home was not stopped",
        }
    );
    vault
        .record_act(Kind::Admin, "EmbassyRestore", reason)
        .await
        .map(drop)
}

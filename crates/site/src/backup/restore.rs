//! A whole cloud from a backup: the same cloud id, the same root and custody, in folders that are made anew, on either
//! engine. Who brings it back is a quorum of the shares. Interrupted, it goes on when it is given again.

use super::fill::{catalog, chunks};
use super::mark::Mark;
use super::papers::{Papers, papers_of, quorum};
use super::places::{furnish_site, take_place};
use crate::buckets;
use crate::config::NodeConfig;
use crate::found::{FoundError, places, put};
use crate::open::{OpenError, Opened, open};
use crate::restore::{RestoreStep, Told, Watch};
use crate::root::files::header_for;
use backup::{Backup, BackupError};
use charter::{RootSecret, ShareFile, UnsealError};
use epoch::{EpochRecord, RestoreAccepted};
use host::Host;
use std::path::PathBuf;
use vault::record::site_header;
use words::{CloudId, PartyName, SiteId, UnixMillis};

/// Why nothing, or not everything, was restored. The backup is never changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupRestoreError {
    /// A folder holds something.
    #[error("{} is not empty; restoring never writes over anything: choose another folder, or move this one away", .0.display())]
    Occupied(PathBuf),
    /// Another process has the folder.
    #[error("{} is in use by another process; nothing was changed: end it first", .0.display())]
    Held(PathBuf),
    /// The configuration is that of a guest.
    #[error(
        "embassy.host is set, and a restored cloud is no guest; nothing was written: take it out of the configuration"
    )]
    Guest,
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// What the backup holds is not what a cloud needs.
    #[error(
        "the papers in the backup are not whole: {0}; nothing was written: take another copy of it"
    )]
    Papers(String),
    /// A share was refused.
    #[error("{error}{hint}; nothing was written")]
    Share {
        /// Why.
        #[source]
        error: UnsealError,
        /// What it means for a backup.
        hint: &'static str,
    },
    /// Fewer shares than the charter asks for.
    #[error(
        "{have} of the {need} shares that the charter asks for were given{lacks}; nothing was written"
    )]
    TooFew {
        /// Shares that were right.
        have: u8,
        /// Shares that are needed.
        need: u8,
        /// What those who gave them do not fulfil.
        lacks: String,
    },
    /// The witnesses of the old cloud are not there.
    #[error(
        "{known} of the {need} parties' folders that are needed hold this cloud's epoch record (parents.folder), so a node of the old cloud that still runs would not be told; nothing was written: mount them, or say --new-witnesses if they are lost and the old cloud is certain never to run again"
    )]
    NoWitnesses {
        /// Folders that hold it.
        known: usize,
        /// Folders that are needed.
        need: usize,
    },
    /// The HSM's part is missing.
    #[error("{0}")]
    Outer(#[from] crate::outer::OuterError),
    /// The new epoch could not be recorded.
    #[error("{0}; the restore is not done: mend that and give the same command again")]
    Epoch(#[from] epoch::StartError),
    /// A file or folder could not be written.
    #[error("{}: {error}; the restore is not done: mend that and give the same command again", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
    /// A chunk could not be written.
    #[error("{0}; the restore is not done: mend that and give the same command again")]
    Chunks(String),
    /// The catalog could not be made.
    #[error(
        "the catalog could not be made: {0}; the restore is not done: mend that and give the same command again"
    )]
    Catalog(String),
    /// The restored folders do not open.
    #[error("{0}; the restore is not done: mend that and give the same command again")]
    Open(#[from] OpenError),
    /// The restored vault did not open.
    #[error(
        "the restored vault did not open: {0}; the restore is not done: mend that and give the same command again"
    )]
    Vault(#[from] vault::VaultError),
    /// The restored ledger could not be published.
    #[error(
        "the restored ledger could not be signed: {0}; the restore is not done: mend that and give the same command again"
    )]
    Publish(String),
}

/// What is asked.
pub struct RestoreFrom {
    /// The backup.
    pub backup: Backup,
    /// Shares of the cloud's root.
    pub shares: Vec<ShareFile>,
    /// The node to be made; its sites' folders must be empty, or hold what an interrupted attempt left.
    pub config: NodeConfig,
    /// The parties' folders of the old cloud are lost: new ones take their place.
    pub new_witnesses: bool,
}

/// What was restored.
#[derive(Debug)]
pub struct BackupRestored {
    /// The cloud.
    pub cloud: CloudId,
    /// When the backup was taken.
    pub taken: UnixMillis,
    /// The engine that keeps the rows now, in a word.
    pub engine: &'static str,
    /// The version of the last commit in the backup.
    pub version: u64,
    /// Ledger entries in the backup; the restore's own entry has this index, if it was not interrupted.
    pub entries: u64,
    /// The root of the ledger's tree over them.
    pub root: [u8; 32],
    /// How many of them a signed checkpoint covers.
    pub signed: Option<u64>,
    /// Rows.
    pub rows: u64,
    /// Chunks.
    pub chunks: u64,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Chunks that the backup lacks.
    pub lacking: u64,
    /// The record with which the cloud goes on.
    pub record: EpochRecord,
    /// Whose shares opened it.
    pub parties: Vec<PartyName>,
    /// Each step with its time.
    pub steps: Vec<RestoreStep>,
}

/// Restores a cloud into the folders of `asked.config`.
pub async fn restore(
    asked: RestoreFrom,
    host: &Host,
    told: Told,
) -> Result<BackupRestored, BackupRestoreError> {
    let RestoreFrom {
        backup,
        shares,
        config,
        new_witnesses,
    } = asked;
    let mut watch = Watch::new(host);
    let (root, papers, parties) = quorum(papers_of(&backup)?, shares)?;
    let what = format!("the root was rebuilt from {} shares", parties.len());
    watch.step("shares", what);
    let (mut mark, _lock) = take_place(&backup, &config, &papers, host, new_witnesses).await?;
    let what = "the places are empty, or an interrupted attempt's; the witnesses answer";
    watch.step("look", what.into());
    for site in SiteId::BOTH {
        furnish_site(&backup, &config, &papers, site)?;
    }
    let cloud = papers.header.cloud;
    let made = buckets::make(&config.layout, &config.site_buckets, host, cloud).await;
    made.map_err(unmade)?;
    let copied = chunks(&backup, &config, (host, cloud), &told).await?;
    let (count, bytes) = copied;
    let what =
        format!("{count} chunks of {bytes} bytes at both sites, each compared with its hash");
    watch.step("chunks", what);
    let made = catalog(&backup, &config, &papers, &mark, &told).await?;
    let (rows, entries) = (backup.manifest().rows, backup.manifest().point.next_index);
    let what = format!("{rows} rows, the ledger's {entries} without a hole");
    watch.step("catalog", what);
    let consent = RestoreAccepted::by_quorum(backup.manifest().epoch, made);
    let record = take_office(&config, &papers, &consent, host)?;
    let epoch = record.epoch;
    watch.step(
        "epoch",
        format!("epoch {epoch} is recorded at the witnesses and in both folders"),
    );
    let root = crate::outer::complete(&config, host, &papers.header, root).await?;
    mark.opened = true;
    let data = &config.layout.data;
    mark.put(&config.layout)
        .map_err(|e| file(data.clone(), e))?;
    let opened = open(&config, host).await?;
    let begun = begin(&opened, root, &parties, (&backup, &record), &config, host).await;
    opened.engine.shutdown().await;
    let signed = begun?;
    let what = format!(
        "the vault opened with the shares, the restore is in the ledger, and its {signed} entries continue what was signed before"
    );
    watch.step("open", what);
    Mark::remove(&config.layout).map_err(|e| file(data.clone(), e))?;
    tracing::warn!(cloud = %papers.header.cloud, epoch, "a cloud was restored from a backup");
    let engine = opened.engine.word();
    Ok(report(
        &backup,
        engine,
        copied,
        record,
        parties,
        watch.steps(),
    ))
}

/// Begins the new epoch, and makes the folders folders of the cloud.
fn take_office(
    config: &NodeConfig,
    papers: &Papers,
    consent: &RestoreAccepted,
    host: &Host,
) -> Result<EpochRecord, BackupRestoreError> {
    let witnesses = places(&config.layout, &papers.charter, papers.header.cloud, host);
    let record = witnesses.begin_anew(consent)?;
    for site in SiteId::BOTH {
        // Last: a folder with a header is a folder of a cloud.
        let header = header_for(&papers.header, site).encode();
        let path = config.layout.site(site).join(site_header::FILE);
        put(path, &header, 0o600).map_err(unmade)?;
    }
    Ok(record)
}

/// Opens the vault, writes down what was done, and signs it.
async fn begin(
    opened: &Opened,
    root: RootSecret,
    parties: &[PartyName],
    (backup, record): (&Backup, &EpochRecord),
    config: &NodeConfig,
    host: &Host,
) -> Result<u64, BackupRestoreError> {
    enter(opened, root, parties, backup, record).await?;
    publish(opened, config, host).await
}

fn report(
    backup: &Backup,
    engine: &'static str,
    (chunks, bytes): (u64, u64),
    record: EpochRecord,
    parties: Vec<PartyName>,
    steps: Vec<RestoreStep>,
) -> BackupRestored {
    let manifest = backup.manifest();
    BackupRestored {
        cloud: manifest.cloud,
        taken: manifest.taken,
        engine,
        version: manifest.point.version,
        entries: manifest.point.next_index,
        root: manifest.root,
        signed: manifest.checkpoint.map(|(size, _)| size),
        rows: manifest.rows,
        chunks,
        bytes,
        lacking: manifest.lacking.len() as u64,
        record,
        parties,
        steps,
    }
}

pub(super) fn file(path: PathBuf, error: std::io::Error) -> BackupRestoreError {
    BackupRestoreError::File { path, error }
}

/// What a founding says of a folder it could not make, in the words of a restore.
pub(super) fn unmade(error: FoundError) -> BackupRestoreError {
    match error {
        FoundError::Write { path, error } => file(path, error),
        other => BackupRestoreError::Chunks(other.to_string()),
    }
}

/// Opens the vault. The first entry of the restored cloud says what it was restored from.
async fn enter(
    opened: &Opened,
    root: RootSecret,
    parties: &[PartyName],
    backup: &Backup,
    record: &EpochRecord,
) -> Result<(), BackupRestoreError> {
    let manifest = backup.manifest();
    let signed = match &manifest.checkpoint {
        Some((size, root)) => {
            format!(
                "checkpoint of {size} entries with root {}",
                words::hex::encode(root)
            )
        }
        None => "no checkpoint".to_owned(),
    };
    let reason = format!(
        "restored from the backup of {}: {signed}, {} entries, {} rows, {} chunks; epoch {} goes on from there, and what came after it is lost",
        epoch::start::when(manifest.taken),
        manifest.point.next_index,
        manifest.rows,
        manifest.chunks.0,
        record.epoch
    );
    let vault = &opened.vault;
    Ok(vault
        .unseal_restored(root, &opened.header, parties, reason)
        .await?)
}

/// Writes the log anew at both sites and signs it: the rows have to continue what was signed before.
async fn publish(
    opened: &Opened,
    config: &NodeConfig,
    host: &Host,
) -> Result<u64, BackupRestoreError> {
    let failed = |e: &dyn ToString| BackupRestoreError::Publish(e.to_string());
    let confirmed = opened.engine.confirm(host).await;
    confirmed.map_err(|e| failed(&e))?;
    let mut size = 0;
    for site in SiteId::BOTH {
        let folder = config.layout.ledger(site);
        let mut publisher = opened.vault.publisher(&folder)?;
        loop {
            let first = publisher.next_index();
            let leaves = opened.vault.leaves(first).await?;
            if leaves.is_empty() {
                break;
            }
            publisher.publish(first, &leaves).map_err(|e| failed(&e))?;
        }
        let signed = publisher.checkpoint(host.now());
        size = signed.map_err(|e| failed(&e))?.size;
    }
    Ok(size)
}

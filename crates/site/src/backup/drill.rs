//! A rehearsal of a restore: for real, in a folder of its own, on the embedded engine and with witnesses of its own, so that
//! nothing of the cloud that runs is touched. Then it is served on this machine and read back, and its ledger is verified.

use super::restore::{BackupRestoreError, BackupRestored, RestoreFrom, restore};
use crate::config::NodeConfig;
use crate::drill::{DrillError, DrillReport, serve_and_read};
use crate::layout::Layout;
use crate::restore::{RestoreStep, Told, Watch};
use backup::verify::{CHECKPOINT, VERIFIER_KEYS};
use backup::{Backup, BackupError};
use charter::ShareFile;
use host::Host;
use ledger::{Checkpoint, Trust, VerifierKeys};
use std::path::Path;
use words::SiteId;

/// Why a rehearsal did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BackupDrillError {
    /// The restore failed.
    #[error(transparent)]
    Restore(#[from] BackupRestoreError),
    /// The restored node did not serve or did not give back what was written.
    #[error(transparent)]
    Read(#[from] DrillError),
    /// The backup cannot be read.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The restored ledger is not whole.
    #[error("the restored ledger does not verify: {0}")]
    Ledger(String),
}

/// What a rehearsal came to.
#[derive(Debug)]
pub struct BackupDrill {
    /// The restore.
    pub restored: BackupRestored,
    /// What was read back.
    pub read: DrillReport,
    /// Entries of the restored ledger, each checked against the tree.
    pub entries: u64,
    /// Every step with its time.
    pub steps: Vec<RestoreStep>,
}

/// The configuration of a rehearsal in a folder.
#[must_use]
pub fn config(work: &Path, hsm: Option<hsm::Access>, jurisdiction: Option<String>) -> NodeConfig {
    let mut config = NodeConfig::new(Layout::in_folder(work));
    config.s3_listen = ([127, 0, 0, 1], 0).into();
    config.region = "drill".into();
    config.node = "drill".into();
    config.hsm = hsm;
    config.jurisdiction = jurisdiction;
    config
}

/// Restores into the folder of `config`, serves, opens, reads back `sample` objects of each bucket (all, if absent), and
/// verifies the ledger.
pub async fn drill(
    (backup, shares): (Backup, Vec<ShareFile>),
    config: NodeConfig,
    sample: Option<usize>,
    host: &Host,
    told: Told,
) -> Result<BackupDrill, BackupDrillError> {
    let texts = shares.iter().map(|share| share.to_text().to_string());
    let texts: Vec<String> = texts.collect();
    let earlier = earlier(&backup)?;
    let asked = RestoreFrom {
        backup,
        shares,
        config: config.clone(),
        new_witnesses: true,
    };
    let restored = Box::pin(restore(asked, host, told.clone())).await?;
    let read = serve_and_read(config.clone(), texts, sample, host, &told);
    let (read, more) = Box::pin(read).await?;
    let mut watch = Watch::new(host);
    let verified = ledger_of(&config, earlier.as_ref()).map_err(BackupDrillError::Ledger)?;
    let held = match &earlier {
        Some((_, checkpoint)) => format!(
            "they continue the {} that were signed before the backup",
            checkpoint.size
        ),
        None => "nothing was signed before the backup".to_owned(),
    };
    watch.step(
        "ledger",
        format!("{verified} entries, both sites alike; {held}"),
    );
    let steps = restored.steps.iter().cloned().chain(more);
    let steps = steps.chain(watch.steps()).collect();
    Ok(BackupDrill {
        restored,
        read,
        entries: verified,
        steps,
    })
}

type Earlier = (VerifierKeys, Checkpoint);

/// Keys and checkpoint of the log as they were when the backup was taken.
fn earlier(backup: &Backup) -> Result<Option<Earlier>, BackupDrillError> {
    let (Some(keys), Some(note)) = (backup.paper(VERIFIER_KEYS)?, backup.paper(CHECKPOINT)?) else {
        return Ok(None);
    };
    let wrong = |e: &dyn ToString| BackupDrillError::Ledger(e.to_string());
    let keys = VerifierKeys::parse(&String::from_utf8_lossy(&keys)).map_err(|e| wrong(&e))?;
    let checkpoint = keys.open(&note).map_err(|e| wrong(&e))?;
    Ok(Some((keys, checkpoint)))
}

fn ledger_of(config: &NodeConfig, earlier: Option<&Earlier>) -> Result<u64, String> {
    let trust = Trust {
        keys: earlier.map(|(keys, _)| keys),
        earlier: earlier.map(|(_, checkpoint)| checkpoint),
        progress: None,
    };
    let [a, b] = SiteId::BOTH.map(|site| config.layout.ledger(site));
    let verified = ledger::verify(&a, &trust).map_err(|e| e.to_string())?;
    ledger::compare_folders(&a, &b, &trust).map_err(|e| e.to_string())?;
    Ok(verified.checkpoint.size)
}

//! The places of a restore: looked at before anything is written, marked, and furnished with everything but chunks, rows
//! and the header.

use super::mark::{self, Mark, Place};
use super::papers::Papers;
use super::restore::{BackupRestoreError, file, unmade};
use super::session::WITNESSED;
use crate::buckets;
use crate::config::NodeConfig;
use crate::found::{furnish, places, put};
use crate::keeping::Servers;
use backup::Backup;
use backup::verify::{CHECKPOINT, VERIFIER_KEYS};
use host::{Host, files};
use std::path::PathBuf;
use words::SiteId;

/// Looks at every place before anything is written, and marks the sites' folders.
pub(super) async fn take_place(
    backup: &Backup,
    config: &NodeConfig,
    papers: &Papers,
    host: &Host,
    new_witnesses: bool,
) -> Result<(Mark, files::Lock), BackupRestoreError> {
    if config.embassy.is_some() {
        return Err(BackupRestoreError::Guest);
    }
    let layout = &config.layout;
    let digest = backup.digest();
    let mut begun = None;
    for site in SiteId::BOTH {
        let folder = layout.site(site);
        match mark::look(layout, site).map_err(|e| file(folder.to_path_buf(), e))? {
            Place::Empty => {}
            Place::Begun(mark) if mark.backup == digest => begun = Some(mark),
            _ => return Err(BackupRestoreError::Occupied(folder.to_path_buf())),
        }
    }
    if begun.is_none() {
        let empty = buckets::must_be_empty(&config.site_buckets, host).await;
        empty.map_err(unmade)?;
    }
    let witnesses = places(layout, &papers.charter, papers.header.cloud, host);
    let known = witnesses.survey()?.witnesses.iter().flatten().count();
    if known < witnesses.quorum && !new_witnesses {
        return Err(BackupRestoreError::NoWitnesses {
            known,
            need: witnesses.quorum,
        });
    }
    let mark = begun.unwrap_or_else(|| Mark {
        backup: digest,
        attempt: host.random(),
        opened: false,
    });
    if let Some(servers) = &config.catalog
        && !mark.opened
    {
        Servers::vacant(servers, papers.header.cloud, mark.attempt).await?;
    }
    let made = |path: &PathBuf| files::make_folder(path, 0o700).map_err(|e| file(path.clone(), e));
    made(&layout.data)?;
    let path = layout.lock();
    let lock = files::lock(&path).map_err(|e| file(path.clone(), e))?;
    let lock = lock.ok_or(BackupRestoreError::Held(path))?;
    mark.put(layout).map_err(|e| file(layout.data.clone(), e))?;
    if new_witnesses {
        for party in papers.charter.parties() {
            made(&layout.parents.join(party.as_str()))?;
        }
    }
    Ok((mark, lock))
}

/// Puts everything but chunks, rows and the header into a site's folder.
pub(super) fn furnish_site(
    backup: &Backup,
    config: &NodeConfig,
    papers: &Papers,
    site: SiteId,
) -> Result<(), BackupRestoreError> {
    let layout = &config.layout;
    furnish(layout, site, &papers.charter, &papers.custody).map_err(unmade)?;
    crate::law::put_papers(layout, site, &papers.amendments)?;
    let log = layout.ledger(site);
    let folder = layout.site(site);
    let places = [
        (hsm::FILE, folder.join(hsm::FILE), 0o600),
        (CHECKPOINT, log.join(ledger::folder::CHECKPOINT_FILE), 0o644),
        (
            VERIFIER_KEYS,
            log.join(ledger::folder::VERIFIER_FILE),
            0o644,
        ),
        (WITNESSED, log.join(ledger::folder::WITNESSED_FILE), 0o644),
        ("ledger.keys", layout.verifier_keys(), 0o644),
    ];
    for (name, path, mode) in places {
        // What a node has signed since is newer than the backup's.
        let there = files::stat(&path).map_err(|e| file(path.clone(), e))?;
        if there.is_none()
            && let Some(paper) = backup.paper(name)?
        {
            put(path, &paper, mode).map_err(unmade)?;
        }
    }
    Ok(())
}

//! Chunks and rows of a backup on their way into new places.

use super::mark::Mark;
use super::papers::Papers;
use super::restore::{BackupRestoreError, file};
use crate::buckets;
use crate::config::NodeConfig;
use crate::keeping::Servers;
use crate::restore::Told;
use backup::{Backup, Walk};
use catalog::embedded::{Embedded, Options};
use catalog::postgres::Filled;
use chunks::dir::Dir;
use chunks::{ChunkRef, ChunkStore};
use futures::{StreamExt, TryStreamExt, stream};
use host::{Host, files};
use seal::Sealed;
use std::sync::Arc;
use words::{CloudId, SiteId};

/// Chunks that are copied at once; each takes up to 8 MiB of memory.
const IN_FLIGHT: usize = 4;

/// Copies every chunk that the rows name to both sites; those that are there already are passed over.
pub(super) async fn chunks(
    backup: &Backup,
    config: &NodeConfig,
    (host, cloud): (&Host, CloudId),
    told: &Told,
) -> Result<(u64, u64), BackupRestoreError> {
    let buckets = buckets::open(config, host, cloud).await?;
    let mut stores: Vec<Arc<dyn ChunkStore>> = Vec::new();
    for (site, bucket) in SiteId::BOTH.into_iter().zip(buckets) {
        stores.push(match bucket {
            Some(bucket) => bucket,
            None => {
                let store = Dir::open(config.layout.site(site));
                Arc::new(store.map_err(|e| BackupRestoreError::Chunks(e.to_string()))?)
            }
        });
    }
    let (mut count, mut bytes) = (0, 0);
    let mut walk = Walk::new(backup);
    while let Some(rows) = walk.next()? {
        let mut named = Vec::new();
        for (key, row) in &rows {
            named.extend(walk.chunks(key, row)?);
        }
        named.retain(|chunk| !backup.lacks(chunk.id));
        count += named.len() as u64;
        bytes += named
            .iter()
            .map(|chunk| u64::from(chunk.bytes))
            .sum::<u64>();
        let stores = &stores;
        stream::iter(named)
            .map(|chunk| async move { copy(backup, stores, &chunk).await })
            .buffer_unordered(IN_FLIGHT)
            .try_collect::<()>()
            .await?;
        told("chunks", count, Some(backup.manifest().chunks.0));
    }
    let walked = walk.end()?;
    if walked.root != backup.manifest().root || walked.rows != backup.manifest().rows {
        let why = "the rows are not those that the manifest speaks of; `clarence backup verify` tells more";
        return Err(BackupRestoreError::Papers(why.into()));
    }
    Ok((count, bytes))
}

async fn copy(
    backup: &Backup,
    stores: &[Arc<dyn ChunkStore>],
    chunk: &ChunkRef,
) -> Result<(), BackupRestoreError> {
    let failed = |e: &dyn ToString| BackupRestoreError::Chunks(e.to_string());
    let mut read = None;
    for store in stores {
        let there = store.stat(chunk.id).await.map_err(|e| failed(&e))?;
        if there.is_some_and(|stat| stat.bytes == u64::from(chunk.bytes)) {
            continue;
        }
        let bytes = match &read {
            Some(bytes) => bytes,
            None => read.insert(backup.chunk(chunk)?),
        };
        let sealed = Sealed::reverified(bytes.clone(), &chunk.blake3).map_err(|e| failed(&e))?;
        let mut writer = store.replace(chunk.id).await.map_err(|e| failed(&e))?;
        writer.append(&sealed).await.map_err(|e| failed(&e))?;
        writer.finish().await.map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// Makes the catalog, unless an interrupted attempt had it made and opened. Gives the batch to remember.
pub(super) async fn catalog(
    backup: &Backup,
    config: &NodeConfig,
    papers: &Papers,
    mark: &Mark,
    told: &Told,
) -> Result<u64, BackupRestoreError> {
    let point = backup.manifest().point;
    let failed = |e: &dyn ToString| BackupRestoreError::Catalog(e.to_string());
    if mark.opened {
        return Ok(point.version);
    }
    let cloud = papers.header.cloud;
    if let Some(servers) = &config.catalog {
        let mut walk = Some(Walk::new(backup));
        let told = Arc::clone(told);
        let blocks = std::iter::from_fn(move || {
            let next = walk.as_mut()?.next().transpose()?;
            let (at, of) = walk.as_ref()?.progress();
            told("catalog", at, Some(of));
            Some(next.map_err(|e| e.to_string()))
        });
        let blocks = stream::iter(blocks).boxed();
        let filled = Servers::fill(servers, (cloud, mark.attempt), point, blocks).await?;
        if filled == Filled::Before {
            tracing::info!("an interrupted attempt had filled the database already");
        }
        return Ok(point.version);
    }
    let folders = [config.layout.site(SiteId::A), config.layout.site(SiteId::B)];
    for folder in folders {
        // What an interrupted attempt left was never opened.
        let path = folder.join("catalog");
        files::remove_tree(&path).map_err(|e| file(path, e))?;
    }
    let import = Embedded::import(folders, cloud, &Options::default()).map_err(|e| failed(&e))?;
    let mut walk = Walk::new(backup);
    while let Some(rows) = walk.next()? {
        import.put(&rows).map_err(|e| failed(&e))?;
        let (at, of) = walk.progress();
        told("catalog", at, Some(of));
    }
    import.finish_at(point).map_err(|e| failed(&e))
}

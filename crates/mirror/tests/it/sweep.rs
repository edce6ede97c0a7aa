//! Only what is old and belongs to nothing is swept.

use crate::support::{Cloud, noise};
use async_trait::async_trait;
use mirror::{References, SweepError};
use std::collections::BTreeSet;
use std::time::Duration;
use words::limits::ORPHAN_AGE_MS;
use words::{ChunkId, SiteId};

struct InUse(Result<BTreeSet<ChunkId>, String>);

#[async_trait]
impl References for InUse {
    async fn referenced(&self, chunks: &[ChunkId]) -> Result<Vec<bool>, String> {
        let known = self.0.as_ref().map_err(Clone::clone)?;
        Ok(chunks.iter().map(|chunk| known.contains(chunk)).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn old_orphans_go_and_nothing_else() {
    let cloud = Cloud::new(1);
    let mut old = Vec::new();
    for n in 0..600 {
        old.push(cloud.put(&noise(n, 100)).await.unwrap().0.id);
    }
    // A moment too early nothing goes, used or not.
    tokio::time::sleep(Duration::from_millis(ORPHAN_AGE_MS - 1)).await;
    let early = mirror::sweep(&cloud.mirror, SiteId::A, &InUse(Ok(BTreeSet::new())))
        .await
        .unwrap();
    assert_eq!((early.young, early.removed), (600, 0));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let young = cloud.put(b"young").await.unwrap().0.id;
    let used: BTreeSet<ChunkId> = old.iter().copied().step_by(2).collect();
    let references = InUse(Ok(used.clone()));
    let report = mirror::sweep(&cloud.mirror, SiteId::A, &references)
        .await
        .unwrap();
    assert_eq!(
        (report.chunks, report.young, report.removed, report.bytes),
        (601, 1, 300, 30_000)
    );
    let left: BTreeSet<ChunkId> = cloud
        .store(SiteId::A)
        .contents()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(left, used.into_iter().chain([young]).collect());
    assert_eq!(cloud.store(SiteId::B).contents().len(), 601);
    let again = mirror::sweep(&cloud.mirror, SiteId::A, &references)
        .await
        .unwrap();
    assert_eq!(again.removed, 0);
}

#[tokio::test(start_paused = true)]
async fn doubt_removes_nothing() {
    let cloud = Cloud::new(2);
    cloud.put(b"old").await.unwrap();
    tokio::time::sleep(Duration::from_millis(ORPHAN_AGE_MS)).await;
    let doubt = InUse(Err("the catalog is gone".into()));
    let outcome = mirror::sweep(&cloud.mirror, SiteId::A, &doubt).await;
    assert!(matches!(outcome, Err(SweepError::References(_))));
    assert_eq!(cloud.store(SiteId::A).contents().len(), 1);
}

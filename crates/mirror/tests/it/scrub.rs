//! A scrub finds every damaged copy without any key.

use crate::support::{Cloud, noise};
use chunks::{Behaviour, ChunkRef};
use mirror::{Pace, ScrubReport, Stance};
use words::SiteId;

async fn scrub(cloud: &Cloud, chunks: &[ChunkRef]) -> ScrubReport {
    let stream = futures::stream::iter(chunks.iter().map(|chunk| Ok::<_, String>(*chunk)));
    mirror::scrub(
        &cloud.mirror,
        &SiteId::BOTH,
        stream,
        Pace::default(),
        &mut |_| {},
    )
    .await
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn finds_and_repairs() {
    let cloud = Cloud::new(1);
    let mut chunks = Vec::new();
    for n in 0..50 {
        chunks.push(cloud.put(&noise(n, 20_000)).await.unwrap().0);
    }
    let clean = scrub(&cloud, &chunks).await;
    assert_eq!(
        (clean.chunks, clean.checked, clean.bytes, clean.bad),
        (50, 100, 2_000_000, 0)
    );
    cloud.store(SiteId::A).flip(chunks[3].id, 19_999, 1);
    cloud.store(SiteId::B).lose(chunks[4].id);
    cloud.store(SiteId::B).cut(chunks[5].id, 10);
    for site in SiteId::BOTH {
        cloud.store(site).flip(chunks[6].id, 0, 1);
    }
    let found = scrub(&cloud, &chunks).await;
    assert_eq!((found.bad, found.repaired, found.unrepairable), (5, 3, 2));
    assert_eq!(found.unrepairable_chunks, [chunks[6].id.to_string()]);
    let again = scrub(&cloud, &chunks).await;
    assert_eq!((again.bad, again.repaired, again.unrepairable), (2, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn says_what_it_could_not_look_at() {
    let cloud = Cloud::new(2);
    let (chunk, _) = cloud.put(&noise(2, 20_000)).await.unwrap();
    cloud
        .store(SiteId::B)
        .faults()
        .everywhere(Behaviour::FolderMissing);
    let report = scrub(&cloud, &[chunk]).await;
    assert_eq!((report.checked, report.unreachable, report.bad), (1, 1, 0));
    cloud.table.set(SiteId::B, Stance::Away);
    let report = scrub(&cloud, &[chunk]).await;
    assert_eq!((report.checked, report.unreachable), (1, 1));
    let broken = futures::stream::iter([Ok(chunk), Err("the catalog is gone")]);
    let outcome = mirror::scrub(
        &cloud.mirror,
        &[SiteId::A],
        broken,
        Pace::default(),
        &mut |_| {},
    )
    .await;
    assert_eq!(outcome, Err("the catalog is gone"));
}

#[tokio::test(start_paused = true)]
async fn an_exchanged_folder_is_filled_again() {
    let cloud = Cloud::new(3);
    let mut chunks = Vec::new();
    for n in 0..30 {
        chunks.push(cloud.put(&noise(n, 20_000)).await.unwrap().0);
    }
    cloud.store(SiteId::A).wipe();
    cloud.mirror.adopt(SiteId::A).await.unwrap();
    let report = scrub(&cloud, &chunks).await;
    assert_eq!((report.bad, report.repaired), (30, 30));
    cloud.store(SiteId::B).wipe();
    for (n, chunk) in chunks.iter().enumerate() {
        assert_eq!(cloud.read(chunk).await.unwrap(), noise(n as u64, 20_000));
    }
}

//! Debts are paid, once or twice over, from wherever healing stopped.

use crate::support::{Cloud, noise};
use catalog::memory::Fault;
use chunks::{Behaviour, ChunkRef, Step};
use mirror::{HealError, HealReport, Pace, Stance};
use std::time::Duration;
use words::SiteId;

async fn indebted(cloud: &Cloud, chunks: u64, length: usize) -> Vec<ChunkRef> {
    cloud.table.set(SiteId::B, Stance::Away);
    let mut refs = Vec::new();
    for n in 0..chunks {
        refs.push(cloud.put(&noise(n, length)).await.unwrap().0);
    }
    cloud.table.set(SiteId::B, Stance::Healing);
    assert_eq!(cloud.debts(SiteId::B).await, chunks);
    refs
}

async fn heal(cloud: &Cloud) -> Result<HealReport, HealError> {
    mirror::heal(
        &*cloud.engine,
        &cloud.mirror,
        SiteId::B,
        Pace::default(),
        &mut |_| {},
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn more_debts_than_a_page() {
    let cloud = Cloud::new(1);
    let chunks = indebted(&cloud, 700, 1000).await;
    let books = mirror::backlog(&*cloud.engine, SiteId::B).await.unwrap();
    assert_eq!((books.chunks, books.bytes), (700, 700_000));
    assert_eq!(books.oldest_since, Some(1_800_000_000_000));
    let mut last = None;
    let report = mirror::heal(
        &*cloud.engine,
        &cloud.mirror,
        SiteId::B,
        Pace::default(),
        &mut |at| last = Some(at),
    )
    .await
    .unwrap();
    assert_eq!(
        (report.healed, report.bytes, report.left),
        (700, 700_000, 0)
    );
    let last = last.unwrap();
    assert_eq!(
        (last.chunks, last.bytes, last.of_chunks, last.of_bytes),
        (700, 700_000, 700, 700_000)
    );
    assert!(chunks.iter().all(|chunk| cloud.has(SiteId::B, chunk)));
    assert_eq!(cloud.debts(SiteId::B).await, 0);
    assert_eq!(heal(&cloud).await.unwrap(), HealReport::default());
    assert_eq!(cloud.debts(SiteId::A).await, 0);
}

#[tokio::test(start_paused = true)]
async fn goes_on_where_it_stopped() {
    let cloud = Cloud::new(2);
    let chunks = indebted(&cloud, 300, 1000).await;
    cloud
        .store(SiteId::B)
        .faults()
        .times(Step::Create, Behaviour::FolderMissing, 100, u32::MAX);
    cloud
        .store(SiteId::B)
        .faults()
        .times(Step::Probe, Behaviour::FolderMissing, 1, u32::MAX);
    assert!(matches!(
        heal(&cloud).await,
        Err(HealError::NotReady {
            site: SiteId::B,
            ..
        })
    ));
    assert_eq!(
        cloud.debts(SiteId::B).await,
        200,
        "what was healed is off the books"
    );
    assert!(matches!(
        heal(&cloud).await,
        Err(HealError::NotReady { .. })
    ));
    cloud.store(SiteId::B).faults().clear();
    assert_eq!(heal(&cloud).await.unwrap().healed, 200);
    assert!(chunks.iter().all(|chunk| cloud.has(SiteId::B, chunk)));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_is_made_good() {
    for fault in [Fault::LostBefore, Fault::LostAfter, Fault::Refuse] {
        let cloud = Cloud::new(3);
        let chunks = indebted(&cloud, 10, 1000).await;
        cloud.engine.set_hook(Some(Box::new(move |_| fault)));
        assert!(
            matches!(
                heal(&cloud).await,
                Err(HealError::NotSettled { chunks: 10, .. })
            ),
            "{fault:?}"
        );
        cloud.engine.set_hook(None);
        heal(&cloud).await.unwrap();
        assert_eq!(cloud.debts(SiteId::B).await, 0);
        assert!(chunks.iter().all(|chunk| cloud.has(SiteId::B, chunk)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_source_is_never_copied() {
    let cloud = Cloud::new(4);
    let chunks = indebted(&cloud, 3, 1000).await;
    cloud.store(SiteId::A).flip(chunks[1].id, 500, 4);
    let report = heal(&cloud).await.unwrap();
    assert_eq!(
        (report.healed, report.left, report.failures.len()),
        (2, 1, 1)
    );
    assert!(
        report.failures[0].contains(&chunks[1].id.to_string()),
        "{:?}",
        report.failures
    );
    assert_eq!(cloud.debts(SiteId::B).await, 1);
    assert!(
        cloud
            .store(SiteId::B)
            .contents()
            .iter()
            .all(|(id, _)| *id != chunks[1].id)
    );
    // Unless what the site was thought to lack is there after all.
    cloud.store(SiteId::A).flip(chunks[1].id, 500, 4);
    let _ = cloud.mirror.repair(&chunks[1], SiteId::B).await;
    cloud.store(SiteId::A).lose(chunks[1].id);
    assert_eq!(heal(&cloud).await.unwrap().healed, 1);
}

#[tokio::test(start_paused = true)]
async fn keeps_its_pace() {
    let cloud = Cloud::new(5);
    indebted(&cloud, 100, 100_000).await;
    let pace = Pace {
        bytes_per_second: Some(1_000_000),
        in_flight: 4,
    };
    let before = cloud.host.elapsed();
    mirror::heal(&*cloud.engine, &cloud.mirror, SiteId::B, pace, &mut |_| {})
        .await
        .unwrap();
    let took = cloud.host.elapsed() - before;
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(11)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn damaged_books_are_named() {
    let cloud = Cloud::new(6);
    let put = catalog::Mutation::Put {
        key: b"Hb0123456789abcdef".to_vec(),
        value: vec![9; 45].into(),
    };
    cloud.commit(vec![put]).await;
    let error = heal(&cloud).await.unwrap_err();
    assert!(matches!(error, HealError::Record { .. }), "{error}");
    cloud.engine.set_reads_failing(Some("gone".into()));
    assert!(matches!(heal(&cloud).await, Err(HealError::Catalog(_))));
}

//! Every fault at every step of a write: what was acknowledged can be read from the side that took it, and
//! what was not leaves nothing behind.

use crate::support::{Cloud, noise, sealed};
use chunks::{Behaviour, Step};
use mirror::{MirrorError, Mirrored, SitePolicy, Stance, Writing};
use std::time::Duration;
use words::SiteId;
use words::limits::{SITE_DEADLINE_MS, SITE_RETRY_MS};

const LONG: usize = 300_000;

#[tokio::test(start_paused = true)]
async fn both_sites_get_the_same_bytes() {
    let cloud = Cloud::new(1);
    let bytes = noise(1, LONG);
    for policy in [SitePolicy::Strict, SitePolicy::Available] {
        let (chunk, mirrored) = cloud.write(policy, &bytes, 4).await.unwrap();
        assert!(matches!(mirrored, Mirrored::BothSites(_)));
        assert_eq!(chunk.bytes as usize, LONG);
        assert_eq!(chunk.blake3, *blake3::hash(&bytes).as_bytes());
        assert!(SiteId::BOTH.into_iter().all(|site| cloud.has(site, &chunk)));
        assert_eq!(cloud.read(&chunk).await.unwrap(), bytes);
    }
    assert_eq!(cloud.mirror.metrics().chunks_both, 2);
}

/// A fault, and whether it alone proves the site lost, leaves it in place, or is counted.
const FAULTS: [(Behaviour, bool); 7] = [
    (Behaviour::FolderMissing, true),
    (Behaviour::NotPermitted, true),
    (Behaviour::Hang, true),
    (Behaviour::Full, false),
    (Behaviour::ReadOnly, false),
    (Behaviour::TooManyFiles, false),
    (Behaviour::Device, false),
];

#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_with_one_copy_is_readable_and_on_the_books() {
    for bad in SiteId::BOTH {
        for step in Step::WRITING {
            for (behaviour, conclusive) in FAULTS {
                let cloud = Cloud::new(2);
                cloud.store(bad).faults().always(step, behaviour);
                let bytes = noise(2, LONG);
                let (chunk, debtor) = cloud.put(&bytes).await.unwrap();
                let scene = format!("{bad} {step:?} {behaviour:?}");
                assert_eq!(debtor, Some(bad), "{scene}");
                assert_eq!(
                    cloud.table.asked(),
                    if conclusive { vec![bad] } else { vec![] },
                    "{scene}"
                );
                assert!(
                    cloud.has(bad.other(), &chunk) && !cloud.has(bad, &chunk),
                    "{scene}"
                );
                // Whatever else happens to the bad site, reads go on.
                cloud.store(bad).faults().everywhere(Behaviour::Hang);
                assert_eq!(cloud.read(&chunk).await.unwrap(), bytes, "{scene}");
                // It comes back, is healed from the books, and can then stand alone.
                cloud.store(bad).faults().clear();
                cloud.table.set(bad, Stance::Healing);
                let report = mirror::heal(
                    &*cloud.engine,
                    &cloud.mirror,
                    bad,
                    mirror::Pace::default(),
                    &mut |_| {},
                )
                .await
                .unwrap();
                assert_eq!((report.healed, report.left), (1, 0), "{scene}");
                assert_eq!(cloud.debts(bad).await, 0);
                cloud.table.set(bad, Stance::Serving);
                cloud.store(bad.other()).wipe();
                assert_eq!(cloud.read(&chunk).await.unwrap(), bytes, "{scene}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn strict_writes_are_refused_and_leave_nothing() {
    for bad in SiteId::BOTH {
        for step in Step::WRITING {
            for (behaviour, _) in FAULTS {
                let cloud = Cloud::new(3);
                cloud.store(bad).faults().always(step, behaviour);
                let outcome = cloud.write(SitePolicy::Strict, &noise(3, LONG), 3).await;
                let scene = format!("{bad} {step:?} {behaviour:?}");
                assert!(
                    matches!(outcome, Err(MirrorError::SiteAway { site, .. }) if site == bad),
                    "{scene}: {outcome:?}"
                );
                assert!(
                    cloud.table.asked().is_empty(),
                    "{scene}: strict buckets do not make a site count as lost"
                );
                cloud.store(bad).faults().clear();
                settle().await;
                for site in SiteId::BOTH {
                    assert!(cloud.store(site).contents().is_empty(), "{scene}");
                }
            }
        }
    }
}

/// Lets tasks in the background end.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(30)).await;
}

#[tokio::test(start_paused = true)]
async fn strict_writes_are_refused_while_a_site_stands_behind() {
    for stance in [Stance::Away, Stance::Healing] {
        let cloud = Cloud::new(4);
        cloud.table.set(SiteId::B, stance);
        let outcome = cloud.write(SitePolicy::Strict, b"x", 1).await;
        assert!(matches!(
            outcome,
            Err(MirrorError::SiteAway {
                site: SiteId::B,
                ..
            })
        ));
    }
    // Also if that is decided while the chunk is under way.
    let cloud = Cloud::new(4);
    let mut writer = cloud.mirror.begin(SitePolicy::Strict).await.unwrap();
    writer.append(sealed(noise(4, LONG))).await.unwrap();
    cloud.table.set(SiteId::A, Stance::Away);
    assert!(matches!(
        writer.finish().await,
        Err(MirrorError::SiteAway {
            site: SiteId::A,
            ..
        })
    ));
    assert!(cloud.store(SiteId::B).contents().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_witnesses_nothing_is_acknowledged_behind_a_lost_site() {
    let cloud = Cloud::new(5);
    cloud.table.refuse(true);
    cloud
        .store(SiteId::A)
        .faults()
        .everywhere(Behaviour::FolderMissing);
    for _ in 0..3 {
        let outcome = cloud.put(&noise(5, LONG)).await;
        let Err(MirrorError::SiteAway {
            site: SiteId::A,
            why,
        }) = outcome
        else {
            panic!("{outcome:?}")
        };
        assert!(why.contains("no quorum of witnesses"), "{why}");
    }
    assert!(cloud.store(SiteId::B).contents().is_empty());
    // Once it is back, and one attempt has shown it, both are written again without anybody's help.
    cloud.store(SiteId::A).faults().clear();
    tokio::time::sleep(Duration::from_millis(SITE_RETRY_MS + 1)).await;
    assert_eq!(cloud.put(b"again").await.unwrap().1, None);
    assert_eq!(cloud.mirror.writing(SiteId::A), Writing::Well);
}

#[tokio::test(start_paused = true)]
async fn many_writers_ask_once() {
    let cloud = Cloud::new(6);
    cloud
        .store(SiteId::B)
        .faults()
        .always(Step::Finish, Behaviour::Hang);
    let bytes: Vec<_> = (0..50).map(|n| noise(n, LONG)).collect();
    let writes = bytes.iter().map(|bytes| cloud.put(bytes));
    let outcomes = futures::future::join_all(writes).await;
    for (outcome, bytes) in outcomes.into_iter().zip(&bytes) {
        let (chunk, debtor) = outcome.unwrap();
        assert_eq!(debtor, Some(SiteId::B));
        assert_eq!(cloud.read(&chunk).await.unwrap(), bytes);
    }
    assert_eq!(cloud.table.asked(), [SiteId::B]);
    assert_eq!(cloud.debts(SiteId::B).await, 50);
    assert_eq!(cloud.mirror.metrics().sites_lost, 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_site_costs_one_deadline_and_then_nothing() {
    let cloud = Cloud::new(7);
    cloud.store(SiteId::B).faults().everywhere(Behaviour::Hang);
    let before = cloud.host.elapsed();
    cloud.put(&noise(7, LONG)).await.unwrap();
    let first = cloud.host.elapsed() - before;
    assert!(
        first < Duration::from_millis(2 * SITE_DEADLINE_MS + 500),
        "{first:?}"
    );
    let before = cloud.host.elapsed();
    for n in 0..20 {
        cloud.put(&noise(n, LONG)).await.unwrap();
    }
    assert_eq!(cloud.host.elapsed(), before);
}

#[tokio::test(start_paused = true)]
async fn trouble_counts_three_times_in_ten_seconds() {
    let cloud = Cloud::new(8);
    let faults = cloud.store(SiteId::B).faults();
    faults.always(Step::Append, Behaviour::Device);
    for _ in 0..4 {
        assert_eq!(cloud.put(b"now and then").await.unwrap().1, Some(SiteId::B));
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert!(cloud.table.asked().is_empty());
    for _ in 0..3 {
        cloud.put(b"all the time").await.unwrap();
    }
    assert_eq!(cloud.table.asked(), [SiteId::B]);
    assert_eq!(cloud.debts(SiteId::B).await, 7);
}

#[tokio::test(start_paused = true)]
async fn a_full_site_goes_on_reading_and_is_tried_again() {
    for behaviour in [Behaviour::Full, Behaviour::ReadOnly] {
        let cloud = Cloud::new(9);
        let (old, _) = cloud.put(b"from before").await.unwrap();
        cloud.mirror.prefer(SiteId::B);
        let faults = cloud.store(SiteId::B).faults();
        for step in Step::WRITING {
            faults.always(step, behaviour);
        }
        for _ in 0..5 {
            assert_eq!(cloud.put(b"does not fit").await.unwrap().1, Some(SiteId::B));
        }
        assert!(matches!(
            cloud.mirror.writing(SiteId::B),
            Writing::CannotWrite(_)
        ));
        assert!(cloud.table.asked().is_empty(), "a full site is not lost");
        let (bytes, site) = cloud.mirror.read_from(&old, 0, 11).await.unwrap();
        assert_eq!((&bytes[..], site), (&b"from before"[..], SiteId::B));
        cloud.mirror.delete(old.id).await.unwrap();
        assert!(SiteId::BOTH.into_iter().all(|site| !cloud.has(site, &old)));
        faults.clear();
        tokio::time::sleep(Duration::from_millis(SITE_RETRY_MS + 1)).await;
        assert_eq!(cloud.put(b"fits again").await.unwrap().1, None);
        assert_eq!(cloud.mirror.writing(SiteId::B), Writing::Well);
    }
}

#[tokio::test(start_paused = true)]
async fn no_site_no_acknowledgement() {
    let cloud = Cloud::new(10);
    for site in SiteId::BOTH {
        cloud.store(site).faults().everywhere(Behaviour::Full);
    }
    assert!(matches!(
        cloud.put(b"x").await,
        Err(MirrorError::NoSpace { .. })
    ));
    assert!(matches!(
        cloud.put(b"x").await,
        Err(MirrorError::NoSpace { .. })
    ));
    let cloud = Cloud::new(10);
    for site in SiteId::BOTH {
        cloud
            .store(site)
            .faults()
            .everywhere(Behaviour::FolderMissing);
    }
    assert!(matches!(
        cloud.put(b"x").await,
        Err(MirrorError::NoSite { .. })
    ));
    assert!(cloud.table.asked().is_empty(), "never both");
    // A site that is behind cannot carry a write alone.
    let cloud = Cloud::new(10);
    cloud.table.set(SiteId::B, Stance::Healing);
    cloud
        .store(SiteId::A)
        .faults()
        .everywhere(Behaviour::FolderMissing);
    assert!(matches!(
        cloud.put(b"x").await,
        Err(MirrorError::SiteAway {
            site: SiteId::A,
            ..
        })
    ));
    assert!(cloud.table.asked().is_empty());
    assert!(cloud.store(SiteId::B).contents().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_site_being_healed_gets_new_chunks() {
    let cloud = Cloud::new(11);
    cloud.table.set(SiteId::B, Stance::Healing);
    assert_eq!(cloud.put(b"new").await.unwrap().1, None);
    cloud
        .store(SiteId::B)
        .faults()
        .everywhere(Behaviour::Device);
    assert_eq!(cloud.put(b"newer").await.unwrap().1, Some(SiteId::B));
    assert!(cloud.table.asked().is_empty());
    cloud.table.set(SiteId::B, Stance::Away);
    assert_eq!(cloud.put(b"newest").await.unwrap().1, Some(SiteId::B));
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_leaves_nothing() {
    let cloud = Cloud::new(12);
    let mut writer = cloud.mirror.begin(SitePolicy::Available).await.unwrap();
    writer.append(sealed(noise(12, LONG))).await.unwrap();
    writer.abandon().await;
    let mut writer = cloud.mirror.begin(SitePolicy::Available).await.unwrap();
    writer.append(sealed(noise(12, LONG))).await.unwrap();
    drop(writer);
    settle().await;
    for site in SiteId::BOTH {
        assert!(cloud.store(site).contents().is_empty());
        assert_eq!(cloud.mirror.writing(site), Writing::Well);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_has_a_limit() {
    let cloud = Cloud::new(13);
    let mut writer = cloud.mirror.begin(SitePolicy::Available).await.unwrap();
    let piece = sealed(noise(13, 4 * 1024 * 1024));
    for _ in 0..4 {
        writer.append(piece.clone()).await.unwrap();
    }
    assert!(matches!(
        writer.append(piece).await,
        Err(MirrorError::TooLong { .. })
    ));
}

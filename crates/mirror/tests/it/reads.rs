//! Reads take the near copy, or the other one, and never answer "not found".

use crate::support::{Cloud, noise};
use chunks::{Behaviour, ChunkRef, Step};
use mirror::{CheckResult, MirrorError, Stance};
use std::time::Duration;
use words::limits::{READ_PATIENCE_MS, REPAIRS_WAITING_MAX, SITE_DEADLINE_MS};
use words::{ChunkId, SiteId};

#[tokio::test(start_paused = true)]
async fn the_near_site_is_asked_first() {
    let cloud = Cloud::new(1);
    let bytes = noise(1, 100_000);
    let (chunk, _) = cloud.put(&bytes).await.unwrap();
    for near in SiteId::BOTH {
        cloud.mirror.prefer(near);
        let (got, from) = cloud
            .mirror
            .read_from(&chunk, 16_400, 16_400)
            .await
            .unwrap();
        assert_eq!((&got[..], from), (&bytes[16_400..32_800], near));
        cloud.table.set(near, Stance::Healing);
        assert_eq!(
            cloud.mirror.read_from(&chunk, 0, 1).await.unwrap().1,
            near.other()
        );
        cloud.table.set(near, Stance::Serving);
    }
    assert_eq!(cloud.mirror.metrics().read_fallbacks, 0);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_a_read_turns_to_the_other_site() {
    for near in SiteId::BOTH {
        for behaviour in Behaviour::ERRORS.into_iter().chain([Behaviour::Hang]) {
            let cloud = Cloud::new(2);
            let bytes = noise(2, 100_000);
            let (chunk, _) = cloud.put(&bytes).await.unwrap();
            cloud.mirror.prefer(near);
            cloud.store(near).faults().always(Step::Read, behaviour);
            for _ in 0..10 {
                let (got, from) = cloud.mirror.read_from(&chunk, 0, 100_000).await.unwrap();
                assert_eq!(
                    (&got[..], from),
                    (&bytes[..], near.other()),
                    "{near} {behaviour:?}"
                );
            }
            assert!(
                cloud.table.asked().is_empty(),
                "a read never makes a site count as lost"
            );
            assert_eq!(
                cloud.mirror.metrics().repairs_waiting,
                0,
                "nothing is known to be damaged"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_that_hangs_is_waited_for_a_few_times_only() {
    let cloud = Cloud::new(3);
    let (chunk, _) = cloud.put(b"slow").await.unwrap();
    cloud
        .store(SiteId::A)
        .faults()
        .always(Step::Read, Behaviour::Hang);
    let before = cloud.host.elapsed();
    for _ in 0..1000 {
        cloud.read(&chunk).await.unwrap();
    }
    let waited = cloud.host.elapsed() - before;
    assert!(
        waited <= Duration::from_millis(4 * READ_PATIENCE_MS),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_site_is_waited_for_if_it_is_the_only_one() {
    let cloud = Cloud::new(4);
    let (chunk, _) = cloud.put(b"slow").await.unwrap();
    cloud
        .store(SiteId::B)
        .faults()
        .everywhere(Behaviour::FolderMissing);
    let slow = cloud.store(SiteId::A).faults().clone();
    slow.always(Step::Read, Behaviour::Hang);
    let later = async {
        tokio::time::sleep(Duration::from_millis(
            READ_PATIENCE_MS + SITE_DEADLINE_MS / 2,
        ))
        .await;
        slow.clear();
    };
    let (read, ()) = tokio::join!(cloud.read(&chunk), later);
    assert_eq!(read.unwrap(), &b"slow"[..]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_or_short_copy_is_read_elsewhere_and_repaired_behind() {
    for near in SiteId::BOTH {
        for cut in [None, Some(0), Some(99_999)] {
            let cloud = Cloud::new(5);
            let bytes = noise(5, 100_000);
            let (chunk, _) = cloud.put(&bytes).await.unwrap();
            cloud.mirror.prefer(near);
            match cut {
                None => cloud.store(near).lose(chunk.id),
                Some(length) => cloud.store(near).cut(chunk.id, length),
            }
            for _ in 0..3 {
                assert_eq!(cloud.read(&chunk).await.unwrap(), bytes);
            }
            assert_eq!(cloud.mirror.metrics().repairs_waiting, 1);
            assert_eq!(cloud.mirror.repair_waiting().await, 1);
            assert!(cloud.has(near, &chunk));
            assert_eq!(cloud.mirror.metrics().copies_repaired, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_cannot_be_opened_is_reread_and_repaired() {
    let cloud = Cloud::new(6);
    let bytes = noise(6, 100_000);
    let (chunk, _) = cloud.put(&bytes).await.unwrap();
    for offset in [0, 55, 56, 16_455, 50_000, 99_999] {
        for bad in SiteId::BOTH {
            cloud.mirror.prefer(bad);
            assert!(cloud.store(bad).flip(chunk.id, offset, 0x80));
            let (got, from) = cloud.mirror.read_from(&chunk, 0, 100_000).await.unwrap();
            // The caller's AEAD fails, so it asks for the other copy.
            assert!(got != bytes && from == bad);
            let other = cloud
                .mirror
                .reread_other(&chunk, 0, 100_000, from)
                .await
                .unwrap();
            assert_eq!(other, bytes);
            assert_eq!(cloud.mirror.repair_waiting().await, 1);
            assert_eq!(cloud.mirror.check(bad, &chunk).await, CheckResult::Whole);
        }
    }
    // A false alarm changes nothing.
    cloud
        .mirror
        .reread_other(&chunk, 0, 1, SiteId::A)
        .await
        .unwrap();
    assert_eq!(cloud.mirror.repair_waiting().await, 1);
    assert_eq!(cloud.mirror.metrics().copies_repaired, 12);
}

#[tokio::test(start_paused = true)]
async fn known_but_away_is_not_lost() {
    let cloud = Cloud::new(7);
    cloud
        .store(SiteId::B)
        .faults()
        .always(Step::Create, Behaviour::FolderMissing);
    let (chunk, debtor) = cloud.put(b"only at A").await.unwrap();
    assert_eq!(debtor, Some(SiteId::B));
    cloud.store(SiteId::B).faults().clear();
    for behaviour in [
        Behaviour::FolderMissing,
        Behaviour::Hang,
        Behaviour::Device,
        Behaviour::TooManyFiles,
    ] {
        cloud
            .store(SiteId::A)
            .faults()
            .always(Step::Read, behaviour);
        let outcome = cloud.read(&chunk).await;
        assert!(
            matches!(outcome, Err(MirrorError::Away { .. })),
            "{behaviour:?}: {outcome:?}"
        );
        cloud.store(SiteId::A).faults().clear();
    }
    assert_eq!(cloud.read(&chunk).await.unwrap(), &b"only at A"[..]);
    // Only if both answer that they have nothing is it lost.
    cloud.store(SiteId::A).lose(chunk.id);
    assert!(matches!(
        cloud.read(&chunk).await,
        Err(MirrorError::Lost { .. })
    ));
    assert_eq!(cloud.mirror.metrics().reads_failed, 5);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_stands_away_still_gives_what_only_it_has() {
    let cloud = Cloud::new(8);
    let (chunk, _) = cloud.put(b"immutable").await.unwrap();
    cloud.table.set(SiteId::A, Stance::Away);
    cloud.store(SiteId::B).lose(chunk.id);
    assert_eq!(cloud.read(&chunk).await.unwrap(), &b"immutable"[..]);
}

#[tokio::test(start_paused = true)]
async fn reads_stay_within_the_chunk() {
    let cloud = Cloud::new(9);
    let (chunk, _) = cloud.put(b"ten bytes.").await.unwrap();
    for (offset, length) in [(10, 1), (0, 11), (u64::MAX, 2), (u64::MAX, usize::MAX)] {
        let outcome = cloud.mirror.read(&chunk, offset, length).await;
        assert!(matches!(outcome, Err(MirrorError::OutOfBounds { .. })));
    }
    assert_eq!(cloud.mirror.read(&chunk, 10, 0).await.unwrap(), &b""[..]);
    let absurd = ChunkRef {
        bytes: u32::MAX,
        ..chunk
    };
    assert!(matches!(
        cloud.mirror.read(&absurd, 0, 1 << 30).await,
        Err(MirrorError::OutOfBounds { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn repairs_that_wait_are_bounded() {
    let cloud = Cloud::new(10);
    let (chunk, _) = cloud.put(b"x").await.unwrap();
    for n in 0..REPAIRS_WAITING_MAX as u128 + 10 {
        let other = ChunkRef {
            id: ChunkId::from_bytes(n.to_be_bytes()),
            ..chunk
        };
        let _ = cloud.mirror.reread_other(&other, 0, 1, SiteId::A).await;
    }
    let metrics = cloud.mirror.metrics();
    assert_eq!(metrics.repairs_waiting, REPAIRS_WAITING_MAX as u64);
    assert_eq!(metrics.repairs_dropped, 10);
}

//! A copy is repaired whole or left as it was.

use crate::support::{Cloud, noise, sealed};
use chunks::{Behaviour, ChunkStore, Step};
use epoch::TroubleKind;
use mirror::{CheckResult, RepairError, RepairOutcome};
use words::SiteId;

#[tokio::test(start_paused = true)]
async fn every_kind_of_damage_is_found_and_repaired() {
    let cloud = Cloud::new(1);
    let bytes = noise(1, 2_500_000);
    let (chunk, _) = cloud.put(&bytes).await.unwrap();
    for bad in SiteId::BOTH {
        let store = cloud.store(bad);
        assert_eq!(
            cloud.mirror.repair(&chunk, bad).await.unwrap(),
            RepairOutcome::AlreadyWhole
        );
        for bit in 0..8 {
            store.flip(chunk.id, 2_499_999 - bit * 312_499, 1 << bit);
            assert_eq!(cloud.mirror.check(bad, &chunk).await, CheckResult::Damaged);
            assert_eq!(
                cloud.mirror.repair(&chunk, bad).await.unwrap(),
                RepairOutcome::Repaired
            );
        }
        store.cut(chunk.id, 2_499_999);
        assert_eq!(cloud.mirror.check(bad, &chunk).await, CheckResult::Damaged);
        assert_eq!(
            cloud.mirror.repair(&chunk, bad).await.unwrap(),
            RepairOutcome::Repaired
        );
        store.lose(chunk.id);
        assert_eq!(cloud.mirror.check(bad, &chunk).await, CheckResult::Missing);
        assert_eq!(
            cloud.mirror.repair(&chunk, bad).await.unwrap(),
            RepairOutcome::Repaired
        );
        // More bytes than recorded are damage too, even if the first ones are right.
        let mut longer = store.replace(chunk.id).await.unwrap();
        longer
            .append(&sealed([&bytes[..], b"more"].concat()))
            .await
            .unwrap();
        longer.finish().await.unwrap();
        assert_eq!(cloud.mirror.check(bad, &chunk).await, CheckResult::Damaged);
        assert_eq!(
            cloud.mirror.repair(&chunk, bad).await.unwrap(),
            RepairOutcome::Repaired
        );
        // A disk that cannot read these bytes has a damaged copy too.
        store.faults().times(Step::Read, Behaviour::Device, 1, 1);
        assert_eq!(
            cloud.mirror.repair(&chunk, bad).await.unwrap(),
            RepairOutcome::Repaired
        );
        assert!(cloud.has(bad, &chunk));
    }
    let troubles = cloud.table.troubles();
    let count = |kind| {
        troubles
            .iter()
            .filter(|(_, trouble)| trouble.kind == kind)
            .count()
    };
    assert_eq!(
        (count(TroubleKind::Damaged), count(TroubleKind::Repaired)),
        (24, 24)
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_whole_copy_nothing_is_touched() {
    let cloud = Cloud::new(2);
    let bytes = noise(2, 100_000);
    let (chunk, _) = cloud.put(&bytes).await.unwrap();
    for site in SiteId::BOTH {
        cloud.store(site).flip(chunk.id, 10 + site.index(), 1);
    }
    let before = [SiteId::A, SiteId::B].map(|site| cloud.store(site).contents());
    for site in SiteId::BOTH {
        let outcome = cloud.mirror.repair(&chunk, site).await;
        assert!(
            matches!(outcome, Err(RepairError::NoGoodCopy { .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(
        before,
        [SiteId::A, SiteId::B].map(|site| cloud.store(site).contents())
    );
    assert_eq!(cloud.mirror.metrics().repairs_failed, 2);
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_fails_leaves_the_old_copy() {
    for step in Step::WRITING {
        for behaviour in Behaviour::ERRORS.into_iter().chain([Behaviour::Hang]) {
            let cloud = Cloud::new(3);
            let (chunk, _) = cloud.put(&noise(3, 100_000)).await.unwrap();
            cloud.store(SiteId::A).flip(chunk.id, 7, 1);
            let before = cloud.store(SiteId::A).contents();
            cloud.store(SiteId::A).faults().times(step, behaviour, 0, 1);
            let outcome = cloud.mirror.repair(&chunk, SiteId::A).await;
            assert!(
                matches!(
                    outcome,
                    Err(RepairError::NotTaken {
                        site: SiteId::A,
                        ..
                    })
                ),
                "{step:?} {behaviour:?}: {outcome:?}"
            );
            assert_eq!(cloud.store(SiteId::A).contents(), before);
            cloud.store(SiteId::A).faults().clear();
            assert_eq!(
                cloud.mirror.repair(&chunk, SiteId::A).await.unwrap(),
                RepairOutcome::Repaired
            );
        }
    }
}

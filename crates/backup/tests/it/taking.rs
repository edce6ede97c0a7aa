//! Random clouds under random acts: what is taken is the moment at which it began.

use crate::scene::{Act, CLOUD, Scene, files, told};
use backup::{Backup, BackupError, Walk, take, verify};
use host::Host;
use proptest::prelude::*;
use std::collections::BTreeSet;
use words::{ChunkId, CloudId};

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..12u8, 0..400u16).prop_map(|(n, bytes)| Act::Put(n, bytes)),
        1 => (0..12u8).prop_map(Act::Delete),
        2 => (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(n, v)| Act::Fact(n, v)),
    ]
}

fn acts(max: usize) -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec(act(), 1..max)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(work)
}

fn rows_of(backup: &Backup) -> Vec<(Vec<u8>, catalog::Row)> {
    let mut walk = Walk::new(backup);
    let mut rows = Vec::new();
    while let Some(more) = walk.next().unwrap() {
        rows.extend(more);
    }
    walk.end().unwrap();
    rows
}

fn chunks_in(folder: &std::path::Path) -> BTreeSet<String> {
    let names = files(&folder.join("chunks")).into_iter();
    names
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_backup_is_one_moment_whatever_happens_meanwhile(before in acts(40), meanwhile in acts(60), steps in 0..80usize, later in acts(20)) {
        block_on(async {
            let (scene, host) = (Scene::default(), Host::real());
            for act in &before {
                scene.act(act).await;
            }
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("backup");
            // Broken off somewhere, perhaps; then whole.
            let mut origin = scene.origin();
            origin.steps_left = steps;
            let first = take(&mut origin, &folder, None, &host, &told()).await;
            if first.is_err() && steps > 0 {
                let none = matches!(Backup::open(&folder), Err(BackupError::NoBackup { .. }));
                prop_assert!(none);
            }
            let moment = scene.rows().await;
            let mut origin = scene.origin();
            origin.meanwhile = meanwhile.into();
            // The first act happens before the moment.
            origin.meanwhile.push_front(Act::Fact(0, Vec::new()));
            let mut at_moment = moment.clone();
            let taken = take(&mut origin, &folder, None, &host, &told()).await.unwrap();
            let backup = Backup::open(&folder).unwrap();
            let got = rows_of(&backup);
            // Everything but what that act changed is as it was.
            let changed = |key: &[u8]| key == [b'T', 0] || key.first() == Some(&b'L');
            at_moment.retain(|(key, _)| !changed(key));
            let same: Vec<_> = got.iter().filter(|(key, _)| !changed(key)).cloned().collect();
            prop_assert_eq!(same, at_moment);
            let verified = verify(&backup, Some(Scene::keys().verifier()), &told()).unwrap();
            prop_assert_eq!((verified.wrong_count, verified.lacking), (0, 0));
            prop_assert_eq!(verified.rows, got.len() as u64);
            prop_assert_eq!(verified.signed, Some(verified.entries));
            prop_assert_eq!(chunks_in(&folder).len() as u64, verified.chunks);

            // The next one copies only what is new, and the one before counts until it is whole.
            for act in &later {
                scene.act(act).await;
            }
            let mut origin = scene.origin();
            origin.steps_left = 3;
            if take(&mut origin, &folder, None, &host, &told()).await.is_err() {
                let still = Backup::open(&folder).unwrap();
                prop_assert_eq!(still.manifest(), &taken.manifest);
                prop_assert_eq!(verify(&still, None, &told()).unwrap().wrong_count, 0);
            }
            let there = chunks_in(&folder);
            let again = take(&mut scene.origin(), &folder, None, &host, &told()).await.unwrap();
            let backup = Backup::open(&folder).unwrap();
            prop_assert_eq!(rows_of(&backup), scene.rows().await);
            let now = chunks_in(&folder);
            prop_assert_eq!(again.copied, now.difference(&there).count() as u64);
            prop_assert_eq!(again.kept, now.intersection(&there).count() as u64);
            prop_assert_eq!(now.len() as u64, again.manifest.chunks.0);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn what_no_site_has_is_named_and_the_rest_is_there() {
    let (scene, host) = (Scene::default(), Host::real());
    for number in 0..5 {
        scene.act(&Act::Put(number, 300)).await;
    }
    let lost: ChunkId = *scene.chunks.lock().unwrap().keys().next().unwrap();
    let place = tempfile::tempdir().unwrap();
    let mut origin = scene.origin();
    origin.lacking = vec![lost];
    let taken = take(&mut origin, place.path(), None, &host, &told())
        .await
        .unwrap();
    assert_eq!((taken.copied, &taken.manifest.lacking), (4, &vec![lost]));
    let backup = Backup::open(place.path()).unwrap();
    let verified = verify(&backup, None, &told()).unwrap();
    assert_eq!(
        (verified.chunks, verified.lacking, verified.wrong_count),
        (4, 1, 0)
    );
}

#[tokio::test]
async fn other_folders_are_left_alone() {
    let (scene, host) = (Scene::default(), Host::real());
    scene.act(&Act::Put(1, 300)).await;
    let place = tempfile::tempdir().unwrap();
    let occupied = place.path().join("occupied");
    host::files::make_folder(&occupied, 0o700).unwrap();
    host::files::write_durable(&occupied.join("letter"), b"dear", 0o600).unwrap();
    let refused = take(&mut scene.origin(), &occupied, None, &host, &told()).await;
    assert!(
        matches!(refused, Err(BackupError::Occupied(_))),
        "{refused:?}"
    );
    assert_eq!(files(&occupied).len(), 1);

    let other = place.path().join("other");
    take(&mut scene.origin(), &other, None, &host, &told())
        .await
        .unwrap();
    let manifest = Backup::open(&other).unwrap().manifest().clone();
    let foreign = backup::Manifest {
        cloud: CloudId::from_bytes([9; 16]),
        ..manifest
    };
    host::files::write_durable(&other.join("MANIFEST"), foreign.to_text().as_bytes(), 0o600)
        .unwrap();
    let refused = take(&mut scene.origin(), &other, None, &host, &told()).await;
    match refused {
        Err(BackupError::OtherCloud { expected, .. }) => assert_eq!(expected, CLOUD),
        other => panic!("{other:?}"),
    }
    assert!(Backup::open(&place.path().join("nothing")).is_err());
}

#[tokio::test]
async fn a_rate_is_kept() {
    let (scene, host) = (Scene::default(), Host::real());
    for number in 0..20 {
        scene.act(&Act::Put(number, 1000)).await;
    }
    let place = tempfile::tempdir().unwrap();
    let began = host.elapsed();
    let rate = Some(64 * 1024);
    let taken = take(&mut scene.origin(), place.path(), rate, &host, &told())
        .await
        .unwrap();
    let rows: u64 = taken.manifest.blocks.iter().map(|block| block.bytes).sum();
    let took = host.elapsed().saturating_sub(began);
    let least = (taken.copied_bytes + rows) as f64 / (64.0 * 1024.0);
    assert!(took.as_secs_f64() >= least * 0.95, "{took:?} for {least}");
}

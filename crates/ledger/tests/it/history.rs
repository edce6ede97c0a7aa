//! One history: copies of the two sites, earlier checkpoints, proofs from files, and no second history.

use crate::support::{NOW, keys, leaf, leaves, log, read};
use ledger::folder::Folder;
use ledger::publish::PublishError;
use ledger::tree::{verify_consistency, verify_inclusion};
use ledger::verify::{CompareError, VerifyError};
use ledger::{Checkpoint, Publisher, Relation, Trust, compare_folders, verify};
use tempfile::tempdir;

#[test]
fn the_copies_of_two_sites_are_compared() {
    let (a, b) = (tempdir().unwrap(), tempdir().unwrap());
    log(a.path(), 700);
    log(b.path(), 520);
    let compare = |x: &tempfile::TempDir, y: &tempfile::TempDir| {
        compare_folders(x.path(), y.path(), &Trust::default())
    };
    assert_eq!(compare(&a, &b).unwrap(), Relation::SecondBehind(180));
    assert_eq!(compare(&b, &a).unwrap(), Relation::FirstBehind(180));
    assert_eq!(compare(&a, &a).unwrap(), Relation::Same);
    let empty = tempdir().unwrap();
    log(empty.path(), 0);
    assert_eq!(compare(&empty, &a).unwrap(), Relation::FirstBehind(700));

    let other = tempdir().unwrap();
    let mut changed = leaves(0..600);
    changed[513] = leaf(8, 513);
    let mut publisher = Publisher::open(other.path(), keys()).unwrap();
    publisher.publish(0, &changed).unwrap();
    publisher.checkpoint(NOW).unwrap();
    assert!(verify(other.path(), &Trust::default()).is_ok());
    assert!(matches!(
        compare(&a, &other),
        Err(CompareError::Fork { index: 513 })
    ));
    assert!(matches!(
        compare(&other, &b),
        Err(CompareError::Fork { index: 513 })
    ));
}

#[test]
fn a_log_has_to_contain_the_checkpoint_seen_before() {
    let folder = tempdir().unwrap();
    let mut publisher = log(folder.path(), 300);
    let earlier = keys()
        .verifier()
        .open(&read(&folder.path().join("checkpoint")))
        .unwrap();
    publisher.publish(300, &leaves(300..800)).unwrap();
    publisher.checkpoint(NOW).unwrap();
    let check = |earlier: &Checkpoint| {
        verify(
            folder.path(),
            &Trust {
                earlier: Some(earlier),
                ..Trust::default()
            },
        )
        .map(|_| ())
    };
    assert!(check(&earlier).is_ok());
    let other = Checkpoint {
        root: [1; 32],
        ..earlier.clone()
    };
    assert!(matches!(
        check(&other),
        Err(VerifyError::History {
            earlier: 300,
            size: 800
        })
    ));
    let later = Checkpoint {
        size: 900,
        ..earlier.clone()
    };
    assert!(matches!(
        check(&later),
        Err(VerifyError::History {
            earlier: 900,
            size: 800
        })
    ));
    let foreign = Checkpoint {
        origin: "another".into(),
        ..earlier
    };
    assert!(matches!(check(&foreign), Err(VerifyError::History { .. })));
}

#[test]
fn proofs_come_from_the_files_alone() {
    let folder = tempdir().unwrap();
    let mut publisher = log(folder.path(), 700);
    let old = keys()
        .verifier()
        .open(&read(&folder.path().join("checkpoint")))
        .unwrap();
    publisher.publish(700, &leaves(700..66_000)).unwrap();
    let new = publisher.checkpoint(NOW).unwrap();
    let files = Folder::at(folder.path());
    for index in [0, 1, 255, 256, 699, 700, 65_535, 65_536, 65_999] {
        let proof = files.inclusion_proof(index, new.size).unwrap();
        assert!(verify_inclusion(
            &leaf(7, index).hash(),
            index,
            new.size,
            &proof,
            &new.root
        ));
    }
    let proof = files.consistency_proof(old.size, new.size).unwrap();
    assert!(verify_consistency(
        (old.size, &old.root),
        (new.size, &new.root),
        &proof
    ));
    assert!(files.inclusion_proof(70_000, 80_000).is_err());
}

#[test]
fn gaps_are_refused_and_repeats_are_not_written_twice() {
    let folder = tempdir().unwrap();
    let mut publisher = log(folder.path(), 10);
    assert!(matches!(
        publisher.publish(11, &leaves(11..12)),
        Err(PublishError::Gap {
            have: 10,
            given: 11
        })
    ));
    assert_eq!(publisher.publish(0, &leaves(0..8)).unwrap(), 10);
    assert_eq!(publisher.publish(5, &leaves(5..15)).unwrap(), 15);
    assert_eq!(publisher.publish(15, &[]).unwrap(), 15);
    assert_eq!(publisher.checkpoint(NOW).unwrap().size, 15);
    assert_eq!(
        verify(folder.path(), &Trust::default())
            .unwrap()
            .checkpoint
            .size,
        15
    );
}

#[test]
fn a_second_history_is_never_signed() {
    let folder = tempdir().unwrap();
    log(folder.path(), 300);
    // The partial tiles are gone, so the publisher has to be fed again, and is fed other entries.
    host::files::remove_tree(&folder.path().join("tile")).unwrap();
    let before = read(&folder.path().join("checkpoint"));
    let mut publisher = Publisher::open(folder.path(), keys()).unwrap();
    assert_eq!(publisher.next_index(), 0);
    assert!(matches!(
        publisher.checkpoint(NOW),
        Err(PublishError::Behind {
            have: 0,
            signed: 300
        })
    ));
    let mut changed = leaves(0..400);
    changed[7] = leaf(8, 7);
    assert!(matches!(
        publisher.publish(0, &changed),
        Err(PublishError::Fork { size: 300, .. })
    ));
    assert!(publisher.checkpoint(NOW).is_err());
    assert_eq!(read(&folder.path().join("checkpoint")), before);
}

#[test]
fn a_folder_of_other_keys_is_refused() {
    let folder = tempdir().unwrap();
    log(folder.path(), 3);
    let other = std::sync::Arc::new(
        ledger::LogKeys::from_seeds("clarence.example/ledger", &[1; 64]).unwrap(),
    );
    assert!(matches!(
        Publisher::open(folder.path(), other),
        Err(PublishError::OtherKeys(_))
    ));
}

//! Faults on order do what they are told, at every step, and end when they are cleared.

use crate::support::{id, put, sealed};
use chunks::{Behaviour, Cause, ChunkError, ChunkStore, Faulty, Memory, Step};
use host::Host;
use std::sync::Arc;
use std::time::Duration;

fn stores() -> [(Arc<dyn ChunkStore>, chunks::Faults); 2] {
    let memory = Memory::new(Host::real(), "memory");
    let faulty = Faulty::new(Arc::new(Memory::new(Host::real(), "inner")), "faulty");
    let (a, b) = (memory.faults().clone(), faulty.faults().clone());
    [(Arc::new(memory), a), (Arc::new(faulty), b)]
}

async fn run(store: &dyn ChunkStore, step: Step) -> Result<(), ChunkError> {
    let there = id(1, 1);
    match step {
        Step::Create => store.create(id(9, 9)).await.map(drop),
        Step::Append => store.create(id(9, 9)).await?.append(&sealed(vec![1])).await,
        Step::Finish => store.create(id(9, 9)).await?.finish().await,
        Step::Read => store.read(there, 0, 1).await.map(drop),
        Step::Stat => store.stat(there).await.map(drop),
        Step::Delete => store.delete(id(9, 9)).await,
        Step::List => store.list(None, 1).await.map(drop),
        Step::Probe => store.probe().await,
    }
}

#[tokio::test]
async fn every_error_at_every_step() {
    for (store, faults) in stores() {
        put(&*store, id(1, 1), &[b"there"]).await.unwrap();
        for step in Step::ALL {
            for behaviour in Behaviour::ERRORS {
                faults.times(step, behaviour, 0, 1);
                let error = run(&*store, step).await.unwrap_err();
                let expected = match behaviour {
                    Behaviour::Full | Behaviour::ReadOnly => Cause::CannotWrite,
                    Behaviour::FolderMissing | Behaviour::NotPermitted => Cause::FolderAway,
                    Behaviour::TooManyFiles => Cause::Ourselves,
                    _ => Cause::Trouble,
                };
                assert_eq!(error.cause(), expected, "{step:?} {behaviour:?}");
                run(&*store, step).await.unwrap();
                store.delete(id(9, 9)).await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_goes_on_when_cleared() {
    for (store, faults) in stores() {
        put(&*store, id(1, 1), &[b"there"]).await.unwrap();
        for step in Step::ALL {
            faults.times(step, Behaviour::Hang, 0, 1);
            let hanging = run(&*store, step);
            tokio::pin!(hanging);
            assert!(
                tokio::time::timeout(Duration::from_secs(60), &mut hanging)
                    .await
                    .is_err(),
                "{step:?}"
            );
            faults.clear();
            hanging.await.unwrap();
            store.delete(id(9, 9)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn damage_is_silent() {
    for (store, faults) in stores() {
        faults.times(Step::Append, Behaviour::Flip, 1, 1);
        put(&*store, id(1, 1), &[b"aaaa", b"bbbb"]).await.unwrap();
        let bytes = store.read(id(1, 1), 0, 8).await.unwrap();
        assert_eq!(&bytes[..4], b"aaaa");
        assert_ne!(&bytes[4..], b"bbbb");
        faults.times(Step::Read, Behaviour::Flip, 0, 1);
        assert_ne!(store.read(id(1, 1), 0, 8).await.unwrap(), bytes);
        assert_eq!(store.read(id(1, 1), 0, 8).await.unwrap(), bytes);
        faults.times(Step::Finish, Behaviour::Lose, 0, 1);
        put(&*store, id(2, 2), &[b"lost"]).await.unwrap();
        assert_eq!(store.stat(id(2, 2)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn memory_can_be_damaged_in_place() {
    let memory = Memory::new(Host::real(), "memory");
    put(&memory, id(1, 1), &[b"abcd"]).await.unwrap();
    assert!(memory.flip(id(1, 1), 2, 0x01));
    assert!(!memory.flip(id(1, 1), 4, 0x01));
    assert!(!memory.flip(id(2, 2), 0, 0x01));
    assert_eq!(memory.read(id(1, 1), 0, 4).await.unwrap(), &b"abbd"[..]);
    memory.cut(id(1, 1), 1);
    assert!(matches!(
        memory.read(id(1, 1), 0, 4).await,
        Err(ChunkError::Short { bytes: 1, .. })
    ));
    memory.lose(id(1, 1));
    assert!(memory.contents().is_empty());
}

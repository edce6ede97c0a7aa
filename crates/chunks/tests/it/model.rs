//! Histories of calls against a folder and against a map: both must say the same.

use crate::support::{noise, put, sealed};
use chunks::{ChunkError, ChunkStore, Dir, Memory};
use host::Host;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::Config;
use std::collections::BTreeMap;
use words::ChunkId;

#[derive(Debug, Clone)]
enum Call {
    Put {
        id: u8,
        length: usize,
        pieces: usize,
    },
    Replace {
        id: u8,
        length: usize,
    },
    GiveUp {
        id: u8,
        replace: bool,
    },
    Delete {
        id: u8,
    },
    Read {
        id: u8,
        offset: u64,
        length: usize,
    },
    List {
        after: Option<u8>,
        limit: usize,
    },
    Reopen,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let id = 0u8..12;
    let call = prop_oneof![
        4 => (id.clone(), 1usize..1_500_000, 1usize..6).prop_map(|(id, length, pieces)| Call::Put { id, length, pieces }),
        1 => (id.clone(), 1usize..1_500_000).prop_map(|(id, length)| Call::Replace { id, length }),
        1 => (id.clone(), any::<bool>()).prop_map(|(id, replace)| Call::GiveUp { id, replace }),
        2 => id.clone().prop_map(|id| Call::Delete { id }),
        4 => (id.clone(), 0u64..1_500_000, 0usize..200_000).prop_map(|(id, offset, length)| Call::Read { id, offset, length }),
        1 => (proptest::option::of(id), 0usize..20).prop_map(|(after, limit)| Call::List { after, limit }),
        1 => Just(Call::Reopen),
    ];
    proptest::collection::vec(call, 1..40)
}

/// Spread over the subfolders, some in the same.
fn name(id: u8) -> ChunkId {
    let mut bytes = [0; 16];
    bytes[0] = id / 3 * 60;
    bytes[9] = id;
    ChunkId::from_bytes(bytes)
}

async fn check(history: Vec<Call>) {
    let guard = tempfile::tempdir().unwrap();
    let mut dir = Dir::found(guard.path()).unwrap();
    let memory = Memory::new(Host::real(), "memory");
    let mut model: BTreeMap<ChunkId, Vec<u8>> = BTreeMap::new();
    for (n, call) in history.into_iter().enumerate() {
        if matches!(call, Call::Reopen) {
            drop(dir);
            dir = Dir::open(guard.path()).unwrap();
            continue;
        }
        for store in [&dir as &dyn ChunkStore, &memory] {
            step(store, &model, n as u64, &call).await;
        }
        match call {
            Call::Put { id, length, .. } => {
                model
                    .entry(name(id))
                    .or_insert_with(|| noise(n as u64, length));
            }
            Call::Replace { id, length } => {
                model.insert(name(id), noise(n as u64, length));
            }
            Call::Delete { id } => {
                model.remove(&name(id));
            }
            _ => {}
        }
    }
    for (id, bytes) in &model {
        assert_eq!(dir.read(*id, 0, bytes.len()).await.unwrap(), *bytes);
    }
}

async fn step(store: &dyn ChunkStore, model: &BTreeMap<ChunkId, Vec<u8>>, n: u64, call: &Call) {
    match *call {
        Call::Put { id, length, pieces } => {
            let bytes = noise(n, length);
            let pieces: Vec<&[u8]> = bytes.chunks(length.div_ceil(pieces)).collect();
            let outcome = put(store, name(id), &pieces).await;
            if model.contains_key(&name(id)) {
                assert!(matches!(outcome, Err(ChunkError::Exists { .. })));
            } else {
                outcome.unwrap();
            }
        }
        Call::Replace { id, length } => {
            let mut writer = store.replace(name(id)).await.unwrap();
            writer.append(&sealed(noise(n, length))).await.unwrap();
            writer.finish().await.unwrap();
        }
        Call::GiveUp { id, replace } => {
            if replace || !model.contains_key(&name(id)) {
                let begin = if replace {
                    store.replace(name(id))
                } else {
                    store.create(name(id))
                };
                let mut writer = begin.await.unwrap();
                writer.append(&sealed(noise(n, 700_000))).await.unwrap();
                writer.abandon().await;
            }
        }
        Call::Delete { id } => store.delete(name(id)).await.unwrap(),
        Call::Read { id, offset, length } => {
            let outcome = store.read(name(id), offset, length).await;
            let Some(bytes) = model.get(&name(id)) else {
                assert!(matches!(outcome, Err(ChunkError::Missing { .. })));
                return;
            };
            let start = usize::try_from(offset).unwrap();
            match bytes.get(start..start + length) {
                Some(expected) => assert_eq!(outcome.unwrap(), expected),
                None => assert!(matches!(outcome, Err(ChunkError::Short { .. }))),
            }
        }
        Call::List { after, limit } => {
            let after = after.map(name);
            let found: Vec<_> = store
                .list(after, limit)
                .await
                .unwrap()
                .into_iter()
                .map(|(id, stat)| (id, stat.bytes))
                .collect();
            let expected: Vec<_> = model
                .iter()
                .filter(|(id, _)| after.is_none_or(|after| **id > after))
                .take(limit)
                .map(|(id, bytes)| (*id, bytes.len() as u64))
                .collect();
            assert_eq!(found, expected);
        }
        Call::Reopen => {}
    }
}

proptest! {
    #![proptest_config(Config::with_cases(12))]
    #[test]
    fn every_history_is_told_alike(history in calls()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(history));
    }
}

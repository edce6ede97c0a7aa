//! What every engine has to do, run against each.

use crate::world::{World, all_rows, commit, committed, delete, entry, op, put, put_one, value};
use catalog::{Commit, Engine, KeyRange, Memory, Mutation, Order, Outcome, Precondition, Refused};
use std::sync::Arc;
use words::limits::{COMMIT_MUTATIONS_MAX, ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX, SCAN_ROWS_MAX};

/// Runs the whole suite. Every part gets an engine that holds what the parts before left; each uses keys
/// of its own.
pub async fn conforms(engine: Arc<dyn Engine>) {
    rows_come_back(&*engine).await;
    preconditions_hold(&*engine).await;
    empty_ranges(&*engine).await;
    appends_are_ordered(&*engine).await;
    entries_get_receipts(&*engine).await;
    all_or_nothing(&*engine).await;
    limits_are_kept(&*engine).await;
    reserved_keys(&*engine).await;
    scans_page(&*engine).await;
    scans_cross_the_ledger(&*engine).await;
    ops_are_remembered(&*engine).await;
    racing_commits(engine).await;
}

async fn rows_come_back(engine: &dyn Engine) {
    assert_eq!(engine.get(b"T1").await.unwrap(), None);
    let first = put_one(engine, b"T1", b"one").await.version();
    let row = engine.get(b"T1").await.unwrap().unwrap();
    assert_eq!((row.version, &row.value[..]), (first, &b"one"[..]));
    let second = put_one(engine, b"T1", b"").await.version();
    assert!(second > first);
    let row = engine.get(b"T1").await.unwrap().unwrap();
    assert_eq!((row.version, row.value.len()), (second, 0));
    let third = committed(
        engine
            .commit(commit(vec![], vec![delete(b"T1"), delete(b"T-none")]))
            .await,
    );
    assert!(third.version() > second);
    assert_eq!(engine.get(b"T1").await.unwrap(), None);
    let big = vec![0xab; ROW_VALUE_BYTES_MAX];
    put_one(engine, b"Tbig", &big).await;
    assert_eq!(value(engine, b"Tbig").await.unwrap(), big);
    // In one commit the last change of a key counts.
    committed(
        engine
            .commit(commit(
                vec![],
                vec![put(b"T2", b"x"), delete(b"T2"), put(b"T2", b"y")],
            ))
            .await,
    );
    assert_eq!(value(engine, b"T2").await.unwrap(), b"y");
}

async fn preconditions_hold(engine: &dyn Engine) {
    let version = put_one(engine, b"Ka", b"1").await.version();
    let key = || b"Ka".to_vec();
    let none = || b"Kz".to_vec();
    let ok = vec![
        Precondition::Present(key()),
        Precondition::Version(key(), version),
        Precondition::Absent(none()),
    ];
    committed(engine.commit(commit(ok, vec![put(b"Kb", b"")])).await);
    let bad: [(Vec<Precondition>, usize); 5] = [
        (vec![Precondition::Absent(key())], 0),
        (
            vec![Precondition::Present(key()), Precondition::Present(none())],
            1,
        ),
        (vec![Precondition::Version(key(), version + 1)], 0),
        (vec![Precondition::Version(none(), version)], 0),
        (
            vec![
                Precondition::Absent(none()),
                Precondition::Present(key()),
                Precondition::Empty(KeyRange::prefix(b"Ka")),
            ],
            2,
        ),
    ];
    for (preconditions, expected) in bad {
        match engine
            .commit(commit(preconditions, vec![put(b"Kno", b"")]))
            .await
        {
            Outcome::Conflict { which } => assert_eq!(which, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(engine.get(b"Kno").await.unwrap(), None);
}

async fn empty_ranges(engine: &dyn Engine) {
    let empty = |prefix: &[u8]| vec![Precondition::Empty(KeyRange::prefix(prefix))];
    committed(
        engine
            .commit(commit(
                empty(b"Bq"),
                vec![put(b"Bq1", b""), put(b"Br", b"")],
            ))
            .await,
    );
    assert!(matches!(
        engine.commit(commit(empty(b"Bq"), vec![])).await,
        Outcome::Conflict { which: 0 }
    ));
    committed(engine.commit(commit(vec![], vec![delete(b"Bq1")])).await);
    committed(engine.commit(commit(empty(b"Bq"), vec![])).await);
    let backwards = KeyRange {
        start: b"Bz".to_vec(),
        end: Some(b"Ba".to_vec()),
    };
    committed(
        engine
            .commit(commit(vec![Precondition::Empty(backwards)], vec![]))
            .await,
    );
}

async fn appends_are_ordered(engine: &dyn Engine) {
    let append = |value: &[u8]| Mutation::Append {
        prefix: b"Dq".to_vec(),
        value: value.to_vec().into(),
    };
    let mut expected = Vec::new();
    for round in 0..5u8 {
        let values = [[round, 0], [round, 1], [round, 2]];
        let mutations = values.iter().map(|v| append(v)).collect();
        let version = committed(engine.commit(commit(vec![], mutations)).await).version();
        for (place, value) in (0u32..).zip(values) {
            let mut key = b"Dq".to_vec();
            key.extend_from_slice(&version.to_be_bytes());
            key.extend_from_slice(&place.to_be_bytes());
            expected.push((key, version, value.to_vec()));
        }
    }
    let rows = engine
        .scan(KeyRange::prefix(b"Dq"), 100, Order::Ascending)
        .await
        .unwrap();
    let found: Vec<_> = rows
        .into_iter()
        .map(|(key, row)| (key, row.version, row.value.to_vec()))
        .collect();
    assert_eq!(found, expected);
}

async fn entries_get_receipts(engine: &dyn Engine) {
    let next = engine
        .scan(KeyRange::prefix(b"L"), 1000, Order::Ascending)
        .await
        .unwrap()
        .len() as u64;
    let entries = || vec![entry("one"), entry("two")];
    let leaf = *entry("one").leaf();
    let request = Commit {
        entries: entries(),
        ..commit(vec![], vec![put(b"Te", b"")])
    };
    let done = committed(engine.commit(request).await);
    let version = done.version();
    let receipts = done.into_receipts();
    assert_eq!(
        receipts
            .iter()
            .map(ledger::Receipt::index)
            .collect::<Vec<_>>(),
        [next, next + 1]
    );
    assert_eq!(receipts[0].leaf_hash(), &leaf.hash());
    let row = engine.get(&ledger::row_key(next)).await.unwrap().unwrap();
    assert_eq!(row.version, version);
    assert_eq!(row.value, entry("one").row_value());
    // A commit that does not take effect leaves no hole.
    let conflict = Commit {
        entries: entries(),
        ..commit(vec![Precondition::Absent(b"Te".to_vec())], vec![])
    };
    assert!(matches!(
        engine.commit(conflict).await,
        Outcome::Conflict { which: 0 }
    ));
    let request = Commit {
        entries: entries(),
        ..commit(vec![], vec![])
    };
    let receipts = committed(engine.commit(request).await).into_receipts();
    assert_eq!(receipts[0].index(), next + 2);
}

async fn all_or_nothing(engine: &dyn Engine) {
    let before = all_rows(engine).await;
    let request = Commit {
        entries: vec![entry("never")],
        ..commit(
            vec![Precondition::Present(b"Tnever".to_vec())],
            vec![put(b"Tx", b"x"), delete(b"Te")],
        )
    };
    assert!(matches!(
        engine.commit(request).await,
        Outcome::Conflict { which: 0 }
    ));
    assert_eq!(all_rows(engine).await, before);
}

async fn limits_are_kept(engine: &dyn Engine) {
    let long_key = vec![b'T'; ROW_KEY_BYTES_MAX];
    put_one(engine, &long_key, b"v").await;
    assert_eq!(value(engine, &long_key).await.unwrap(), b"v");
    let most = (0..COMMIT_MUTATIONS_MAX)
        .map(|n| put(format!("Tm{n:04}").as_bytes(), b""))
        .collect();
    committed(engine.commit(commit(vec![], most)).await);
    let too_long = vec![b'T'; ROW_KEY_BYTES_MAX + 1];
    let too_big = vec![0; ROW_VALUE_BYTES_MAX + 1];
    let half = vec![0; ROW_VALUE_BYTES_MAX];
    let bad: Vec<Vec<Mutation>> = vec![
        vec![put(&too_long, b"")],
        vec![Mutation::Append {
            prefix: vec![b'D'; ROW_KEY_BYTES_MAX - 11],
            value: "".into(),
        }],
        vec![put(b"Tb", &too_big)],
        vec![put(b"", b"")],
        (0..=COMMIT_MUTATIONS_MAX)
            .map(|n| put(format!("Tm{n}").as_bytes(), b""))
            .collect(),
        (0..17)
            .map(|n| put(format!("Tm{n}").as_bytes(), &half))
            .collect(),
    ];
    for mutations in bad {
        let outcome = engine.commit(commit(vec![], mutations)).await;
        assert!(
            matches!(outcome, Outcome::Refused(Refused::Limit(_))),
            "{outcome:?}"
        );
    }
}

async fn reserved_keys(engine: &dyn Engine) {
    for mutation in [put(b"L00000000", b""), delete(b"L"), put(b"\0j", b"")] {
        let outcome = engine.commit(commit(vec![], vec![mutation])).await;
        assert!(
            matches!(outcome, Outcome::Refused(Refused::Limit(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(engine.get(b"\0j\0\0\0\0\0\0\0\x01").await.unwrap(), None);
    let inner = engine
        .scan(KeyRange::prefix(b"\0"), 10, Order::Ascending)
        .await
        .unwrap();
    assert_eq!(inner, []);
}

async fn scans_page(engine: &dyn Engine) {
    let keys: Vec<_> = (0..SCAN_ROWS_MAX + 50)
        .map(|n| format!("U{n:05}").into_bytes())
        .collect();
    for chunk in keys.chunks(500) {
        committed(
            engine
                .commit(commit(vec![], chunk.iter().map(|k| put(k, b"v")).collect()))
                .await,
        );
    }
    let range = || KeyRange::prefix(b"U");
    let page = engine
        .scan(range(), usize::MAX, Order::Ascending)
        .await
        .unwrap();
    assert_eq!(
        page.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>(),
        keys[..SCAN_ROWS_MAX]
    );
    let rest = engine
        .scan(
            range().after(&page.last().unwrap().0),
            1000,
            Order::Ascending,
        )
        .await
        .unwrap();
    assert_eq!(rest.len(), 50);
    let last = engine.scan(range(), 3, Order::Descending).await.unwrap();
    let expected: Vec<_> = keys.iter().rev().take(3).cloned().collect();
    assert_eq!(
        last.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>(),
        expected
    );
    let before = engine
        .scan(range().before(&last[2].0), 1, Order::Descending)
        .await
        .unwrap();
    assert_eq!(before[0].0, keys[keys.len() - 4]);
    assert_eq!(engine.scan(range(), 0, Order::Ascending).await.unwrap(), []);
    let backwards = KeyRange {
        start: b"U5".to_vec(),
        end: Some(b"U4".to_vec()),
    };
    assert_eq!(
        engine
            .scan(backwards.clone(), 10, Order::Ascending)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        engine.scan(backwards, 10, Order::Descending).await.unwrap(),
        []
    );
}

async fn scans_cross_the_ledger(engine: &dyn Engine) {
    committed(
        engine
            .commit(commit(vec![], vec![put(b"K\xff", b""), put(b"M", b"")]))
            .await,
    );
    let range = KeyRange {
        start: b"K\xff".to_vec(),
        end: Some(b"M\0".to_vec()),
    };
    let up = engine
        .scan(range.clone(), 1000, Order::Ascending)
        .await
        .unwrap();
    assert!(
        up.len() > 3
            && up[0].0 == b"K\xff"
            && up[1].0 == ledger::row_key(0)
            && up.last().unwrap().0 == b"M"
    );
    let mut down = engine.scan(range, 1000, Order::Descending).await.unwrap();
    down.reverse();
    assert_eq!(up, down);
}

async fn ops_are_remembered(engine: &dyn Engine) {
    let op = op();
    assert_eq!(engine.lookup(op).await.unwrap(), None);
    let request = || Commit {
        op,
        ..commit(vec![], vec![put(b"Top", b"1")])
    };
    let version = committed(engine.commit(request()).await).version();
    assert_eq!(engine.lookup(op).await.unwrap(), Some(version));
    // Sent again blindly, it does not take effect again.
    assert!(matches!(
        engine.commit(request()).await,
        Outcome::Unknown(_)
    ));
    assert_eq!(engine.get(b"Top").await.unwrap().unwrap().version, version);
    let conflict = Commit {
        op: crate::world::op(),
        ..commit(vec![Precondition::Absent(b"Top".to_vec())], vec![])
    };
    let lost = conflict.op;
    assert!(matches!(
        engine.commit(conflict).await,
        Outcome::Conflict { .. }
    ));
    assert_eq!(engine.lookup(lost).await.unwrap(), None);
}

/// Many at once add one to a row by compare and swap; none is lost.
async fn racing_commits(engine: Arc<dyn Engine>) {
    let start = put_one(&*engine, b"Crace", &0u32.to_be_bytes())
        .await
        .version();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                let mut versions = Vec::new();
                while versions.len() < 10 {
                    let row = engine.get(b"Crace").await.unwrap().unwrap();
                    let next = u32::from_be_bytes(row.value[..].try_into().unwrap()) + 1;
                    let same = vec![Precondition::Version(b"Crace".to_vec(), row.version)];
                    match engine
                        .commit(commit(same, vec![put(b"Crace", &next.to_be_bytes())]))
                        .await
                    {
                        Outcome::Committed(done) => versions.push(done.version()),
                        Outcome::Conflict { .. } => {}
                        other => panic!("{other:?}"),
                    }
                }
                versions
            })
        })
        .collect();
    let mut versions = vec![start];
    for task in tasks {
        versions.extend(task.await.unwrap());
    }
    let row = engine.get(b"Crace").await.unwrap().unwrap();
    assert_eq!(row.value[..], 160u32.to_be_bytes());
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 161);
    assert_eq!(row.version, versions[160]);
}

#[tokio::test]
async fn memory_conforms() {
    conforms(Arc::new(Memory::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_conforms() {
    let world = World::new();
    let (engine, _tenure) = world.open();
    let engine = Arc::new(engine);
    conforms(Arc::clone(&engine) as Arc<dyn Engine>).await;
    let before = all_rows(&*engine).await;
    engine.shutdown().await;
    drop(engine);
    let (engine, _tenure) = world.open();
    assert_eq!(all_rows(&engine).await, before);
}

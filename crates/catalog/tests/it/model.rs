//! Random histories of commits and scans against a `BTreeMap`, with reopening in between.

use crate::server::{Server, direct, options};
use crate::world::{CLOUD, World, commit, entry};
use catalog::postgres::{Options, Postgres, found};
use catalog::{Commit, Engine, KeyRange, Memory, Mutation, Order, Outcome, Precondition, Sites};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::collections::BTreeMap;
use tokio::runtime::Runtime;
use words::SiteId;

#[derive(Clone, Debug)]
enum Step {
    Commit {
        preconditions: Vec<Pre>,
        changes: Vec<Change>,
        entries: u8,
    },
    Scan {
        from: u8,
        to: u8,
        limit: usize,
        down: bool,
    },
    Reopen,
}

#[derive(Clone, Debug)]
enum Pre {
    Absent(u8),
    Present(u8),
    Version(u8, bool),
    Empty(u8, u8),
}

#[derive(Clone, Debug)]
enum Change {
    Put(u8, Vec<u8>),
    Delete(u8),
    Append(Vec<u8>),
}

const KEYS: u8 = 12;

fn key(n: u8) -> Vec<u8> {
    // On both sides of the ledger's tag.
    let tag = if n.is_multiple_of(2) { b'B' } else { b'T' };
    vec![tag, n]
}

fn pre() -> impl Strategy<Value = Pre> {
    prop_oneof![
        2 => (0..KEYS).prop_map(Pre::Absent),
        2 => (0..KEYS).prop_map(Pre::Present),
        3 => (0..KEYS, any::<bool>()).prop_map(|(k, right)| Pre::Version(k, right)),
        1 => (0..KEYS, 0..KEYS).prop_map(|(a, b)| Pre::Empty(a, b)),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let value = || {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..20),
            proptest::collection::vec(any::<u8>(), 1000..3000)
        ]
    };
    prop_oneof![
        4 => (0..KEYS, value()).prop_map(|(k, v)| Change::Put(k, v)),
        2 => (0..KEYS).prop_map(Change::Delete),
        2 => value().prop_map(Change::Append),
    ]
}

fn step(reopen: u32) -> impl Strategy<Value = Step> {
    let commit = (
        proptest::collection::vec(pre(), 0..3),
        proptest::collection::vec(change(), 0..5),
        0..3u8,
    )
        .prop_map(|(preconditions, changes, entries)| Step::Commit {
            preconditions,
            changes,
            entries,
        });
    let scan = (0..KEYS, 0..KEYS, 0..9usize, any::<bool>()).prop_map(|(from, to, limit, down)| {
        Step::Scan {
            from,
            to,
            limit,
            down,
        }
    });
    prop_oneof![8 => commit, 4 => scan, reopen => Just(Step::Reopen)]
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    last: u64,
    entries: u64,
    /// The one site that holds it; both, if none is said.
    only: Option<SiteId>,
}

impl Model {
    fn version(&self, key: &[u8]) -> Option<u64> {
        self.rows.get(key).map(|(version, _)| *version)
    }

    fn precondition(&self, pre: &Pre) -> (Precondition, bool) {
        match pre {
            Pre::Absent(k) => (
                Precondition::Absent(key(*k)),
                self.version(&key(*k)).is_none(),
            ),
            Pre::Present(k) => (
                Precondition::Present(key(*k)),
                self.version(&key(*k)).is_some(),
            ),
            Pre::Version(k, right) => {
                let there = self.version(&key(*k));
                let asked = there.map_or(1, |v| if *right { v } else { v + 1 });
                (Precondition::Version(key(*k), asked), there == Some(asked))
            }
            Pre::Empty(a, b) => {
                let range = KeyRange {
                    start: key(*a),
                    end: Some(key(*b)),
                };
                let empty = !self.rows.keys().any(|k| range.contains(k));
                (Precondition::Empty(range), empty)
            }
        }
    }

    fn apply(&mut self, version: u64, changes: &[Change], entries: u8) {
        assert!(version > self.last, "versions grow");
        self.last = version;
        for (place, change) in (0u32..).zip(changes) {
            match change {
                Change::Put(k, v) => drop(self.rows.insert(key(*k), (version, v.clone()))),
                Change::Delete(k) => drop(self.rows.remove(&key(*k))),
                Change::Append(v) => {
                    let mut k = b"D".to_vec();
                    k.extend_from_slice(&version.to_be_bytes());
                    k.extend_from_slice(&place.to_be_bytes());
                    self.rows.insert(k, (version, v.clone()));
                }
            }
        }
        for n in 0..entries {
            let row = entry(&n.to_string()).row_value();
            self.rows
                .insert(ledger::row_key(self.entries).to_vec(), (version, row));
            self.entries += 1;
        }
    }

    fn scan(&self, range: &KeyRange, limit: usize, down: bool) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
        let within = self.rows.iter().filter(|(k, _)| range.contains(k));
        let mut rows: Vec<_> = within
            .map(|(k, (version, v))| (k.clone(), *version, v.clone()))
            .collect();
        if down {
            rows.reverse();
        }
        rows.truncate(limit);
        rows
    }
}

async fn commit_step(
    engine: &dyn Engine,
    model: &mut Model,
    pres: &[Pre],
    changes: &[Change],
    entries: u8,
) {
    let (preconditions, holds): (Vec<_>, Vec<_>) =
        pres.iter().map(|p| model.precondition(p)).unzip();
    let mutations = changes.iter().map(|change| match change.clone() {
        Change::Put(k, value) => Mutation::Put {
            key: key(k),
            value: value.into(),
        },
        Change::Delete(k) => Mutation::Delete { key: key(k) },
        Change::Append(value) => Mutation::Append {
            prefix: b"D".to_vec(),
            value: value.into(),
        },
    });
    let entries_made = (0..entries).map(|n| entry(&n.to_string())).collect();
    let request = Commit {
        entries: entries_made,
        ..commit(preconditions, mutations.collect())
    };
    let op = request.op;
    let expected = holds.iter().position(|h| !h);
    match engine.commit(request).await {
        Outcome::Committed(done) => {
            assert_eq!(expected, None);
            assert_eq!(done.sites(), model.only.map_or(Sites::Both, Sites::Only));
            assert_eq!(engine.lookup(op).await.unwrap(), Some(done.version()));
            model.apply(done.version(), changes, entries);
        }
        Outcome::Conflict { which } => assert_eq!(Some(which), expected),
        other => panic!("{other:?}"),
    }
}

async fn scan_step(engine: &dyn Engine, model: &Model, range: KeyRange, limit: usize, down: bool) {
    let order = if down {
        Order::Descending
    } else {
        Order::Ascending
    };
    let rows = engine.scan(range.clone(), limit, order).await.unwrap();
    let found: Vec<_> = rows
        .into_iter()
        .map(|(k, row)| (k, row.version, row.value.to_vec()))
        .collect();
    assert_eq!(found, model.scan(&range, limit, down));
}

async fn step_once(engine: &dyn Engine, model: &mut Model, step: &Step) {
    match step {
        Step::Commit {
            preconditions,
            changes,
            entries,
        } => commit_step(engine, model, preconditions, changes, *entries).await,
        Step::Scan {
            from,
            to,
            limit,
            down,
        } => {
            let range = KeyRange {
                start: key(*from),
                end: Some(key(*to)),
            };
            scan_step(engine, model, range, *limit, *down).await;
        }
        Step::Reopen => {}
    }
}

async fn finally(engine: &dyn Engine, model: &Model) {
    for down in [false, true] {
        scan_step(
            engine,
            model,
            KeyRange {
                start: vec![],
                end: None,
            },
            1000,
            down,
        )
        .await;
    }
    for n in 0..KEYS {
        let row = engine
            .get(&key(n))
            .await
            .unwrap()
            .map(|r| (r.version, r.value.to_vec()));
        assert_eq!(row.as_ref(), model.rows.get(&key(n)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_does_what_the_model_does(steps in proptest::collection::vec(step(0), 1..60)) {
        Runtime::new().unwrap().block_on(async {
            let (engine, mut model) = (Memory::new(), Model::default());
            for step in &steps {
                step_once(&engine, &mut model, step).await;
            }
            finally(&engine, &model).await;
            finally(&Memory::from_contents(engine.contents()), &model).await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, max_shrink_iters: 50, ..ProptestConfig::default() })]
    #[test]
    fn embedded_does_what_the_model_does(steps in proptest::collection::vec(step(1), 1..80)) {
        Runtime::new().unwrap().block_on(async {
            let world = World::new();
            let (mut engine, _) = world.open();
            let mut model = Model::default();
            for step in &steps {
                if matches!(step, Step::Reopen) {
                    engine.shutdown().await;
                    drop(engine);
                    engine = world.open().0;
                }
                step_once(&engine, &mut model, step).await;
            }
            finally(&engine, &model).await;
        });
    }
}

/// One server, a database for each history.
#[test]
fn postgres_does_what_the_model_does() {
    let server = Server::new(SiteId::A);
    let config = ProptestConfig {
        cases: 12,
        failure_persistence: None,
        max_shrink_iters: 50,
        ..ProptestConfig::default()
    };
    let count = Cell::new(0);
    let steps = proptest::collection::vec(step(1), 1..80);
    let run = TestRunner::new(config).run(&steps, |steps| {
        count.set(count.get() + 1);
        let database = format!("history_{}", count.get());
        server.sql(&format!("CREATE DATABASE {database}"));
        let settings = Options {
            database,
            ..options(&[&server], "owner")
        };
        Runtime::new().unwrap().block_on(history(settings, &steps));
        Ok(())
    });
    run.unwrap();
    assert!(count.get() >= 12);
}

async fn history(settings: Options, steps: &[Step]) {
    found(settings.clone(), direct(), CLOUD, None)
        .await
        .unwrap();
    let open = || Postgres::open(settings.clone(), direct(), CLOUD);
    let mut engine = open().await.unwrap();
    let mut model = Model {
        only: Some(SiteId::A),
        ..Model::default()
    };
    for step in steps {
        if matches!(step, Step::Reopen) {
            engine.shutdown().await;
            engine = open().await.unwrap();
        }
        step_once(&engine, &mut model, step).await;
    }
    finally(&engine, &model).await;
}

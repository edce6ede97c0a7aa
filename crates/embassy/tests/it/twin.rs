//! The twin follows the catalog, survives a host that comes and goes, is begun anew in time, and has one
//! writer.

use crate::fake::Fake;
use catalog::embedded::Options;
use catalog::embedded::follow::FollowedRow;
use catalog::{Commit, Embedded, Engine, Mutation, Outcome, Refused};
use embassy::twin::{close, headers};
use embassy::{Acknowledge, Home, Papers, Replay, Source, Twin, TwinState, Twinned};
use epoch::{Places, Tenure};
use host::Host;
use ledger::{Entry, Fields, Kind};
use seal::TwinKey;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use words::{CloudId, OpId, SiteId, UnixMillis};

const CLOUD: CloudId = CloudId::from_bytes([0xc2; 16]);

fn key() -> TwinKey {
    TwinKey::from_bytes([9; 32])
}

struct World {
    _folder: tempfile::TempDir,
    engine: Arc<Embedded>,
    fake: Fake,
}

fn open(folder: &Path) -> Arc<Embedded> {
    let sites = SiteId::BOTH.map(|site| folder.join(site.to_string()));
    let witnesses = ["p0", "p1", "p2"].map(|name| (name.to_owned(), folder.join(name)));
    for path in sites.iter().chain(witnesses.iter().map(|(_, path)| path)) {
        host::files::make_folder(path, 0o700).unwrap();
    }
    let places = Places::folders(CLOUD, [&sites[0], &sites[1]], &witnesses, Host::real());
    places.found().unwrap();
    let options = Options {
        free_bytes_min: 1 << 20,
        ..Options::default()
    };
    Embedded::create([&sites[0], &sites[1]], CLOUD, &options).unwrap();
    let tenure = Arc::new(Tenure::start(places).unwrap());
    let engine = Embedded::open(sites.map(Some), tenure, options, Host::real());
    Arc::new(engine.unwrap())
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(folder.path());
        let world = Self {
            engine,
            _folder: folder,
            fake: Fake::start().await,
        };
        let outcome = world.engine.commit(put(0, 10)).await;
        assert!(matches!(outcome, Outcome::Committed(_)));
        world
    }

    fn home(&self, owner: u8) -> Home {
        Home {
            engine: Arc::clone(&self.engine),
            cloud: CLOUD,
            owner: [owner; 16],
            site_key: (1, [7; 104]),
            papers: Papers(vec![("charter.toml".into(), b"x".to_vec())]),
            key: Box::new(|| Some(key())),
        }
    }

    /// A gateway that writes the twin.
    fn twin(&self, owner: u8, acknowledge: Acknowledge) -> (Arc<Twin>, Twinned, Ended) {
        let twin = Twin::renewed_after(60_000, self.fake.bucket(), Host::real(), acknowledge);
        let task = tokio::spawn(Arc::clone(&twin).keep(self.home(owner)));
        let engine = Twinned::new(Arc::clone(&self.engine), Arc::clone(&twin));
        (twin, engine, Ended(task))
    }

    /// The twin as it is now. The gateway goes on meanwhile and puts a new last piece in the place of the old one, which may have been
    /// listed already: then it is looked at again.
    async fn replay(&self) -> (Replay, embassy::twin::Tip) {
        for _ in 0..50 {
            if let Ok(found) = self.look().await {
                return found;
            }
        }
        self.look().await.unwrap()
    }

    async fn look(&self) -> Result<(Replay, embassy::twin::Tip), embassy::twin::ReplayError> {
        let source: Arc<dyn Source> = Arc::new(self.fake.bucket());
        let mut best: Option<(Replay, embassy::twin::Tip)> = None;
        for (header, last) in headers(&*source).await? {
            let replay = Replay::new(Arc::clone(&source), header, last, key());
            if let Some(tip) = replay.tip().await?
                && best.as_ref().is_none_or(|(_, best)| best.seq < tip.seq)
            {
                best = Some((replay, tip));
            }
        }
        Ok(best.unwrap())
    }

    /// The rows that the host gives back are those of the catalog.
    async fn same(&self) {
        let (replay, tip) = self.replay().await;
        let mut rows = BTreeMap::new();
        let mut take = |some: &[FollowedRow]| {
            for (key, stored) in some {
                match stored {
                    Some(stored) => rows.insert(key.clone(), stored.clone()),
                    None => rows.remove(key),
                };
            }
            Ok(())
        };
        let (reached, papers) = replay.run(&tip, &mut take, &|_, _| {}).await.unwrap();
        assert_eq!(reached.seq, self.engine.head().unwrap());
        assert_eq!(papers.get("charter.toml"), Some(b"x".as_slice()));
        let mut expected = BTreeMap::new();
        let mut everything = self.engine.everything().unwrap();
        loop {
            let (rest, some) = everything.next(1 << 20).await.unwrap();
            everything = rest;
            if some.is_empty() {
                break;
            }
            expected.extend(some.into_iter().map(|(key, stored)| (key, stored.unwrap())));
        }
        assert_eq!(rows, expected);
    }
}

/// Ends a gateway with its test.
struct Ended(tokio::task::JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn put(number: u32, bytes: usize) -> Commit {
    Commit {
        op: OpId::from_bytes(Host::real().random()),
        preconditions: vec![],
        mutations: vec![Mutation::Put {
            key: [b"T".as_slice(), &number.to_be_bytes()].concat(),
            value: vec![number as u8; bytes].into(),
        }],
        entries: vec![entry()],
    }
}

fn entry() -> Entry {
    Entry::prepare(
        Fields::new(Kind::Write, UnixMillis(7)).commit(&[3; 32]),
        b"opening".to_vec(),
    )
}

async fn until(twin: &Twin, wanted: impl Fn(&TwinState) -> bool) {
    let began = Instant::now();
    while !wanted(&twin.view().state) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{:?}",
            twin.view()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_at_the_host() {
    let world = World::new().await;
    let (twin, engine, gateway) = world.twin(1, Acknowledge::AtHost);
    for number in 1..20 {
        let outcome = engine.commit(put(number, 100)).await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        // The gateway may go on by itself meanwhile; what counts is what was acknowledged.
        let head = world.engine.head().unwrap();
        let (_, tip) = world.replay().await;
        assert!(tip.seq >= head, "commit {number}: {tip:?} is behind {head}");
    }
    world.same().await;
    // Another start of the same gateway goes on with the same generation.
    let before = world.fake.names();
    drop((gateway, twin));
    let (_twin, engine, _gateway) = world.twin(1, Acknowledge::AtHost);
    assert!(matches!(
        engine.commit(put(99, 5)).await,
        Outcome::Committed(_)
    ));
    assert!(before.iter().all(|name| world.fake.names().contains(name)));
    assert_eq!(world.fake.names().len(), before.len() + 1);
    world.same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_host_is_away_only_the_ledger_goes_on() {
    let world = World::new().await;
    let (twin, engine, _gateway) = world.twin(1, Acknowledge::AtHost);
    until(&twin, |state| *state == TwinState::InStep).await;
    world.fake.state.away.store(true, Ordering::SeqCst);
    // The first one finds out; whether it took effect is not known.
    let outcome = engine.commit(put(1, 10)).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    until(&twin, |state| matches!(state, TwinState::Away(_))).await;
    let outcome = engine.commit(put(2, 10)).await;
    assert!(
        matches!(outcome, Outcome::Refused(Refused::NotWritable(_))),
        "{outcome:?}"
    );
    let read = Commit {
        mutations: vec![],
        ..put(3, 1)
    };
    assert!(matches!(engine.commit(read).await, Outcome::Committed(_)));
    world.fake.state.away.store(false, Ordering::SeqCst);
    until(&twin, |state| *state == TwinState::InStep).await;
    assert!(matches!(
        engine.commit(put(4, 10)).await,
        Outcome::Committed(_)
    ));
    world.same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_home_does_not_wait_and_the_host_catches_up() {
    let world = World::new().await;
    let (twin, engine, _gateway) = world.twin(1, Acknowledge::AtHome);
    until(&twin, |state| *state == TwinState::InStep).await;
    world.fake.state.away.store(true, Ordering::SeqCst);
    for number in 1..50 {
        assert!(matches!(
            engine.commit(put(number, 500)).await,
            Outcome::Committed(_)
        ));
    }
    world.fake.state.away.store(false, Ordering::SeqCst);
    let head = world.engine.head().unwrap();
    twin.wait(head).await.unwrap();
    world.same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_that_grew_is_begun_anew_and_the_old_one_removed() {
    let world = World::new().await;
    let (twin, engine, _gateway) = world.twin(1, Acknowledge::AtHost);
    until(&twin, |state| *state == TwinState::InStep).await;
    let (first, _) = world.replay().await;
    let began = Instant::now();
    let mut number = 0;
    loop {
        number += 1;
        let outcome = engine.commit(put(number % 7, 2_000)).await;
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        let source = world.fake.bucket();
        let left = headers(&source).await.unwrap();
        if left.iter().all(|(header, _)| header != first.header()) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{left:?}");
    }
    until(&twin, |state| *state == TwinState::InStep).await;
    world.same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_takes_over_and_the_other_writes_nothing_more() {
    let world = World::new().await;
    let (old, engine, _gateway) = world.twin(1, Acknowledge::AtHost);
    assert!(matches!(
        engine.commit(put(1, 10)).await,
        Outcome::Committed(_)
    ));
    let (other, _, ended) = world.twin(2, Acknowledge::AtHost);
    until(&other, |state| matches!(state, TwinState::Refused(_))).await;
    drop(ended);
    let (replay, tip) = world.replay().await;
    close(&world.fake.bucket(), &replay, &tip, Host::real().random())
        .await
        .unwrap();
    let outcome = engine.commit(put(2, 10)).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    until(&old, |state| matches!(state, TwinState::Refused(_))).await;
    let outcome = engine.commit(put(3, 10)).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    let (new, engine, _gateway) = world.twin(2, Acknowledge::AtHost);
    until(&new, |state| *state == TwinState::InStep).await;
    assert!(matches!(
        engine.commit(put(4, 10)).await,
        Outcome::Committed(_)
    ));
    world.same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_moved_or_altered_object_is_named() {
    let world = World::new().await;
    let (twin, engine, gateway) = world.twin(1, Acknowledge::AtHost);
    for number in 1..6 {
        assert!(matches!(
            engine.commit(put(number, 10)).await,
            Outcome::Committed(_)
        ));
    }
    drop((twin, gateway));
    let (replay, tip) = world.replay().await;
    let generation = replay.header().generation;
    let run = || async {
        let mut take = |_: &[FollowedRow]| Ok(());
        replay.run(&tip, &mut take, &|_, _| {}).await.map(drop)
    };
    run().await.unwrap();
    let whole = world.fake.state.objects.lock().unwrap().clone();
    let name = generation.name(tip.number - 1);
    let change = |name: &str, bytes: Option<bytes::Bytes>| {
        let mut objects = world.fake.state.objects.lock().unwrap();
        *objects = whole.clone();
        match bytes {
            Some(bytes) => objects.insert(name.to_owned(), bytes),
            None => objects.remove(name),
        };
    };
    let mut flipped = whole[&name].to_vec();
    flipped[200] ^= 1;
    let moved = whole[&generation.name(tip.number - 2)].clone();
    let cut = whole[&name].slice(..whole[&name].len() - 1);
    for bytes in [None, Some(flipped.into()), Some(moved), Some(cut)] {
        change(&name, bytes);
        let error = run().await.unwrap_err().to_string();
        assert!(error.contains(&name), "{error}");
    }
    change(&name, Some(whole[&name].clone()));
    run().await.unwrap();
}

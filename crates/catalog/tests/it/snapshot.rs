//! All rows of one moment, from every engine, and the way into another one.

use crate::server::{Server, direct, options};
use crate::world::{CLOUD, World, all_rows, commit, committed, delete, entry, put, put_one};
use catalog::postgres::{Filled, OpenError, Options, fill, found, vacant};
use catalog::{Commit, Embedded, Engine, Memory, Point, Postgres, Row, Snapshot};
use futures::StreamExt;
use std::sync::Arc;
use words::SiteId;

type Rows = Vec<(Vec<u8>, Row)>;

async fn fill_engine(engine: &dyn Engine, from: u8) {
    for number in from..from + 20 {
        let entries = vec![entry(&format!("entry {number}"))];
        let changes = vec![
            put(&[b'B', number], &vec![number; 700]),
            put(b"Tsame", &[number]),
            put(&[b'X', number], b"x"),
        ];
        let made = Commit {
            entries,
            ..commit(vec![], changes)
        };
        committed(engine.commit(made).await);
        let gone = commit(vec![], vec![delete(&[b'X', number])]);
        committed(engine.commit(gone).await);
    }
}

async fn taken(mut snapshot: Box<dyn Snapshot>) -> (Rows, Point) {
    let mut rows = Vec::new();
    loop {
        let next = snapshot.next(3_000).await.unwrap();
        if next.is_empty() {
            return (rows, snapshot.point());
        }
        rows.extend(next);
    }
}

/// Takes a snapshot while commits go on; gives what it held.
async fn one_moment(engine: &dyn Engine, snapshot: Box<dyn Snapshot>, then: Rows) -> (Rows, Point) {
    let mut snapshot = snapshot;
    fill_engine(engine, 100).await;
    let first = snapshot.next(3_000).await.unwrap();
    assert!(!first.is_empty());
    fill_engine(engine, 130).await;
    let (rest, point) = taken(snapshot).await;
    let rows: Rows = first.into_iter().chain(rest).collect();
    assert_eq!(rows, then);
    assert_eq!(
        rows.iter().map(|(_, row)| row.version).max().unwrap() + 1,
        point.version,
        "the last commit took rows away"
    );
    let entries = rows.iter().filter(|(key, _)| key[0] == b'L').count();
    assert_eq!(point.next_index, entries as u64);
    (rows, point)
}

const OURS: [u8; 16] = [1; 16];
const THEIRS: [u8; 16] = [2; 16];

/// Fills an empty database as one attempt does.
async fn fill_as(
    server: &Server,
    attempt: [u8; 16],
    blocks: Vec<Result<Rows, String>>,
    point: Point,
) -> Result<Filled, OpenError> {
    let owner = options(&[server], "owner");
    let blocks = futures::stream::iter(blocks).boxed();
    let of = (CLOUD, attempt);
    fill(owner, direct(), of, Some("worker"), point, blocks).await
}

/// An attempt that is broken off leaves nothing; one that came to its end is known again, and nobody else's.
async fn all_or_nothing(server: &Server, rows: &Rows, point: Point) {
    let owner = || options(&[server], "owner");
    let look = |attempt| vacant(owner(), direct(), CLOUD, attempt);
    let blocks =
        || -> Vec<Result<Rows, String>> { rows.chunks(7).map(|rows| Ok(rows.to_vec())).collect() };
    assert_eq!(look(OURS).await, Ok(Filled::Now));
    let broken = vec![Ok(rows[..5].to_vec()), Err("broken off".to_owned())];
    let failed = fill_as(server, OURS, broken, point).await;
    assert!(matches!(failed, Err(OpenError::Server(_))), "{failed:?}");
    assert_eq!(look(OURS).await, Ok(Filled::Now), "all of it or nothing");
    let filled = fill_as(server, OURS, blocks(), point).await;
    assert_eq!(filled, Ok(Filled::Now));
    let again = fill_as(server, OURS, blocks(), point).await;
    assert_eq!(again, Ok(Filled::Before));
    for other in [
        look(THEIRS).await,
        fill_as(server, THEIRS, blocks(), point).await,
    ] {
        assert!(matches!(other, Err(OpenError::Taken(..))), "{other:?}");
    }
    assert!(found(owner(), direct(), CLOUD, None).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_one_moment_and_moves_to_the_other_engine_and_back() {
    let memory = Memory::new();
    fill_engine(&memory, 0).await;
    let then = all_rows(&memory).await;
    one_moment(&memory, memory.snapshot(), then).await;

    let home = World::new();
    let (engine, _) = home.open();
    assert_eq!(
        taken(engine.snapshot().unwrap()).await,
        (
            vec![],
            Point {
                version: 0,
                next_index: 0
            }
        )
    );
    fill_engine(&engine, 0).await;
    let then = all_rows(&engine).await;
    let (rows, point) = one_moment(&engine, engine.snapshot().unwrap(), then).await;

    let server = Server::new(SiteId::A);
    all_or_nothing(&server, &rows, point).await;
    let worker = Options {
        holder: Some([3; 16]),
        ..options(&[&server], "worker")
    };
    let moved = Arc::new(Postgres::open(worker, direct(), CLOUD).await.unwrap());
    assert_eq!(all_rows(&*moved).await, rows);
    let owner = || options(&[&server], "owner");
    assert!(
        matches!(
            vacant(owner(), direct(), CLOUD, OURS).await,
            Err(OpenError::Taken(..))
        ),
        "it has a holder of its own now"
    );
    let next = put_one(&*moved, b"Tnext", b"1").await;
    assert_eq!(next.version(), point.version + 1);
    fill_engine(&*moved, 50).await;
    let then = all_rows(&*moved).await;
    let snapshot = moved.snapshot().await.unwrap();
    let (rows, point) = one_moment(&*moved, snapshot, then).await;

    let back = World::new();
    let folders = SiteId::BOTH.map(|site| back.site(site));
    for folder in &folders {
        host::files::remove_tree(&folder.join("catalog")).unwrap();
    }
    let import = Embedded::import([&folders[0], &folders[1]], CLOUD, &back.options).unwrap();
    for block in rows.chunks(9) {
        import.put(block).unwrap();
    }
    import.finish_at(point).unwrap();
    let (again, _) = back.open();
    assert_eq!(all_rows(&again).await, rows);
    let next = put_one(&again, b"Tnext", b"2").await;
    assert_eq!(next.version(), point.version + 1);
    let mut with_entry = commit(vec![], vec![]);
    with_entry.entries = vec![entry("more")];
    let receipts = committed(again.commit(with_entry).await).into_receipts();
    assert_eq!(receipts[0].index(), point.next_index);
    let all = all_rows(&again).await;
    again.shutdown().await;
    drop(again);
    let (reopened, _) = back.open();
    assert_eq!(all_rows(&reopened).await, all);
    assert_eq!(taken(reopened.snapshot().unwrap()).await.0, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_a_hole_in_the_ledger_become_no_catalog() {
    let home = World::new();
    let (engine, _) = home.open();
    fill_engine(&engine, 0).await;
    let (mut rows, point) = taken(engine.snapshot().unwrap()).await;
    let hole = rows.iter().position(|(key, _)| key[0] == b'L').unwrap();
    rows.remove(hole + 3);
    let other = World::new();
    let folders = SiteId::BOTH.map(|site| other.site(site));
    for folder in &folders {
        host::files::remove_tree(&folder.join("catalog")).unwrap();
    }
    let import = Embedded::import([&folders[0], &folders[1]], CLOUD, &other.options).unwrap();
    import.put(&rows).unwrap();
    assert!(import.finish_at(point).is_err());
}

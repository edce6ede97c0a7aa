//! Where one node alone may write the catalog on PostgreSQL: who that is, how another one sees it and takes its place.

use crate::postgres::founded;
use crate::server::{Server, direct, options};
use crate::world::{CLOUD, commit, op, put, put_one};
use catalog::postgres::{Hold, OpenError, Options, Watch};
use catalog::{Engine, KeyRange, Outcome, Postgres, ReadError, Refused};
use std::time::Duration;
use words::CloudId;

fn holding(server: &Server, id: u8, hold: Hold) -> Options {
    Options {
        holder: Some([id; 16]),
        hold_as: hold,
        ..options(&[server], "worker")
    }
}

/// Where one node alone may write: a second one is refused while the first is connected, takes over when it is not, and
/// the first, should it still be there, writes nothing any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_holds_the_catalog() {
    let server = founded().await;
    let holding = |id: u8| holding(&server, id, Hold::Free);
    let first = Postgres::open(holding(1), direct(), CLOUD).await.unwrap();
    put_one(&first, b"T1", b"first").await;
    let refused = Postgres::open(holding(2), direct(), CLOUD).await;
    let refused = refused.err().unwrap();
    assert_eq!(refused, OpenError::InUse("postgres".into()));
    // Its connections break, and it is slower to be back than the second.
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clarence'",
    );
    let second = loop {
        if let Ok(second) = Postgres::open(holding(2), direct(), CLOUD).await {
            break second;
        }
    };
    put_one(&second, b"T1", b"second").await;
    for _ in 0..2 {
        let late = first
            .commit(commit(vec![], vec![put(b"T1", b"late")]))
            .await;
        let Outcome::Refused(Refused::Away(why)) = late else {
            panic!("{late:?}");
        };
        assert!(why.contains("another node"), "{why}");
    }
    let why = first.lookup(op()).await.unwrap_err().to_string();
    assert!(why.contains("another node"), "{why}");
    let row = second.get(b"T1").await.unwrap().unwrap();
    assert_eq!(row.value[..], *b"second");
    second.shutdown().await;
    drop(second);
    let third = loop {
        // The server sees a moment later that the second has gone.
        if let Ok(third) = Postgres::open(holding(3), direct(), CLOUD).await {
            break third;
        }
    };
    put_one(&third, b"T1", b"third").await;
}

/// A node whose connections stay open and that does nothing is stood in for; should it go on, it learns so at the first
/// thing it does, be it a commit or a sign of life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_stood_in_for_whatever_it_holds() {
    let server = founded().await;
    let watch = Watch::new(options(&[&server], "worker"), direct()).unwrap();
    assert_eq!(watch.cloud().await.unwrap(), CLOUD);
    let watch = watch.of(CLOUD);
    let other = Watch::new(options(&[&server], "worker"), direct()).unwrap();
    let foreign = other.of(CloudId::from_bytes([9; 16])).look().await;
    assert!(
        matches!(foreign, Err(OpenError::Foreign { .. })),
        "{foreign:?}"
    );
    let before = watch.look().await.unwrap();
    assert_eq!((before.holder, before.in_use), (None, false));
    for acts in [false, true] {
        let first = holding(&server, 1, Hold::Free);
        let first = Postgres::open(first, direct(), CLOUD).await.unwrap();
        put_one(&first, b"T1", b"first").await;
        let seen = watch.look().await.unwrap();
        assert_eq!((seen.holder, seen.in_use), (Some([1; 16]), true));
        assert_eq!(seen.timeline, 1);
        first.lookup(op()).await.unwrap();
        let moved = watch.look().await.unwrap().moved;
        assert!(moved > seen.moved, "{moved:?} {:?}", seen.moved);
        let second = holding(&server, 2, Hold::Taken);
        let second = Postgres::open(second, direct(), CLOUD).await.unwrap();
        put_one(&second, b"T1", b"second").await;
        match acts {
            true => {
                let late = commit(vec![], vec![put(b"T1", b"late")]);
                let late = first.commit(late).await;
                assert!(
                    matches!(late, Outcome::Refused(Refused::Away(_))),
                    "{late:?}"
                );
            }
            false => {
                let late = first.lookup(op()).await;
                assert!(matches!(late, Err(ReadError::Stopped(_))), "{late:?}");
            }
        }
        let why = tokio::time::timeout(Duration::from_secs(5), first.lost()).await;
        assert!(why.unwrap().contains("another node"));
        let seen = watch.look().await.unwrap();
        assert_eq!((seen.holder, seen.in_use), (Some([2; 16]), true));
        let rows = watch.rows(&KeyRange::prefix(b"T")).await.unwrap();
        assert_eq!(rows, [(b"T1".to_vec(), b"second".to_vec())]);
        // Ending the one that was stood in for takes nothing from the other; a node that ends lets go.
        first.shutdown().await;
        assert_eq!(watch.look().await.unwrap().holder, Some([2; 16]));
        second.shutdown().await;
        let left = loop {
            let seen = watch.look().await.unwrap();
            if !seen.in_use {
                break seen;
            }
        };
        assert_eq!(left.holder, None);
    }
}

/// Servers that are gone are told from rows that cannot be read: who asked may ask again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_gone_are_away() {
    let server = founded().await;
    let settings = Options {
        hold: Duration::from_secs(1),
        deadline: Duration::from_secs(1),
        ..options(&[&server], "worker")
    };
    let engine = Postgres::open(settings.clone(), direct(), CLOUD)
        .await
        .unwrap();
    put_one(&engine, b"T1", b"there").await;
    drop(server);
    let read = engine.get(b"T1").await;
    assert!(matches!(read, Err(ReadError::Away(_))), "{read:?}");
    let scan = engine
        .scan(KeyRange::prefix(b"T"), 1, catalog::Order::Ascending)
        .await;
    assert!(matches!(scan, Err(ReadError::Away(_))), "{scan:?}");
    let late = engine
        .commit(commit(vec![], vec![put(b"T1", b"late")]))
        .await;
    assert!(
        matches!(late, Outcome::Refused(Refused::Away(_))),
        "{late:?}"
    );
    let found = engine.lookup(op()).await;
    assert!(matches!(found, Err(ReadError::Away(_))), "{found:?}");
    let watch = Watch::new(settings, direct()).unwrap();
    assert!(watch.look().await.is_err());
}

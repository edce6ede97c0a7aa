//! The engine on PostgreSQL, against real servers: what it promises to every caller is in the conformance suite;
//! here is what only it can get wrong.

use crate::conformance::conforms;
use crate::server::{Server, direct, options};
use crate::world::{CLOUD, all_rows, commit, committed, delete, entry, op, put, put_one};
use catalog::postgres::{Member, OpenError, Options, Status, found};
use catalog::{Commit, Engine, KeyRange, Order, Outcome, Postgres, Precondition, Refused, Sites};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use words::{CloudId, OpId, SiteId};

async fn opened(servers: &[&Server]) -> Arc<Postgres> {
    opened_with(options(servers, "worker")).await
}

/// With the time limit for what a lost server is waited for.
async fn impatient(servers: &[&Server]) -> Arc<Postgres> {
    opened_with(Options {
        deadline: Duration::from_secs(3),
        ..options(servers, "worker")
    })
    .await
}

async fn opened_with(settings: Options) -> Arc<Postgres> {
    Arc::new(Postgres::open(settings, direct(), CLOUD).await.unwrap())
}

/// Waits until something is so of the engine.
async fn until(engine: &Postgres, what: impl Fn(&Status) -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(120);
    while !what(&engine.status()) {
        assert!(std::time::Instant::now() < end, "{:?}", engine.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn founded() -> Server {
    let server = Server::new(SiteId::A);
    found(
        options(&[&server], "owner"),
        direct(),
        CLOUD,
        Some("worker"),
    )
    .await
    .unwrap();
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_conforms() {
    let server = founded().await;
    let engine = opened(&[&server]).await;
    conforms(Arc::clone(&engine) as Arc<dyn Engine>).await;
    let before = all_rows(&*engine).await;
    engine.shutdown().await;
    assert!(matches!(
        engine.commit(commit(vec![], vec![put(b"T", b"")])).await,
        Outcome::Refused(Refused::NotWritable(_))
    ));
    drop(engine);
    let engine = opened(&[&server]).await;
    assert_eq!(all_rows(&*engine).await, before);
    assert_eq!(engine.status().primary, Some(0));
}

/// Two nodes on one catalog: what one does the other sees, versions are never given out twice, the ledger's
/// indices have no holes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_one_order() {
    let server = founded().await;
    let engines = [opened(&[&server]).await, opened(&[&server]).await];
    let start = put_one(&*engines[0], b"Crace", &0u32.to_be_bytes()).await;
    assert_eq!(start.sites(), Sites::Only(SiteId::A));
    let tasks = (0..12usize).map(|n| tokio::spawn(adds(Arc::clone(&engines[n % 2]), 10)));
    let mut versions = Vec::new();
    let mut indices = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        for (version, index) in task.await.unwrap() {
            versions.push(version);
            indices.push(index);
        }
    }
    let row = engines[1].get(b"Crace").await.unwrap().unwrap();
    assert_eq!(row.value[..], 120u32.to_be_bytes());
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 120);
    indices.sort_unstable();
    assert_eq!(indices, (0..120).collect::<Vec<u64>>());
}

/// Adds one to a row by compare and swap, so many times, each with an entry.
async fn adds(engine: Arc<Postgres>, times: usize) -> Vec<(u64, u64)> {
    let mut done = Vec::new();
    while done.len() < times {
        let row = engine.get(b"Crace").await.unwrap().unwrap();
        let next = u32::from_be_bytes(row.value[..].try_into().unwrap()) + 1;
        let same = vec![Precondition::Version(b"Crace".to_vec(), row.version)];
        let request = Commit {
            entries: vec![entry("add")],
            ..commit(same, vec![put(b"Crace", &next.to_be_bytes())])
        };
        match engine.commit(request).await {
            Outcome::Committed(committed) => {
                let version = committed.version();
                done.push((version, committed.into_receipts()[0].index()));
            }
            Outcome::Conflict { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_role_cannot_change_the_ledger() {
    let server = founded().await;
    let engine = opened(&[&server]).await;
    let request = Commit {
        entries: vec![entry("kept")],
        ..commit(vec![], vec![put(b"T1", b"one")])
    };
    committed(engine.commit(request).await);
    for text in [
        "UPDATE clarence.row SET v = 'other' WHERE k >= '\\x4c' AND k < '\\x4d'",
        "DELETE FROM clarence.row WHERE k >= '\\x4c' AND k < '\\x4d'",
        "TRUNCATE clarence.row",
        "DROP TRIGGER ledger_stays ON clarence.row_ledger",
        "UPDATE clarence.head SET cloud = 'aaaaaaaaaaaaaaaa'",
        "UPDATE clarence.row_ledger SET v = 'other'",
    ] {
        let said = server.try_sql(&format!("SET ROLE worker; {text}"));
        let why = said.unwrap_err();
        assert!(
            why.contains("never change")
                || why.contains("permission denied")
                || why.contains("owner"),
            "{text}: {why}"
        );
    }
    // The owner of the tables too has to take the guard away first.
    let why = server
        .try_sql("DELETE FROM clarence.row_ledger")
        .unwrap_err();
    assert!(why.contains("never change"), "{why}");
    assert_eq!(server.sql("SELECT count(*) FROM clarence.row_ledger"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_servers_are_refused_in_words() {
    let server = Server::new(SiteId::A);
    let owner = || options(&[&server], "owner");
    let open = |settings: Options, cloud| Postgres::open(settings, direct(), cloud);
    let refused = open(owner(), CLOUD).await.err().unwrap();
    assert_eq!(refused, OpenError::NotFounded("postgres".into()));
    found(owner(), direct(), CLOUD, None).await.unwrap();
    let twice = found(owner(), direct(), CLOUD, None).await.unwrap_err();
    assert!(matches!(twice, OpenError::Taken(_, _)), "{twice}");
    let other = CloudId::from_bytes([7; 16]);
    let refused = open(owner(), other).await.err().unwrap();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
    assert!(refused.to_string().contains(&"07".repeat(16)), "{refused}");
    let nobody = options(&[&server], "nobody");
    let refused = open(nobody, CLOUD).await.err().unwrap();
    assert!(matches!(refused, OpenError::Denied { .. }), "{refused}");
    let mut far = owner();
    far.members[0].host = "192.0.2.1".into();
    let refused = open(far, CLOUD).await.err().unwrap();
    assert!(matches!(refused, OpenError::Plain(_)), "{refused}");
    // Also one that is not needed now and would be after a take-over.
    let mut later = owner();
    later.members.push(Member {
        site: SiteId::B,
        host: "db-b.example".into(),
        port: 5432,
    });
    let refused = open(later, CLOUD).await.err().unwrap();
    assert!(matches!(refused, OpenError::Plain(_)), "{refused}");
    server.sql("ALTER SYSTEM SET fsync = off");
    server.sql("SELECT pg_reload_conf()");
    let refused = loop {
        // The server takes a new setting over a moment later.
        if let Err(refused) = open(owner(), CLOUD).await {
            break refused;
        }
    };
    assert_eq!(refused, OpenError::NotDurable("fsync = off".into()));
    server.sql("ALTER SYSTEM RESET fsync");
    server.sql("UPDATE clarence.head SET format = 2");
    server.sql("SELECT pg_reload_conf()");
    let refused = loop {
        match open(owner(), CLOUD).await.err().unwrap() {
            OpenError::NotDurable(_) => {}
            refused => break refused,
        }
    };
    assert_eq!(refused, OpenError::Format(2, 1));
}

/// What a client was told while the primary was lost and the standby took over.
struct Heard {
    acknowledged: Vec<Vec<u8>>,
    unknown: Vec<(OpId, Vec<u8>)>,
    both: usize,
}

/// Commits one row after the other until told to stop.
async fn writes(engine: Arc<Postgres>, who: u32, stop: Arc<AtomicBool>) -> Heard {
    let mut heard = Heard {
        acknowledged: Vec::new(),
        unknown: Vec::new(),
        both: 0,
    };
    let mut n = 0u32;
    while !stop.load(Ordering::Acquire) {
        let key = [&b"F"[..], &who.to_be_bytes(), &n.to_be_bytes()].concat();
        n += 1;
        let request = Commit {
            op: op(),
            entries: vec![entry("w")],
            ..commit(
                vec![Precondition::Absent(key.clone())],
                vec![put(&key, b"v")],
            )
        };
        let op = request.op;
        match engine.commit(request).await {
            Outcome::Committed(done) => {
                heard.both += usize::from(done.sites() == Sites::Both);
                heard.acknowledged.push(key);
            }
            Outcome::Unknown(_) => heard.unknown.push((op, key)),
            Outcome::Refused(Refused::Away(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    heard
}

/// Runs writers over `fall`, then checks on the primary that is left: everything acknowledged is there, and what
/// was unknown is there if and only if its op says so.
async fn over(servers: &[&Server], fall: impl FnOnce()) {
    let engine = impatient(servers).await;
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..8)
        .map(|who| tokio::spawn(writes(Arc::clone(&engine), who, Arc::clone(&stop))))
        .collect();
    until(&engine, |status| status.commits >= 200).await;
    let before = engine.status();
    tokio::task::block_in_place(fall);
    until(&engine, |status| status.timeline > before.timeline).await;
    let after = engine.status().commits;
    until(&engine, |status| status.commits >= after + 200).await;
    stop.store(true, Ordering::Release);
    let (mut acknowledged, mut both) = (0, 0);
    for task in tasks {
        let heard = task.await.unwrap();
        both += heard.both;
        acknowledged += heard.acknowledged.len();
        for key in &heard.acknowledged {
            assert!(engine.get(key).await.unwrap().is_some(), "lost: {key:?}");
        }
        for (op, key) in &heard.unknown {
            let took = engine.lookup(*op).await.unwrap();
            let row = engine.get(key).await.unwrap();
            assert_eq!(took, row.map(|row| row.version), "{key:?}");
        }
    }
    assert!(acknowledged >= 200, "{acknowledged}");
    assert!(both > 0, "both sites had it while the standby was there");
    assert_eq!(engine.status().primary, Some(1));
    // The ledger has an entry for each row that is there, without a hole.
    let mut rows = 0;
    let mut range = KeyRange::prefix(b"F");
    loop {
        let page = engine
            .scan(range.clone(), 1000, Order::Ascending)
            .await
            .unwrap();
        let Some((last, _)) = page.last() else { break };
        range = range.after(last);
        rows += page.len();
    }
    let entries = servers[1].sql(
        "SELECT (SELECT count(*) FROM clarence.row_ledger),
            (SELECT k FROM clarence.row_ledger ORDER BY k DESC LIMIT 1)",
    );
    let last = ledger::row_key(rows as u64 - 1);
    let last: String = last.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(entries, format!("{rows}|\\x{last}"));
}

async fn pair() -> (Server, Server) {
    let a = founded().await;
    let b = a.standby(SiteId::B);
    (a, b)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_primary_dies() {
    let (a, b) = pair().await;
    over(&[&a, &b], || {
        a.kill();
        b.promote();
    })
    .await;
}

/// As when only what decides about primaries dies: the old one still says that it takes writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_primary_that_lives_on_acknowledges_nothing() {
    let (a, b) = pair().await;
    over(&[&a, &b], || b.promote()).await;
    assert_eq!(a.sql("SELECT pg_is_in_recovery()"), "f");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_hangs_is_left() {
    let (a, b) = pair().await;
    over(&[&a, &b], || {
        a.signal("STOP");
        b.promote();
    })
    .await;
}

/// The standby goes: with nobody to wait for, a commit is told as unknown and never as durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_cancelled_is_not_acknowledged() {
    let (a, b) = pair().await;
    let engine = opened_with(Options {
        deadline: Duration::from_secs(3),
        hold: Duration::from_secs(5),
        ..options(&[&a, &b], "worker")
    })
    .await;
    assert_eq!(put_one(&*engine, b"T1", b"").await.sites(), Sites::Both);
    b.kill();
    let cancel = async {
        // Somebody cancels what waits for the standby: the server commits, and says so only in a warning.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        tokio::task::block_in_place(|| {
            a.sql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
            )
        })
    };
    let waits = commit(vec![], vec![put(b"T2", b"")]);
    let op = waits.op;
    let (outcome, _) = tokio::join!(engine.commit(waits), cancel);
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    // The row can be read, and that is no proof: the lookup waits for the standby too, and tells nothing.
    assert!(engine.get(b"T2").await.unwrap().is_some());
    assert!(engine.lookup(op).await.is_err());
    // Without a standby to wait for, as when the cluster goes on alone, it is durable at one site.
    a.sql("ALTER SYSTEM SET synchronous_standby_names = ''");
    a.sql("SELECT pg_reload_conf()");
    assert!(engine.lookup(op).await.unwrap().is_some());
    let alone = put_one(&*engine, b"T3", b"").await;
    assert_eq!(alone.sites(), Sites::Only(SiteId::A));
}

/// The rows of the catalog that `schema-1.sql` keeps.
async fn fill(engine: &Postgres) {
    let commits = [
        vec![put(b"B1", b"bucket"), put(b"T1", b"one")],
        vec![put(b"T1", b"two"), put(b"T2", &[0, 1, 2, 254, 255])],
        vec![delete(b"B1")],
    ];
    for (n, mutations) in (1u8..).zip(commits) {
        let request = Commit {
            op: OpId::from_bytes([n; 16]),
            entries: vec![entry("kept")],
            ..commit(vec![], mutations)
        };
        committed(engine.commit(request).await);
    }
}

/// A catalog that an earlier build made is opened, read, and written on with the next numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_of_schema_version_1_opens() {
    let server = Server::new(SiteId::A);
    // What psql alone understands is left out.
    let dump: String = include_str!("golden/postgres-schema-1.sql")
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .flat_map(|line| [line, "\n"])
        .collect();
    server.sql(&dump);
    let settings = options(&[&server], "owner");
    let engine = Postgres::open(settings, direct(), CLOUD).await.unwrap();
    let value = async |key: &[u8]| {
        let row = engine.get(key).await.unwrap();
        row.map(|row| (row.version, row.value.to_vec()))
    };
    assert_eq!(value(b"B1").await, None);
    assert_eq!(value(b"T1").await, Some((2, b"two".to_vec())));
    assert_eq!(value(b"T2").await, Some((2, vec![0, 1, 2, 254, 255])));
    assert_eq!(value(&ledger::row_key(2)).await.unwrap().0, 3);
    let known = engine.lookup(OpId::from_bytes([2; 16])).await.unwrap();
    assert_eq!(known, Some(2));
    let request = Commit {
        entries: vec![entry("next")],
        ..commit(vec![], vec![])
    };
    let done = committed(engine.commit(request).await);
    assert_eq!(done.version(), 4);
    assert_eq!(done.into_receipts()[0].index(), 3);
    let why = server.try_sql("DELETE FROM clarence.row_ledger");
    assert!(why.unwrap_err().contains("never change"));
}

/// Writes the dump anew: for a new version of the schema, under its own name, and never over an older one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes a file of the tests"]
async fn writes_the_dump() {
    let server = Server::new(SiteId::A);
    let owner = || options(&[&server], "owner");
    found(owner(), direct(), CLOUD, None).await.unwrap();
    let engine = Postgres::open(owner(), direct(), CLOUD).await.unwrap();
    fill(&engine).await;
    std::fs::write("tests/it/golden/postgres-schema-1.sql", server.dump()).unwrap();
}

/// Over an address with TLS: with the authority of the server's certificate, for its name, and in no other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_checked() {
    let server = Server::new(SiteId::A);
    let port = server.serve_tls("localhost");
    let tls = |authority: &str| Options {
        members: vec![Member {
            site: SiteId::A,
            host: "localhost".into(),
            port,
        }],
        tls: Some(trusting(&server.pem(authority))),
        hold: Duration::from_secs(1),
        ..options(&[&server], "owner")
    };
    found(tls("authority"), direct(), CLOUD, None)
        .await
        .unwrap();
    let engine = opened_with(tls("authority")).await;
    put_one(&*engine, b"T1", b"over TLS").await;
    let ssl = "SELECT count(*) > 0 AND bool_and(ssl AND version = 'TLSv1.3') FROM pg_stat_ssl \
        JOIN pg_stat_activity USING (pid) WHERE application_name = 'clarence'";
    assert_eq!(server.sql(ssl), "t");
    // Another authority; another name; a server that speaks no TLS.
    let open = |settings| Postgres::open(settings, direct(), CLOUD);
    let refused = open(tls("stranger")).await.err().unwrap();
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
    let mut named = tls("authority");
    named.members[0].host = "127.0.0.1".into();
    let refused = open(named).await.err().unwrap();
    assert!(
        refused.to_string().contains("not valid for name"),
        "{refused}"
    );
    server.sql("ALTER SYSTEM SET ssl = off");
    server.sql("SELECT pg_reload_conf()");
    server.wait_for("SHOW ssl", "off");
    let refused = open(tls("authority")).await.err().unwrap();
    assert!(
        refused.to_string().contains("does not support TLS"),
        "{refused}"
    );
}

fn trusting(authority: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    Arc::new(config.with_no_client_auth())
}

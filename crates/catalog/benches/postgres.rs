//! How many small commits a second the engine on PostgreSQL makes durable, each one row and one ledger entry: by one
//! server, and by one that waits for a synchronous standby on the same disk. Prints one line per case.
//!
//! `cargo bench -p catalog --bench postgres -- [seconds]`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "../tests/it/server.rs"]
#[allow(dead_code)] // the tests ask for more of a server
mod server;

use catalog::postgres::found;
use catalog::{Commit, Engine, Mutation, Outcome, Postgres, Precondition, Sites};
use host::Host;
use ledger::{Entry, Fields, Kind};
use server::{Server, direct, options};
use std::sync::Arc;
use std::time::{Duration, Instant};
use words::{CloudId, OpId, SiteId, UnixMillis};

const CLOUD: CloudId = CloudId::from_bytes([0xc1; 16]);
const VALUE: [u8; 200] = [0x5a; 200];

fn main() {
    let seconds = std::env::args().find_map(|arg| arg.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(10));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let one = Server::new(SiteId::A);
        let owner = options(&[&one], "owner");
        found(owner, direct(), CLOUD, Some("worker")).await.unwrap();
        for clients in [1, 64, 512, 2048] {
            rate("one server", &[&one], clients, time).await;
        }
        let two = one.standby(SiteId::B);
        for clients in [1, 64, 512, 2048] {
            rate("with a synchronous standby", &[&one, &two], clients, time).await;
        }
    });
}

async fn rate(case: &str, servers: &[&Server], clients: u32, time: Duration) {
    let settings = options(servers, "worker");
    let engine = Arc::new(Postgres::open(settings, direct(), CLOUD).await.unwrap());
    let both = servers.len() == 2;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| tokio::spawn(puts(Arc::clone(&engine), begin + time, both)))
        .collect();
    let mut done = 0u64;
    let mut waits = Vec::new();
    for task in tasks {
        let took = task.await.unwrap();
        done += took.len() as u64;
        waits.extend(took);
    }
    let seconds = begin.elapsed().as_secs_f64();
    waits.sort_unstable();
    let at = |part: usize| waits[waits.len() * part / 100].as_secs_f64() * 1e3;
    println!(
        "{case}, {clients} at once: {:.0} commits/s, {:.0} a batch, {:.1} ms at the median, {:.1} ms for 99 of 100",
        done as f64 / seconds,
        done as f64 / engine.status().batches as f64,
        at(50),
        at(99),
    );
    engine.shutdown().await;
}

/// One client: a new row each time, the next when the one before is durable.
async fn puts(engine: Arc<Postgres>, end: Instant, both: bool) -> Vec<Duration> {
    let mut waits = Vec::new();
    let commitment = Fields::new(Kind::Write, UnixMillis(7)).commit(&[3; 32]);
    while Instant::now() < end {
        let op: [u8; 16] = Host::real().random();
        let key = [&b"T"[..], &op].concat();
        let request = Commit {
            op: OpId::from_bytes(op),
            preconditions: vec![Precondition::Absent(key.clone())],
            mutations: vec![Mutation::Put {
                key,
                value: VALUE.to_vec().into(),
            }],
            entries: vec![Entry::prepare(commitment, vec![0x5a; 300])],
        };
        let begin = Instant::now();
        match engine.commit(request).await {
            Outcome::Committed(done) => assert_eq!(done.sites() == Sites::Both, both),
            other => unreachable!("{other:?}"),
        }
        waits.push(begin.elapsed());
    }
    waits
}

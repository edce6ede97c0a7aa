//! Puts names into a bucket in random order, folding as a node would, then lists in every way.

use crate::under_test::{Index, ListItem, ListQuery, NameFacts, Tuning, WHAT, put_delta};
use catalog::{Commit, Engine, Mutation, Outcome};
use host::Host;
use seal::IndexKey;
use std::sync::Arc;
use words::{BucketId, CloudId, ObjectKey, OpId, UnixMillis, VersionId};

const BUCKET: BucketId = BucketId::from_bytes([7; 16]);
const CACHE: usize = 32 * 1024 * 1024;
type Anything = Box<dyn std::error::Error>;

pub fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(Anything::from)
        .and_then(|runtime| runtime.block_on(measure()));
    if let Err(why) = done {
        eprintln!("not measured: {why}");
        std::process::exit(1);
    }
}

async fn measure() -> Result<(), Anything> {
    let mut args = std::env::args().skip(1);
    let place = args.next().unwrap_or_else(|| "memory".to_owned());
    let count: u64 = args
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let host = Host::real();
    let engine = open_engine(&place, &host)?;
    let key = IndexKey::from_bytes(host.random());
    println!(
        "names {WHAT}, catalog {place}, {count} names, cache {} MiB",
        CACHE >> 20
    );
    delta_cost(&key, &host);
    let index = Index::new(Arc::clone(&engine), host.clone(), CACHE);
    fill(&index, &engine, &key, &host, count).await?;
    println!(
        "  memory after the fill: caches {} KiB, process {} MiB",
        index.cached_bytes() >> 10,
        rss_mib()
    );
    lists(&engine, &key, &host, count).await?;
    walks(&engine, &key, &host, count).await?;
    delimiters(&engine, &key, &host).await?;
    deltas_on_top(&engine, &key, &host, count).await?;
    println!("  memory at the end: process {} MiB", rss_mib());
    Ok(())
}

fn open_engine(place: &str, host: &Host) -> Result<Arc<dyn Engine>, Anything> {
    if place == "memory" {
        return Ok(Arc::new(catalog::Memory::new()));
    }
    let folder = std::path::Path::new(place);
    let [a, b] = ["site-a", "site-b"].map(|site| folder.join(site));
    let parents = ["p0", "p1", "p2"].map(|parent| (parent.to_owned(), folder.join(parent)));
    for path in [&a, &b]
        .into_iter()
        .chain(parents.iter().map(|(_, path)| path))
    {
        host::files::make_folder(path, 0o700)?;
    }
    let cloud = CloudId::from_bytes([3; 16]);
    let places = epoch::Places::folders(cloud, [&a, &b], &parents, host.clone());
    places.found()?;
    let options = catalog::embedded::Options::default();
    catalog::Embedded::create([&a, &b], cloud, &options)?;
    let tenure = Arc::new(epoch::Tenure::start(places)?);
    let engine = catalog::Embedded::open([Some(a), Some(b)], tenure, options, host.clone())?;
    Ok(Arc::new(engine))
}

/// A thousand folders of equal size; 44 bytes.
fn name(number: u64) -> String {
    format!(
        "archive/{:04}/2026-11/document-{number:09}.pdf",
        number % 1000
    )
}

/// Visits all numbers below `count` in an order without pattern.
fn shuffled(at: u64, count: u64) -> u64 {
    let mut step = 7_368_787 % count;
    while gcd(step, count) != 1 {
        step += 1;
    }
    at * step % count
}

const fn gcd(left: u64, right: u64) -> u64 {
    if right == 0 {
        left
    } else {
        gcd(right, left % right)
    }
}

fn facts(number: u64) -> NameFacts {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    NameFacts {
        size: number,
        modified: UnixMillis(1_800_000_000_000 + number),
        etag: bytes,
        parts: 0,
        version: VersionId::from_bytes(bytes),
    }
}

fn delta(key: &IndexKey, host: &Host, number: u64) -> Result<Mutation, Anything> {
    Ok(put_delta(
        key,
        BUCKET,
        &ObjectKey::parse(&name(number))?,
        &facts(number),
        host.random(),
    ))
}

fn delta_cost(key: &IndexKey, host: &Host) {
    let start = host.elapsed();
    let mut bytes = 0;
    for number in 0..100_000 {
        if let Ok(Mutation::Append { value, .. }) = delta(key, host, number) {
            bytes += value.len();
        }
    }
    let each = (host.elapsed() - start).as_secs_f64() * 10.0;
    println!(
        "  making one delta: {each:.2} us, {} bytes",
        bytes / 100_000
    );
}

async fn commit(
    engine: &Arc<dyn Engine>,
    host: &Host,
    mutations: Vec<Mutation>,
) -> Result<(), Anything> {
    let op = OpId::from_bytes(host.random());
    match engine
        .commit(Commit {
            op,
            preconditions: vec![],
            mutations,
            entries: vec![],
        })
        .await
    {
        Outcome::Committed(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

async fn fill(
    index: &Index,
    engine: &Arc<dyn Engine>,
    key: &IndexKey,
    host: &Host,
    count: u64,
) -> Result<(), Anything> {
    let (mut folding, mut putting, mut longest) = (0.0, 0.0, 0.0_f64);
    let (mut deltas, mut merged, mut pages) = (0, 0, 0);
    let mut at = 0;
    while at < count {
        let start = host.elapsed();
        for _ in 0..32 {
            let upto = (at + 500).min(count);
            let made: Result<Vec<_>, _> = (at..upto)
                .map(|at| delta(key, host, shuffled(at, count)))
                .collect();
            commit(engine, host, made?).await?;
            at = upto;
        }
        let put = host.elapsed();
        let report = index.fold(key, BUCKET).await?;
        let folded = (host.elapsed() - put).as_secs_f64();
        putting += (put - start).as_secs_f64();
        folding += folded;
        longest = longest.max(folded);
        deltas += report.deltas;
        merged += report.merged;
        pages += report.pages;
    }
    println!(
        "  putting deltas (500 in a commit): {:.0}/s; folding {deltas} deltas: {:.0}/s with all merges \
         ({:.1} rewrites a name, {pages} rows written, longest fold {longest:.2} s)",
        count as f64 / putting,
        deltas as f64 / folding,
        merged as f64 / deltas.max(1) as f64,
    );
    Ok(())
}

fn summary(what: &str, mut millis: Vec<f64>) {
    millis.sort_by(f64::total_cmp);
    let at = |share: f64| {
        millis
            .get(((millis.len() - 1) as f64 * share) as usize)
            .copied()
            .unwrap_or(0.0)
    };
    println!("  {what}: p50 {:.2} ms, p99 {:.2} ms", at(0.5), at(0.99));
}

fn timed(host: &Host, start: std::time::Duration) -> f64 {
    (host.elapsed() - start).as_secs_f64() * 1000.0
}

fn after(number: u64) -> ListQuery {
    ListQuery {
        after: Some(name(number)),
        ..ListQuery::under("")
    }
}

async fn lists(
    engine: &Arc<dyn Engine>,
    key: &IndexKey,
    host: &Host,
    count: u64,
) -> Result<(), Anything> {
    let mut cold = Vec::new();
    for at in 0..50 {
        let index = Index::new(Arc::clone(engine), host.clone(), CACHE);
        let start = host.elapsed();
        let page = index.list(key, BUCKET, &after(shuffled(at, count))).await?;
        cold.push(timed(host, start));
        if page.items.is_empty() {
            return Err("an empty page".into());
        }
    }
    summary(&format!("LIST 1,000 of {count}, cold"), cold);
    for (what, spread) in [("one place again", 1), ("random places", 1000)] {
        let index = Index::new(Arc::clone(engine), host.clone(), CACHE);
        let mut warm = Vec::new();
        for at in 0..1000 {
            let start = host.elapsed();
            index
                .list(key, BUCKET, &after(shuffled(at % spread, count)))
                .await?;
            warm.push(timed(host, start));
        }
        summary(
            &format!("LIST 1,000 of {count}, warm, {what}"),
            warm.split_off(500),
        );
    }
    Ok(())
}

async fn walks(
    engine: &Arc<dyn Engine>,
    key: &IndexKey,
    host: &Host,
    count: u64,
) -> Result<(), Anything> {
    for (cache, rounds) in [(CACHE, 1), (CACHE * 16, 2)] {
        let tuning = Tuning {
            cache_bytes: cache,
            ..Tuning::default()
        };
        let index = Index::with_tuning(Arc::clone(engine), host.clone(), tuning);
        for round in 0..rounds {
            let start = host.elapsed();
            let mut query = ListQuery::under("");
            let mut seen = 0;
            loop {
                let page = index.list(key, BUCKET, &query).await?;
                seen += page.items.len() as u64;
                query.after = page.next;
                if !page.truncated {
                    break;
                }
            }
            if seen != count {
                return Err(format!("{seen} names listed, {count} put").into());
            }
            let rate = count as f64 / (host.elapsed() - start).as_secs_f64();
            let (cache, round) = (cache >> 20, round + 1);
            println!(
                "  all names, 1,000 a page, cache {cache} MiB, round {round}: {rate:.0} keys/s"
            );
        }
    }
    Ok(())
}

async fn delimiters(engine: &Arc<dyn Engine>, key: &IndexKey, host: &Host) -> Result<(), Anything> {
    let mut cold = Vec::new();
    let mut warm = Vec::new();
    let query = ListQuery {
        delimiter: Some("/".to_owned()),
        ..ListQuery::under("archive/")
    };
    for _ in 0..10 {
        let index = Index::new(Arc::clone(engine), host.clone(), CACHE);
        for again in 0..2 {
            let start = host.elapsed();
            let page = index.list(key, BUCKET, &query).await?;
            if page.items.len() != 1000 || !matches!(page.items.first(), Some(ListItem::Prefix(_)))
            {
                return Err("not a thousand common prefixes".into());
            }
            if again == 0 { &mut cold } else { &mut warm }.push(timed(host, start));
        }
    }
    summary("1,000 common prefixes over all names, cold", cold);
    summary("1,000 common prefixes over all names, warm", warm);
    Ok(())
}

async fn deltas_on_top(
    engine: &Arc<dyn Engine>,
    key: &IndexKey,
    host: &Host,
    count: u64,
) -> Result<(), Anything> {
    for (from, upto) in [(0, 1_000), (1_000, 16_000), (16_000, 64_000)] {
        for at in (from..upto).step_by(500) {
            let made: Result<Vec<_>, _> = (at..at + 500)
                .map(|at| delta(key, host, shuffled(at, count)))
                .collect();
            commit(engine, host, made?).await?;
        }
        let index = Index::new(Arc::clone(engine), host.clone(), CACHE);
        let start = host.elapsed();
        index.list(key, BUCKET, &after(5)).await?;
        let cold = timed(host, start);
        let mut warm = Vec::new();
        for _ in 0..200 {
            let start = host.elapsed();
            index.list(key, BUCKET, &after(5)).await?;
            warm.push(timed(host, start));
        }
        println!(
            "  {upto} deltas not folded yet: first LIST {cold:.1} ms, caches {} KiB",
            index.cached_bytes() >> 10
        );
        summary("    then", warm);
    }
    Ok(())
}

/// Resident memory of this process.
fn rss_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .unwrap_or(0);
    (pages * 4096) >> 20
}

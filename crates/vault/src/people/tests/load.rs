//! How long an answer takes over a large ledger on a disk. Not among the ordinary tests: it writes gigabytes.
//! `cargo nextest run --workspace --run-ignored all --no-capture -E 'package(vault) and test(large_ledger)'`
#![allow(clippy::disallowed_methods)] // it measures

use super::{Scene, scene_over};
use ::people::record::whole::{Extent, WholeRow};
use ::people::{OPERATION, verify};
use catalog::embedded::Options;
use catalog::{Commit, Embedded, Engine, Outcome};
use epoch::{MemoryWitness, Places, Tenure, Witness};
use host::Host;
use ledger::{Entry, Fields, Kind, VerifierKeys};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use words::{CloudId, OpId, SiteId, Subject, UnixMillis};

const AT_ONCE: u64 = 900;
const COMMITS_UNDER_WAY: u64 = 16;
/// Lines of the person's own, and accesses to whole datasets.
const LINES: [u64; 2] = [200, 200];

fn on_disk(folder: &Path, cloud: CloudId, host: &Host) -> Arc<dyn Engine> {
    let witness = |name: &str| -> Arc<dyn Witness> { Arc::new(MemoryWitness::new(name)) };
    let places = Places {
        cloud,
        sites: SiteId::BOTH.map(|site| witness(&site.to_string())),
        witnesses: ["p0", "p1", "p2"].map(witness).to_vec(),
        quorum: 2,
        host: host.clone(),
    };
    places.found().unwrap();
    let tenure = Arc::new(Tenure::start(places).unwrap());
    let sites = SiteId::BOTH.map(|site| folder.join(site.to_string()));
    for site in &sites {
        host::files::make_folder(site, 0o700).unwrap();
    }
    let options = Options::default();
    Embedded::create([&sites[0], &sites[1]], cloud, &options).unwrap();
    Arc::new(Embedded::open(sites.map(Some), tenure, options, host.clone()).unwrap())
}

/// Entries of others, as long as real ones.
async fn others(scene: &Scene, engine: &Arc<dyn Engine>, count: u64) {
    let fields = Fields::new(Kind::Write, UnixMillis(7));
    let mut left = count;
    while left > 0 {
        let commits = (0..COMMITS_UNDER_WAY.min(left.div_ceil(AT_ONCE))).map(|_| {
            let now = AT_ONCE.min(left);
            left -= now;
            let entry = |_| Entry::prepare(fields.commit(&scene.host.random()), vec![7; 360]);
            let commit = Commit {
                op: OpId::from_bytes(scene.host.random()),
                preconditions: Vec::new(),
                mutations: Vec::new(),
                entries: (0..now).map(entry).collect(),
            };
            engine.commit(commit)
        });
        let commits: Vec<_> = commits.collect();
        for outcome in futures::future::join_all(commits).await {
            assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes gigabytes"]
async fn an_answer_over_a_large_ledger() {
    let entries = std::env::var("CLARENCE_ENTRIES").map_or(10_000_000, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut kept = None;
    let scene = scene_over(|cloud, host| {
        let engine = on_disk(folder.path(), cloud, host);
        kept = Some(Arc::clone(&engine));
        engine
    })
    .await;
    let engine = kept.unwrap();
    let anna = Subject::parse("1893120105732").unwrap();
    let begun = Instant::now();
    for n in 0..LINES[0] {
        others(&scene, &engine, entries / LINES[0]).await;
        scene.read(&anna, 0).await;
        if n < LINES[1] {
            let mut fields = scene.vault.fields_of(Kind::Grant, &scene.who, "Query");
            fields.resource = Some("residents".into());
            let entry = scene.vault.entry_for(&scene.who.owner, &fields);
            let row = WholeRow {
                extent: Extent::Whole,
                index: None,
                visible: UnixMillis(0),
            };
            let put = scene
                .vault
                .whole_put(&scene.who.owner, &entry.leaf().hash(), row);
            drop(
                scene
                    .vault
                    .record_with(vec![], vec![put], entry)
                    .await
                    .unwrap(),
            );
        }
    }
    println!("{entries} entries written in {:?}", begun.elapsed());

    let begun = Instant::now();
    let vault = &scene.vault;
    let log_folder = folder.path().join("log");
    host::files::make_folder(&log_folder, 0o755).unwrap();
    let mut log = vault.publisher(&log_folder).unwrap();
    loop {
        let first = log.next_index();
        let leaves = vault.leaves(first).await.unwrap();
        if leaves.is_empty() {
            break;
        }
        log.publish(first, &leaves).unwrap();
    }
    log.checkpoint(scene.host.now()).unwrap();
    println!("published in {:?}", begun.elapsed());

    for round in 0..3 {
        let begun = Instant::now();
        let record = vault
            .person_record(scene.cloud, &scene.office, &anna, None)
            .await
            .unwrap();
        let gathered = begun.elapsed();
        log.publish(
            log.next_index(),
            &vault.leaves(log.next_index()).await.unwrap(),
        )
        .unwrap();
        log.checkpoint(scene.host.now()).unwrap();
        let answer = vault.person_answer(record, &log_folder).await.unwrap();
        let took = begun.elapsed();
        let keys = VerifierKeys::parse(&vault.verifier_keys().unwrap()).unwrap();
        let checked = verify(&answer, &keys, Some(anna.as_str())).unwrap();
        let answers = checked
            .accesses
            .iter()
            .filter(|(_, access)| access.operation == OPERATION)
            .count();
        assert_eq!(
            checked.accesses.len() - answers,
            (LINES[0] + LINES[1]) as usize
        );
        println!(
            "round {round}: {} lines gathered in {gathered:?}, answered in {took:?}, {} bytes, over {} entries",
            checked.accesses.len(),
            answer.to_text().len(),
            checked.said.log.0,
        );
        assert!(took.as_secs_f64() < 1.0, "{took:?}");
    }
}

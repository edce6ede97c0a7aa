//! Whole runs from seeds: what the clients saw must have an explanation, and what they were told must be
//! there afterwards.
//!
//! `CLARENCE_SIM_SEED=N` runs one seed and prints its history (`cargo nextest run --no-capture`);
//! `CLARENCE_LONG` runs ten thousand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them

use sim::run::{Harm, Report, run};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const SEEDS: u64 = 48;
const SEEDS_LONG: u64 = 10_000;

/// Runs seeds on all cores and gives the reports, or stops at the first seed that breaks something.
fn run_all(first: u64, count: u64) -> Vec<Report> {
    let (next, reports) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return;
            }
            let report = run(first + n, Harm::None)
                .unwrap_or_else(|error| panic!("seed {} did not run: {error}", first + n));
            if !report.broken.is_empty() {
                // The other threads need not go on.
                next.store(count, Ordering::Relaxed);
            }
            reports.lock().unwrap().push(Report {
                history: if report.broken.is_empty() {
                    String::new()
                } else {
                    report.history
                },
                ..report
            });
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let mut reports = reports.into_inner().unwrap();
    reports.sort_by_key(|report| report.seed);
    if let Some(bad) = reports.iter().find(|report| !report.broken.is_empty()) {
        panic!(
            "seed {}:\n{}\n{}\nrun it alone with CLARENCE_SIM_SEED={}",
            bad.seed,
            bad.history,
            bad.broken.join("\n"),
            bad.seed
        );
    }
    reports
}

#[test]
fn whatever_befalls_it_nothing_acknowledged_is_lost() {
    let count = if std::env::var_os("CLARENCE_LONG").is_some() {
        SEEDS_LONG
    } else {
        SEEDS
    };
    let reports = run_all(1, count);
    assert_eq!(reports.len() as u64, count);
    let acts: usize = reports.iter().map(|report| report.acts).sum();
    let entries: u64 = reports.iter().map(|report| report.entries).sum();
    println!("{count} seeds, {acts} acts, {entries} entries");
    // Runs in which hardly anything is answered would prove nothing.
    assert!(acts as u64 > 40 * count && entries > 60 * count);
}

/// Too few parents answer when a site is to be given up, one of them takes the record all the same, and the
/// node that starts next goes by it: the site is behind, though the node before it never said so.
#[test]
fn seeds_762_and_1524() {
    for seed in [762, 1524] {
        run_all(seed, 1);
    }
}

#[test]
fn one_seed_by_hand() {
    let Some(seed) = std::env::var("CLARENCE_SIM_SEED").ok() else {
        return;
    };
    let report = run(seed.parse().expect("a seed is a number"), Harm::None).unwrap();
    println!("{}", report.history);
    println!(
        "seed {}: {} acts, {} entries, {}",
        report.seed, report.acts, report.entries, report.digest
    );
    assert!(report.broken.is_empty(), "{}", report.broken.join("\n"));
}

/// Without this a seed that found something could not be run again.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let mut digests = Vec::new();
    for seed in [1, 2, 3, 5, 8, 9, 11, 13] {
        let (once, again) = (
            run(seed, Harm::None).unwrap(),
            run(seed, Harm::None).unwrap(),
        );
        let pairs = once.history.lines().zip(again.history.lines());
        for (n, (one, other)) in pairs.enumerate() {
            assert_eq!(one, other, "seed {seed}, line {n}");
        }
        assert_eq!(once, again, "seed {seed}: rows or chunks differ");
        digests.push(once.digest);
    }
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 8, "different seeds, different runs");
}

/// The checks find harm that is done on purpose. In some runs a harm does not show: a row that is put back
/// may be the one that is there. So each must be found in most of some seeds.
fn found(harm: Harm, said: &str) {
    let mut found = 0;
    for seed in 100..106 {
        let report = run(seed, harm).unwrap();
        found += usize::from(report.broken.iter().any(|broken| broken.contains(said)));
    }
    assert!(found >= 3, "{harm:?} was found in {found} of 6 runs");
}

#[test]
fn a_lost_write_is_found() {
    found(Harm::LostWrite, "has no order of its acts");
}

#[test]
fn old_data_that_comes_back_is_found() {
    found(Harm::OldRows, "has no order of its acts");
}

#[test]
fn damage_at_both_sites_is_found() {
    found(Harm::BothCopies, "Damaged");
}

#[test]
fn a_leak_is_found() {
    found(Harm::Leak, "lies in row");
}

#[test]
fn a_chunk_that_is_never_removed_is_found() {
    found(Harm::Stray, "belong to nothing");
}

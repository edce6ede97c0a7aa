//! What the hot calls cost. Run with `--ignored --nocapture`; the figures stand in docs/format/ledger.md.

use crate::support::{files, keys, leaf};
use host::Host;
use ledger::folder::Folder;
use ledger::{Checkpoint, Fields, Kind, Leaf, Publisher};
use std::hint::black_box;
use words::{BucketId, SiteId, TenantId, UnixMillis, VersionId};

pub fn typical() -> Fields {
    let mut fields = Fields::new(Kind::Grant, UnixMillis(1_764_000_000_000));
    fields.node = Some("site-a/node-1".into());
    fields.tenant = Some(TenantId::from_bytes([1; 16]));
    fields.actor = Some("AKIAEXAMPLE123456789".into());
    fields.session = Some("0123456789abcdef".into());
    fields.operation = Some("GetObject".into());
    fields.resource = Some("registry-extracts/2026/11/23/extract-000123.parquet".into());
    fields.bucket = Some(BucketId::from_bytes([2; 16]));
    fields.version = Some(VersionId::from_bytes([3; 16]));
    fields.decision = Some("permit".into());
    fields.policy_digest = Some([4; 32]);
    fields.request_digest = Some([5; 32]);
    fields.bytes = Some(1 << 20);
    fields.ranges = Some(vec![(0, 1 << 20)]);
    fields.sites = Some(vec![SiteId::A, SiteId::B]);
    fields
}

#[test]
#[ignore = "measures"]
fn cost_of_a_commitment() {
    let host = Host::real();
    let fields = typical();
    for _ in 0..3 {
        let start = host.elapsed();
        for i in 0..100_000_u32 {
            let mut key = [7; 32];
            key[..4].copy_from_slice(&i.to_le_bytes());
            black_box(fields.commit(black_box(&key)));
        }
        println!("commit: {:?} each", (host.elapsed() - start) / 100_000);
        let start = host.elapsed();
        for _ in 0..100_000_u32 {
            black_box(fields.opening(black_box(&[7; 32])));
        }
        println!("opening: {:?} each", (host.elapsed() - start) / 100_000);
    }
}

#[test]
#[ignore = "measures"]
fn cost_of_a_million_entries() {
    let host = Host::real();
    let folder = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::open(folder.path(), keys()).unwrap();
    let leaves: Vec<Leaf> = (0..1_000_000).map(|index| leaf(7, index)).collect();
    let start = host.elapsed();
    for (batch, leaves) in leaves.chunks(15_000).enumerate() {
        publisher.publish(batch as u64 * 15_000, leaves).unwrap();
        publisher.checkpoint(UnixMillis(1)).unwrap();
    }
    println!("publish with 67 checkpoints: {:?}", host.elapsed() - start);
    let start = host.elapsed();
    let verified = ledger::verify(folder.path(), &ledger::Trust::default()).unwrap();
    println!(
        "verify {}: {:?}",
        verified.checkpoint.size,
        host.elapsed() - start
    );
    let start = host.elapsed();
    let publisher = Publisher::open(folder.path(), keys()).unwrap();
    println!(
        "open at {}: {:?}",
        publisher.next_index(),
        host.elapsed() - start
    );
    let start = host.elapsed();
    let proof = Folder::at(folder.path())
        .inclusion_proof(123_456, 1_000_000)
        .unwrap();
    println!(
        "inclusion proof of {} hashes: {:?}",
        proof.len(),
        host.elapsed() - start
    );
    let bytes: u64 = files(folder.path())
        .iter()
        .map(|name| {
            host::files::stat(&folder.path().join(name))
                .unwrap()
                .unwrap()
                .0
        })
        .sum();
    println!("bytes in files: {bytes}");
}

#[test]
#[ignore = "measures"]
fn cost_of_a_checkpoint() {
    let host = Host::real();
    let keys = keys();
    let head = Checkpoint {
        origin: keys.verifier().name().into(),
        size: 1,
        root: [0; 32],
        time: None,
    };
    let start = host.elapsed();
    for _ in 0..200 {
        black_box(keys.sign(&head).unwrap());
    }
    println!("sign: {:?} each", (host.elapsed() - start) / 200);
    let note = keys.sign(&head).unwrap().to_text();
    println!("checkpoint bytes: {}", note.len());
    let start = host.elapsed();
    for _ in 0..200 {
        keys.verifier().open(black_box(note.as_bytes())).unwrap();
    }
    println!("open: {:?} each", (host.elapsed() - start) / 200);
}

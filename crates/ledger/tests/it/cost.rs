//! What the hot calls cost. Run with `--ignored --nocapture`; the figures stand in docs/format/ledger.md.

use host::Host;
use ledger::{Fields, Kind};
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

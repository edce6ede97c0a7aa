//! What the vault stores: tenants, buckets, credentials, rotations, trust anchors and the header of a site folder. One spelling each;
//! no damage of a header passes.
#![no_main]

use fuzz::{Input, canonical, damaged};
use libfuzzer_sys::fuzz_target;
use vault::record::access_key::AccessKeyRow;
use vault::record::agreement::AgreementRow;
use vault::record::anchor::{AnchorPart, AnchorRow};
use vault::record::bucket::{self, BucketRow};
use vault::record::cohorts::CohortsRow;
use vault::record::rotation::{self, RotationRow};
use vault::record::site_header::{SiteHeader, UnderRoot};
use vault::record::tenant::{self, TenantRow};
use words::{CloudId, SiteId, UnixMillis};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 12 {
        0 => {
            canonical(input.rest(), TenantRow::decode, TenantRow::encode);
        }
        1 => {
            canonical(input.rest(), BucketRow::decode, BucketRow::encode);
        }
        2 => {
            canonical(input.rest(), AccessKeyRow::decode, AccessKeyRow::encode);
        }
        3 => {
            canonical(input.rest(), SiteHeader::decode, SiteHeader::encode);
        }
        4 => {
            let more = if input.flag() { UNDER_ROOT_BYTES } else { 0 };
            let body = input.take(SITE_HEADER_BYTES + more - 32);
            let bytes = [body, &ledger::tree::leaf_hash(body)].concat();
            canonical(&bytes, SiteHeader::decode, SiteHeader::encode);
        }
        5 => made_here(&mut input),
        8 => {
            canonical(input.rest(), CohortsRow::decode, CohortsRow::encode);
        }
        9 => {
            // An agreement's row of the first version is read, and written as one of the second.
            let rest = input.rest();
            if let Ok(row) = AgreementRow::decode(rest) {
                let again = row.encode();
                assert!(rest.first() == Some(&1) || again == rest, "one spelling");
                assert_eq!(AgreementRow::decode(&again), Ok(row));
            }
        }
        10 => {
            canonical(input.rest(), AnchorRow::decode, AnchorRow::encode);
        }
        11 => {
            canonical(input.rest(), AnchorPart::decode, AnchorPart::encode);
        }
        7 => {
            canonical(input.rest(), RotationRow::decode, RotationRow::encode);
            canonical(input.rest(), rotation::target_in, |of| rotation::key(*of));
        }
        _ => {
            canonical(input.rest(), tenant::tenant_in, |id| tenant::key(*id));
            let key = data.get(1..).unwrap_or_default();
            assert!(bucket::tenant_in(key).is_err() || key[0] == b'B');
        }
    }
});

const SITE_HEADER_BYTES: usize = 8 + 1 + 16 + 1 + 8 + 4 + 104 + 104 + 32 + 32;
const UNDER_ROOT_BYTES: usize = 4 + 16 + 104;

fn made_here(input: &mut Input<'_>) {
    let header = SiteHeader {
        cloud: CloudId::from_bytes(input.array()),
        site: if input.flag() { SiteId::A } else { SiteId::B },
        founded: UnixMillis(input.u64()),
        key_version: input.u32(),
        key: [input.u8(); 104],
        other_key: [input.u8(); 104],
        charter: [input.u8(); 32],
        root: input.flag().then(|| UnderRoot {
            version: input.u32().max(1),
            ceremony: input.array(),
            erase_key: [input.u8(); 104],
        }),
    };
    let stored = header.encode();
    let more = header.root.as_ref().map_or(0, |_| UNDER_ROOT_BYTES);
    assert_eq!(stored.len(), SITE_HEADER_BYTES + more);
    assert_eq!(SiteHeader::decode(&stored), Ok(header));
    let bad = damaged(&stored, input);
    assert!(
        bad == stored || SiteHeader::decode(&bad).is_err(),
        "damage was read"
    );
}

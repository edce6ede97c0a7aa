//! The epoch record, which decides who may serve: one spelling, no damage passes, and under a right checksum
//! only the three standings there are.
#![no_main]

use epoch::{EpochRecord, Standing};
use fuzz::{Input, canonical, damaged};
use libfuzzer_sys::fuzz_target;
use words::{CloudId, SiteId, UnixMillis};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 3 {
        0 => drop(read(input.rest())),
        1 => {
            let content: [u8; 42] = input.array();
            let found = read(&checksummed(&content));
            let standing = matches!(content[25], 0 | b'a' | b'b');
            assert_eq!(found.is_some(), content[0] == 1 && standing);
        }
        _ => {
            let record = EpochRecord {
                cloud: CloudId::from_bytes(input.array()),
                epoch: input.u64(),
                standing: match input.u8() % 3 {
                    0 => Standing::BothCurrent,
                    1 => Standing::Only(SiteId::A),
                    _ => Standing::Only(SiteId::B),
                },
                since: UnixMillis(input.u64()),
                head: input.u64(),
            };
            let stored = record.encode();
            assert_eq!(read(&stored), Some(record));
            let bad = damaged(&stored, &mut input);
            assert!(bad == stored || read(&bad).is_none(), "damage was read");
        }
    }
});

fn read(bytes: &[u8]) -> Option<EpochRecord> {
    canonical(bytes, EpochRecord::decode, EpochRecord::encode)
}

/// As `docs/format/epoch.md` has it.
fn checksummed(content: &[u8]) -> Vec<u8> {
    let sum = blake3::derive_key("clarence v1 epoch record checksum", content);
    [content, &sum].concat()
}

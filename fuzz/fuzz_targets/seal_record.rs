//! The object record and the segment table: a record under a right MAC has one spelling; one that was altered
//! is never proven; a table is taken exactly if it is the one that the record was made with.
#![no_main]

use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk};
use aws_lc_rs::hmac;
use fuzz::{Input, bounded, canonical, damaged};
use libfuzzer_sys::fuzz_target;
use seal::record::{RECORD_BYTES, SEGMENT_BYTES, table_bytes};
use seal::{ClaimedRecord, Kek, KeyId, Manifest, NewRecord, ObjectKey, ObjectPlace, ObjectRecord};
use seal::{Segment, Wrapped};
use words::{BucketId, TenantId, VersionId};

const KEY: [u8; 32] = [0x42; 32];
const SEGMENTS_MAX: usize = 24;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 4 {
        0 => any(input.rest()),
        1 => under_a_right_mac(input.rest()),
        2 => {
            let segments = segments(&mut input);
            made_here(&mut input, &segments);
        }
        _ => {
            let rest = input.rest();
            canonical(rest, Segment::parse, Segment::to_bytes);
        }
    }
});

fn key() -> ObjectKey {
    ObjectKey::fresh(KEY)
}

/// No bytes are proven that were not made under the key.
fn any(bytes: &[u8]) {
    match ClaimedRecord::read(bytes) {
        Ok(claimed) => {
            let place = place_in(bytes);
            assert_eq!(claimed.version(), place.version);
            assert!(claimed.prove(&key(), &place).is_err(), "a guessed MAC");
        }
        Err(error) => bounded(&error),
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        64
    }
}

/// The MAC as `docs/format/seal.md` has it.
fn mac(signed: &[u8]) -> Vec<u8> {
    let prk = Prk::new_less_safe(HKDF_SHA512, &KEY);
    let mut key = [0; 64];
    prk.expand(&[b"clarence/v1/record"], Length)
        .and_then(|okm| okm.fill(&mut key))
        .expect("64 bytes");
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &key), signed)
        .as_ref()
        .to_vec()
}

/// The place that the bytes of a record name.
fn place_in(bytes: &[u8]) -> ObjectPlace {
    let mut input = Input::new(bytes);
    input.take(12);
    let (tenant, bucket, version) = (input.array(), input.array(), input.array());
    input.take(16 + 4 + 8 + 4 + 4 + 104 + 32);
    ObjectPlace {
        tenant: TenantId::from_bytes(tenant),
        bucket: BucketId::from_bytes(bucket),
        version: VersionId::from_bytes(version),
        name: input.array(),
    }
}

fn under_a_right_mac(content: &[u8]) {
    let mut bytes = vec![0; RECORD_BYTES - 64];
    let length = content.len().min(bytes.len());
    bytes[..length].copy_from_slice(&content[..length]);
    bytes.extend(mac(&bytes));
    let Ok(claimed) = ClaimedRecord::read(&bytes) else {
        return;
    };
    let record = claimed
        .prove(&key(), &place_in(&bytes))
        .expect("its MAC is right");
    assert_eq!(record.to_bytes(&key()).as_slice(), bytes);
}

fn segments(input: &mut Input<'_>) -> Vec<Segment> {
    let count = input.below(SEGMENTS_MAX) + 1;
    let one = |_| {
        let plain_bytes = u64::from(input.u32()) + u64::from(input.u8() & 1) * (1 << 32);
        Segment {
            salt: [input.u8(); 24],
            plain_bytes,
            sealed_bytes: seal::cobblestone::sealed_len(plain_bytes),
            blake3: [input.u8(); 32],
        }
    };
    (0..count).map(one).collect()
}

fn made_here(input: &mut Input<'_>, segments: &[Segment]) {
    let new = NewRecord {
        place: ObjectPlace {
            tenant: TenantId::from_bytes(input.array()),
            bucket: BucketId::from_bytes(input.array()),
            version: VersionId::from_bytes(input.array()),
            name: [input.u8(); 32],
        },
        kek: Kek {
            id: KeyId::from_bytes(input.array()),
            version: input.u32(),
        },
        wrapped: Wrapped::from_bytes([input.u8(); 104]),
        guest_encrypted: input.flag(),
        shred_group: input.flag(),
        segments,
    };
    let fit = segments
        .iter()
        .all(|s| s.plain_bytes <= words::limits::PART_BYTES_MAX);
    let record = match ObjectRecord::new(&new) {
        Ok(record) => record,
        Err(error) => return assert!(!fit, "{error}"),
    };
    assert!(fit);
    let bytes = record.to_bytes(&key());
    assert_eq!(bytes[RECORD_BYTES - 64..], mac(&bytes[..RECORD_BYTES - 64]));
    let claimed = ClaimedRecord::read(&bytes).expect("it was made here");
    assert_eq!(claimed.prove(&key(), &new.place).as_ref(), Ok(&record));

    let table = table_bytes(segments);
    let manifest = Manifest::read(&record, &table).expect("its own table");
    assert_eq!(manifest.segments(), segments);
    located(&manifest, input.u64() >> 28);

    let bad = damaged(&table, input);
    assert!(
        bad == table || Manifest::read(&record, &bad).is_err(),
        "another table"
    );
    let (a, b) = (input.below(segments.len()), input.below(segments.len()));
    let mut moved = segments.to_vec();
    moved.swap(a, b);
    let same = moved == segments;
    assert_eq!(Manifest::read(&record, &table_bytes(&moved)).is_ok(), same);
    assert!(Manifest::read(&record, &table[..table.len() - SEGMENT_BYTES]).is_err());

    let bad = damaged(&bytes, input);
    if bad != bytes
        && let Ok(claimed) = ClaimedRecord::read(&bad)
    {
        assert!(
            claimed.prove(&key(), &new.place).is_err(),
            "an altered record"
        );
    }
}

/// The segment of an offset, counted here from the front.
fn located(manifest: &Manifest, offset: u64) {
    let mut start = 0;
    let mut expected = None;
    for (index, segment) in manifest.segments().iter().enumerate() {
        let end = start + segment.plain_bytes;
        if (start..end).contains(&offset) {
            expected = Some((index, offset - start));
        }
        start = end;
    }
    assert_eq!(manifest.locate(offset), expected);
    assert_eq!(manifest.locate(start), None);
}

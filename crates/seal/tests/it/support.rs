//! Fixed keys, places and a receipt for the tests.

use seal::{Kek, KeyId, NewRecord, ObjectPlace, SegmentContext, Wrapped};
use words::{BucketId, TenantId, VersionId};

/// Bytes that look random and are the same in every run.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_be_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

pub fn array<const N: usize>(seed: u64) -> [u8; N] {
    noise(N, seed).try_into().unwrap()
}

pub fn segment_context() -> SegmentContext {
    let place = place();
    SegmentContext {
        tenant: place.tenant,
        bucket: place.bucket,
        version: place.version,
        segment_no: 0,
    }
}

pub fn place() -> ObjectPlace {
    ObjectPlace {
        tenant: TenantId::from_bytes(array(101)),
        bucket: BucketId::from_bytes(array(102)),
        version: VersionId::from_bytes(array(103)),
        name: array(104),
    }
}

pub fn kek() -> Kek {
    Kek {
        id: KeyId::from(place().bucket),
        version: 3,
    }
}

pub fn new_record(wrapped: Wrapped, segments: &[seal::Segment]) -> NewRecord<'_> {
    NewRecord {
        place: place(),
        kek: kek(),
        wrapped,
        guest_encrypted: false,
        shred_group: false,
        segments,
    }
}

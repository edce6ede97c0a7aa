//! The object record and its segment table.

use crate::support::{array, kek, new_record, noise, place, segment_context};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use seal::cobblestone::{HEADER_BYTES, sealed_len};
use seal::record::{RECORD_BYTES, SEGMENT_BYTES, table_bytes};
use seal::{
    BucketKey, ClaimedRecord, Kek, Manifest, NewRecord, ObjectKey, ObjectPlace, ObjectRecord,
    RecordError, Segment, SegmentContext, SegmentError, SegmentSealer, wrap,
};
use words::VersionId;

fn segment(plain: u64, seed: u64) -> Segment {
    Segment {
        salt: array(seed),
        plain_bytes: plain,
        sealed_bytes: sealed_len(plain),
        blake3: array(seed + 1),
    }
}

fn made(segments: &[Segment]) -> (BucketKey, ObjectKey, ObjectRecord, [u8; RECORD_BYTES]) {
    let bucket = BucketKey::from_bytes([4; 32]);
    let key = ObjectKey::fresh([6; 32]);
    let wrapped = wrap(
        &bucket,
        &key,
        &kek().wrap_context(place().version),
        array(1),
    );
    let record = ObjectRecord::new(&new_record(wrapped, segments)).unwrap();
    let bytes = record.to_bytes(&key);
    (bucket, key, record, bytes)
}

#[test]
fn a_record_is_proven_and_its_table_read() {
    let segments = [segment(10, 1), segment(20, 3)];
    let (_, key, record, bytes) = made(&segments);
    let claimed = ClaimedRecord::read(&bytes).unwrap();
    let proven = claimed.prove(&key, &place()).unwrap();
    assert_eq!(proven, record);
    assert_eq!((proven.plain_bytes(), proven.segment_count()), (30, 2));
    let manifest = Manifest::read(&proven, &table_bytes(&segments)).unwrap();
    assert_eq!(manifest.segments(), segments);
    assert_eq!(manifest.locate(0), Some((0, 0)));
    assert_eq!(manifest.locate(9), Some((0, 9)));
    assert_eq!(manifest.locate(10), Some((1, 0)));
    assert_eq!(manifest.locate(29), Some((1, 19)));
    assert_eq!(manifest.locate(30), None);
}

#[test]
fn fields_stand_where_the_drawing_has_them() {
    let segments = [segment(0x0102, 1)];
    let (_, _, record, bytes) = made(&segments);
    assert_eq!(&bytes[..12], b"CLRNOBJ1\x02\x00\x02\x00");
    assert_eq!(&bytes[12..28], place().tenant.as_bytes());
    assert_eq!(&bytes[28..44], place().bucket.as_bytes());
    assert_eq!(&bytes[44..60], place().version.as_bytes());
    assert_eq!(&bytes[60..76], place().bucket.as_bytes());
    assert_eq!(
        &bytes[76..96],
        [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 0]
    );
    assert_eq!(&bytes[96..200], record.wrapped().as_bytes());
    assert_eq!(&bytes[200..232], segments[0].blake3);
    assert_eq!(&bytes[232..264], place().name);
    assert_eq!(&bytes[264..296], record.manifest_digest());
    assert!(bytes[296..448].iter().all(|byte| *byte == 0));
    let rewrapped = record.rewrapped(
        Kek {
            version: 4,
            ..kek()
        },
        *record.wrapped(),
    );
    assert_eq!(
        (rewrapped.kek().version, rewrapped.place()),
        (4, record.place())
    );
}

#[test]
fn flags_are_kept_and_others_refused() {
    let segments = [segment(1, 1), segment(2, 2)];
    let (_, key, record, _) = made(&segments);
    for (guest, group, flags) in [
        (false, false, 1),
        (true, false, 3),
        (false, true, 5),
        (true, true, 7),
    ] {
        let new = new_record(*record.wrapped(), &segments);
        let new = NewRecord {
            guest_encrypted: guest,
            shred_group: group,
            ..new
        };
        let bytes = ObjectRecord::new(&new).unwrap().to_bytes(&key);
        assert_eq!(bytes[11], flags);
        let claimed = ClaimedRecord::read(&bytes).unwrap();
        assert_eq!(claimed.shred_group(), group);
        let proven = claimed.prove(&key, &place()).unwrap();
        assert_eq!(
            (proven.guest_encrypted(), proven.shred_group()),
            (guest, group)
        );
    }
}

#[test]
fn another_suite_or_shape_is_refused_before_any_key() {
    let (.., bytes) = made(&[segment(1, 1)]);
    for suite in [0, 1, 3, 255] {
        let mut other = bytes;
        other[10] = suite;
        assert_eq!(
            ClaimedRecord::read(&other).unwrap_err(),
            RecordError::Suite { found: suite }
        );
    }
    for at in (0..10).chain([11, 92, 93, 94, 95]).chain(296..448) {
        let mut other = bytes;
        other[at] ^= 0x80;
        assert!(
            matches!(ClaimedRecord::read(&other), Err(RecordError::Layout(_))),
            "byte {at}"
        );
    }
    assert!(ClaimedRecord::read(&bytes[..511]).is_err());
    assert!(ClaimedRecord::read(&[&bytes[..], &[0]].concat()).is_err());
    let mut none = bytes;
    none[91] = 0;
    assert!(
        ClaimedRecord::read(&none).is_err(),
        "an object has at least one segment"
    );
}

#[test]
fn a_record_of_another_object_is_refused() {
    let (_, key, _, bytes) = made(&[segment(1, 1)]);
    let claimed = ClaimedRecord::read(&bytes).unwrap();
    let other = ObjectPlace {
        name: [9; 32],
        ..place()
    };
    assert_eq!(
        claimed.prove(&key, &other).unwrap_err(),
        RecordError::Elsewhere
    );
    let other = ObjectPlace {
        version: VersionId::from_bytes([9; 16]),
        ..place()
    };
    assert_eq!(
        claimed.prove(&key, &other).unwrap_err(),
        RecordError::Elsewhere
    );
    assert_eq!(
        claimed
            .prove(&ObjectKey::fresh([7; 32]), &place())
            .unwrap_err(),
        RecordError::Mac
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_flipped_bit_of_a_record_is_refused(at in 0_usize..RECORD_BYTES, bit in 0..8) {
        let (_, key, _, mut bytes) = made(&[segment(77, 1)]);
        bytes[at] ^= 1_u8 << bit;
        let refused = ClaimedRecord::read(&bytes).and_then(|claimed| claimed.prove(&key, &place())).is_err();
        prop_assert!(refused);
    }

    #[test]
    fn any_other_segment_table_is_refused(
        lengths in prop::collection::vec(0_u64..1_000_000, 1..8), at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let segments: Vec<Segment> = lengths.iter().zip(1..).map(|(plain, seed)| segment(*plain, seed)).collect();
        let (_, key, record, bytes) = made(&segments);
        let proven = ClaimedRecord::read(&bytes).unwrap().prove(&key, &place()).unwrap();
        prop_assert_eq!(&proven, &record);
        let table = table_bytes(&segments);
        prop_assert_eq!(table.len(), segments.len() * SEGMENT_BYTES);
        prop_assert!(Manifest::read(&proven, &table).is_ok());
        let mut changed = table.clone();
        changed[at.index(table.len())] ^= 1_u8 << bit;
        prop_assert!(Manifest::read(&proven, &changed).is_err());
        prop_assert!(Manifest::read(&proven, &table[SEGMENT_BYTES..]).is_err());
        let doubled = [&table[..], &table[..SEGMENT_BYTES]].concat();
        prop_assert!(Manifest::read(&proven, &doubled).is_err());
        prop_assert!(Manifest::read(&proven, &table[1..]).is_err());
        if segments.len() > 1 {
            let mut turned = segments;
            turned.rotate_left(1);
            prop_assert!(Manifest::prove(&proven, turned).is_err());
        }
    }

    #[test]
    fn reading_never_fails_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(ClaimedRecord::read(&bytes).is_err());
        let mut framed = noise(RECORD_BYTES, 1);
        framed[..12].copy_from_slice(b"CLRNOBJ1\x02\x00\x02\x00");
        for (to, from) in framed[12..].iter_mut().zip(&bytes) {
            *to = *from;
        }
        let _ = ClaimedRecord::read(&framed);
        let _ = Segment::parse(&bytes);
    }
}

#[test]
fn tables_out_of_bounds_are_refused() {
    let (_, key, record, _) = made(&[segment(1, 1)]);
    let with = |segments: &[Segment]| ObjectRecord::new(&new_record(*record.wrapped(), segments));
    assert_eq!(with(&[]).unwrap_err(), RecordError::Manifest);
    assert_eq!(
        with(&vec![segment(1, 1); 10_001]).unwrap_err(),
        RecordError::Manifest
    );
    assert!(with(&vec![segment(1, 1); 10_000]).is_ok());
    assert!(with(&[segment(5 * 1024 * 1024 * 1024, 1)]).is_ok());
    assert!(
        with(&[segment(5 * 1024 * 1024 * 1024 + 1, 1)]).is_err(),
        "a part has at most 5 GiB"
    );
    let crooked = Segment {
        sealed_bytes: 5,
        ..segment(1, 1)
    };
    assert!(with(&[crooked]).is_err());
    assert!(Segment::parse(&crooked.to_bytes()).is_err());
    let _ = key;
}

/// A part that was uploaded twice: both uploads fit key and place, only one is in the manifest.
#[test]
fn an_earlier_upload_of_a_part_is_refused() {
    let key = ObjectKey::fresh([6; 32]);
    let context = SegmentContext {
        segment_no: 1,
        ..segment_context()
    };
    let header = |salt| *SegmentSealer::new(key.as_ref(), &context.bytes(), salt).header();
    let (_, _, record, _) = made(&[segment(10, 1)]);
    let manifest = Manifest::prove(&record, vec![segment(10, 1)]).unwrap();
    let (right, earlier): ([u8; HEADER_BYTES], _) = (header(array(1)), header(array(50)));
    assert!(manifest.opener(0, &key, &context, &right).is_ok());
    assert_eq!(
        manifest.opener(0, &key, &context, &earlier).err(),
        Some(SegmentError::Record(RecordError::Segment { index: 0 }))
    );
    assert!(manifest.opener(1, &key, &context, &right).is_err());
    let elsewhere = SegmentContext {
        segment_no: 2,
        ..context
    };
    assert!(matches!(
        manifest.opener(0, &key, &elsewhere, &right),
        Err(SegmentError::Open(_))
    ));
}

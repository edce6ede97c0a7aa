//! Damage of every kind is refused, and nothing of a refused read is given out.

use crate::support::{array, noise};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use seal::Key;
use seal::cobblestone::{
    self, FRAME_BYTES, HEADER_BYTES, OpenError, SEALED_FRAME_BYTES, SegmentOpener,
};

fn sealed(length: usize) -> (Key, Vec<u8>) {
    let key = Key::from_bytes([1; 32]);
    let sealed = cobblestone::seal(&key, b"here", array(6), &noise(length, 5));
    (key, sealed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_flipped_bit_is_refused(length in 0_usize..3 * FRAME_BYTES, at in any::<prop::sample::Index>(), bit in 0..8) {
        let (key, mut bytes) = sealed(length);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let error = cobblestone::open(&key, b"here", &bytes).unwrap_err();
        if at < HEADER_BYTES {
            prop_assert_eq!(error, OpenError::Commitment);
        } else {
            prop_assert_eq!(error, OpenError::Frame { frame: ((at - HEADER_BYTES) / SEALED_FRAME_BYTES) as u64 });
        }
    }

    #[test]
    fn any_shortening_is_refused(length in 0_usize..3 * FRAME_BYTES, keep in any::<prop::sample::Index>()) {
        let (key, bytes) = sealed(length);
        prop_assert!(cobblestone::open(&key, b"here", &bytes[..keep.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_addition_is_refused(length in 0_usize..2 * FRAME_BYTES, more in 1_usize..2 * FRAME_BYTES) {
        let (key, mut bytes) = sealed(length);
        bytes.extend_from_slice(&noise(more, 8));
        prop_assert!(cobblestone::open(&key, b"here", &bytes).is_err());
    }

    #[test]
    fn another_context_or_key_is_refused_at_the_commitment(context in any::<Vec<u8>>(), key in any::<[u8; 32]>()) {
        let (right, bytes) = sealed(100);
        if context != b"here" {
            prop_assert_eq!(cobblestone::open(&right, &context, &bytes).unwrap_err(), OpenError::Commitment);
        }
        if key != [1; 32] {
            let wrong = Key::from_bytes(key);
            prop_assert_eq!(cobblestone::open(&wrong, b"here", &bytes).unwrap_err(), OpenError::Commitment);
        }
    }
}

#[test]
fn cuts_at_frame_boundaries_are_refused() {
    let (key, bytes) = sealed(3 * FRAME_BYTES);
    for frames in 0..=3 {
        let cut = HEADER_BYTES + frames * SEALED_FRAME_BYTES;
        let error = cobblestone::open(&key, b"here", &bytes[..cut]).unwrap_err();
        assert!(
            matches!(error, OpenError::Length { .. }),
            "{frames}: {error:?}"
        );
    }
}

#[test]
fn swapped_doubled_and_dropped_frames_are_refused() {
    let (key, bytes) = sealed(3 * FRAME_BYTES + 10);
    let (header, body) = bytes.split_at(HEADER_BYTES);
    let frames: Vec<&[u8]> = body.chunks(SEALED_FRAME_BYTES).collect();
    for order in [
        &[1, 0, 2, 3][..],
        &[0, 2, 1, 3],
        &[0, 0, 2, 3],
        &[0, 1, 3],
        &[0, 1, 2, 2, 3],
        &[3],
    ] {
        let mut changed = header.to_vec();
        for index in order {
            changed.extend_from_slice(frames[*index]);
        }
        let error = cobblestone::open(&key, b"here", &changed).unwrap_err();
        assert!(
            matches!(error, OpenError::Frame { .. }),
            "{order:?}: {error:?}"
        );
    }
}

#[test]
fn a_refused_run_gives_nothing_out() {
    let (key, mut bytes) = sealed(3 * FRAME_BYTES);
    let second = HEADER_BYTES + SEALED_FRAME_BYTES + 77;
    bytes[second] ^= 1;
    let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().unwrap();
    let opener = SegmentOpener::new(&key, b"here", header).unwrap();
    let mut out = b"kept".to_vec();
    let error = opener.open_frames(0, body, &mut out).unwrap_err();
    assert_eq!(error, OpenError::Frame { frame: 1 });
    assert_eq!(out, b"kept");

    let mut buffer = vec![7; 3 * FRAME_BYTES];
    opener.open_into(0, body, &mut buffer).unwrap_err();
    assert!(buffer.iter().all(|byte| *byte == 0));
    assert!(
        opener.open_into(0, body, &mut buffer[1..]).is_err(),
        "a buffer of another length is refused"
    );
    assert!(
        opener.open_frames(0, &[], &mut out).is_err(),
        "no frame is no run"
    );
    assert!(opener.open_frames(0, &body[..15], &mut out).is_err());
}

//! The streaming writer gives the same bytes as sealing at once, however the plaintext arrives.

use crate::support::{array, noise, segment_context};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use seal::cobblestone::{self, FRAME_BYTES, HEADER_BYTES, SEALED_FRAME_BYTES, sealed_len};
use seal::{ObjectKey, Sealed, SealedWriter, Segment, SegmentSealer};
use std::num::NonZeroUsize;

fn stream(message: &[u8], cuts: &[usize], frames: usize) -> (Vec<Sealed>, Segment) {
    let key = ObjectKey::fresh([3; 32]);
    let frames = NonZeroUsize::new(frames).unwrap();
    let mut writer = SealedWriter::new(&key, &segment_context(), array(4), frames);
    let (mut pieces, mut rest) = (Vec::new(), message);
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (mut now, later) = rest.split_at(cut.min(rest.len()));
        while let Some(piece) = writer.push(&mut now).unwrap() {
            pieces.push(piece);
        }
        assert!(now.is_empty());
        rest = later;
    }
    let (last, segment) = writer.finish();
    pieces.push(last);
    (pieces, segment)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_slicing_gives_the_same_bytes(
        length in 0_usize..6 * FRAME_BYTES,
        cuts in prop::collection::vec(0_usize..2 * FRAME_BYTES, 0..12),
        frames in 1_usize..5,
        seed in any::<u64>(),
    ) {
        let message = noise(length, seed);
        let (pieces, segment) = stream(&message, &cuts, frames);
        let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.as_bytes().to_vec()).collect();
        let key = ObjectKey::fresh([3; 32]);
        prop_assert!(whole == cobblestone::seal(key.as_ref(), &segment_context().bytes(), array(4), &message));
        prop_assert_eq!(segment.plain_bytes, length as u64);
        prop_assert_eq!(segment.sealed_bytes, sealed_len(length as u64));
        prop_assert_eq!(segment.salt, array(4));
        prop_assert_eq!(segment.blake3, *blake3::hash(&whole).as_bytes());
        let (last, full) = pieces.split_last().unwrap();
        for (index, piece) in full.iter().enumerate() {
            let header = if index == 0 { HEADER_BYTES } else { 0 };
            prop_assert_eq!(piece.len(), header + frames * SEALED_FRAME_BYTES);
        }
        prop_assert!(last.len() <= HEADER_BYTES + frames * SEALED_FRAME_BYTES && !last.is_empty());
    }

    #[test]
    fn the_segment_sealer_agrees(length in 0_usize..4 * FRAME_BYTES, first in any::<prop::sample::Index>()) {
        let key = ObjectKey::fresh([3; 32]);
        let message = noise(length, 1);
        let mut sealer = SegmentSealer::new(key.as_ref(), b"x", array(4));
        let mut out = sealer.header().to_vec();
        let taken = sealer.seal_full_frames(&message[..first.index(length + 1)], &mut out);
        prop_assert_eq!(sealer.frames() as usize * FRAME_BYTES, taken);
        sealer.finish(&message[taken..], &mut out);
        prop_assert!(out == cobblestone::seal(key.as_ref(), b"x", array(4), &message));
    }
}

#[test]
fn buffers_are_used_again_once_their_pieces_are_gone() {
    let key = ObjectKey::fresh([3; 32]);
    let frames = NonZeroUsize::new(4).unwrap();
    let mut writer = SealedWriter::new(&key, &segment_context(), array(4), frames);
    let message = noise(4 * FRAME_BYTES, 1);
    let mut places = std::collections::BTreeSet::new();
    let mut last = None;
    for _ in 0..40 {
        let mut plain = &message[..];
        let piece = writer.push(&mut plain).unwrap().unwrap();
        places.insert(piece.as_bytes().as_ptr() as usize);
        // The piece before is dropped when the next one is there, as a store does that writes one behind.
        last.replace(piece);
    }
    assert!(places.len() <= 6, "{} buffers for 40 pieces", places.len());
}

#[test]
fn a_copy_is_sealed_only_if_its_hash_is_the_recorded_one() {
    let (pieces, segment) = stream(&noise(100, 1), &[], 4);
    let copy = pieces[0].clone().into_bytes();
    assert!(Sealed::reverified(copy.clone(), &segment.blake3).is_ok());
    let mut damaged = copy.to_vec();
    damaged[50] ^= 1;
    let error = Sealed::reverified(damaged.into(), &segment.blake3).unwrap_err();
    assert_eq!(error.bytes, copy.len());
    assert!(format!("{:?}", pieces[0]).starts_with("Sealed(172 bytes"));
}

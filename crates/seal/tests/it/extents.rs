//! Where plaintext lies in sealed bytes, and reading ranges of it.

use crate::support::{array, noise};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use seal::Key;
use seal::cobblestone::{
    self, FRAME_BYTES, HEADER_BYTES, Reached, SegmentOpener, extent, frame_count, sealed_frame_len,
    sealed_len, sealed_offset,
};

#[test]
fn lengths_at_the_edges() {
    for (plain, sealed) in [
        (0, 72),
        (1, 73),
        (16_383, 16_455),
        (16_384, 16_472),
        (16_385, 16_473),
        (5 * 1024 * 1024 * 1024, 5_373_952_072),
    ] {
        assert_eq!(sealed_len(plain), sealed, "{plain}");
        let frames = frame_count(plain);
        assert_eq!(
            sealed_offset(frames - 1) + sealed_frame_len(plain, frames - 1),
            sealed
        );
        assert_eq!(sealed_frame_len(plain, frames), 0);
    }
    assert_eq!(extent(10, 0, 0), None);
    assert_eq!(extent(10, 5, 6), None);
    assert_eq!(extent(10, u64::MAX, 2), None);
    assert_eq!(sealed_len(u64::MAX), u64::MAX, "no length overflows");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_range_opens_from_its_own_frames(
        length in 1_usize..5 * FRAME_BYTES + 100, from in any::<prop::sample::Index>(), count in any::<prop::sample::Index>(),
    ) {
        let key = Key::from_bytes([1; 32]);
        let message = noise(length, 5);
        let sealed = cobblestone::seal(&key, b"range", array(6), &message);
        prop_assert_eq!(sealed.len() as u64, sealed_len(length as u64));
        let offset = from.index(length);
        let wanted = 1 + count.index(length - offset);
        let found = extent(length as u64, offset as u64, wanted as u64).unwrap();

        let header = sealed.first_chunk::<HEADER_BYTES>().unwrap();
        let opener = SegmentOpener::new(&key, b"range", header).unwrap();
        let begin = found.sealed_offset as usize;
        let run = &sealed[begin..begin + found.sealed_bytes as usize];
        let mut out = b"before".to_vec();
        let reached = opener.open_frames(found.first_frame, run, &mut out).unwrap();
        prop_assert_eq!(reached == Reached::End, found.first_frame + found.frames == frame_count(length as u64));
        prop_assert_eq!(&out[..6], b"before");
        prop_assert_eq!(out.len() as u64 - 6, found.plain_bytes);
        prop_assert!(out[6 + found.skip..][..wanted] == message[offset..][..wanted]);

        let mut buffer = vec![9; found.plain_bytes as usize];
        opener.open_into(found.first_frame, run, &mut buffer).unwrap();
        prop_assert!(buffer == out[6..]);
    }
}

use proptest::prelude::prop;

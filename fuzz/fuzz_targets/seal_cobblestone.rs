//! Sealed messages of up to a few frames: damage of any kind (bits, cuts, frames moved, doubled or left out)
//! never gives a wrong byte, whole messages and ranges alike.
#![no_main]

use fuzz::{Input, damaged};
use libfuzzer_sys::fuzz_target;
use seal::cobblestone::{self, HEADER_BYTES, Key, Reached, SEALED_FRAME_BYTES};
use seal::cobblestone::{SegmentOpener, extent, frame_count, sealed_len};

/// A little more than three frames.
const MESSAGE_BYTES_MAX: usize = 3 * 16_384 + 40;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let key = Key::from_bytes(input.array());
    let salt: [u8; 24] = input.array();
    let context = input.bytes(40);
    // Lengths about the ends of frames are the ones that matter.
    let length = match input.u8() % 4 {
        0 => input.below(64),
        1 => input.below(MESSAGE_BYTES_MAX),
        edge => usize::from(edge) * 16_384 - 8 + input.below(16),
    };
    let step = input.u8() | 1;
    let mut byte = input.u8();
    let message: Vec<u8> = (0..length.min(MESSAGE_BYTES_MAX))
        .map(|_| {
            byte = byte.wrapping_mul(31).wrapping_add(step);
            byte
        })
        .collect();

    let sealed = cobblestone::seal(&key, context, salt, &message);
    assert_eq!(sealed.len() as u64, sealed_len(message.len() as u64));
    let opened = cobblestone::open(&key, context, &sealed).expect("it was sealed here");
    assert!(*opened == message);

    ranges(&key, context, &sealed, &message, &mut input);
    let act = input.u8();
    let bad = match act % 2 {
        0 => damaged(&sealed, &mut input),
        _ => frames_moved(&sealed, &mut input),
    };
    if bad != sealed {
        assert!(
            cobblestone::open(&key, context, &bad).is_err(),
            "damage was read"
        );
        ranges(&key, context, &bad, &message, &mut input);
    }
    let rest = input.rest();
    assert!(rest == sealed || cobblestone::open(&key, context, rest).is_err());
});

/// Exchanges, doubles or leaves out whole frames.
fn frames_moved(sealed: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let (header, frames) = sealed.split_at(HEADER_BYTES);
    let mut frames: Vec<&[u8]> = frames.chunks(SEALED_FRAME_BYTES).collect();
    let (a, b) = (input.below(frames.len()), input.below(frames.len()));
    match input.u8() % 3 {
        0 => frames.swap(a, b),
        1 => frames.insert(a, frames[b]),
        _ => drop(frames.remove(a)),
    }
    [header, &frames.concat()].concat()
}

/// A range, read as the store reads it: the frames that cover it, at their numbers. It gives the message's own
/// bytes or nothing.
fn ranges(key: &Key, context: &[u8], sealed: &[u8], message: &[u8], input: &mut Input<'_>) {
    let (from, many, wrong) = (input.below(65_536), input.below(40_000), input.u8());
    let Some(header) = sealed.first_chunk::<HEADER_BYTES>() else {
        return;
    };
    let Ok(opener) = SegmentOpener::new(key, context, header) else {
        return;
    };
    let plain = message.len() as u64;
    let Some(run) = extent(plain, from as u64, many as u64) else {
        assert!(many == 0 || from + many > message.len());
        return;
    };
    let (start, length) = (run.sealed_offset as usize, run.sealed_bytes as usize);
    let Some(bytes) = sealed.get(start..start + length) else {
        return;
    };
    let mut out = b"before".to_vec();
    match opener.open_frames(run.first_frame, bytes, &mut out) {
        Ok(reached) => {
            assert_eq!(out.len() as u64, 6 + run.plain_bytes);
            assert!(out[6 + run.skip..][..many] == message[from..from + many]);
            let last = run.first_frame + run.frames == frame_count(plain);
            assert_eq!(reached == Reached::End, last);
            // At another number the same frames do not open. (Frames that were moved open at their own.)
            let number = run.first_frame + 1 + u64::from(wrong);
            assert!(opener.open_frames(number, bytes, &mut out).is_err());
        }
        Err(_) => assert_eq!(out, b"before"),
    }
}

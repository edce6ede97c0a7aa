//! The sharing, proven exhaustively: what a share shows about the secret is nothing.

use super::{SECRET_BYTES, SharingError, combine, split};
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::strategy::{Just, Strategy as _};

/// An independent GF(256): multiplication by shift and reduction modulo x^8+x^4+x^3+x+1, division by search.
fn times(a: u8, b: u8) -> u8 {
    let mut product: u16 = 0;
    for bit in 0..8 {
        if b >> bit & 1 == 1 {
            product ^= u16::from(a) << bit;
        }
    }
    for bit in (8..15).rev() {
        if product >> bit & 1 == 1 {
            product ^= 0x11b << (bit - 8);
        }
    }
    product as u8
}

fn divide(a: u8, b: u8) -> u8 {
    (0..=255).find(|quotient| times(*quotient, b) == a).unwrap()
}

fn interpolate_at_zero(points: &[(u8, u8)]) -> u8 {
    points.iter().fold(0, |sum, (x, y)| {
        let others = points.iter().filter(|(other, _)| other != x);
        sum ^ others.fold(*y, |term, (other, _)| {
            times(term, divide(*other, *other ^ *x))
        })
    })
}

/// Whether, over all 256 coefficients from `draw`, each share byte of `secret` takes each value once.
fn each_value_once(secret: u8, parties: u8, draw: impl Fn(u8) -> u8) -> bool {
    let mut seen = vec![[0_u32; 256]; usize::from(parties)];
    let all: Vec<u8> = (0..=255).map(draw).collect();
    for coefficients in all.chunks(SECRET_BYTES) {
        let shares = split(&[secret; SECRET_BYTES], 2, parties, coefficients).unwrap();
        for (counts, share) in seen.iter_mut().zip(&shares) {
            share
                .iter()
                .for_each(|byte| counts[usize::from(*byte)] += 1);
        }
    }
    seen.iter()
        .all(|counts| counts.iter().all(|count| *count == 1))
}

#[test]
fn exhaustive_every_share_byte_is_uniform_for_every_secret_byte() {
    for secret in 0..=255 {
        assert!(
            each_value_once(secret, 16, |coefficient| coefficient),
            "secret byte {secret}"
        );
    }
}

#[test]
fn negative_control_odd_coefficients_would_be_caught() {
    // The flaw of vsss-rs before 6.0.1 (audit of April 2026): only odd coefficients. The share at x = 1
    // then differs from the secret in its lowest bit always, so one share shows one bit of every byte.
    let odd = |coefficient: u8| coefficient | 1;
    assert!((0..=255).all(|secret| !each_value_once(secret, 3, odd)));
    let shares = split(&[0x42; SECRET_BYTES], 2, 3, &[odd(0x36); SECRET_BYTES]).unwrap();
    assert!(
        shares[0].iter().all(|byte| byte & 1 == 1),
        "the secret's bytes are even"
    );
}

#[test]
fn negative_control_coefficients_without_zero_would_be_caught() {
    assert!((0..=255).all(|secret| !each_value_once(secret, 3, |coefficient| coefficient.max(1))));
}

#[test]
fn exhaustive_with_threshold_three_any_two_shares_together_are_uniform() {
    for secret in [0x00, 0x01, 0x53, 0x80, 0xff] {
        let mut seen = vec![vec![0_u8; 65536]; 3];
        let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_be_bytes).collect();
        for coefficients in all.chunks(2 * SECRET_BYTES) {
            let shares = split(&[secret; SECRET_BYTES], 3, 3, coefficients).unwrap();
            for (counts, (a, b)) in seen.iter_mut().zip([(0, 1), (0, 2), (1, 2)]) {
                for (high, low) in shares[a].iter().zip(shares[b].iter()) {
                    counts[usize::from(*high) << 8 | usize::from(*low)] += 1;
                }
            }
        }
        assert!(
            seen.iter().flatten().all(|count| *count == 1),
            "secret byte {secret}"
        );
    }
}

#[test]
fn shares_are_the_line_through_the_secret() {
    let secret: [u8; SECRET_BYTES] = std::array::from_fn(|i| i as u8 * 7);
    let slope: [u8; SECRET_BYTES] = std::array::from_fn(|i| 255 - i as u8 * 5);
    let shares = split(&secret, 2, 5, &slope).unwrap();
    for (x, share) in (1..).zip(&shares) {
        for ((byte, s), c) in share.iter().zip(&secret).zip(&slope) {
            assert_eq!(*byte, s ^ times(*c, x));
        }
    }
}

#[test]
fn coefficients_must_be_exactly_as_many_as_are_used() {
    for length in [0, 31, 33, 64] {
        let made = split(&[1; SECRET_BYTES], 2, 3, &vec![9; length]);
        assert_eq!(
            made.err(),
            Some(SharingError::Coefficients),
            "{length} coefficients"
        );
    }
}

#[test]
fn shapes_that_the_scheme_does_not_allow_are_refused() {
    assert!(matches!(
        split(&[1; SECRET_BYTES], 1, 3, &[]),
        Err(SharingError::Shape(_))
    ));
    assert!(matches!(
        split(&[1; SECRET_BYTES], 4, 3, &[0; 96]),
        Err(SharingError::Shape(_))
    ));
    let share = [7; SECRET_BYTES];
    assert!(matches!(
        combine([(1, &share)]),
        Err(SharingError::Shape(_))
    ));
    assert!(matches!(
        combine([(1, &share), (1, &share)]),
        Err(SharingError::Shape(_))
    ));
    assert!(matches!(
        combine([(0, &share), (1, &share)]),
        Err(SharingError::Shape(_))
    ));
}

proptest! {
    #[test]
    fn an_independent_interpolation_agrees_with_the_library(
        secret in any::<[u8; SECRET_BYTES]>(),
        (parties, threshold) in (2_u8..=16).prop_flat_map(|n| (Just(n), 2..=n)),
        pool in proptest::collection::vec(any::<u8>(), 15 * SECRET_BYTES),
        order in Just((0..16_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let shares = split(&secret, threshold, parties, &pool[..SECRET_BYTES * usize::from(threshold - 1)]).unwrap();
        let chosen: Vec<usize> = order
            .into_iter()
            .filter(|index| *index < usize::from(parties))
            .take(usize::from(threshold))
            .collect();
        let point = |index: &usize| *index as u8 + 1;
        let ours: Vec<u8> = (0..SECRET_BYTES)
            .map(|at| interpolate_at_zero(&chosen.iter().map(|i| (point(i), shares[*i][at])).collect::<Vec<_>>()))
            .collect();
        prop_assert_eq!(ours.as_slice(), secret.as_slice());
        let theirs = combine(chosen.iter().map(|i| (point(i), &**shares[*i]))).unwrap();
        prop_assert_eq!(theirs.as_slice(), secret.as_slice());
    }
}

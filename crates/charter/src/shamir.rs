//! Shamir sharing over GF(256), byte by byte, through `vsss-rs`.
//!
//! The coefficients come in from outside, one byte each, so that every one of the 256 values is as likely
//! as the others, zero included: a source that never gives zero, or only odd bytes, lets fewer shares than
//! the threshold learn about the secret. Never here: randomness, names, files.

use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;
use vsss_rs::{DefaultShare, Gf256, IdentifierGf256, Polynomial};
use zeroize::Zeroizing;

/// Bytes of the secret and of each share.
pub(crate) const SECRET_BYTES: usize = 32;

/// A secret, or one share without its names: the polynomials' values at one point. It lies on the heap, so
/// that moving it never leaves a copy behind, and is wiped when dropped.
pub(crate) type Value = Box<Zeroizing<[u8; SECRET_BYTES]>>;

/// A value to be filled in place.
pub(crate) fn blank() -> Value {
    Box::new(Zeroizing::new([0; SECRET_BYTES]))
}

type Term = DefaultShare<IdentifierGf256, IdentifierGf256>;

/// Why shares could not be made or put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SharingError {
    /// The threshold, the parties or a share have a shape that the scheme does not allow.
    #[error("the shares do not fit together: {0}")]
    Shape(vsss_rs::Error),
    /// The sharing library asked for coefficients in another way than the proven one.
    #[error("the sharing library drew its coefficients in an unproven way; nothing was shared")]
    Coefficients,
    /// The result has another length than the secret.
    #[error("the shares have another length than the secret")]
    Length,
}

/// How many coefficient bytes one sharing takes.
pub(crate) const fn coefficients_needed(threshold: u8) -> usize {
    SECRET_BYTES * (threshold as usize).saturating_sub(1)
}

/// Gives `vsss-rs` exactly the coefficients it was handed. The library's interface cannot fail, so running
/// out, or being asked for anything but single draws, is remembered here and refused afterwards.
struct Coefficients<'a> {
    left: std::slice::Iter<'a, u8>,
    misused: bool,
}

impl TryRng for Coefficients<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        match self.left.next() {
            Some(byte) => Ok(u32::from(*byte)),
            None => {
                self.misused = true;
                Ok(0)
            }
        }
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.misused = true;
        Ok(0)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.misused = true;
        bytes.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Coefficients<'_> {}

/// Shares `secret` among the points `1..=parties`; any `threshold` of the values give it back.
/// `coefficients` must hold [`coefficients_needed`] uniform bytes and is used once only.
pub(crate) fn split(
    secret: &[u8; SECRET_BYTES],
    threshold: u8,
    parties: u8,
    coefficients: &[u8],
) -> Result<Vec<Value>, SharingError> {
    if threshold < 2 || parties < threshold {
        return Err(SharingError::Shape(
            vsss_rs::Error::SharingLimitLessThanThreshold,
        ));
    }
    let degree_and_one = usize::from(threshold);
    let mut source = Coefficients {
        left: coefficients.iter(),
        misused: false,
    };
    let mut values: Vec<Value> = (0..parties).map(|_| blank()).collect();
    // The polynomial is kept here and not inside the library's convenience call, so that it can be wiped.
    let mut polynomial = Zeroizing::new(<Vec<Term> as Polynomial<Term>>::create(degree_and_one));
    for (position, byte) in secret.iter().enumerate() {
        let intercept = IdentifierGf256(Gf256(*byte));
        polynomial
            .fill(&intercept, &mut source, degree_and_one)
            .map_err(SharingError::Shape)?;
        for (x, value) in (1..=parties).zip(&mut values) {
            let at = polynomial.evaluate(&IdentifierGf256(Gf256(x)), degree_and_one);
            if let Some(slot) = value.get_mut(position) {
                *slot = at.0.0;
            }
        }
    }
    if source.misused || source.left.next().is_some() {
        return Err(SharingError::Coefficients);
    }
    Ok(values)
}

/// Puts shares together by interpolation at zero. Fewer than the threshold, or wrong ones, give some other
/// value without any error: only the key check value tells.
pub(crate) fn combine<'a>(
    shares: impl IntoIterator<Item = (u8, &'a [u8; SECRET_BYTES])>,
) -> Result<Value, SharingError> {
    let points: Vec<Vec<u8>> = shares
        .into_iter()
        .map(|(x, value)| {
            let mut point = Vec::with_capacity(SECRET_BYTES + 1);
            point.push(x);
            point.extend_from_slice(value);
            point
        })
        .collect();
    let points = Zeroizing::new(points);
    let joined = Zeroizing::new(Gf256::combine_bytes(&*points).map_err(SharingError::Shape)?);
    let mut secret = blank();
    if joined.len() != SECRET_BYTES {
        return Err(SharingError::Length);
    }
    secret.copy_from_slice(&joined);
    Ok(secret)
}

#[cfg(test)]
mod tests;

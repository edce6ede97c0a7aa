//! For the fuzz targets alone, compiled under `--cfg fuzzing` and nowhere else: readers that a target reaches
//! more deeply by themselves than through a whole request. Plain values, so that nothing of the room's inside
//! becomes public.

use crate::error::Place;
use crate::scope::{Scope, Service};
use crate::time::SigningTime;
use words::UnixMillis;

/// Reads `YYYYMMDDTHHMMSSZ`: the moment, and the stamp as it is signed.
#[must_use]
pub fn basic_time(text: &str) -> Option<(UnixMillis, String)> {
    SigningTime::basic(text).map(|time| (time.at, time.stamp))
}

/// Reads what a `Date` header may hold, in the same way.
#[must_use]
pub fn header_time(text: &str) -> Option<(UnixMillis, String)> {
    SigningTime::header(text).map(|time| (time.at, time.stamp))
}

/// Reads a credential of a request signed at `stamp`: access key, region, and the scope as it is signed.
#[must_use]
pub fn scope(credential: &str, stamp: &str) -> Option<(String, String, String)> {
    let time = SigningTime::basic(stamp)?;
    let scope = Scope::parse(credential, Place::Header, &time, &[Service::S3]).ok()?;
    let text = scope.text();
    Some((scope.access_key.as_str().to_owned(), scope.region, text))
}

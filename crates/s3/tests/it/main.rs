//! Proof of the client of S3 and of chunks in a bucket, against a small S3 in this process that can be told to
//! fail.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // helpers of tests may stop them

mod client;
mod fake;
mod plain;

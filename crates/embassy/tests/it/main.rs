//! Proof of the embassy: the client of S3, chunks at a host and the twin, against a small host in this process
//! that can be told to fail.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // helpers of tests may stop them

mod export;
mod fake;
mod s3;
mod twin;
mod upstream;

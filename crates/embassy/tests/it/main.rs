//! Proof of the embassy: chunks at a host, exports and the twin, against a small host in this process that can be
//! told to fail.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // helpers of tests may stop them

mod export;
#[path = "../../../s3/tests/it/fake.rs"]
mod fake;
mod twin;
mod upstream;

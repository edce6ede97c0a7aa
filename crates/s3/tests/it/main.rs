//! Proof of the client of S3 and of chunks in a bucket, against a small S3 in this process that can be told to
//! fail. Chunks keep what every store of chunks promises: the suite of the room `chunks` runs here too.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // helpers of tests may stop them

mod client;
#[path = "../../../chunks/tests/it/conformance.rs"]
mod conformance;
mod fake;
#[path = "../../../chunks/tests/it/pieces.rs"]
mod pieces;
mod plain;
mod site;
mod support;

//! Keys and sheets from outside.
#![allow(clippy::unwrap_used, clippy::panic)] // a test's helpers may fail the test

mod keys;
mod sheets;

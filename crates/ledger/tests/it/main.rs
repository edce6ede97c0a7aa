//! The ledger from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests are tests too

mod cost;
mod crash;
mod fields;
mod foreign;
mod history;
mod notes;
mod receipts;
mod support;
mod tamper;
mod tokens;
mod tree;
mod witnessed;

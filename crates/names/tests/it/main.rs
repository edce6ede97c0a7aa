//! The index of names against a model, under faults and under forgery.

// A test that cannot go on fails where it stands; helpers of tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod canary;
mod crash;
mod delimiter;
mod grace;
mod model;
mod naive;
mod pending;
mod records;
mod support;
mod tamper;
mod together;

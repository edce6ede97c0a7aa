//! The witness from outside.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // proof, not product

mod crash;
mod evidence;
mod exchange;
mod foreign;
mod golden;
mod http;
mod model;
mod reading;
mod status;
mod support;

//! Proof of the catalog: one conformance suite for every engine, a model, and for the embedded engine the
//! two sites, damage and crashes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them
#![allow(clippy::disallowed_methods)] // servers are real, with real files and real time

mod conformance;
mod follow;
mod holder;
mod model;
mod postgres;
mod server;
mod snapshot;
mod world;

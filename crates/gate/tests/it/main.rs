//! The door over a real socket: raw HTTP in, raw HTTP out, a node in memory behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_imports
)] // tests
mod attacks;
mod bad_bodies;
mod client;
mod framings;
mod handshakes;
mod interop;
mod limits;
mod logs;
mod node;
mod objects;
mod operations;
mod refusals;
mod uploads;

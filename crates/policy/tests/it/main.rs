//! Proof of the room `policy`: the whole policy as a golden table, every combination of facts against a
//! plain model, and what must not compile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

mod caller;
mod documents;
mod golden;
mod model;
mod narrowing;
mod tokens;

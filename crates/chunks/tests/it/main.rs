//! What every store of chunks must do, and what a folder must do beyond that.

#![allow(clippy::unwrap_used, clippy::panic)]

mod conformance;
mod dir;
mod faults;
mod model;
mod pieces;
mod support;
mod tokens;

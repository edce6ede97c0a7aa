//! The doors against a vault in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them
#![allow(clippy::cast_possible_truncation)] // small numbers of a test

mod catalog;
mod flight;
mod house;
mod http;
#[allow(dead_code)] // the whole vault; not every test needs all of it
mod road;

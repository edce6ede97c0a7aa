//! Answers from outside: what holds, what does not and is named, and what a verifier in another language says of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them

mod named;
mod python;
mod scene;

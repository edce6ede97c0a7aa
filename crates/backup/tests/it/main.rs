//! A backup against a small cloud in memory: what is taken is one moment, whatever happens meanwhile; an interruption
//! loses nothing; and nothing that was changed passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them
#![allow(clippy::disallowed_methods)] // files are real

mod scene;
mod taking;
mod tampered;

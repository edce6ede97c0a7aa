//! The charter room from outside: founding, share files, unsealing, re-sharing.
#![allow(clippy::unwrap_used, clippy::panic)] // a test's helpers may fail the test

mod charter_file;
mod dependency;
mod founding;
mod on_disk;
mod records;
mod resharing;
mod share_files;
mod unsealing;
mod world;

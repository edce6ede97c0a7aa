//! The charter room from outside: founding, share files, unsealing, re-sharing, signed charters, approvals.
#![allow(clippy::unwrap_used, clippy::panic)] // a test's helpers may fail the test
#![allow(clippy::result_large_err)] // refusals are handed on as they come

mod approvals;
mod chains;
mod charter_file;
mod dependency;
mod documents;
mod envelopes;
mod formulas;
mod founding;
mod joint;
mod officers;
mod on_disk;
mod papers;
mod quorum;
mod records;
mod rekeying;
mod resharing;
mod share_files;
mod signed_charter;
mod tokens;
mod unsealing;
mod world;

//! The verbs of the store over a whole cloud in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them

mod access;
mod agreements;
mod agreements_model;
mod authorisation;
mod bodies;
mod canary;
mod certificates;
mod digests;
mod faults;
mod garbage;
mod groups;
#[path = "../../../authn/tests/it/maker.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of `authn`, which use all of it"
)]
mod maker;
mod multipart;
mod people;
mod races;
mod recorded;
mod rig;
mod rotation;
mod sessions;
mod shred;
mod site_keys;
mod statements;
mod table;
mod unknown;
mod usage;

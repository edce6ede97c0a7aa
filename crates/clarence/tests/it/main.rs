//! The command as a person and a script meet it: the binary is run, and its output, exit codes and files are
//! looked at.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // proof, not product

mod amendments;
mod arguments;
mod backup;
mod custody;
mod docket;
mod embassy;
mod erasure;
mod joint;
mod ledger;
mod node;
mod person;
mod restart;
mod run;
mod s3;
mod schema;
mod settings;
mod site_keys;
mod smoke;
mod tls;
mod witness;

//! Proof of the room `authn`: published examples, requests signed by botocore, mutations, framings,
//! random bytes, and what must not compile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

mod aws_examples;
mod botocore;
mod certificates;
mod chunked_model;
mod hostile;
mod maker;
mod refusals;
mod sign;
mod tokens;

//! The two-site protocol against every fault of every step, in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod heal;
mod random;
mod reads;
mod repair;
mod scrub;
mod support;
mod sweep;
mod tenure;
mod tokens;
mod writes;

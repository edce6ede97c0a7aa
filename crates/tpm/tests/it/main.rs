//! The TPM room against `swtpm` from Debian, with `tpm2-tools` to change PCRs and clock from outside. Without them
//! these tests say so and pass, unless `CLARENCE_INTEROP=required` is set.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // proof, not product

mod sealing;
mod swtpm;

//! The HSM room from outside, with SoftHSM2 from Debian as the token and modules that misbehave. Without
//! SoftHSM2 or a C compiler these tests say so and pass, unless `CLARENCE_INTEROP=required` is set.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // proof, not product

mod bad_modules;
mod softhsm;
mod token;

/// What the program does for its hidden verb: these tests start their own binary for it.
#[test]
fn worker_process() {
    if std::env::var_os("HSM_TEST_WORKER").is_some() {
        let _ = hsm::serve();
        std::process::exit(0);
    }
}

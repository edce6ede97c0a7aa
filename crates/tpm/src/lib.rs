//! 32 bytes that only this machine's TPM gives out, while the machine is what it was when they were sealed, and
//! for so long as its clock allows.
//!
//! It speaks TPM 2.0 commands (TCG, *TPM 2.0 Library*, Part 3) to the kernel's device `/dev/tpmrm0` or to a socket
//! such as that of `swtpm`; no library and no other program is needed. Seven commands suffice: make the storage
//! key, make and load a sealed object, begin a policy session, bind it to PCRs and to the clock, unseal, and
//! flush. No cryptography happens here.
//!
//! A secret crosses the wire between processor and TPM in clear: on a board whose TPM is a chip of its own it can
//! be listened to. What is sealed here must therefore be worth nothing alone.
//!
//! Reading order: [`Policy`], [`Tpm`], `wire`, `link`.

mod fault;
pub mod inventory;
mod link;
mod policy;
mod sealed;
mod wire;

pub use fault::Fault;
pub use link::Place;
pub use policy::{PCR_MAX, Policy, PolicyError};
pub use sealed::{Blob, ClockFacts, Tpm};

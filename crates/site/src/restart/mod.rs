//! Restarting without officers, for a time that a quorum has granted.
//!
//! A restart key opens the sites' keys. It has two halves. The own half is sealed to this machine's TPM: to what the
//! machine starts with (PCRs) and to the TPM's own clock. The other half lies at the other site, which gives it out
//! only to whoever proves to hold the own half, only while the lease lasts, and destroys it afterwards. The lease is
//! the quorum's approved request itself; it is checked again, with every signature, each time.
//!
//! On one machine the other site is a folder: whoever takes both folders and the TPM has both halves. The exchange is
//! made for two machines, and protects as described once the sites are two.
//!
//! Reading order: [`lease`], `records`, `docket`, `exchange`, `held`, `grant`, `node`.

mod docket;
mod exchange;
mod fault;
mod grant;
mod held;
mod lease;
#[cfg(test)]
mod lease_tests;
mod node;
mod records;
#[cfg(test)]
mod tests;

pub use fault::RestartError;
pub(crate) use node::lease_of;

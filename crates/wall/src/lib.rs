//! What a process takes away from itself: the system calls it does not need (seccomp), the folders it does
//! not need (Landlock), images of its memory, its life after its parent's. What is taken away cannot be had back.
//! And where it keeps keys: in pages that the kernel itself cannot read ([`Secret32`]).
//!
//! Never here: which process needs what beyond its [`Role`].

mod calls;
mod folders;
mod memory;
mod secret;

pub use calls::Role;
pub use memory::{die_with_parent, forbid_images, lock_memory};
pub use secret::{Kept, Secret32, kept};

use std::path::PathBuf;

/// Why a wall could not be built.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be switched on ({why}); the process would run with rights it must not have")]
pub struct WallError {
    what: &'static str,
    why: String,
}

impl WallError {
    pub(crate) fn new(what: &'static str, why: impl ToString) -> Self {
        Self {
            what,
            why: why.to_string(),
        }
    }
}

/// What is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InForce {
    /// System calls are filtered.
    pub calls: bool,
    /// Folders are fenced off.
    pub folders: bool,
}

/// Builds the walls of a role. Call it before the process has a second thread: Landlock binds the thread that calls
/// it and those it starts.
///
/// The filter of system calls must be had; folders cannot be fenced off on kernels without Landlock, which
/// [`InForce`] tells.
pub fn build(role: Role, reads: &[PathBuf], writes: &[PathBuf]) -> Result<InForce, WallError> {
    let folders = folders::fence(reads, writes)?;
    calls::filter(role)?;
    Ok(InForce {
        calls: true,
        folders,
    })
}

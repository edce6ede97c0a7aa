//! What a TPM refuses, in words for whoever operates it.

use std::io;
use std::path::PathBuf;

/// Why the TPM did not do what it was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The device or socket cannot be opened.
    #[error("the TPM at {} cannot be reached: {error}; check tpm.device, and whether this user may open it", path.display())]
    Reach {
        /// Device or socket.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// It broke off in the middle.
    #[error("the TPM broke off: {0}")]
    Broken(#[from] io::Error),
    /// The machine is not what it was.
    #[error(
        "the TPM gives nothing: the machine did not start as it did when the key was sealed (a PCR has another value); if firmware, boot loader or kernel were changed on purpose, the officers open the node and grant a new lease"
    )]
    Changed,
    /// The TPM's own clock has passed the end.
    #[error("the TPM gives nothing: by its own clock, which cannot be set back, the lease is over")]
    ClockOver,
    /// Another TPM made it, or this one was cleared.
    #[error("this TPM did not make the sealed key, or it was cleared since")]
    OtherTpm,
    /// It wants authorisation for its owner hierarchy.
    #[error(
        "the TPM's owner hierarchy is protected with a password, which is not supported; take the password off"
    )]
    OwnerAuth,
    /// Another refusal.
    #[error("the TPM refused {command} with code {code:#05x}")]
    Refused {
        /// The command.
        command: &'static str,
        /// TPM_RC.
        code: u32,
    },
    /// What it answered cannot be read.
    #[error("the TPM answered {command} with something that cannot be read")]
    Answer {
        /// The command.
        command: &'static str,
    },
}

impl Fault {
    /// Codes of TPM 2.0 Library Part 2, section 6.6, without the number of the handle, session or parameter.
    pub(crate) const fn of(command: &'static str, code: u32) -> Self {
        const POLICY_FAIL: u32 = 0x09d;
        const INTEGRITY: u32 = 0x09f;
        const BAD_AUTH: u32 = 0x0a2;
        const AUTH_FAIL: u32 = 0x08e;
        const POLICY: u32 = 0x126;
        const PCR_CHANGED: u32 = 0x128;
        let bare = if code & 0x80 != 0 { code & 0xbf } else { code };
        match (code, bare) {
            (POLICY, _) => Self::ClockOver,
            (PCR_CHANGED, _) | (_, POLICY_FAIL) => Self::Changed,
            (_, INTEGRITY) => Self::OtherTpm,
            (_, BAD_AUTH | AUTH_FAIL) => Self::OwnerAuth,
            _ => Self::Refused { command, code },
        }
    }
}

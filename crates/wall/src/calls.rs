//! seccomp: the system calls that a role does without. A call on the list fails with EPERM.
//!
//! A list of what is forbidden, not of what is allowed: the C library, the allocator and the engines choose
//! other calls on other kernels, and a vault that dies of an update loses more than it wins. What is on the list is
//! what carries data out, starts programs, reads other processes, or goes around this filter.

use crate::WallError;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

const WHAT: &str = "the filter of system calls (seccomp)";

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Holds keys: no network, no programs.
    Vault,
    /// Holds keys and keeps what is sealed elsewhere, at a host, on servers or on an S3: as the vault, but it connects
    /// to the network.
    Guest,
    /// Speaks with clients over sockets it was given: makes and connects none to the network.
    Door,
    /// Computes for clients over sockets it was given, and makes none but pairs.
    Engine,
}

/// No role starts programs, looks into other processes, changes the machine, or uses rings that this filter
/// does not see.
const NEVER: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_open_by_handle_at,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_personality,
];

/// What speaks with clients makes no connection of its own and opens no second door.
const NOT_AT_THE_DOOR: &[libc::c_long] = &[
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_kill,
    libc::SYS_tkill,
];

/// Forbids what a role does without, for every thread of this process.
pub fn filter(role: Role) -> Result<(), WallError> {
    let failed = |e: seccompiler::BackendError| WallError::new(WHAT, e);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        NEVER.iter().map(|call| (*call, Vec::new())).collect();
    if matches!(role, Role::Door | Role::Engine) {
        rules.extend(NOT_AT_THE_DOOR.iter().map(|call| (*call, Vec::new())));
    }
    // Sockets between processes of this machine only; what is kept elsewhere is called.
    let not_local = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Ne,
        libc::AF_UNIX as u64,
    )
    .and_then(|condition| SeccompRule::new(vec![condition]))
    .map_err(failed)?;
    match role {
        Role::Guest => None,
        Role::Vault | Role::Door => rules.insert(libc::SYS_socket, vec![not_local]),
        Role::Engine => rules.insert(libc::SYS_socket, Vec::new()),
    };
    let arch: TargetArch = std::env::consts::ARCH
        .try_into()
        .map_err(|e| WallError::new(WHAT, format!("{e:?}")))?;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        arch,
    )
    .map_err(failed)?;
    let program: BpfProgram = filter.try_into().map_err(failed)?;
    seccompiler::apply_filter_all_threads(&program).map_err(|e| WallError::new(WHAT, e))
}

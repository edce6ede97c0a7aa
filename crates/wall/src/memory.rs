//! Memory: no image of it on a disk or in another process, no swap where that can be had.

use rustix::mm::MlockAllFlags;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};

/// Ends this process at once when the one that started it ends.
pub fn die_with_parent() -> bool {
    set_parent_process_death_signal(Some(Signal::KILL)).is_ok()
}

/// No core files, and no other process of this user reads this one's memory.
pub fn forbid_images() -> bool {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let files = setrlimit(Resource::Core, none).is_ok();
    let others = set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok();
    files && others
}

/// Keeps all memory out of swap, if the limit of locked memory allows for that.
pub fn lock_memory() -> bool {
    let unlimited = getrlimit(Resource::Memlock).current.is_none();
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    unlimited && rustix::mm::mlockall(all).is_ok()
}

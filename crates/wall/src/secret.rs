//! 32 secret bytes in pages of `memfd_secret`: they are in no swap, in no image of the process, and not in the
//! kernel's own map of memory, so that a bug which reads the kernel's memory does not read them. Where the kernel has
//! no such pages, or the limit of locked memory is reached, they lie in ordinary memory. Wiped when dropped.
#![allow(unsafe_code)] // the one place: pages of our own, cut into slots

use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroize;

const SECRET_BYTES: usize = 32;
/// A block of slots; a multiple of every page size in use.
const BLOCK_BYTES: usize = 64 * 1024;
/// Blocks at most: half of the usual limit of locked memory (8 MiB).
const BLOCKS_MAX: usize = 64;

/// Slots that are free, and how many blocks there are.
struct Pool {
    free: Vec<Slot>,
    blocks: usize,
    /// The kernel gives no more.
    exhausted: bool,
}

/// The address of 32 bytes in a block. Blocks are never given back, so it stays valid.
struct Slot(NonNull<[u8; SECRET_BYTES]>);

// SAFETY: a slot is an address that one owner at a time holds; the pool hands each out once until it is back.
unsafe impl Send for Slot {}
// SAFETY: through a shared reference the bytes are only read.
unsafe impl Sync for Slot {}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    free: Vec::new(),
    blocks: 0,
    exhausted: false,
});
static IN_SECRET_PAGES: AtomicU64 = AtomicU64::new(0);
static IN_ORDINARY_MEMORY: AtomicU64 = AtomicU64::new(0);

/// How many secrets lie where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// In pages that the kernel cannot read.
    pub in_secret_pages: u64,
    /// In ordinary memory.
    pub in_ordinary_memory: u64,
}

/// Where this process's secrets lie now.
#[must_use]
pub fn kept() -> Kept {
    Kept {
        in_secret_pages: IN_SECRET_PAGES.load(Ordering::Relaxed),
        in_ordinary_memory: IN_ORDINARY_MEMORY.load(Ordering::Relaxed),
    }
}

/// Pages of `memfd_secret`, zeroed; nothing if the kernel gives none.
fn block() -> Option<NonNull<u8>> {
    use rustix::mm::{MapFlags, ProtFlags};
    use std::os::fd::{FromRawFd, OwnedFd, RawFd};
    // SAFETY: the call takes flags and gives a descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
    let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the descriptor is new and nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    rustix::fs::ftruncate(&fd, BLOCK_BYTES as u64).ok()?;
    // SAFETY: a new mapping at an address of the kernel's choice, of the length the file has.
    let at = unsafe {
        rustix::mm::mmap(
            std::ptr::null_mut(),
            BLOCK_BYTES,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED,
            &fd,
            0,
        )
    };
    NonNull::new(at.ok()?.cast())
}

impl Pool {
    fn slot(&mut self) -> Option<Slot> {
        if self.free.is_empty() && !self.exhausted {
            match (self.blocks < BLOCKS_MAX).then(block).flatten() {
                None => self.exhausted = true,
                Some(start) => {
                    self.blocks += 1;
                    for at in (0..BLOCK_BYTES).step_by(SECRET_BYTES) {
                        // SAFETY: `at` lies inside the block.
                        self.free.push(Slot(unsafe { start.add(at) }.cast()));
                    }
                }
            }
        }
        self.free.pop()
    }
}

fn pool() -> std::sync::MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 32 secret bytes.
pub struct Secret32(Place);

enum Place {
    Pages(Slot),
    Heap(Box<[u8; SECRET_BYTES]>),
}

impl Secret32 {
    /// Copies the bytes to where they are kept, and wipes the argument. The caller wipes what else it holds of
    /// them.
    #[must_use]
    pub fn new(mut bytes: [u8; SECRET_BYTES]) -> Self {
        let slot = pool().slot();
        let place = match slot {
            Some(slot) => {
                IN_SECRET_PAGES.fetch_add(1, Ordering::Relaxed);
                // SAFETY: the slot is ours alone, and 32 bytes long.
                unsafe { slot.0.write(bytes) };
                Place::Pages(slot)
            }
            None => {
                IN_ORDINARY_MEMORY.fetch_add(1, Ordering::Relaxed);
                let mut kept = Box::new([0; SECRET_BYTES]);
                kept.copy_from_slice(&bytes);
                Place::Heap(kept)
            }
        };
        bytes.zeroize();
        Self(place)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; SECRET_BYTES] {
        match &self.0 {
            // SAFETY: the slot is ours, was written when it was taken, and its block is never given back.
            Place::Pages(slot) => unsafe { slot.0.as_ref() },
            Place::Heap(bytes) => bytes,
        }
    }
}

impl Drop for Secret32 {
    fn drop(&mut self) {
        match &mut self.0 {
            Place::Pages(slot) => {
                // SAFETY: the slot is ours alone until it goes back.
                unsafe { slot.0.as_mut() }.zeroize();
                IN_SECRET_PAGES.fetch_sub(1, Ordering::Relaxed);
                pool().free.push(Slot(slot.0));
            }
            Place::Heap(bytes) => {
                bytes.zeroize();
                IN_ORDINARY_MEMORY.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret32(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_apart_and_their_slots_are_wiped_before_they_are_used_again() {
        let many: Vec<_> = (0..5000_u16)
            .map(|n| {
                let mut bytes = [0; 32];
                bytes[..2].copy_from_slice(&n.to_le_bytes());
                bytes[31] = 0xaa;
                Secret32::new(bytes)
            })
            .collect();
        for (n, secret) in (0_u16..).zip(&many) {
            assert_eq!(secret.bytes()[..2], n.to_le_bytes());
        }
        drop(many);
        let pool = pool();
        for slot in &pool.free {
            // SAFETY: free slots are nobody's while the pool is locked.
            assert_eq!(unsafe { slot.0.read() }, [0; 32]);
        }
    }

    #[test]
    fn secrets_cross_threads() {
        let secret = Secret32::new([7; 32]);
        let seen = std::thread::spawn(move || *secret.bytes()).join();
        assert_eq!(seen.unwrap(), [7; 32]);
    }
}

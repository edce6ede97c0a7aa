//! The operating system's clock and randomness.
#![allow(clippy::disallowed_methods)] // this is the one place

use crate::{Clock, Random};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use words::UnixMillis;

/// The machine's clocks.
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The kernel's random number generator.
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        #[allow(clippy::expect_used)] // a machine without randomness must not make keys
        getrandom::fill(bytes).expect("the kernel gave no random bytes");
    }
}

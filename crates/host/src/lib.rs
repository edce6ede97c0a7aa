//! The only window to clock, randomness and files. Rooms take a [`Host`] and ask it; none of them calls
//! the operating system for time, random bytes or paths itself (a lint forbids it), so that the whole
//! cloud can run on one seed in `sim`.
//!
//! Never here: networking, and anything that knows what the bytes mean.

pub mod blocks;
pub mod files;
mod real;

use std::sync::Arc;
use std::time::Duration;
use words::UnixMillis;

pub use real::{OsRandom, SystemClock};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time, for records and for checking signatures.
    fn now(&self) -> UnixMillis;
    /// Time that never goes backwards, for measuring how long something took.
    fn elapsed(&self) -> Duration;
}

/// Draws random bytes fit for keys.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The outside world as one node sees it.
#[derive(Clone)]
pub struct Host {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Host {
    /// The machine this process runs on.
    #[must_use]
    pub fn real() -> Self {
        Self::new(Arc::new(SystemClock::default()), Arc::new(OsRandom))
    }
    /// A world made by a test.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random }
    }
    /// Wall-clock time.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }
    /// Time that never goes backwards.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
    /// `N` random bytes.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }
}

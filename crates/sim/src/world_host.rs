//! Time that passes only when everybody waits, and randomness from a seed.

use host::{Clock, Host, Random};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use words::UnixMillis;

/// 2026-11-24T00:00:00Z, where every simulation begins.
pub const BEGINNING: UnixMillis = UnixMillis(1_795_478_400_000);

/// The clock of the tokio runtime, which must be paused to be deterministic, and what was added to it.
pub struct SimClock {
    began: Instant,
    added: Mutex<Duration>,
}

impl SimClock {
    /// Begins at [`BEGINNING`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            added: Mutex::new(Duration::ZERO),
        }
    }
    /// Lets time pass without waking whoever sleeps: for grace periods of hours.
    pub fn skip(&self, time: Duration) {
        *self.added.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn now(&self) -> UnixMillis {
        BEGINNING.plus(u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
    fn elapsed(&self) -> Duration {
        self.began.elapsed() + *self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SplitMix64: even, quick, the same on every run. Keys made of it protect nothing.
pub struct Dice(Mutex<u64>);

impl Dice {
    /// A stream of its own for each seed and purpose.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let dice = Self(Mutex::new(
            seed ^ purpose.wrapping_mul(0xd134_2543_de82_ef95),
        ));
        dice.next();
        dice
    }
    /// The next 64 bits.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below `end`; 0 if `end` is 0.
    pub fn below(&self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }
    /// True once in `times`.
    pub fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }
    /// One of these.
    pub fn one_of<'a, T>(&self, all: &'a [T]) -> Option<&'a T> {
        all.get(usize::try_from(self.below(all.len() as u64)).unwrap_or(0))
    }
}

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            piece
                .iter_mut()
                .zip(word)
                .for_each(|(byte, new)| *byte = new);
        }
    }
}

/// A host on one seed, with its clock at hand.
#[must_use]
pub fn host(seed: u64) -> (Host, Arc<SimClock>) {
    let clock = Arc::new(SimClock::new());
    (
        Host::new(Arc::clone(&clock) as _, Arc::new(Dice::new(seed, 1))),
        clock,
    )
}

//! A witness in memory, for the simulator and for tests; it can be told to fail.

use crate::error::WitnessError;
use crate::record::EpochRecord;
use crate::witness::Witness;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A witness in memory.
#[derive(Debug)]
pub struct MemoryWitness {
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    record: Option<EpochRecord>,
    reads_fail: bool,
    writes_fail: bool,
    writes: u64,
}

impl MemoryWitness {
    /// An empty one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: Mutex::default(),
        }
    }
    /// From now on reads and writes fail, or work again.
    pub fn set_failing(&self, reads: bool, writes: bool) {
        let mut state = self.state();
        state.reads_fail = reads;
        state.writes_fail = writes;
    }
    /// Puts a record there, as an old copy brought back would.
    pub fn put(&self, record: Option<EpochRecord>) {
        self.state().record = record;
    }
    /// How often it was written.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state().writes
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for MemoryWitness {
    fn name(&self) -> &str {
        &self.name
    }
    fn read(&self) -> Result<Option<EpochRecord>, WitnessError> {
        let state = self.state();
        if state.reads_fail {
            return Err(WitnessError::Silent {
                name: self.name.clone(),
            });
        }
        Ok(state.record)
    }
    fn write(&self, record: &EpochRecord) -> Result<(), WitnessError> {
        let mut state = self.state();
        if state.writes_fail {
            return Err(WitnessError::Silent {
                name: self.name.clone(),
            });
        }
        state.record = Some(*record);
        state.writes += 1;
        Ok(())
    }
    fn may_hang(&self) -> bool {
        false
    }
}

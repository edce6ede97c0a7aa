//! Bodies: taken off the wire, unframed and checked (`incoming`), and sent (`out`).

pub(crate) mod incoming;
pub(crate) mod out;

use crate::refuse::No;
use std::sync::{Arc, Mutex, PoisonError};
use store::api::{BodyIn, Expected};

/// The body of an object or part on its way to the store.
pub(crate) struct Taken {
    /// The plain bytes.
    pub stream: BodyIn,
    /// Their exact number.
    pub length: u64,
    /// What they must hash to.
    pub expected: Expected,
    /// Why the stream ended in an error, more exactly than the store can know.
    pub fault: Fault,
}

/// Where a body's stream leaves the reason of its error.
#[derive(Clone, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<No>>>);

impl Fault {
    pub(crate) fn set(&self, no: No) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(no);
    }
    pub(crate) fn take(&self) -> Option<No> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

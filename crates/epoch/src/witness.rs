//! A place that remembers the epoch record for us.

use crate::error::WitnessError;
use crate::record::EpochRecord;

/// A place that remembers the epoch record: a parent's folder, or the site's own.
pub trait Witness: Send + Sync {
    /// How messages call it.
    fn name(&self) -> &str;
    /// The record it holds; `None` if it holds none yet.
    fn read(&self) -> Result<Option<EpochRecord>, WitnessError>;
    /// Replaces the record it holds, durably.
    fn write(&self, record: &EpochRecord) -> Result<(), WitnessError>;
    /// Whether a call may hang, as a network mount can; if so it is made on a thread of its own and given
    /// up at a deadline.
    fn may_hang(&self) -> bool {
        true
    }
}

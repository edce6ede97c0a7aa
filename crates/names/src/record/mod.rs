//! What this room stores, one file per record. The bytes are drawn in `docs/format/names.md`.

mod delta;
mod facts;
mod fences;
mod manifest;
mod page;

pub use delta::DeltaRecord;
pub use fences::{Fences, FencesBuilder};
pub use manifest::{Garbage, Manifest, RunId, RunRecord, What};
pub use page::{Page, PageBuilder, PageCursor};

/// Writes zeros up to a multiple of `step`, so that a row's size tells less of what is in it.
fn pad(bytes: &mut Vec<u8>, step: usize) {
    bytes.resize(bytes.len().next_multiple_of(step), 0);
}

/// How many leading bytes two names share.
pub(crate) fn shared_bytes(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(l, r)| l == r).count()
}

/// The end of a record of `whole` bytes must be zeros, and no more of them than `step` asks for: there is one
/// encoding only.
fn only_padding(rest: &[u8], whole: usize, step: usize) -> Result<(), words::wire::WireError> {
    let fits = whole.is_multiple_of(step) && rest.len() < step;
    if fits && rest.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(words::wire::WireError::Field("padding"))
    }
}

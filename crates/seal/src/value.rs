//! Small values: metadata, names, deltas, openings. Each is one Cobblestone-256 message under a leaf key,
//! bound to a context that says which row it belongs to, so that it cannot be moved to another row.

use crate::cobblestone::{self, OpenError};
use crate::key::Key;
use zeroize::Zeroizing;

const LABEL: &[u8] = b"clarence/v1/value\0";

/// Bytes by which a sealed value of up to 16,383 bytes is longer than its plaintext.
pub const VALUE_OVERHEAD_BYTES: usize = cobblestone::HEADER_BYTES + cobblestone::TAG_BYTES;

/// Seals a value. The salt is 24 fresh random bytes; `context` names the row and the kind of value, in an
/// encoding in which no two rows have the same bytes.
#[must_use]
pub fn seal_value(key: &impl AsRef<Key>, context: &[u8], salt: [u8; 24], plain: &[u8]) -> Vec<u8> {
    cobblestone::seal(key.as_ref(), &[LABEL, context].concat(), salt, plain)
}

/// Opens a value that was sealed under the same key for the same context.
pub fn open_value(
    key: &impl AsRef<Key>,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    cobblestone::open(key.as_ref(), &[LABEL, context].concat(), sealed)
}

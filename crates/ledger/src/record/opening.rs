//! The opening of an entry, which the vault seals: version 1 ‖ entry key (32 bytes) ‖ fields, each as
//! tag (u16) ‖ length (u32) ‖ value, tags strictly ascending. Fields whose tag this build does not know
//! are kept as they are.

use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
/// Longest value of one field.
pub const FIELD_BYTES_MAX: usize = 16 * 1024;
/// Most fields of one entry, of tags known and unknown.
pub const FIELDS_MAX: usize = 512;

/// Why an opening could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// The opening is cut or of another format.
    #[error("ledger opening: {0}")]
    Wire(#[from] WireError),
    /// Tags do not ascend, so the same fields could be written in two ways.
    #[error("ledger opening: field {0} does not come after the one before it")]
    Order(u16),
    /// A field that every entry has is missing.
    #[error("ledger opening: the field {0:?} is missing")]
    Missing(&'static str),
    /// A field has a value that its type does not allow.
    #[error("ledger opening: the field {0:?} has a value that it cannot have")]
    Value(&'static str),
    /// There are more fields than an entry may have.
    #[error("ledger opening: more than {FIELDS_MAX} fields")]
    TooMany,
}

/// Lays out an opening around fields that are encoded already.
#[must_use]
pub fn encode(entry_key: &[u8; 32], fields: &[u8]) -> Vec<u8> {
    Writer::versioned(VERSION)
        .raw(entry_key)
        .raw(fields)
        .finish()
}

/// Takes an opening apart: the entry key and the encoded fields, which [`fields`] reads.
pub fn decode(bytes: &[u8]) -> Result<([u8; 32], &[u8]), OpeningError> {
    let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
    let key = reader.array()?;
    Ok((key, reader.rest()))
}

/// Reads encoded fields: tag and value, in order.
pub fn fields(bytes: &[u8]) -> Result<Vec<(u16, &[u8])>, OpeningError> {
    let mut reader = Reader::bare(bytes);
    let mut found: Vec<(u16, &[u8])> = Vec::with_capacity(24);
    while reader.remaining() > 0 {
        let tag = reader.u16()?;
        if found.last().is_some_and(|(before, _)| *before >= tag) {
            return Err(OpeningError::Order(tag));
        }
        if found.len() == FIELDS_MAX {
            return Err(OpeningError::TooMany);
        }
        found.push((tag, reader.bytes(FIELD_BYTES_MAX)?));
    }
    Ok(found)
}

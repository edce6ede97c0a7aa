//! A name's facts as they stand in deltas and pages: 52 bytes.

use crate::api::NameFacts;
use words::wire::{Reader, WireError};
use words::{UnixMillis, VersionId};

/// Length on the disk.
pub(super) const FACTS_BYTES: usize = 8 + 8 + 16 + 4 + 16;

/// Marks an entry that stands for an object. Reaches the disk.
pub(super) const KIND_OBJECT: u8 = 1;
/// Marks an entry that says that a name is gone. Reaches the disk.
pub(super) const KIND_GONE: u8 = 2;

/// Appends the facts.
pub(super) fn write(facts: &NameFacts, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&facts.size.to_be_bytes());
    bytes.extend_from_slice(&facts.modified.0.to_be_bytes());
    bytes.extend_from_slice(&facts.etag);
    bytes.extend_from_slice(&facts.parts.to_be_bytes());
    bytes.extend_from_slice(facts.version.as_bytes());
}

/// Takes the facts.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<NameFacts, WireError> {
    Ok(NameFacts {
        size: reader.u64()?,
        modified: UnixMillis(reader.u64()?),
        etag: reader.array()?,
        parts: reader.u32()?,
        version: VersionId::from_bytes(reader.array()?),
    })
}

/// Reads what follows a kind byte: facts, or nothing for a name that is gone.
pub(super) fn read_kind(kind: u8, reader: &mut Reader<'_>) -> Result<Option<NameFacts>, WireError> {
    match kind {
        KIND_OBJECT => read(reader).map(Some),
        KIND_GONE => Ok(None),
        _ => Err(WireError::Field("kind")),
    }
}

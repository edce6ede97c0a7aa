//! What the vault keeps in the catalog and in the site folders, one file per record. Secrets in them are
//! wrapped or sealed; the layouts are drawn in `docs/format/vault.md`.

pub mod access_key;
pub mod bucket;
pub mod identity;
pub mod meter;
pub mod provider;
pub mod site_header;
pub mod tenant;

use words::wire::{Reader, WireError};

/// Length of a wrapped key.
pub const WRAPPED_BYTES: usize = 104;

/// Reads a yes or a no: 1 or 0 and nothing else, so that one row has one spelling.
fn flag(byte: u8, field: &'static str) -> Result<bool, WireError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(WireError::Field(field)),
    }
}

/// Reads a text of at most `max` bytes.
fn text(reader: &mut Reader<'_>, max: usize, field: &'static str) -> Result<String, WireError> {
    let bytes = reader.bytes(max)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Field(field))
}

/// Reads a count and so many policy documents.
fn documents(reader: &mut Reader<'_>, most: u16) -> Result<Vec<String>, WireError> {
    let count = reader.u16()?;
    if count > most {
        return Err(WireError::Field("documents"));
    }
    (0..count)
        .map(|_| text(reader, policy::document::DOCUMENT_BYTES_MAX, "document"))
        .collect()
}

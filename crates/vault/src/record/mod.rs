//! What the vault keeps in the catalog and in the site folders, one file per record. Secrets in them are
//! wrapped or sealed; the layouts are drawn in `docs/format/vault.md`.

pub mod access_key;
pub mod bucket;
pub mod joint;
pub mod shred;
pub mod site_header;
pub mod tenant;

use words::wire::WireError;

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

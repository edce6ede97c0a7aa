//! What the vault keeps in the catalog and in the site folders, one file per record. Secrets in them are
//! wrapped or sealed; the layouts are drawn in `docs/format/vault.md`.

pub mod access_key;
pub mod agreement;
pub mod anchor;
pub mod bucket;
pub mod cohorts;
pub mod identity;
pub mod joint;
pub mod loan;
pub mod meter;
pub mod provider;
pub mod rotation;
pub mod shred;
pub mod site_header;
pub mod sites;
pub mod table;
pub mod tenant;

use words::wire::{Reader, WireError};

/// Length of a wrapped key.
pub const WRAPPED_BYTES: usize = 104;

/// Length of a row's MAC.
pub const MAC_BYTES: usize = 32;
/// Most versions that a key has at one time.
pub const KEY_VERSIONS_MAX: usize = 8;
/// In the context of a wrap that lies in a row under a MAC, added to the version of the wrapped key: such a
/// wrap opens in no row without a MAC, so a row cannot be turned back into one of the first format.
pub const SIGNED_ROW: u32 = 1 << 31;

/// Reads the version of a key: 1 or more, and below the bit that marks rows under a MAC.
fn key_version(reader: &mut Reader<'_>) -> Result<u32, WireError> {
    match reader.u32()? {
        version if (1..SIGNED_ROW).contains(&version) => Ok(version),
        _ => Err(WireError::Field("key version")),
    }
}

/// Reads how many versions of a key follow.
fn key_count(reader: &mut Reader<'_>) -> Result<usize, WireError> {
    match usize::from(reader.u8()?) {
        count if (1..=KEY_VERSIONS_MAX).contains(&count) => Ok(count),
        _ => Err(WireError::Field("number of key versions")),
    }
}

/// Versions stand newest first, so that one row has one spelling.
fn newest_first(versions: impl Iterator<Item = u32>) -> Result<(), WireError> {
    let mut last = SIGNED_ROW;
    for version in versions {
        if version >= last {
            return Err(WireError::Field("order of key versions"));
        }
        last = version;
    }
    Ok(())
}

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

//! What the vault keeps in the catalog and in the site folders, one file per record. Secrets in them are
//! wrapped or sealed; the layouts are drawn in `docs/format/vault.md`.

pub mod access_key;
pub mod bucket;
pub mod site_header;
pub mod tenant;

/// Length of a wrapped key.
pub const WRAPPED_BYTES: usize = 104;

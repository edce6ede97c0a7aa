//! The rows of persons' records, all under tag `A`; drawn in `docs/format/person.md`.

pub mod line;
pub mod whole;

/// The tag of these rows.
pub const TAG: u8 = b'A';

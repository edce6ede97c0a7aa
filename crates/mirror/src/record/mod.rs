//! What this room lays out in bytes. Drawn in `docs/format/chunks.md`.

pub mod debt;

//! What this room lays out in bytes. Drawn in `docs/format/chunks.md`.

mod chunk_ref;

pub use chunk_ref::ChunkRef;

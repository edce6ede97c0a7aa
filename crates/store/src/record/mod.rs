//! What the store keeps in the catalog, one file per record. The layouts are drawn in
//! `docs/format/store.md`; every record opens with a version byte and has a round-trip test.

pub mod chunk_list;
pub mod garbage;
pub mod manifest;
pub mod meta;
pub mod object;
pub mod part;
pub mod upload;

//! What a guest keeps at a host: sealed chunks and a sealed twin of the catalog, as opaque objects in one
//! bucket of an S3 that is not the guest's own. The host sees names that are random numbers, sizes, times
//! and which object is asked for when; nothing else.
//!
//! Never here: plaintext, the guest's root or any key but the twin's, and deciding who is current.
//!
//! Reading order: [`upstream`] (chunks there; the client is the room `s3`), [`source`] (reading what is there, or
//! an export of it), [`twin`] (the catalog there), [`export`] (taking everything away).

pub mod export;
pub mod source;
pub mod twin;
pub mod upstream;

pub use export::{Evacuated, Export, ExportError, evacuate};
pub use source::{ReadOnly, Source, SourceError};
pub use twin::{Acknowledge, Header, Home, Papers, Replay, ReplayError, Twin, TwinState, Twinned};
pub use upstream::Upstream;

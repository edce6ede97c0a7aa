//! The twin of the catalog at the host: one sealed object after the other, each bound to its place. First all
//! rows of a moment, then what changed, batch after batch. With it and a quorum of shares the catalog comes
//! back without the guest's home. The bytes are drawn in `docs/format/embassy.md`.
//!
//! Reading order: [`record`], [`keeper`] (writes it), [`engine`] (lets commits wait for it), [`replay`] (reads it).

pub mod engine;
pub mod keeper;
pub mod record;
pub mod replay;

pub use engine::Twinned;
pub use keeper::{Acknowledge, Home, Twin, TwinState, TwinView};
pub use record::{Generation, Header, Message, Papers, RecordError};
pub use replay::{Replay, ReplayError, Tip, close, headers};

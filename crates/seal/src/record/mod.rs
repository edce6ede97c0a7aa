//! The stored records of this room. Each is drawn in `docs/format/seal.md`.

pub mod manifest;
pub mod object;
pub mod segment;

pub use manifest::{Manifest, SegmentError, table_bytes};
pub use object::{
    ClaimedRecord, Kek, NewRecord, ObjectPlace, ObjectRecord, RECORD_BYTES, RecordError,
};
pub use segment::{SEGMENT_BYTES, Segment, SegmentContext};

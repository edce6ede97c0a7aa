//! What this room stores: one record, the same at the witnesses (`witness.clr`) and in the site folders
//! (`epoch.clr`).

mod epoch_record;

pub use epoch_record::{EPOCH_RECORD_BYTES, EpochRecord, RecordError, Standing};

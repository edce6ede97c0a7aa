//! What the embedded engine stores: the row, the journal row, the folder's description.

pub(crate) mod format;
pub(crate) mod journal_row;
pub(crate) mod row;

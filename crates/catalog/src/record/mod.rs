//! What the embedded engine stores: the row, the journal row, the folder's description, how far it
//! came.

pub(crate) mod format;
pub(crate) mod journal_row;
pub(crate) mod reached;
pub(crate) mod row;

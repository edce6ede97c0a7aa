//! The stored records of the ledger, one file each.

pub mod opening;
pub mod row;

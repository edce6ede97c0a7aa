//! The ledger from outside.
mod cost;

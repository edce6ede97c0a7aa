//! The doors of SQL: PostgreSQL's protocol, HTTP and Arrow Flight SQL.

pub mod catalog;
mod certificates;
pub mod flight;
pub mod http;
pub mod postgres;
pub mod process;
pub mod serve;

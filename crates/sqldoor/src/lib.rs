//! The doors of SQL: PostgreSQL's protocol and HTTP.

pub mod catalog;
mod certificates;
pub mod http;
pub mod postgres;
pub mod process;
pub mod serve;

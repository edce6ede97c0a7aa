//! The control socket: how the command line talks to the running node.

mod client;
pub mod erasure;
mod identity;
mod protocol;
mod server;

pub use client::{CallError, call};
pub use identity::Identity;
pub use protocol::{Line, Request, RotateWhat};
pub(crate) use server::{Failure, Progress, serve};

//! The control socket: how the command line talks to the running node.

mod agreement;
mod anchor;
mod client;
pub mod erasure;
mod identity;
mod lending;
mod person;
mod protocol;
mod server;

pub use agreement::{AgreementAsked, SideAsked};
pub use anchor::TrustAnchor;
pub use client::{CallError, call};
pub use identity::Identity;
pub use lending::Lending;
pub use person::PersonAccesses;
pub use protocol::{Line, Request, RotateWhat};
pub(crate) use server::{Failure, Performs, Progress, serve};

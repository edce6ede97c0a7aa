//! Keys that a hardware security module holds, reached over PKCS #11.
//!
//! A maker's module is a library of unknown quality that wants to be loaded into the process. It never is
//! loaded into the node: [`Hsm`] starts the same program again ([`serve`] is what that process runs) and
//! talks to it over a socket pair, one frame at a time, each with a deadline. A module that crashes or hangs
//! ends that process only; it is started again a few times and then left alone.
//!
//! What the HSM does here is little: it wraps and unwraps 32 bytes with an AES-256 key that it made itself
//! and never gives out (AES-GCM, bound to a context). [`HsmRecord`] is the file that says which key of which
//! token that was. Whatever goes wrong in an unwrap is one answer, [`Fault::NotOpened`].
//!
//! Never here: what the 32 bytes are for, retries of a PIN, and a PIN in arguments or environment.
//!
//! Reading order: [`Fault`], `message`, `module`, [`serve`], [`Hsm`], [`HsmRecord`].

mod client;
mod fault;
pub mod inventory;
mod message;
mod module;
mod pin;
mod record;
mod uri;
mod worker;

pub use client::{Access, Hsm, Program, Running, Starter, Starts, start_own};
pub use fault::Fault;
pub use message::{KeyName, TokenFacts, Wrap};
pub use pin::PinError;
pub use record::{FILE, HOLDERS_MAX, Holder, HsmRecord, RECORD_BYTES_MAX, RecordError};
pub use uri::UriError;
pub use worker::serve;

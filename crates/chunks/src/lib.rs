//! Sealed bytes in one site. A chunk is an immutable file of sealed bytes with a random name; a store keeps
//! chunks durably, gives back any range of one, and tells precisely what is wrong when it cannot. It takes
//! only [`seal::Sealed`], so plaintext has no way in.
//!
//! Never here: keys, object names, which chunk belongs to what, what the other site has, and any decision
//! about what is current.
//!
//! Reading order: [`api`], [`error`], [`dir`], [`memory`], [`faults`], [`faulty`], [`record`].

pub mod api;
pub mod dir;
pub mod error;
pub mod faults;
pub mod faulty;
pub mod memory;
pub mod record;

pub use api::{ChunkStat, ChunkStore, ChunkWriter};
pub use dir::Dir;
pub use error::{Cause, ChunkError};
pub use faults::{Behaviour, Faults, Step};
pub use faulty::Faulty;
pub use memory::Memory;
pub use record::ChunkRef;

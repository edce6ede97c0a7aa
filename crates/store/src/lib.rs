//! The verbs on objects: put, get, list, delete, copy and multipart, one file each.
//!
//! A verb asks the vault for a grant, seals or opens bytes with it, gives sealed bytes to the mirror and
//! the fact to the catalog. It never sees a tenant's or a bucket's key and never decides who may.
//!
//! Reading order: [`api`], [`error`], `put`, `get`, then the rest.

pub mod api;
mod buckets;
pub mod checksum;
mod commit;
mod conditions;
mod copy;
mod delete;
mod erase;
pub mod error;
mod get;
mod housekeeping;
mod list;
mod multipart;
mod open;
mod parts;
mod put;
mod receive;
pub mod record;
mod runs;
mod scan;
mod uploads;

pub use error::StoreError;
pub use get::ObjectHead;
pub use housekeeping::{KnownChunks, Swept, chunks_of};

use catalog::Engine;
use host::Host;
use mirror::Mirror;
use names::Index;
use std::sync::Arc;
use vault::Vault;

pub use scan::OpenStatement;
pub use vault::PolicyAct;

/// The verbs on objects.
pub struct Store {
    vault: Arc<Vault>,
    engine: Arc<dyn Engine>,
    mirror: Arc<Mirror>,
    index: Arc<Index>,
    host: Host,
}

impl Store {
    /// A store over its keepers.
    #[must_use]
    pub fn new(
        vault: Arc<Vault>,
        engine: Arc<dyn Engine>,
        mirror: Arc<Mirror>,
        index: Arc<Index>,
        host: Host,
    ) -> Arc<Self> {
        Arc::new(Self {
            vault,
            engine,
            mirror,
            index,
            host,
        })
    }
}

//! The stores under test.

pub use crate::pieces::{id, noise, put, sealed};
use chunks::{ChunkStore, Dir, Faulty, Memory};
use host::Host;
use std::sync::Arc;

pub type Named = (&'static str, Arc<dyn ChunkStore>);

/// Every store, each empty; the folders live as long as the guard.
#[allow(clippy::unused_async)] // those of the room s3 wait
pub async fn stores() -> (tempfile::TempDir, Vec<Named>) {
    let guard = tempfile::tempdir().unwrap();
    let dir = |name: &str| Dir::found(&guard.path().join(name)).unwrap();
    let stores: Vec<Named> = vec![
        ("memory", Arc::new(Memory::new(Host::real(), "memory"))),
        ("folder", Arc::new(dir("plain"))),
        (
            "faulty memory",
            Arc::new(Faulty::new(
                Arc::new(Memory::new(Host::real(), "memory")),
                "faulty",
            )),
        ),
        (
            "faulty folder",
            Arc::new(Faulty::new(Arc::new(dir("wrapped")), "faulty")),
        ),
    ];
    (guard, stores)
}

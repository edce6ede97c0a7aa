//! Sealed pieces. The room `s3` runs the conformance suite with them too.

use bytes::Bytes;
use chunks::{ChunkError, ChunkStore};
use seal::Sealed;
use words::ChunkId;

/// Bytes that carry the token: stores do not look into them.
pub fn sealed(bytes: Vec<u8>) -> Sealed {
    let hash = blake3::hash(&bytes);
    Sealed::reverified(Bytes::from(bytes), hash.as_bytes()).unwrap()
}

/// Bytes that differ everywhere and for each seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_be_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

pub fn id(first: u8, last: u8) -> ChunkId {
    let mut bytes = [0; 16];
    bytes[0] = first;
    bytes[15] = last;
    ChunkId::from_bytes(bytes)
}

pub async fn put(store: &dyn ChunkStore, id: ChunkId, pieces: &[&[u8]]) -> Result<(), ChunkError> {
    let mut writer = store.create(id).await?;
    for piece in pieces {
        writer.append(&sealed(piece.to_vec())).await?;
    }
    writer.finish().await
}

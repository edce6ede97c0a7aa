//! The chain of signatures over a body in signed `aws-chunked` framing: each chunk's signature covers
//! the one before it, the first one covers the request's.

use crate::key::SigningKey;
use aws_lc_rs::digest;
use words::hex;

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A chunk's or a trailer's signature is not the one we compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of the body has a signature that does not match; nothing of it was stored")]
pub struct ChunkMismatch;

/// What checks the chunks and trailers of a body as they come. The door that reads a body need not hold the
/// key that checks it.
pub trait ChunkCheck: Send {
    /// Checks the next chunk by the SHA-256 of its bytes and the hexadecimal signature in its head. After
    /// an error the chain is broken and the body must be refused.
    fn chunk(
        &mut self,
        sha256: &[u8; 32],
        length: u64,
        signature: &str,
    ) -> Result<(), ChunkMismatch>;
    /// Checks the trailers: `trailers` is each one as `name:value` and a line feed.
    fn trailer(&mut self, trailers: &[u8], signature: &str) -> Result<(), ChunkMismatch>;
}

/// Checks chunks and trailers one after the other. Made by `verify`; not `Clone`, because the chain goes
/// one way.
pub struct ChunkSignatures {
    key: SigningKey,
    stamp: String,
    scope: String,
    previous: String,
}

impl ChunkSignatures {
    pub(crate) fn new(key: SigningKey, stamp: String, scope: String, seed: &[u8; 32]) -> Self {
        Self {
            key,
            stamp,
            scope,
            previous: hex::encode(seed),
        }
    }

    /// Checks the next chunk by the SHA-256 of its bytes and the hexadecimal signature in its head. After
    /// an error the chain is broken and the body must be refused.
    pub fn verify_chunk(
        &mut self,
        sha256: &[u8; 32],
        signature: &str,
    ) -> Result<(), ChunkMismatch> {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{EMPTY}\n{}",
            self.stamp,
            self.scope,
            self.previous,
            hex::encode(sha256)
        );
        self.step(&text, signature)
    }

    /// Checks the trailers: `trailers` is each one as `name:value` and a line feed.
    pub fn verify_trailer(
        &mut self,
        trailers: &[u8],
        signature: &str,
    ) -> Result<(), ChunkMismatch> {
        let hash = digest::digest(&digest::SHA256, trailers);
        let text = format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
            self.stamp,
            self.scope,
            self.previous,
            hex::encode(hash.as_ref())
        );
        self.step(&text, signature)
    }

    fn step(&mut self, text: &str, signature: &str) -> Result<(), ChunkMismatch> {
        let bytes: [u8; 32] = hex::decode_array(signature).ok_or(ChunkMismatch)?;
        if !self.key.signed(text.as_bytes(), &bytes) {
            return Err(ChunkMismatch);
        }
        self.previous = hex::encode(&bytes);
        Ok(())
    }
}

impl ChunkCheck for ChunkSignatures {
    fn chunk(
        &mut self,
        sha256: &[u8; 32],
        _length: u64,
        signature: &str,
    ) -> Result<(), ChunkMismatch> {
        self.verify_chunk(sha256, signature)
    }
    fn trailer(&mut self, trailers: &[u8], signature: &str) -> Result<(), ChunkMismatch> {
        self.verify_trailer(trailers, signature)
    }
}

impl std::fmt::Debug for ChunkSignatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChunkSignatures({})", self.scope)
    }
}

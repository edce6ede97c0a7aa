//! Bodies on their way in: what the door found in the framing goes along, and is checked where the keys are.

use crate::say::{BodyEnd, BodyTrouble, Check};
use authn::{ChunkCheck, ChunkMismatch};
use aws_lc_rs::digest;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use store::api::{BodyError, TrailerSlot};
use subtle::ConstantTimeEq;

/// Signatures that the door's decoder met and the far side has not been told of yet.
#[derive(Clone, Default)]
pub(crate) struct Met(Arc<Mutex<Vec<Check>>>);

impl Met {
    pub(crate) fn take(&self) -> Vec<Check> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn add(&self, check: Check) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(check);
    }
}

/// The door has no key to check a chunk with: it passes the signature on.
pub(crate) struct PassedOn(pub(crate) Met);

impl ChunkCheck for PassedOn {
    fn chunk(
        &mut self,
        sha256: &[u8; 32],
        length: u64,
        signature: &str,
    ) -> Result<(), ChunkMismatch> {
        self.0.add(Check::Chunk {
            sha256: *sha256,
            length,
            signature: signature.to_owned(),
        });
        Ok(())
    }
    fn trailer(&mut self, trailers: &[u8], signature: &str) -> Result<(), ChunkMismatch> {
        self.0.add(Check::Trailer {
            text: trailers.to_vec(),
            signature: signature.to_owned(),
        });
        Ok(())
    }
}

/// A chunk whose bytes are coming in.
struct Open {
    left: u64,
    hash: digest::Context,
    sha256: [u8; 32],
}

/// Checks a body as it comes from the door. The last piece is handed on only at the body's good end.
pub(crate) struct Checked {
    chain: Option<Box<dyn ChunkCheck>>,
    open: Option<Open>,
    /// The chunk without bytes, which ends the chain, was good.
    closed: bool,
    held: Option<Bytes>,
}

impl Checked {
    pub(crate) fn new(chain: Option<Box<dyn ChunkCheck>>) -> Self {
        Self {
            chain,
            open: None,
            closed: false,
            held: None,
        }
    }

    /// Signatures of a document, whose bytes the door has read.
    pub(crate) fn document(mut self, checks: Vec<Check>) -> Result<(), BodyError> {
        for check in checks {
            let length = match &check {
                Check::Chunk { length, .. } => *length,
                Check::Trailer { .. } => 0,
            };
            self.check(check)?;
            if length > 0 {
                self.open = None;
            }
        }
        Ok(())
    }

    pub(crate) fn check(&mut self, check: Check) -> Result<(), BodyError> {
        let chain = self.chain.as_mut().ok_or(BodyError::Signature)?;
        match check {
            Check::Chunk {
                sha256,
                length,
                signature,
            } => {
                if self.open.is_some() || self.closed {
                    return Err(BodyError::Signature);
                }
                chain
                    .chunk(&sha256, length, &signature)
                    .map_err(|_| BodyError::Signature)?;
                self.closed = length == 0;
                self.open = (length > 0).then(|| Open {
                    left: length,
                    hash: digest::Context::new(&digest::SHA256),
                    sha256,
                });
            }
            Check::Trailer { text, signature } => {
                if !self.closed {
                    return Err(BodyError::Signature);
                }
                chain
                    .trailer(&text, &signature)
                    .map_err(|_| BodyError::Signature)?;
            }
        }
        Ok(())
    }

    /// Takes a piece, and gives the one before it.
    pub(crate) fn piece(&mut self, piece: Bytes) -> Result<Option<Bytes>, BodyError> {
        if self.chain.is_some() {
            let open = self.open.as_mut().ok_or(BodyError::Signature)?;
            let left = open.left.checked_sub(piece.len() as u64);
            open.left = left.ok_or(BodyError::Signature)?;
            open.hash.update(&piece);
            if open.left == 0 {
                let hash = open.hash.clone().finish();
                if !bool::from(hash.as_ref().ct_eq(&open.sha256)) {
                    return Err(BodyError::Signature);
                }
                self.open = None;
            }
        }
        Ok(self.held.replace(piece))
    }

    /// The body's end, as the door saw it.
    pub(crate) fn end(
        &mut self,
        end: BodyEnd,
        slot: &TrailerSlot,
    ) -> Result<Option<Bytes>, BodyError> {
        if self.chain.is_some() && !self.closed {
            return Err(BodyError::Signature);
        }
        slot.fill(end.trailer);
        Ok(self.held.take())
    }

    pub(crate) fn broken(&mut self, why: BodyTrouble) -> BodyError {
        self.held = None;
        why.into()
    }
}

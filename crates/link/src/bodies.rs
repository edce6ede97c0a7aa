//! Bodies on their way in: what the door found in the framing goes along, and is checked where the keys are.

use crate::say::{BodyEnd, BodyTrouble, Check};
use authn::{ChunkCheck, ChunkMismatch};
use aws_lc_rs::digest;
use bytes::Bytes;
use std::collections::VecDeque;
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
    /// Chunks whose signatures came and whose bytes are still to come, in order: the door holds the last piece back
    /// until it has seen the framing's end.
    open: VecDeque<Open>,
    /// The chunk without bytes, which ends the chain, was good.
    closed: bool,
    held: Option<Bytes>,
}

impl Checked {
    pub(crate) fn new(chain: Option<Box<dyn ChunkCheck>>) -> Self {
        Self {
            chain,
            open: VecDeque::new(),
            closed: false,
            held: None,
        }
    }

    /// Signatures of a document, whose bytes the door has read.
    pub(crate) fn document(mut self, checks: Vec<Check>) -> Result<(), BodyError> {
        checks.into_iter().try_for_each(|check| self.check(check))
    }

    pub(crate) fn check(&mut self, check: Check) -> Result<(), BodyError> {
        let chain = self.chain.as_mut().ok_or(BodyError::ChunkSignature)?;
        match check {
            Check::Chunk {
                sha256,
                length,
                signature,
            } => {
                if self.closed {
                    return Err(BodyError::ChunkSignature);
                }
                chain
                    .chunk(&sha256, length, &signature)
                    .map_err(|_| BodyError::ChunkSignature)?;
                self.closed = length == 0;
                if length > 0 {
                    self.open.push_back(Open {
                        left: length,
                        hash: digest::Context::new(&digest::SHA256),
                        sha256,
                    });
                }
            }
            Check::Trailer { text, signature } => {
                if !self.closed {
                    return Err(BodyError::ChunkSignature);
                }
                chain
                    .trailer(&text, &signature)
                    .map_err(|_| BodyError::ChunkSignature)?;
            }
        }
        Ok(())
    }

    /// Takes a piece, and gives the one before it.
    pub(crate) fn piece(&mut self, piece: Bytes) -> Result<Option<Bytes>, BodyError> {
        if self.chain.is_some() {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let open = self.open.front_mut().ok_or(BodyError::ChunkSignature)?;
                let length = usize::try_from(open.left).unwrap_or(usize::MAX);
                let (of_it, behind) = rest.split_at(length.min(rest.len()));
                open.hash.update(of_it);
                open.left -= of_it.len() as u64;
                rest = behind;
                if open.left == 0 {
                    let hash = open.hash.clone().finish();
                    if !bool::from(hash.as_ref().ct_eq(&open.sha256)) {
                        return Err(BodyError::ChunkSignature);
                    }
                    self.open.pop_front();
                }
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
        if self.chain.is_some() && !(self.closed && self.open.is_empty()) {
            return Err(BodyError::ChunkSignature);
        }
        slot.fill(end.trailer);
        Ok(self.held.take())
    }

    pub(crate) fn broken(&mut self, why: BodyTrouble) -> BodyError {
        self.held = None;
        why.into()
    }
}

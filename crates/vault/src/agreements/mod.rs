//! Agreements between tenants: who may sign for one, what was proposed and signed, what is in force, what has ended.
//!
//! An agreement lies with its provider, sealed; its consumer has a row that says where. Every step is an entry to
//! both. Whether something may be read under one is decided by one total function over what is on record now
//! ([`Vault::in_force`]); what it is not sure of it refuses.
//!
//! Reading order: `kept`, `acts`, `steps`, `force`.

mod acts;
mod force;
mod kept;
mod steps;

pub use acts::{AgreementFacts, SignerOf};
pub(crate) use force::{AskedUnder, InForce};

use agreement::Side;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A step that needs no paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgreementStep {
    /// It begins; both sides have signed.
    Activate,
    /// One side stops it for now.
    Suspend(Side),
    /// One side ends it.
    Revoke(Side),
}

/// What the open vault remembers of agreements.
#[derive(Default)]
pub struct Ended(Mutex<BTreeSet<String>>);

impl Ended {
    /// An agreement is over for what runs.
    fn add(&self, id: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id.to_owned());
    }

    /// An agreement is in force: what begins from now on stands.
    fn remove(&self, id: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(id);
    }

    /// Whether it was ended since the vault was opened.
    pub fn has(&self, id: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains(id)
    }
}

//! Why something of joint control was not taken or not done. Whatever was refused is on the ledger already.

use crate::error::VaultError;
use charter::approval::{DocumentError, Refusal, RollError};
use charter::law::{ChainError, DeedError};

/// Why something of joint control was not taken or not done.
#[derive(Debug, thiserror::Error)]
pub enum JointError {
    /// The vault could not.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The charter says no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// It is no such document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The card does not hold.
    #[error(transparent)]
    Card(#[from] RollError),
    /// The amendment does not hold by itself.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The amendment does not follow the charter in force.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The act itself cannot be done as it is asked for.
    #[error("{why}")]
    Act {
        /// A stable word.
        word: &'static str,
        /// What stands against it, what is safe, what to do.
        why: String,
    },
}

impl From<Refusal> for JointError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<catalog::ReadError> for JointError {
    fn from(error: catalog::ReadError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<words::wire::WireError> for JointError {
    fn from(error: words::wire::WireError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<seal::OpenError> for JointError {
    fn from(error: seal::OpenError) -> Self {
        Self::Vault(error.into())
    }
}

impl JointError {
    pub(super) fn act(word: &'static str, why: impl Into<String>) -> Self {
        Self::Act {
            word,
            why: why.into(),
        }
    }

    /// A stable word for programs; `None` for what the vault itself could not do.
    #[must_use]
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Vault(_) => None,
            Self::Refused(refusal) => Some(refusal.word()),
            Self::Document(_) => Some("document"),
            Self::Card(_) => Some("card"),
            Self::Deed(_) | Self::Chain(_) => Some("charter"),
            Self::Act { word, .. } => Some(word),
        }
    }
}

//! Why a node does not restart without officers.

use charter::approval::{DocumentError, Refusal, RollError};
use std::path::PathBuf;
use words::wire::WireError;

/// Why there is no restart without officers, or no lease for one. A node that is sealed stays sealed.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// There is none.
    #[error(
        "no lease lets this node restart without officers; `clarence restart grant` needs an approved order"
    )]
    None,
    /// It is over.
    #[error(
        "the lease ended at {0}; the officers open the node with their shares, and may grant a new one"
    )]
    Over(String),
    /// The order is for something else.
    #[error("the order does not fit: {0}; nothing was granted")]
    Order(String),
    /// The charter is not satisfied.
    #[error("the order is refused: {0}; nothing was granted")]
    Refused(#[source] Box<Refusal>),
    /// The documents cannot be read.
    #[error("a document cannot be read: {0}")]
    Document(#[source] Box<DocumentError>),
    /// An approver's card does not hold.
    #[error("an approver's card does not hold: {0}")]
    Card(#[source] Box<RollError>),
    /// The half at the other site belongs to something else.
    #[error(
        "the other site holds no half for this lease; the officers open the node with their shares"
    )]
    NoHalf,
    /// Whoever asks does not hold the own half.
    #[error(
        "the other site does not give its half: whoever asks did not prove to hold this node's own half"
    )]
    Stranger,
    /// The other site answered with something else.
    #[error("the other site's answer does not open with this node's own half")]
    Answer,
    /// The keys were changed.
    #[error(
        "the sites' keys were changed since the lease was granted; the officers open the node with their shares and may grant a new one"
    )]
    OldKeys,
    /// A folder is away.
    #[error("the folder of {0}, which holds the other half, is not there")]
    Away(words::SiteId),
    /// The TPM.
    #[error(transparent)]
    Tpm(#[from] tpm::Fault),
    /// PCRs.
    #[error(transparent)]
    Pcrs(#[from] tpm::PolicyError),
    /// A record is damaged.
    #[error("{} cannot be read: {error}; the officers open the node with their shares", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: WireError,
    },
    /// A file.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
    /// The vault.
    #[error(transparent)]
    Vault(#[from] vault::VaultError),
    /// The machine.
    #[error("{0}")]
    Machine(String),
}

impl RestartError {
    /// The word of the control socket.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::None => "not-found",
            Self::Order(_) | Self::Document(_) | Self::Card(_) | Self::Pcrs(_) => "usage",
            Self::Vault(vault::VaultError::Sealed) => "sealed",
            Self::File { .. } | Self::Machine(_) | Self::Away(_) => "unavailable",
            _ => "denied",
        }
    }
}

impl From<Refusal> for RestartError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<DocumentError> for RestartError {
    fn from(error: DocumentError) -> Self {
        Self::Document(Box::new(error))
    }
}

impl From<RollError> for RestartError {
    fn from(error: RollError) -> Self {
        Self::Card(Box::new(error))
    }
}

impl From<RestartError> for crate::control::Failure {
    fn from(error: RestartError) -> Self {
        Self::new(error.word(), error)
    }
}

//! What is asked of a node about agreements.

use serde::{Deserialize, Serialize};

/// A side of an agreement.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SideAsked {
    /// Whose data it is.
    Provider,
    /// Who uses it.
    Consumer,
}

/// What is done about agreements.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AgreementAsked {
    /// Sets who may sign for a tenant: a role, and the text of the person's public file.
    Signers {
        /// The tenant's name.
        tenant: String,
        /// Roles and public files.
        signers: Vec<(String, String)>,
    },
    /// Takes a document, in hexadecimal, as a proposal.
    Propose {
        /// The document.
        document: String,
    },
    /// Takes a signature, as the text of its file.
    Sign {
        /// The agreement.
        id: String,
        /// The file's text.
        paper: String,
    },
    /// Begins one that both sides have signed.
    Activate {
        /// The agreement.
        id: String,
    },
    /// One side stops it.
    Suspend {
        /// The agreement.
        id: String,
        /// Which.
        by: SideAsked,
    },
    /// One side ends it.
    Revoke {
        /// The agreement.
        id: String,
        /// Which.
        by: SideAsked,
    },
    /// What is on record of it.
    Show {
        /// The agreement.
        id: String,
    },
    /// All of them.
    List,
}

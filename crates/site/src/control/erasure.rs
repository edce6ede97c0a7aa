//! What is asked of a node about erasure and the root.

use serde::{Deserialize, Serialize};

/// One question or order.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// Erases what a tenant keeps about one subject, and moves to a new root.
    Erase {
        /// The tenant's name.
        tenant: String,
        /// The subject, as the tenant names it.
        subject: String,
        /// Why, for the ledger.
        reason: String,
    },
    /// Every erasure and how far it is.
    List,
    /// The signed receipt of one erasure, as it stands now.
    Receipt {
        /// Its id, in hexadecimal digits.
        erasure: String,
    },
    /// Hands in a party's statement that it destroyed its share of an older root.
    Destroyed {
        /// The statement's text.
        statement: String,
    },
    /// Which root is in force, which shares were dealt and destroyed.
    Root,
    /// Moves to a new root.
    Rekey {
        /// Why, for the ledger.
        reason: String,
    },
    /// Deals new shares of the same root.
    Reshare {
        /// The texts of enough share files of today.
        shares: Vec<String>,
    },
}

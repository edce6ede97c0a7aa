//! What is asked of a node about a person's record.

use serde::{Deserialize, Serialize};

/// Who used a person's data at a tenant, as one file with its proof.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct PersonAccesses {
    /// The tenant's name.
    pub tenant: String,
    /// The person, as the tenant names them.
    pub subject: String,
    /// Why, for the ledger.
    pub reason: Option<String>,
}

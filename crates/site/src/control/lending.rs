//! What the command line says about keys that are lent to a host.

use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lending {
    /// Begins to lend the key of a bucket that is made at the host.
    Lend {
        /// The tenant here that lends.
        tenant: String,
        /// The bucket at the host.
        bucket: String,
        /// How the host is called, as its client reads it.
        place: String,
        /// The text of the public keys of the host's log.
        host_keys: String,
        /// The longest lease, in seconds.
        seconds: u32,
    },
    /// Every loan.
    Loans,
    /// Answers a host no more.
    Recall {
        /// The loan's id.
        loan: String,
    },
    /// Answers it again.
    Resume {
        /// The loan's id.
        loan: String,
    },
}

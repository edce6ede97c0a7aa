//! What the command line asks about trust anchors. Files come in base64.

use serde::{Deserialize, Serialize};

/// An act on the trust anchors of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TrustAnchor {
    /// Adds one.
    Add {
        /// The tenant's name.
        tenant: String,
        /// The anchor's name.
        name: String,
        /// Certificates of authorities, in PEM.
        certificates: String,
        /// Their revocation lists, in PEM or in DER.
        lists: Vec<String>,
    },
    /// Puts a newer revocation list in the place of the issuer's old one.
    Revoked {
        /// The tenant's name.
        tenant: String,
        /// The anchor's name.
        name: String,
        /// The list, in PEM or in DER.
        list: String,
    },
    /// Lists them.
    List {
        /// The tenant's name.
        tenant: String,
    },
    /// Takes one away.
    Remove {
        /// The tenant's name.
        tenant: String,
        /// The anchor's name.
        name: String,
    },
}

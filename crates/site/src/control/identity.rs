//! What the command line asks about a tenant's people, workloads, roles and policies.

use serde::{Deserialize, Serialize};

/// An act on identities. Documents come as their text.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Identity {
    /// Adds one.
    Add {
        /// The tenant's name.
        tenant: String,
        /// `person`, `workload` or `role`.
        sort: String,
        /// The identity's name.
        name: String,
        /// What it may do; nothing, if absent.
        policy: Option<String>,
        /// For a role: who may become it.
        trust: Option<String>,
        /// For a role: its longest session in seconds.
        session_seconds_max: Option<u32>,
    },
    /// Sets what one may do.
    Policy {
        /// The tenant's name.
        tenant: String,
        /// Whether it is a role.
        role: bool,
        /// The identity's name.
        name: String,
        /// The document.
        policy: String,
    },
    /// Stops one with all its credentials.
    Suspend {
        /// The tenant's name.
        tenant: String,
        /// Whether it is a role.
        role: bool,
        /// The identity's name.
        name: String,
    },
    /// Lists them.
    List {
        /// The tenant's name.
        tenant: String,
    },
    /// Adds an identity provider, or replaces its keys and audiences.
    Provider {
        /// The tenant's name.
        tenant: String,
        /// What its tokens say in `iss`.
        issuer: String,
        /// The audiences of which a token must have one.
        audiences: Vec<String>,
        /// Its public keys, the text of a JWKS.
        keys: String,
    },
    /// Who may do what on what.
    Table {
        /// Only this tenant; all of them, if absent.
        tenant: Option<String>,
    },
}

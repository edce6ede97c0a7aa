//! The constant policies, read and checked once.

use crate::action::Action;
use crate::facts::Names;
use crate::recall::Recall;
use crate::standing::AskNames;
use aws_lc_rs::digest;
use cedar_policy::{Authorizer, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use std::str::FromStr;

/// The schema of the policies in this build.
pub const SCHEMA: &str = include_str!("../policies/clarence.cedarschema");
/// The policies in this build.
pub const POLICIES: &str = include_str!("../policies/clarence.cedar");

/// Why the policies cannot be used. Nothing is decided, so nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The schema cannot be read.
    #[error("the policies' schema cannot be read: {0}")]
    Schema(String),
    /// The policies cannot be read.
    #[error("the policies cannot be read: {0}")]
    Parse(String),
    /// A policy has no `@id`.
    #[error("the policy {0} has no @id")]
    Unnamed(String),
    /// A policy does not fit the schema.
    #[error("the policies do not fit their schema: {0}")]
    Invalid(String),
}

/// The policies, ready to decide.
pub struct Policies {
    pub(crate) authorizer: Authorizer,
    pub(crate) set: PolicySet,
    pub(crate) schema: Schema,
    pub(crate) names: Names,
    pub(crate) recall: Recall,
    pub(crate) ask_names: AskNames,
    digest: [u8; 32],
}

impl Policies {
    /// The policies of this build, checked against their schema.
    pub fn embedded() -> Result<Self, PolicyError> {
        Self::read(SCHEMA, POLICIES)
    }

    /// Reads a schema and policies and checks one against the other.
    pub(crate) fn read(schema_text: &str, policies_text: &str) -> Result<Self, PolicyError> {
        let schema =
            Schema::from_str(schema_text).map_err(|e| PolicyError::Schema(e.to_string()))?;
        let set = named(policies_text)?;
        let checked = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        if !checked.validation_passed_without_warnings() {
            return Err(PolicyError::Invalid(checked.to_string()));
        }
        let names = Names::of(Action::ALL).map_err(PolicyError::Schema)?;
        let digest = digest_of(schema_text, policies_text);
        Ok(Self {
            authorizer: Authorizer::new(),
            set,
            schema,
            names,
            recall: Recall::default(),
            ask_names: AskNames::new().map_err(PolicyError::Schema)?,
            digest,
        })
    }

    /// SHA-256 over schema and policies, each after its length in eight bytes (big-endian). It goes into
    /// the ledger with every decision.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// The policies under the names that they give themselves.
fn named(text: &str) -> Result<PolicySet, PolicyError> {
    let parsed = PolicySet::from_str(text).map_err(|e| PolicyError::Parse(e.to_string()))?;
    let policies: Vec<Policy> = parsed
        .policies()
        .map(|policy| {
            let name = policy
                .annotation("id")
                .ok_or_else(|| PolicyError::Unnamed(policy.id().to_string()))?;
            Ok(policy.new_id(PolicyId::new(name)))
        })
        .collect::<Result<_, PolicyError>>()?;
    PolicySet::from_policies(policies).map_err(|e| PolicyError::Parse(e.to_string()))
}

fn digest_of(schema: &str, policies: &str) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for text in [schema, policies] {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut out = [0; 32];
    out.copy_from_slice(hash.finish().as_ref());
    out
}

//! Acts of many steps. The order and its entry are durable first; the node then goes through the steps and strikes
//! the order off when the last one is done. What interrupts it leaves the order, with which the next opening goes on.

use super::JointError;
use super::acts::{Act, Then, needed};
use crate::Vault;
use crate::error::VaultError;
use crate::record::joint as record;
use catalog::{Commit, Mutation, Outcome, Precondition};
use charter::approval::{Request, RequestDigest, SignedRequest};
use words::OpId;
use words::limits::DOCKET_REQUESTS_MAX;

/// The verbs whose acts have many steps.
pub const ORDERED: [&str; 5] = [
    "subject-erase",
    "re-key-root",
    "re-key-site",
    "re-key-bucket",
    "re-key-tenant",
];

/// An order that is not done yet.
#[derive(Debug, Clone)]
pub struct Ordered {
    /// The request that ordered it.
    pub digest: RequestDigest,
    /// What is to be done.
    pub verb: &'static str,
    /// Why.
    pub reason: String,
    parameters: Vec<(&'static str, String)>,
}

impl Ordered {
    fn of(request: &Request) -> Self {
        Self {
            digest: request.digest(),
            verb: request.verb().name,
            reason: request.reason().to_owned(),
            parameters: request.parameters().to_vec(),
        }
    }

    /// One of the request's parameters.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Vault {
    /// What the resolution orders, if it has many steps.
    pub(super) fn ordered_act(&self, request: &Request) -> Result<Act, JointError> {
        let (operation, resource) = match request.verb().name {
            "subject-erase" => {
                let tenant = needed(request, "tenant")?;
                // The subject is a person's: the entry of the erasure itself holds a commitment to it.
                ("SubjectErase", tenant.to_owned())
            }
            "re-key-tenant" => ("ReKeyTenant", needed(request, "tenant")?.to_owned()),
            "re-key-bucket" => {
                let (tenant, bucket) = (needed(request, "tenant")?, needed(request, "bucket")?);
                ("ReKeyBucket", format!("{tenant}/{bucket}"))
            }
            "re-key-site" => match needed(request, "site")? {
                "both" => ("ReKeySite", "the keys of both sites".to_owned()),
                site => {
                    return Err(JointError::act(
                        "usage",
                        format!(
                            "site={site}: the keys of both sites open the same and are renewed together; nothing was done: ask for site=both"
                        ),
                    ));
                }
            },
            _ => ("ReKeyRoot", "the root".to_owned()),
        };
        Ok(Act {
            then: Then::Ordered(Ordered::of(request)),
            ..Act::new(operation, resource)
        })
    }

    /// Orders that were given and are not done.
    pub async fn ordered(&self) -> Result<Vec<Ordered>, JointError> {
        let secrets = self.secrets()?;
        let mut found = Vec::new();
        for (key, row) in self.rows(record::ORDERED, DOCKET_REQUESTS_MAX).await? {
            let row = Self::request_row(&secrets, &key, &row)?;
            found.push(Ordered::of(SignedRequest::parse(&row.text)?.request()));
        }
        Ok(found)
    }

    /// Strikes an order off: its last step is done.
    pub async fn ordered_done(&self, digest: &RequestDigest) -> Result<(), VaultError> {
        let key = record::ordered_key(digest);
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: Vec::<Precondition>::new(),
            mutations: vec![Mutation::Delete { key }],
            entries: Vec::new(),
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

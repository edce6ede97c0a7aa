//! Policies of buckets: read, set, taken away. The fact and its entry are one commit.

use crate::Vault;
use crate::admit::{Admitted, Of};
use crate::error::VaultError;
use crate::grant::stands;
use crate::standing::policy_key;
use authn::Caller;
use catalog::{Commit, Mutation, Outcome};
use ledger::Kind;
use policy::document::Kind as For;
use policy::{Action, Compiled};
use std::sync::Arc;
use words::{BucketName, OpId};

/// What is asked about a bucket's policy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum PolicyAct {
    /// Read it.
    Get,
    /// Set it: the document's text.
    Put(String),
    /// Take it away.
    Delete,
}

impl Vault {
    /// Reads, sets or takes away a bucket's policy. Gives its text where it is read.
    pub async fn bucket_policy(
        &self,
        caller: Caller,
        name: &BucketName,
        act: PolicyAct,
    ) -> Result<Option<String>, VaultError> {
        let secrets = self.secrets()?;
        let action = match act {
            PolicyAct::Get => Action::GetBucketPolicy,
            PolicyAct::Put(_) => Action::PutBucketPolicy,
            PolicyAct::Delete => Action::DeleteBucketPolicy,
        };
        let Admitted { who, bucket, .. } = self
            .admit(&secrets, caller, action, name, Of::Bucket)
            .await?;
        let key = policy_key(who.tenant.id, bucket.id);
        let ready = match &act {
            PolicyAct::Put(text) => {
                let kind = For::Bucket(name.as_str());
                Some(Arc::new(Compiled::check(text, kind, who.tenant.id)?))
            }
            _ => None,
        };
        let mut fields = self.fields_of(
            match act {
                PolicyAct::Get => Kind::List,
                _ => Kind::Admin,
            },
            &who,
            action.name(),
        );
        fields.resource = Some(name.as_str().to_owned());
        fields.bucket = Some(bucket.id);
        fields.decision = Some("permit".into());
        fields.response_digest = ready.as_ref().map(|ready| *ready.digest());
        let entry = self.entry_for(&who.tenant, &fields);
        let mutation = match act {
            PolicyAct::Get => {
                self.note(entry).await?;
                let Some((_, plain)) = self.sealed_row(&who.tenant, &key).await? else {
                    return Err(VaultError::NoBucketPolicy);
                };
                return Ok(Some(String::from_utf8_lossy(&plain).into_owned()));
            }
            PolicyAct::Put(text) => self.sealed_put(&who.tenant, key, text.as_bytes()),
            PolicyAct::Delete => Mutation::Delete { key },
        };
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![stands(&bucket)],
            mutations: vec![mutation],
            entries: vec![entry],
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => {
                secrets.judged.set_policy(bucket.id, ready);
                Ok(None)
            }
            other => {
                // What holds now is read again at the next request.
                secrets.judged.forget_policy(bucket.id);
                Err(VaultError::from_outcome(other))
            }
        }
    }
}

//! Renewing keys: begun at the control socket, carried on in the background until nothing lies under the old
//! ones.

use crate::control::{Failure, RotateWhat};
use crate::node::Node;
use serde_json::{Value, json};
use std::time::Duration;
use vault::{RotationBegun, RotationShown, RotationState, RotationTarget};
use words::{BucketName, TenantName};

/// Between two looks at rotations that wait.
const LOOK: Duration = Duration::from_secs(1);

impl Node {
    /// What the control socket is asked; where a quorum decides, it is asked for by a request instead.
    pub(crate) async fn rotate(&self, what: RotateWhat) -> Result<Value, Failure> {
        self.rooms.vault.refuse_plain(match &what {
            RotateWhat::Bucket { .. } => "re-key-bucket",
            RotateWhat::Tenant { .. } => "re-key-tenant",
            RotateWhat::Sites { .. } => "re-key-site",
        })?;
        self.rotate_ordered(what).await
    }

    pub(crate) async fn rotate_ordered(&self, what: RotateWhat) -> Result<Value, Failure> {
        let usage = |e: &dyn ToString| Failure::new("usage", e.to_string());
        let RotationBegun {
            version,
            ledger_index,
        } = match &what {
            RotateWhat::Bucket { tenant, bucket } => {
                let tenant = TenantName::parse(tenant).map_err(|e| usage(&e))?;
                let bucket = BucketName::parse(bucket).map_err(|e| usage(&e))?;
                self.rooms.vault.rotate_bucket(&tenant, &bucket).await?
            }
            RotateWhat::Tenant { tenant } => {
                let tenant = TenantName::parse(tenant).map_err(|e| usage(&e))?;
                self.rooms.vault.rotate_tenant(&tenant).await?
            }
            RotateWhat::Sites { reason } => return self.rekey_sites(reason).await,
        };
        self.rotate_now.notify_one();
        Ok(json!({ "version": version, "ledger_index": ledger_index }))
    }

    /// What hangs under older sites' keys, if there are any, begins to move; a lease that opens them ends.
    pub(crate) async fn settle_site_keys(&self) -> Result<(), Failure> {
        self.rooms.vault.begin_sites().await?;
        let version = self.held().header.key_version;
        if self.restart_opens(version) == Some(false)
            && let Err(failure) = self.restart_end("the sites' keys were renewed").await
        {
            tracing::warn!(
                why = failure.message,
                "a lease for restarts is of no use any more, and not all of it could be destroyed yet"
            );
        }
        self.rotate_now.notify_one();
        Ok(())
    }

    pub(crate) async fn rotate_status(&self) -> Result<Value, Failure> {
        let shown: Vec<Value> = self
            .rooms
            .vault
            .rotation_list()
            .await?
            .into_iter()
            .map(|rotation| self.shown(rotation))
            .collect();
        Ok(json!({ "rotations": shown }))
    }

    fn shown(&self, rotation: RotationShown) -> Value {
        let (kind, id) = match rotation.target {
            RotationTarget::Bucket(id) => ("bucket", Some(id.to_string())),
            RotationTarget::Tenant(id) => ("tenant", Some(id.to_string())),
            RotationTarget::Sites => ("site", None),
        };
        let state = match rotation.state {
            RotationState::Renewing => "renewing",
            RotationState::Waiting => "waiting",
        };
        json!({
            "kind": kind,
            "id": id,
            "name": rotation.name,
            "tenant_id": rotation.tenant.to_string(),
            "version": rotation.version,
            "begun_unix_ms": rotation.begun.0,
            "state": state,
            "renewed": rotation.rewrapped,
            "waiting": rotation.waiting,
        })
    }

    /// Goes on with every rotation under way.
    pub(crate) async fn rotate_forever(&self) {
        loop {
            let more = match self.rooms.vault.advance_rotations().await {
                Ok(more) => more,
                Err(vault::VaultError::Sealed) => false,
                Err(error) => {
                    tracing::warn!(%error, "keys are not renewed now; nothing is lost, it is tried again");
                    false
                }
            };
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = self.rotate_now.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

//! The node's side: grant, restart, look after, end. A lease ends early when somebody ends it or seals the node:
//! closing is easier than opening, and a restart must not undo it.

use super::fault::RestartError;
use super::grant::Grant;
use super::records::{OWN_BYTES_MAX, OWN_FILE, Own};
use super::{exchange, held};
use crate::control::Failure;
use crate::node::Node;
use host::files;
use ledger::Kind;
use serde_json::{Value, json};
use sign::Stamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tpm::Tpm;
use words::{SiteId, UnixMillis, hex};
use zeroize::Zeroizing;

/// Between two looks at the clock.
const LOOK: Duration = Duration::from_secs(30);

/// The record in a node's folder.
fn own_in(data: &Path) -> Result<Option<Own>, RestartError> {
    let path = data.join(OWN_FILE);
    let bytes = files::read(&path, OWN_BYTES_MAX).map_err(|error| RestartError::File {
        path: path.clone(),
        error,
    })?;
    bytes
        .map(|bytes| Own::decode(&bytes).map_err(|error| RestartError::Record { path, error }))
        .transpose()
}

/// When the lease in a node's folder was granted and when it ends.
pub(crate) fn lease_of(data: &Path) -> Result<Option<(UnixMillis, UnixMillis)>, RestartError> {
    Ok(own_in(data)?.map(|own| (own.granted, own.ends)))
}

impl Node {
    fn own_path(&self) -> PathBuf {
        self.config.layout.data.join(OWN_FILE)
    }

    fn own(&self) -> Result<Option<Own>, RestartError> {
        own_in(&self.config.layout.data)
    }

    fn put_own(&self, own: &Own) -> Result<(), RestartError> {
        let path = self.own_path();
        files::write_durable(&path, &own.encode(), 0o600)
            .map_err(|error| RestartError::File { path, error })
    }

    /// Grants a lease on an approved order. What is refused is in the ledger too.
    pub(crate) async fn restart_grant(
        self: &Arc<Self>,
        order: String,
        cards: Vec<String>,
        pcrs: Vec<u8>,
        held_by: SiteId,
    ) -> Result<Value, Failure> {
        if self.rooms.vault.is_sealed() {
            return Err(vault::VaultError::Sealed.into());
        }
        let node = Arc::clone(self);
        let granted = tokio::task::spawn_blocking(move || node.grant(order, cards, pcrs, held_by))
            .await
            .unwrap_or_else(|e| Err(RestartError::Machine(e.to_string())));
        match granted {
            Ok((own, approved)) => {
                let reason = format!(
                    "{} may restart without officers until {} under request {}, approved by {approved}; the TPM is bound to PCR {}, {} holds the other half",
                    own.node,
                    Stamp::from_millis(own.ends),
                    hex::encode(&own.lease),
                    own.policy,
                    own.held_by,
                );
                self.rooms
                    .vault
                    .record_act(Kind::Admin, "RestartGrant", reason)
                    .await?;
                // Last: a lease that is not in the ledger is not one that a restart finds.
                self.put_own(&own)?;
                Ok(shown(&own, None))
            }
            Err(error) => {
                self.rooms
                    .vault
                    .record_act(Kind::Refuse, "RestartGrant", error.to_string())
                    .await?;
                Err(error.into())
            }
        }
    }

    fn grant(
        &self,
        order: String,
        cards: Vec<String>,
        pcrs: Vec<u8>,
        held_by: SiteId,
    ) -> Result<(Own, String), RestartError> {
        let site_folder = self.config.layout.site(held_by);
        if !files::is_folder(site_folder) {
            return Err(RestartError::Away(held_by));
        }
        let grant = Grant {
            cloud: self.opened.header.cloud,
            charter: &self.opened.charter,
            node: &self.config.node,
            held_by,
            site_folder,
            order,
            cards,
            pcrs,
        };
        let (resolution, days) = grant.decide(&self.host)?;
        let approved: Vec<String> = resolution.approved_by().map(ToString::to_string).collect();
        // One lease at a time: the one before loses its half.
        if let Ok(Some(before)) = self.own() {
            held::destroy(self.config.layout.site(before.held_by), &before.id)?;
        }
        let own = grant.carry_out(
            resolution,
            days,
            &self.rooms.vault,
            &self.config.tpm,
            &self.host,
        )?;
        Ok((own, approved.join(", ")))
    }

    /// At the start: opens the node if a lease lets it. Whatever goes wrong, the node stays sealed and says why.
    pub(crate) async fn restart(self: &Arc<Self>) {
        let found = match self.own() {
            Ok(None) => return,
            found => found,
        };
        let outcome = async {
            let own = found?.ok_or(RestartError::None)?;
            let node = Arc::clone(self);
            let (own, key) = tokio::task::spawn_blocking(move || node.restart_key(own))
                .await
                .map_err(|e| RestartError::Machine(e.to_string()))??;
            let under = format!(
                "restarted without officers under request {}, which lasts until {}",
                hex::encode(&own.lease),
                Stamp::from_millis(own.ends)
            );
            let vault = &self.rooms.vault;
            vault
                .open_by_restart(&key, own.id, &own.keys, under)
                .await?;
            self.enter_accepted_loss()
                .await
                .map_err(|failure| RestartError::Machine(failure.message))?;
            vault.all_changed().await?;
            Ok::<_, RestartError>(own)
        }
        .await;
        match outcome {
            Ok(own) => {
                tracing::info!(until = %Stamp::from_millis(own.ends), "the node opened itself under a lease");
                self.opened_now.notify_waiters();
            }
            Err(error) => {
                tracing::warn!(%error, "the node did not open itself and stays sealed");
                if let Ok(mut refused) = self.restart_refused.lock() {
                    *refused = Some(error.to_string());
                }
            }
        }
    }

    /// Both halves, and the key they give.
    fn restart_key(&self, mut own: Own) -> Result<(Own, Zeroizing<[u8; 32]>), RestartError> {
        let cloud = self.opened.header.cloud;
        if own.cloud != cloud || own.node != self.config.node {
            return Err(RestartError::NoHalf);
        }
        if own.keys.key_version != self.opened.header.key_version {
            return Err(RestartError::OldKeys);
        }
        self.look_own(&mut own)?;
        let own_half = Tpm::open(&self.config.tpm, &self.host)?.unseal(&own.policy, &own.blob)?;
        let crypto = |e: charter::CryptoFault| RestartError::Machine(e.to_string());
        let exchange_key = charter::exchange_key(&own_half, cloud, &own.lease).map_err(crypto)?;
        let question = exchange::ask(&exchange_key, cloud, &own.id, &self.host);
        // Between two machines these bytes go over the network; here the other site is a folder.
        let folder = self.config.layout.site(own.held_by);
        if !files::is_folder(folder) {
            return Err(RestartError::Away(own.held_by));
        }
        let charter = &self.opened.charter;
        let answer = held::answer(folder, cloud, charter, &question.bytes, &self.host)?;
        let half = question.read(&answer, &exchange_key, cloud, &own.id)?;
        let key = charter::restart_key(&own_half, &half, cloud, &own.lease).map_err(crypto)?;
        Ok((own, key))
    }

    /// The node's own look at the time.
    fn look_own(&self, own: &mut Own) -> Result<(), RestartError> {
        let seen = UnixMillis(self.host.now().0.max(own.latest.0));
        if seen.0 >= own.ends.0 {
            let over = RestartError::Over(Stamp::from_millis(own.ends).to_string());
            self.forget(own)?;
            return Err(over);
        }
        if seen.0 > own.latest.0 {
            own.latest = seen;
            self.put_own(own)?;
        }
        Ok(())
    }

    fn forget(&self, own: &Own) -> Result<(), RestartError> {
        let path = self.own_path();
        let removed =
            files::remove(&path).and_then(|()| files::sync_folder(&self.config.layout.data));
        removed.map_err(|error| RestartError::File { path, error })?;
        held::destroy(self.config.layout.site(own.held_by), &own.id)
    }

    /// What could not be written down while the node was sealed.
    pub(crate) async fn enter_refused_restart(&self) -> Result<(), Failure> {
        let refused = match self.restart_refused.lock() {
            Ok(mut refused) => refused.take(),
            Err(_) => None,
        };
        if let Some(why) = refused {
            self.rooms
                .vault
                .record_act(Kind::Refuse, "Restart", why)
                .await?;
        }
        Ok(())
    }

    /// Notes the time while a lease lasts, so that a clock set back later does not revive it, and ends one that is
    /// over.
    pub(crate) async fn keep_lease(self: Arc<Self>) {
        let mut said = String::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let node = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || node.look_at_lease())
                .await
                .unwrap_or_else(|e| Err(RestartError::Machine(e.to_string())));
            let Err(error) = looked else {
                continue;
            };
            let why = error.to_string();
            if why == said {
                continue;
            }
            tracing::warn!(why, "a lease for restarts");
            if matches!(error, RestartError::Over(_)) && !self.rooms.vault.is_sealed() {
                let vault = &self.rooms.vault;
                let entered = vault
                    .record_act(Kind::Admin, "RestartEnd", why.clone())
                    .await;
                if let Err(error) = entered {
                    tracing::warn!(%error, "the end of a lease is not in the ledger");
                }
            }
            said = why;
        }
    }

    fn look_at_lease(&self) -> Result<(), RestartError> {
        let Some(mut own) = self.own()? else {
            return Ok(());
        };
        self.look_own(&mut own)?;
        let folder = self.config.layout.site(own.held_by);
        let mut held = held::find(folder, &own.id)?;
        held::look(folder, &mut held, self.host.now()).map(drop)
    }

    /// Ends the lease, if there is one: both halves' records are destroyed. Gives whether there was one.
    pub(crate) async fn restart_end(&self, why: &str) -> Result<bool, Failure> {
        let Some(own) = self.own()? else {
            return Ok(false);
        };
        self.forget(&own)?;
        if !self.rooms.vault.is_sealed() {
            let reason = format!("request {}: {why}", hex::encode(&own.lease));
            self.rooms
                .vault
                .record_act(Kind::Admin, "RestartEnd", reason)
                .await?;
        }
        Ok(true)
    }

    /// Whether the lease there is opens this version of the sites' keys; nothing where there is none.
    pub(crate) fn restart_opens(&self, version: u32) -> Option<bool> {
        let own = self.own().ok().flatten()?;
        Some(own.keys.key_version == version)
    }

    /// What there is.
    pub(crate) fn restart_status(&self) -> Result<Value, Failure> {
        let Some(own) = self.own()? else {
            return Ok(json!({ "lease": null }));
        };
        let held = held::find(self.config.layout.site(own.held_by), &own.id);
        Ok(shown(&own, held.ok().map(|held| held.released)))
    }
}

fn shown(own: &Own, released: Option<u32>) -> Value {
    json!({
        "lease": {
            "node": own.node,
            "request": hex::encode(&own.lease),
            "granted_unix_ms": own.granted.0,
            "ends_unix_ms": own.ends.0,
            "pcrs": own.policy.to_string(),
            "held_by": own.held_by.to_string(),
            "released": released,
        }
    })
}

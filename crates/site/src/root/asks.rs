//! What the control socket is asked about erasure and the root.

use super::{Moved, unavailable};
use crate::control::Failure;
use crate::control::erasure::Ask;
use crate::node::Node;
use serde_json::{Value, json};
use vault::record::shred::erasure::Stage;
use vault::shred::{Dealing, Erasure, Sites};
use words::{SiteId, Subject, TenantName, hex};

/// Longest reason that is written down, in characters.
const REASON_CHARS_MAX: usize = words::limits::REASON_CHARS_MAX;

impl Node {
    pub(crate) async fn erasure_asked(&self, ask: Ask) -> Result<Value, Failure> {
        match ask {
            Ask::Erase {
                tenant,
                subject,
                reason,
            } => {
                let tenant = TenantName::parse(&tenant).map_err(|e| Failure::new("usage", e))?;
                let subject = Subject::parse(&subject).map_err(|e| Failure::new("usage", e))?;
                self.rooms.vault.refuse_plain("subject-erase")?;
                self.erase_subject(&tenant, &subject, &reason).await
            }
            Ask::List => self.list_erasures().await,
            Ask::Receipt { erasure } => self.receipt(&erasure).await,
            Ask::Destroyed { statement } => self.share_destroyed(&statement).await,
            Ask::Root => self.root_status().await,
            Ask::Rekey { reason } => {
                self.rooms.vault.refuse_plain("re-key-root")?;
                self.rekey_root(&reason).await
            }
            Ask::Reshare { shares } => Ok(shown(&self.reshare(&shares).await?)),
        }
    }

    /// Makes a new root.
    pub(crate) async fn rekey_root(&self, reason: &str) -> Result<Value, Failure> {
        let _alone = self.root_work.lock().await;
        let moved = self.move_root(plain(reason)?, &mut |_| Ok(())).await?;
        Ok(shown(&moved))
    }

    /// Gives both sites new keys, with a new root: the old root's shares would open the old ones for ever.
    pub(crate) async fn rekey_sites(&self, reason: &str) -> Result<Value, Failure> {
        let _alone = self.root_work.lock().await;
        let moved = self
            .move_root_with(Sites::Renewed, plain(reason)?, &mut |_| Ok(()))
            .await?;
        self.settle_site_keys().await?;
        let mut answer = shown(&moved);
        answer["version"] = json!(self.held().header.key_version);
        Ok(answer)
    }

    /// Erases what a tenant keeps about a subject: the order, the sweep, and the move to a new root. This is
    /// what an executed order calls as well.
    pub(crate) async fn erase_subject(
        &self,
        tenant: &TenantName,
        subject: &Subject,
        reason: &str,
    ) -> Result<Value, Failure> {
        let _alone = self.root_work.lock().await;
        // Before the order: afterwards there is no way back.
        self.no_guest()?;
        self.both_current()?;
        let held = self.held();
        let version = held.header.root_version();
        self.rooms
            .vault
            .record_dealing(version, &held.custody)
            .await?;
        let begun = self
            .rooms
            .vault
            .erase_subject(tenant, subject, plain(reason)?)
            .await?;
        self.sweep(&begun.id).await?;
        let moved = self
            .move_root("an erasure was ordered", &mut |_| Ok(()))
            .await?;
        let mut answer = shown(&moved);
        let erasure = self.rooms.vault.erasure(&begun.id).await?;
        merge(&mut answer, self.erasure_shown(&erasure).await?);
        answer["opening"] = json!(hex::encode(&begun.opening));
        Ok(answer)
    }

    async fn erasure_shown(&self, erasure: &Erasure) -> Result<Value, Failure> {
        let row = &erasure.row;
        let dealings = self.rooms.vault.dealings().await?;
        let alive =
            |dealing: &&Dealing| (row.born..=row.last).contains(&dealing.root) && dealing.opens();
        let waiting: Vec<Value> = dealings.iter().filter(alive).map(dealing_shown).collect();
        let moved = row.stage == Stage::Moved;
        Ok(json!({
            "erasure": hex::encode(&erasure.id),
            "tenant_id": row.tenant.to_string(),
            "commitment": hex::encode(&row.commitment),
            "ordered_unix_ms": row.ordered.0,
            "objects": row.objects,
            "uploads": row.uploads,
            "state": match (row.stage, waiting.is_empty()) {
                (Stage::Sweeping, _) => "sweeping",
                (Stage::Swept, _) => "waiting for the root to move",
                (Stage::Moved, false) => "waiting for shares to be destroyed",
                (Stage::Moved, true) => "complete",
            },
            "complete": moved && waiting.is_empty(),
            "waiting_for": waiting,
        }))
    }

    async fn list_erasures(&self) -> Result<Value, Failure> {
        let mut shown = Vec::new();
        for erasure in self.rooms.vault.erasures().await? {
            shown.push(self.erasure_shown(&erasure).await?);
        }
        Ok(json!({ "erasures": shown }))
    }

    async fn receipt(&self, erasure: &str) -> Result<Value, Failure> {
        let id = hex::decode_array(erasure)
            .ok_or_else(|| Failure::new("usage", "an erasure's id has 32 hexadecimal digits"))?;
        let published = self.publish_all().await;
        published.map_err(|e| unavailable("the ledger could not be published", &e))?;
        let serving = SiteId::BOTH
            .into_iter()
            .find(|site| self.opened.tenure.serving(*site))
            .ok_or_else(|| Failure::new("unavailable", "no site serves"))?;
        let log = self.config.layout.ledger(serving);
        let cloud = self.opened.header.cloud;
        let (_, text) = self.rooms.vault.receipt(&id, cloud, &log).await?;
        let mut answer = self
            .erasure_shown(&self.rooms.vault.erasure(&id).await?)
            .await?;
        answer["receipt"] = json!(text);
        Ok(answer)
    }

    async fn share_destroyed(&self, statement: &str) -> Result<Value, Failure> {
        let held = self.held();
        let taken = self
            .rooms
            .vault
            .take_statement(statement.as_bytes(), &self.opened.charter, &held.custody)
            .await?;
        Ok(json!({
            "party": taken.party.to_string(),
            "root": taken.root,
            "shares_left": taken.left,
            "threshold": taken.threshold,
            "root_is_closed": taken.left < usize::from(taken.threshold),
        }))
    }

    async fn root_status(&self) -> Result<Value, Failure> {
        let held = self.held();
        let dealings = self.rooms.vault.dealings().await?;
        Ok(json!({
            "root": held.header.root_version(),
            "epoch": held.custody.epoch(),
            "ceremony": held.custody.ceremony().to_string(),
            "threshold": held.custody.threshold(),
            "erasure_key": held.header.root.is_some(),
            "dealings": dealings.iter().map(dealing_shown).collect::<Vec<_>>(),
        }))
    }
}

fn dealing_shown(dealing: &Dealing) -> Value {
    let named = |party: &words::PartyName| party.to_string();
    let done: Vec<String> = dealing
        .destroyed
        .iter()
        .map(|(party, _)| named(party))
        .collect();
    let holders = dealing
        .custody
        .holders()
        .iter()
        .map(|holder| named(&holder.party));
    let left: Vec<String> = holders.filter(|name| !done.contains(name)).collect();
    json!({
        "root": dealing.root,
        "epoch": dealing.custody.epoch(),
        "ceremony": dealing.custody.ceremony().to_string(),
        "threshold": dealing.custody.threshold(),
        "since_unix_ms": dealing.since.0,
        "destroyed": done,
        "not_destroyed": left,
        "opens": dealing.opens(),
    })
}

fn shown(moved: &Moved) -> Value {
    json!({
        "root": moved.root,
        "epoch": moved.epoch,
        "groups": moved.groups,
        "new_shares": moved.shares,
    })
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

fn plain(reason: &str) -> Result<&str, Failure> {
    let fits = !reason.chars().any(char::is_control) && reason.chars().count() <= REASON_CHARS_MAX;
    match fits {
        true => Ok(reason),
        false => Err(Failure::new(
            "usage",
            format!("a reason has at most {REASON_CHARS_MAX} characters and no control characters"),
        )),
    }
}

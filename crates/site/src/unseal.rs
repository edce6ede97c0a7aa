//! Shares on their way to the vault.

use crate::control::Failure;
use crate::node::Node;
use charter::officers::Joined;
use charter::{OfficerShare, Progress, ShareFile, UnsealError};
use serde_json::{Value, json};
use std::sync::Arc;
use vault::HeldKeys;
use words::{PartyName, SiteId};
use zeroize::Zeroizing;

impl Node {
    /// Takes one share. When enough are there the vault opens and the background work begins.
    pub(crate) async fn take_share(&self, text: &[u8]) -> Result<Value, Failure> {
        // A root that is just moving is finished first: which shares count depends on it.
        let _alone = self.root_work.lock().await;
        if !self.rooms.vault.is_sealed() {
            return Ok(json!({ "sealed": false }));
        }
        let share = if OfficerShare::looks_like(text) {
            match self.take_part(text).await? {
                Ok(share) => share,
                Err(waiting) => return Ok(waiting),
            }
        } else {
            ShareFile::parse(text).map_err(|e| Failure::new("usage", e))?
        };
        let mut unsealing = self.unsealing.lock().await;
        let mut parties: Vec<PartyName> = unsealing.given().cloned().collect();
        parties.push(share.party().clone());
        match unsealing.add(share) {
            Err(error) => {
                let error = self.named(error).await;
                tracing::warn!(error, "a share was refused");
                Err(Failure::new("denied", error))
            }
            Ok(Progress::Waiting { have, need, lacks }) => {
                let given: Vec<String> = parties.iter().map(ToString::to_string).collect();
                Ok(
                    json!({ "sealed": true, "shares_given": have, "shares_needed": need, "parties": given, "lacks": lacks.map(|c| c.to_string()) }),
                )
            }
            Ok(Progress::Complete(root)) => {
                // An HSM may take its time; whoever asks how the node is must not wait for it.
                drop(unsealing);
                let header = self.held().header;
                let root = crate::outer::complete(&self.config, &self.host, &header, root)
                    .await
                    .map_err(|e| Failure::new("denied", e))?;
                let header = self.settle_root(&root)?;
                self.share_papers().await?;
                self.rooms.vault.unseal(root, &header, &parties).await?;
                self.enter_accepted_loss().await?;
                self.enter_refused_restart().await?;
                self.rooms.vault.all_changed().await?;
                tracing::info!(parties = ?parties.iter().map(PartyName::as_str).collect::<Vec<_>>(), "the node is open");
                self.opened_now.notify_waiters();
                // A share that came while the HSM was asked is not needed any more.
                self.unsealing.lock().await.forget();
                Ok(
                    json!({ "sealed": false, "parties": parties.iter().map(ToString::to_string).collect::<Vec<_>>() }),
                )
            }
        }
    }

    /// Opens the node with the keys that it held while it stood by, unless another root or another charter is in force
    /// by now.
    pub(crate) async fn open_held(self: &Arc<Self>, keys: HeldKeys) {
        let held = self.held();
        let law = self.opened.vault.law();
        let condition = law.and_then(|law| crate::joint::condition(law.charter()));
        let given = keys.parties().iter().cloned().collect();
        if !keys.fit(&held.header) || condition.is_some_and(|condition| !condition.holds(&given)) {
            tracing::warn!(
                "the root or the charter has changed since this node was given its shares; it stays sealed: give the shares that count now"
            );
            return;
        }
        let opening = async {
            for site in SiteId::BOTH {
                if self.opened.tenure.serving(site) {
                    let settled = self.settle_site(site);
                    settled.map_err(|e| Failure::new("unavailable", e))?;
                }
            }
            self.share_papers().await?;
            let reason = format!("{} stood by and has taken over", self.config.node);
            let vault = &self.rooms.vault;
            vault.open_with(keys, "TakeOver", Some(reason)).await?;
            self.enter_accepted_loss().await?;
            self.enter_refused_restart().await?;
            vault.all_changed().await?;
            Ok::<_, Failure>(())
        };
        match opening.await {
            Ok(()) => {
                tracing::info!("the node is open");
                self.opened_now.notify_waiters();
            }
            Err(failure) => tracing::error!(
                why = failure.message,
                "the node did not open itself and stays sealed"
            ),
        }
    }

    /// Why a share was refused; one of an older root that this cloud had is told so.
    async fn named(&self, error: UnsealError) -> String {
        let text = error.to_string();
        let UnsealError::OtherCeremony { party, found, .. } = error else {
            return text;
        };
        let dealings = self.rooms.vault.dealings().await.unwrap_or_default();
        let older = dealings.iter().find(|d| d.custody.ceremony() == found);
        let root = self.held().header.root_version();
        match older {
            Some(older) if older.root < root => format!(
                "{text}; it is of root {}, which root {root} has replaced: give the share-{root} file of {party}, and destroy this one with `clarence share destroy`",
                older.root
            ),
            _ => text,
        }
    }

    /// Takes one officer's part of a share. Gives the share when enough parts are there, otherwise what to answer.
    async fn take_part(&self, text: &[u8]) -> Result<Result<ShareFile, Value>, Failure> {
        let part = OfficerShare::parse(text).map_err(|e| Failure::new("usage", e))?;
        let unsealing = self.unsealing.lock().await;
        let refuse = |error: &dyn std::fmt::Display| {
            tracing::warn!(%error, "an officer's part of a share was refused");
            Failure::new("denied", error)
        };
        unsealing.expects(&part).map_err(|e| refuse(&e))?;
        let party = part.split().party.clone();
        let joined = self.joinings.lock().await.add(part);
        match joined.map_err(|e| refuse(&e))? {
            Joined::Complete(share) => Ok(Ok(*share)),
            Joined::Waiting { have, need } => {
                let given: Vec<String> = unsealing.given().map(ToString::to_string).collect();
                Ok(Err(json!({
                    "sealed": true,
                    "shares_given": unsealing.have(),
                    "shares_needed": unsealing.need(),
                    "parties": given,
                    "party": party.to_string(),
                    "officers_given": have,
                    "officers_needed": need,
                })))
            }
        }
    }

    /// While the epoch in force is one that an accepted loss began, each opening says so in the ledger: the
    /// entry of the act itself may not have been made before a crash.
    pub(crate) async fn enter_accepted_loss(&self) -> Result<(), Failure> {
        let record = self.opened.tenure.record();
        if !record.is_accepted_loss() {
            return Ok(());
        }
        let reason = format!(
            "the node serves in epoch {}, which began with an accepted loss",
            record.epoch
        );
        self.rooms
            .vault
            .record_act(ledger::Kind::AcceptLoss, "ServeAfterLoss", reason)
            .await?;
        Ok(())
    }

    /// The text of a party's share that lies on this machine: the one of the dealing in force, or else the
    /// first there is.
    fn share_on_this_machine(
        &self,
        party: &PartyName,
    ) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
        let custody = self.held().custody;
        let folder = self.config.layout.parents.join(party.as_str());
        let mut first = None;
        for path in crate::root::files::shares_of(&folder)? {
            let Some(text) = host::files::read(&path, 64 * 1024)?.map(Zeroizing::new) else {
                continue;
            };
            if ShareFile::parse(&text).is_ok_and(|share| *share.custody() == custody) {
                return Ok(Some(text));
            }
            first = first.or(Some(text));
        }
        Ok(first)
    }

    /// Development only: unseals with the shares that lie on this machine.
    pub(crate) async fn unseal_from_this_machine(&self) -> Result<(), Failure> {
        for party in self.opened.charter.parties() {
            if !self.rooms.vault.is_sealed() {
                break;
            }
            match self.share_on_this_machine(party) {
                Ok(Some(text)) => {
                    if let Err(failure) = self.take_share(&text).await {
                        tracing::warn!(
                            party = party.as_str(),
                            why = failure.message,
                            "a share on this machine was not taken"
                        );
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a share on this machine could not be read"),
            }
        }
        if self.rooms.vault.is_sealed() {
            return Err(Failure::new(
                "sealed",
                "there are not enough usable shares on this machine; give them with `clarence unseal`",
            ));
        }
        Ok(())
    }
}

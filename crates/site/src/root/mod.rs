//! Moving the root: to a new one, as each erasure and each re-keying asks, or to new shares of the same one.
//! Interrupted at any step, it either has not happened or is finished at the next unsealing.
//!
//! Never here: keys. The root is there for the moment in which the vault wraps under it.

mod asks;
pub(crate) mod files;
#[cfg(test)]
mod renewal_tests;
#[cfg(test)]
mod tests;

use crate::control::Failure;
use crate::node::Node;
use crate::papers::PaperError;
use charter::{
    Charter, Contribution, Custody, Founding, Progress, RootSecret, ShareFile, Unsealing,
};
use epoch::Standing;
use std::io;
use std::path::PathBuf;
use vault::record::shred::erasure::Stage;
use vault::record::site_header::SiteHeader;
use vault::shred::{NextRoot, Sites};
use words::SiteId;

/// Which root is in force.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub header: SiteHeader,
    pub custody: Custody,
}

/// Where a move of the root stands. Tests break it off at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The new root is made; nothing is written.
    Made,
    /// Every group's key lies under the new erasure key too.
    Copied,
    /// The new shares wait for their parties.
    HandedOut,
    /// The record of custody lies ready at both sites.
    Prepared,
    /// The first site's header is that of the new root.
    OneSwitched,
    /// Both are.
    Switched,
    /// The vault uses the new keys.
    Adopted,
}

/// What a move of the root came to.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    /// Version of the root in force.
    pub root: u32,
    /// The dealing of its shares.
    pub epoch: u32,
    /// Where the shares wait for their parties.
    pub shares: Vec<PathBuf>,
    /// Groups whose keys moved with it.
    pub groups: u64,
}

fn unavailable(what: &str, error: &dyn ToString) -> Failure {
    Failure::new("unavailable", format!("{what}: {}", error.to_string()))
}

impl Node {
    /// The root in force.
    pub(crate) fn held(&self) -> Held {
        match self.held.read() {
            Ok(held) => held.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    async fn hold(&self, held: Held) {
        *self.unsealing.lock().await =
            crate::joint::unsealing(held.custody.clone(), self.opened.vault.law().as_deref());
        match self.held.write() {
            Ok(mut place) => *place = held,
            Err(poisoned) => *poisoned.into_inner() = held,
        }
    }

    /// Makes header and record of custody of a site those of the root in force.
    pub(crate) fn settle_site(&self, site: SiteId) -> io::Result<()> {
        let held = self.held();
        let header = files::header_for(&held.header, site);
        files::settle_site(&self.config.layout, &header, &held.custody)
    }

    /// Lets other nodes find the papers as they are now; nothing to do where the catalog lies in the sites' folders.
    pub(crate) async fn share_papers(&self) -> Result<(), Failure> {
        let Some(papers) = &self.opened.papers else {
            return Ok(());
        };
        let failed = |e: PaperError| {
            unavailable(
                "the papers could not be written beside the catalog, where the next node would look for them",
                &e,
            )
        };
        papers.share().await.map_err(failed)
    }

    /// Before anything opens: every site that serves says the same about the root, and there is an erasure
    /// key. A cloud of an earlier build gets its first one here, while its root is at hand.
    pub(crate) fn settle_root(&self, root: &RootSecret) -> Result<SiteHeader, Failure> {
        let Held { header, custody } = self.held();
        let ceremony = *custody.ceremony().as_bytes();
        let first = vault::shred::with_erase_key(&self.host, root, &header, ceremony);
        if let Some(header) = first
            && let Ok(mut held) = self.held.write()
        {
            held.header = header;
        }
        for site in SiteId::BOTH {
            if self.opened.tenure.serving(site) {
                let failed = |e: io::Error| {
                    unavailable(
                        &format!(
                            "the header of {site} could not be written, so nothing was opened"
                        ),
                        &e,
                    )
                };
                self.settle_site(site).map_err(failed)?;
            }
        }
        Ok(self.held().header)
    }

    /// Finishes what an interruption left: sweeps of erasures, and the move of the root they wait for.
    pub(crate) async fn resume_root_work(&self) -> Result<(), Failure> {
        let _alone = self.root_work.lock().await;
        if self.rooms.vault.is_sealed() {
            return Ok(());
        }
        let held = self.held();
        let root = held.header.root_version();
        self.rooms.vault.record_dealing(root, &held.custody).await?;
        self.settle_site_keys().await?;
        for erasure in self.rooms.vault.erasures().await? {
            if erasure.row.stage == Stage::Sweeping {
                self.sweep(&erasure.id).await?;
            }
        }
        let waiting = self.rooms.vault.erasures().await?;
        let swept = |under: &dyn Fn(u32) -> bool| {
            waiting
                .iter()
                .any(|e| e.row.stage == Stage::Swept && under(e.row.last))
        };
        if swept(&|last| last < root) || self.rooms.vault.has_older_groups().await? {
            self.finish_move("resumed").await?;
        }
        if swept(&|last| last >= root) {
            self.move_root("an erasure was ordered; resumed", &mut |_| Ok(()))
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn sweep(&self, id: &[u8; 16]) -> Result<(), Failure> {
        let swept = self.rooms.store.sweep_erased(id, |_| {}).await;
        swept.map_err(|e| unavailable("the erasure is ordered, and its objects are not all taken away yet; it goes on by itself at the next unsealing", &e))
    }

    /// A guest's twin is bound to the root and the record of custody it was begun with.
    pub(crate) fn no_guest(&self) -> Result<(), Failure> {
        match self.opened.guest {
            None => Ok(()),
            Some(_) => Err(Failure::new(
                "unsupported",
                "this cloud is a guest, and its twin at the host is bound to the root it was founded with: moving the root, new shares and erasing a subject are not offered to guests yet; nothing was changed",
            )),
        }
    }

    fn both_current(&self) -> Result<(), Failure> {
        match self.opened.tenure.standing() {
            Standing::BothCurrent => Ok(()),
            Standing::Only(_) => Err(Failure::new(
                "unavailable",
                "one site is behind, and its folder would keep the old root; heal it first, then ask again",
            )),
        }
    }

    /// Moves everything to a new root and keeps the sites' keys.
    pub(crate) async fn move_root(
        &self,
        reason: &str,
        at: &mut (dyn FnMut(Step) -> Result<(), Failure> + Send),
    ) -> Result<Moved, Failure> {
        self.move_root_with(Sites::Kept, reason, at).await
    }

    /// Moves everything to a new root. The caller holds `root_work`. `at` hears each step and may break off.
    pub(crate) async fn move_root_with(
        &self,
        sites: Sites,
        reason: &str,
        at: &mut (dyn FnMut(Step) -> Result<(), Failure> + Send),
    ) -> Result<Moved, Failure> {
        self.no_guest()?;
        self.both_current()?;
        let Held { header, custody } = self.held();
        let charter = &self.opened.charter;
        let founding = new_root(charter, &custody, &self.host)?;
        at(Step::Made)?;
        let vault = &self.rooms.vault;
        let next_custody = founding.transcript.custody().clone();
        let ceremony = *next_custody.ceremony().as_bytes();
        // Where an HSM holds a part, what opens the keys is the new root and that part together.
        let joined = crate::outer::join(&self.config, &self.host, &header, &founding.root)
            .await
            .map_err(|e| unavailable("the root has not moved", &e))?;
        let root = joined.as_ref().unwrap_or(&founding.root);
        let mut next = vault.next_root(root, ceremony, &header, sites).await?;
        vault.copy_sites(&mut next).await?;
        let groups = vault.copy_groups(&next, |_| {}).await?;
        at(Step::Copied)?;
        let (root, layout) = (next.version(), &self.config.layout);
        let given = founding.shares.iter().map(|(_, share)| share);
        let shares = files::hand_out(layout, root, given, &founding.transcript).map_err(|e| {
            unavailable(
                "the new shares could not be written, so the root has not moved",
                &e,
            )
        })?;
        at(Step::HandedOut)?;
        files::prepare_custody(layout, &next_custody).map_err(|e| {
            unavailable(
                "the new record of custody could not be written, so the root has not moved",
                &e,
            )
        })?;
        self.share_papers().await?;
        at(Step::Prepared)?;
        self.both_current()?;
        self.switch(&next, next_custody, at).await?;
        drop(founding);
        vault.adopt_root(next)?;
        at(Step::Adopted)?;
        self.finish_move(reason).await?;
        Ok(Moved {
            root,
            epoch: self.held().custody.epoch(),
            shares,
            groups,
        })
    }

    /// The one moment of a move: from the first header on, the new root is in force.
    async fn switch(
        &self,
        next: &NextRoot,
        custody: Custody,
        at: &mut (dyn FnMut(Step) -> Result<(), Failure> + Send),
    ) -> Result<(), Failure> {
        let layout = &self.config.layout;
        let [a, b] = next.headers();
        if let Err(error) = files::put_header(layout, a) {
            // It may have been replaced although its folder could not be synced.
            let there = crate::open::header_of(layout.site(a.site));
            if !matches!(there, Ok(Some(there)) if there == *a) {
                return Err(unavailable(
                    "the first header could not be written, so the root has not moved",
                    &error,
                ));
            }
        }
        if let Err(failure) = self.share_papers().await {
            // Whether the next node finds the new header is not known; this one must not go on as if it did not.
            self.rooms.vault.seal();
            self.opened.index.clear();
            return Err(unavailable(
                "it is not known whether the root has moved; the node has sealed itself: end it and start it again, then the shares of the root in force open it",
                &failure.message,
            ));
        }
        at(Step::OneSwitched)?;
        self.hold(Held {
            header: a.clone(),
            custody,
        })
        .await;
        let written = [a, b].into_iter().try_for_each(|header| {
            files::settle_site(layout, header, &self.held().custody).map_err(|e| e.to_string())
        });
        let written = match written {
            Ok(()) => self.share_papers().await.map_err(|failure| failure.message),
            failed => failed,
        };
        if let Err(error) = written {
            // Nothing may be wrapped under keys that a serving site could not open again.
            self.rooms.vault.seal();
            self.opened.index.clear();
            return Err(unavailable(
                "the root has moved, but the header of one site could not be written; the node has sealed itself; unseal it with the new shares",
                &error,
            ));
        }
        at(Step::Switched)
    }

    /// What is left when both headers are those of the root in force: the old copies go, and the ledger
    /// hears of it.
    async fn finish_move(&self, reason: &str) -> Result<(), Failure> {
        self.both_current()?;
        for site in SiteId::BOTH {
            self.settle_site(site).map_err(|e| {
                unavailable(
                    "the root has moved, but a site's header could not be written yet",
                    &e,
                )
            })?;
        }
        self.share_papers().await?;
        let Held { header, custody } = self.held();
        let vault = &self.rooms.vault;
        vault
            .record_dealing(header.root_version(), &custody)
            .await?;
        vault.finish_move(reason).await?;
        tracing::info!(root = header.root_version(), "the root has moved");
        Ok(())
    }

    /// Deals new shares of the same root, which a quorum of today's shares gives. Until the new record of
    /// custody lies at a site, today's shares count.
    pub(crate) async fn reshare(&self, texts: &[String]) -> Result<Moved, Failure> {
        let _alone = self.root_work.lock().await;
        self.no_guest()?;
        self.both_current()?;
        let Held { header, custody } = self.held();
        let law = self.opened.vault.law();
        let unsealing = crate::joint::unsealing(custody.clone(), law.as_deref());
        let root = quorum(unsealing, texts)?;
        let charter = &self.opened.charter;
        let own = Contribution::draw_for_all(charter.parties(), &self.host);
        let dealt = charter::reshare(charter, &root, &custody, &self.host, own)
            .map_err(|e| Failure::new("internal", e))?;
        drop(root);
        let layout = &self.config.layout;
        let version = header.root_version();
        // The dealing of before must be on the books first: its shares open the same root.
        self.rooms.vault.record_dealing(version, &custody).await?;
        let given = dealt.shares.iter().map(|(_, share)| share);
        let shares = files::hand_out(layout, version, given, &dealt.transcript)
            .map_err(|e| unavailable("the new shares could not be written; today's count", &e))?;
        let custody = dealt.transcript.custody().clone();
        self.hold(Held {
            header,
            custody: custody.clone(),
        })
        .await;
        for site in SiteId::BOTH {
            self.settle_site(site).map_err(|e| {
                unavailable("new shares were dealt, but a site's record of custody could not be written; repeat the command with the new shares", &e)
            })?;
        }
        self.share_papers().await?;
        self.rooms.vault.record_dealing(version, &custody).await?;
        let reason = dealt.transcript.to_json().to_owned();
        self.rooms
            .vault
            .record_act(ledger::Kind::Admin, "Reshare", reason)
            .await?;
        Ok(Moved {
            root: version,
            epoch: custody.epoch(),
            shares,
            groups: 0,
        })
    }
}

fn new_root(charter: &Charter, custody: &Custody, host: &host::Host) -> Result<Founding, Failure> {
    let own = Contribution::draw_for_all(charter.parties(), host);
    charter::rekey(charter, custody, host, own).map_err(|e| Failure::new("internal", e))
}

/// The root, if the shares are right and enough.
fn quorum(mut unsealing: Unsealing, texts: &[String]) -> Result<RootSecret, Failure> {
    for text in texts {
        let share = ShareFile::parse(text.as_bytes()).map_err(|e| Failure::new("usage", e))?;
        if let Progress::Complete(root) = unsealing
            .add(share)
            .map_err(|e| Failure::new("denied", e))?
        {
            return Ok(root);
        }
    }
    Err(Failure::new(
        "denied",
        format!(
            "{} of the {} shares that it takes were given; nothing was changed",
            unsealing.have(),
            unsealing.need()
        ),
    ))
}

//! What runs in the background: the sites are looked at each second, a site that is back is healed, the log
//! is published, indexes are folded, garbage is swept.

use crate::control::Failure;
use crate::node::Node;
use crate::status::all_chunks;
use epoch::{SiteView, Standing};
use futures::StreamExt;
use ledger::Kind;
use mirror::{HealProgress, Pace};
use std::sync::Arc;
use std::time::Duration;
use words::SiteId;

/// Between two looks at the sites.
const LOOK: Duration = Duration::from_secs(1);
/// Looks in a row that a site must fail before it is given up.
const FAILURES_MAX: u32 = 2;
/// Between two attempts to heal.
const HEAL_PAUSE: Duration = Duration::from_secs(5);
/// Between two rounds of folding.
const FOLD: Duration = Duration::from_millis(500);
/// Chunks that are looked for at once when a site comes back; each may take up to 8 MiB of memory.
const INVENTORY_IN_FLIGHT: usize = 8;
/// Before the first look for chunks without an owner.
const ORPHANS_FIRST: Duration = Duration::from_secs(600);
/// Between two looks for chunks without an owner.
const ORPHANS: Duration = Duration::from_secs(6 * 3600);
/// Between two looks at the witnesses.
const WITNESSES: Duration = Duration::from_secs(5);
/// Between two sweeps of garbage.
const SWEEP: Duration = Duration::from_secs(60);

fn not_healed(site: SiteId, why: &dyn ToString) -> Failure {
    Failure::new(
        "unavailable",
        format!("{site} is not healed: {}", why.to_string()),
    )
}

impl Node {
    /// Runs until the node has to stop; says why.
    pub(crate) async fn upkeep(self: Arc<Self>) -> String {
        let certificates = self.watch();
        tokio::select! {
            why = self.watch_sites() => why,
            why = self.record_standing() => why,
            why = self.opened.engine.lost() => why,
            () = self.show_life() => "showing that it lives ended".into(),
            why = self.watch_witnesses() => why,
            () = self.heal_forever() => "healing ended".into(),
            () = self.publish_forever() => "publishing ended".into(),
            () = self.fold_forever() => "folding ended".into(),
            () = self.lend_forever() => "lending keys ended".into(),
            () = self.keep_twin() => "keeping the twin ended".into(),
            () = self.renew_certificates() => "renewing certificates ended".into(),
            () = certificates.run() => "watching certificates ended".into(),
            () = self.statements.watch() => "watching statements ended".into(),
            () = self.watch_glasses() => "watching break-glass ended".into(),
            () = self.rotate_forever() => "renewing keys ended".into(),
            () = self.meter_forever() => "metering ended".into(),
            () = self.sweep_forever() => "sweeping ended".into(),
            () = self.sweep_orphans_forever() => "sweeping ended".into(),
            () = self.open_when_unsealed() => "it cannot be".into(),
            () = self.opened.mirror.repair_forever() => "repairing ended".into(),
        }
    }

    /// What has to be done each time the node is unsealed.
    async fn open_when_unsealed(&self) {
        loop {
            let opened = self.opened_now.notified();
            if !self.rooms.vault.is_sealed() {
                if let Err(failure) = self.write_connect().await {
                    tracing::error!(why = failure.message, "connect.json was not written");
                }
                if let Err(failure) = self.resume_root_work().await {
                    tracing::error!(
                        why = failure.message,
                        "what an erasure or a move of the root left to do is not done yet"
                    );
                }
                if let Err(failure) = self.resume_ordered().await {
                    tracing::error!(
                        why = failure.message,
                        "an order that was interrupted is not done yet"
                    );
                }
                self.opened_now.notified().await;
            } else {
                opened.await;
            }
        }
    }

    async fn watch_sites(&self) -> String {
        let mut failures = [0; 2];
        loop {
            tokio::time::sleep(LOOK).await;
            for site in SiteId::BOTH {
                if !self.opened.tenure.serving(site) {
                    continue;
                }
                match self.look(site).await {
                    Ok(()) => failures[site.index()] = 0,
                    Err(why) => {
                        failures[site.index()] += 1;
                        tracing::warn!(%site, why, "a site does not answer as it should");
                        if failures[site.index()] >= FAILURES_MAX {
                            self.give_up(site, &why).await;
                        }
                    }
                }
            }
        }
    }

    /// Moves the catalog each second, so that a node that stands by sees that this one lives; and learns there whether
    /// another one has taken its place.
    async fn show_life(&self) {
        let mut last = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(moved) = self.opened.engine.moved() else {
                return std::future::pending().await;
            };
            if last.replace(moved) == Some(moved)
                && let Err(why) = self.opened.engine.confirm(&self.host).await
            {
                tracing::warn!(why, "the catalog's servers did not take a sign of life");
            }
        }
    }

    /// Says when somebody else has taken the cloud over: a restore begins an epoch of its own at the witnesses.
    async fn watch_witnesses(&self) -> String {
        loop {
            tokio::time::sleep(WITNESSES).await;
            let tenure = Arc::clone(&self.opened.tenure);
            let looked = tokio::task::spawn_blocking(move || tenure.overtaken()).await;
            if let Ok(Some(theirs)) = looked {
                self.rooms.vault.seal();
                self.opened.index.clear();
                return format!(
                    "the witnesses hold epoch {theirs}, which this node did not write: the cloud was restored elsewhere and goes on there. What was acknowledged here lies in these folders, untouched; this node must not serve it any more"
                );
            }
        }
    }

    async fn look(&self, site: SiteId) -> Result<(), String> {
        self.opened.engine.probe(site)?;
        self.opened
            .mirror
            .probe(site)
            .await
            .map_err(|e| e.to_string())
    }

    async fn give_up(&self, site: SiteId, why: &str) {
        match self.opened.engine.give_up(site, why).await {
            Ok(()) => {
                self.opened.mirror.prefer(site.other());
                tracing::warn!(%site, why, "the cloud goes on without a site");
            }
            Err(error) => tracing::error!(%site, %error, "a site cannot be given up"),
        }
    }

    /// Writes each change of the sites' standing into the ledger.
    async fn record_standing(&self) -> String {
        let mut views = self.opened.tenure.subscribe();
        let mut known = self.opened.tenure.record();
        loop {
            if views.changed().await.is_err() {
                return "the sites' standing is no longer known".into();
            }
            let record = views.borrow_and_update().record;
            if record.epoch == known.epoch {
                continue;
            }
            known = record;
            let (kind, text) = match record.standing {
                Standing::BothCurrent => (
                    Kind::SiteBack,
                    format!("epoch {}: both sites are current", record.epoch),
                ),
                Standing::Only(site) => (
                    Kind::SiteAway,
                    format!(
                        "epoch {}: {site} goes on alone, {} is behind",
                        record.epoch,
                        site.other()
                    ),
                ),
            };
            if let Err(error) = self.rooms.vault.record_act(kind, "Standing", text).await {
                tracing::debug!(%error, "a change of the sites' standing is not in the ledger yet; it lies at the witnesses");
            }
        }
    }

    async fn heal_forever(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let Standing::Only(serving) = self.opened.tenure.standing() else {
                self.settle_debts().await;
                self.rebuild_damaged().await;
                continue;
            };
            let site = serving.other();
            if self.may_return(site).await && self.heal(site, |_, _, _| {}).await.is_err() {
                tokio::time::sleep(HEAL_PAUSE).await;
            }
        }
    }

    /// A catalog that gave a read error is built anew from the other site; reads went there meanwhile.
    async fn rebuild_damaged(&self) {
        for site in self.opened.engine.damaged() {
            match self.opened.engine.heal(site).await {
                Ok(rows) => {
                    tracing::warn!(%site, rows, "the damaged catalog of a site was rebuilt");
                    let text = format!("the catalog of {site} was rebuilt from {}", site.other());
                    let vault = &self.rooms.vault;
                    let recorded = vault.record_act(Kind::Repair, "Rebuild", text).await;
                    if let Err(error) = recorded {
                        tracing::debug!(%error, "the repair is not in the ledger");
                    }
                }
                Err(error) => {
                    tracing::warn!(%site, %error, "the damaged catalog of a site is not rebuilt yet")
                }
            }
        }
    }

    /// Copies what single writes left behind at a site that stayed current.
    async fn settle_debts(&self) {
        for site in SiteId::BOTH {
            let engine = self.opened.engine.engine();
            match mirror::backlog(&*engine, site).await {
                Ok(backlog) if backlog.chunks > 0 => {
                    let healed = mirror::heal(
                        &*engine,
                        &self.opened.mirror,
                        site,
                        Pace::default(),
                        &mut |_| {},
                    )
                    .await;
                    if let Err(error) = healed {
                        tracing::debug!(%site, %error, "what a site lacks could not be copied yet");
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether the folder of a site that is behind is there again and belongs to it.
    pub(crate) async fn may_return(&self, site: SiteId) -> bool {
        let folder = self.config.layout.site(site);
        match crate::open::header_of(folder) {
            Ok(Some(header)) => header.site == site && header.cloud == self.opened.header.cloud,
            _ => false,
        }
    }

    /// Brings a site up to date and makes it current again: chunks first, then the catalog, whose last step
    /// readmits it, then what came in between.
    pub(crate) async fn heal(
        &self,
        site: SiteId,
        progress: impl Fn(&str, u64, Option<u64>) + Send + Sync,
    ) -> Result<(u64, u64), Failure> {
        let _one = self.healing.lock().await;
        if self.opened.tenure.serving(site) {
            // Whoever held the lock before has done it.
            return Ok((0, 0));
        }
        let healed = self.heal_chunks_and_rows(site, &progress).await;
        if let Err(failure) = &healed {
            self.opened.tenure.healing_stopped(site, &failure.message);
        }
        healed
    }

    async fn heal_chunks_and_rows(
        &self,
        site: SiteId,
        progress: &(impl Fn(&str, u64, Option<u64>) + Send + Sync),
    ) -> Result<(u64, u64), Failure> {
        let failed = |e: &dyn ToString| not_healed(site, e);
        self.opened
            .mirror
            .adopt(site)
            .await
            .map_err(|e| failed(&e))?;
        // A folder that was away may know an older root, or one that never took over.
        self.settle_site(site).map_err(|e| failed(&e))?;
        self.share_papers().await?;
        // From here on new chunks are written to it too, so that its debts only become fewer.
        self.opened.tenure.healing(site, 0, 0);
        let mut chunks = self.pay_debts(site, progress).await?;
        chunks += self.take_inventory(site, progress).await?;
        chunks += self.pay_debts(site, progress).await?;
        progress("catalog", 0, None);
        let healed = self.opened.engine.heal(site).await;
        let rows = healed.map_err(|e| failed(&e))?;
        self.opened.mirror.prefer(SiteId::A);
        self.settle_debts().await;
        tracing::info!(%site, chunks, rows, "a site is current again");
        self.opened_now.notify_waiters();
        Ok((chunks, rows))
    }

    /// Copies what the books say that a returning site lacks.
    async fn pay_debts(
        &self,
        site: SiteId,
        progress: &(impl Fn(&str, u64, Option<u64>) + Send + Sync),
    ) -> Result<u64, Failure> {
        let engine = self.opened.engine.engine();
        let mut tell = |at: HealProgress| progress("chunks", at.chunks, Some(at.of_chunks));
        let chunks = mirror::heal(
            &*engine,
            &self.opened.mirror,
            site,
            Pace::default(),
            &mut tell,
        )
        .await
        .map_err(|e| not_healed(site, &e))?;
        match chunks.left {
            0 => Ok(chunks.healed),
            left => {
                let why = chunks.failures.join("; ");
                Err(not_healed(
                    site,
                    &format!("{left} chunks could not be copied: {why}"),
                ))
            }
        }
    }

    /// Copies what a returning site lacks although no debt says so: its folder may be a new one, or a copy
    /// from before.
    async fn take_inventory(
        &self,
        site: SiteId,
        progress: &(impl Fn(&str, u64, Option<u64>) + Send + Sync),
    ) -> Result<u64, Failure> {
        let mut tell = |at: &mirror::InventoryReport| progress("inventory", at.chunks, None);
        let refs = all_chunks(Arc::clone(&self.rooms.store)).boxed();
        let pace = Pace {
            in_flight: INVENTORY_IN_FLIGHT,
            ..Pace::default()
        };
        let looked = mirror::inventory(&self.opened.mirror, site, refs, pace, &mut tell).await;
        let report = looked.map_err(|e| not_healed(site, &e))?;
        match report.left {
            0 => Ok(report.copied),
            left => {
                let why = report.failures.join("; ");
                Err(not_healed(
                    site,
                    &format!("{left} chunks are missing: {why}"),
                ))
            }
        }
    }

    async fn fold_forever(&self) {
        loop {
            tokio::time::sleep(FOLD).await;
            if self.rooms.vault.is_sealed() {
                continue;
            }
            if let Err(error) = self.rooms.vault.fold_names(&self.opened.index).await {
                tracing::warn!(%error, "an index of names could not be folded; nothing is lost, it is tried again");
            }
        }
    }

    async fn sweep_forever(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            // What a backup reads stays until it has ended.
            let Ok(_alone) = self.sweeping.try_write() else {
                continue;
            };
            match self.rooms.store.sweep().await {
                Ok(swept) if swept.rows > 0 => tracing::info!(
                    rows = swept.rows,
                    chunks = swept.chunks,
                    "garbage was swept"
                ),
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "garbage stays until the next sweep"),
            }
        }
    }

    /// Removes what crashes and broken-off uploads left in the chunk folders.
    async fn sweep_orphans_forever(&self) {
        tokio::time::sleep(ORPHANS_FIRST).await;
        loop {
            for site in SiteId::BOTH {
                if !self.opened.tenure.serving(site) {
                    continue;
                }
                match self.sweep_orphans(site).await {
                    Ok(swept) => tracing::info!(
                        %site, chunks = swept.chunks, removed = swept.removed, bytes = swept.bytes,
                        "chunks without an owner were looked for"
                    ),
                    Err(why) => {
                        tracing::warn!(%site, why, "chunks without an owner stay until the next look")
                    }
                }
            }
            tokio::time::sleep(ORPHANS).await;
        }
    }

    async fn sweep_orphans(&self, site: SiteId) -> Result<mirror::SweepReport, String> {
        let alone = self.sweeping.try_write();
        let _alone = alone.map_err(|_| "a backup is under way".to_owned())?;
        let known = self
            .rooms
            .store
            .known_chunks()
            .await
            .map_err(|e| e.to_string())?;
        mirror::sweep(&self.opened.mirror, site, &known)
            .await
            .map_err(|e| e.to_string())
    }

    /// How the sites are, in words.
    pub(crate) fn site_words(&self, site: SiteId) -> (&'static str, Option<String>) {
        match self.opened.tenure.view().site(site) {
            SiteView::Serving => ("serving", None),
            SiteView::Healing { .. } => ("healing", None),
            SiteView::Away { why, .. } => ("away", Some(why.to_string())),
        }
    }
}

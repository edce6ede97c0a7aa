//! What befalls a run: disks and sites that fail, lie and come back, crashes and restarts, commits whose
//! answer is lost, parents that are silent, and the node's own housekeeping among it all.
//!
//! What fate may do so that nothing acknowledged may be lost: damage that a disk does not announce (turned
//! bits, chunks that vanish) befalls one site of a run, and then the other site never fails. Announced
//! failures befall both sites as they like, even at once.

use crate::disks::SimError;
use crate::scene::{Living, Scene};
use crate::world_host::Dice;
use catalog::memory::Fault;
use chunks::{Behaviour, Step};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use words::SiteId;

/// What befalls a run.
pub struct Fate<'s> {
    scene: &'s Scene,
    dice: Arc<Dice>,
    /// The only site that fails, and that may lie; both fail without lying if there is none.
    weak: Option<SiteId>,
}

impl<'s> Fate<'s> {
    /// A fate as the dice say.
    #[must_use]
    pub fn new(scene: &'s Scene, dice: Arc<Dice>) -> Self {
        let weak = match dice.below(4) {
            0 => Some(SiteId::A),
            1 => Some(SiteId::B),
            _ => None,
        };
        scene.event(format!(
            "policy {:?}, weak site {weak:?}, small index {}, large body {}",
            scene.world.setup.policy,
            scene.world.setup.tuning.is_some(),
            scene.large
        ));
        Self { scene, dice, weak }
    }

    fn site(&self) -> SiteId {
        let any = if self.dice.once_in(2) {
            SiteId::A
        } else {
            SiteId::B
        };
        self.weak.unwrap_or(any)
    }

    async fn pause(&self, millis: u64) {
        tokio::time::sleep(Duration::from_micros(self.dice.below(millis * 1000))).await;
    }

    /// So many strokes.
    pub async fn strike(&self, times: usize) {
        for _ in 0..times {
            self.pause(300).await;
            match self.dice.below(16) {
                0..4 => self.site_fails().await,
                4 => self.step_fails(),
                5..7 => self.site_lies(),
                7..9 => self.crash_and_restart().await,
                9..12 => self.commits_are_lost().await,
                12 => self.catalog_is_unreadable().await,
                13 => self.parents_are_silent().await,
                14 => self.mend_some().await,
                _ => self.keep_house().await,
            }
        }
        self.calm().await;
    }

    /// A site is away, full, broken or hangs for a while, in all it does or in writing only.
    async fn site_fails(&self) {
        const WAYS: [Behaviour; 6] = [
            Behaviour::FolderMissing,
            Behaviour::Full,
            Behaviour::ReadOnly,
            Behaviour::NotPermitted,
            Behaviour::Device,
            Behaviour::Hang,
        ];
        let site = self.site();
        let Some(way) = self.dice.one_of(&WAYS).copied() else {
            return;
        };
        let writing = self.dice.once_in(2);
        self.scene
            .event(format!("{site} {way:?}, writing only: {writing}"));
        let faults = self.scene.world.chunks(site).faults();
        if writing {
            for step in Step::WRITING {
                faults.always(step, way);
            }
        } else {
            faults.everywhere(way);
        }
        self.pause(if way == Behaviour::Hang { 9_000 } else { 1_500 })
            .await;
        if self.dice.once_in(4) {
            self.look(site).await;
        }
        if self.weak.is_none() && self.dice.once_in(4) {
            // It stays away while other things happen.
            return;
        }
        faults.clear();
        self.scene.event(format!("{site} works again"));
        if !self.dice.once_in(4) {
            self.heal(site).await;
        }
    }

    fn step_fails(&self) {
        let site = self.site();
        let (Some(step), Some(way)) = (
            self.dice.one_of(&Step::ALL).copied(),
            self.dice.one_of(&Behaviour::ERRORS).copied(),
        ) else {
            return;
        };
        let (skip, times) = (self.dice.below(4), 1 + self.dice.below(4));
        self.scene.event(format!(
            "{site} {way:?} at {step:?}, {times} times after {skip}"
        ));
        let count = |n| u32::try_from(n).unwrap_or(1);
        let faults = self.scene.world.chunks(site).faults();
        faults.times(step, way, count(skip), count(times));
    }

    /// Damage that the disk does not announce, at the weak site only.
    fn site_lies(&self) {
        let Some(site) = self.weak else {
            return self.step_fails();
        };
        let chunks = self.scene.world.chunks(site);
        let stored = chunks.contents();
        let chosen = self.dice.one_of(&stored);
        let what = self.dice.below(6);
        match (what, chosen) {
            (0..3, Some((id, bytes))) => {
                let at = usize::try_from(self.dice.below(bytes.len() as u64)).unwrap_or(0);
                let mask = 1 << self.dice.below(8);
                chunks.flip(*id, at, mask);
                self.scene.event(format!("{site} byte {at} of {id} turned"));
            }
            (3, Some((id, bytes))) => {
                let length = usize::try_from(self.dice.below(bytes.len() as u64)).unwrap_or(0);
                chunks.cut(*id, length);
                self.scene.event(format!("{site} {id} cut to {length}"));
            }
            (4, Some((id, _))) => {
                chunks.lose(*id);
                self.scene.event(format!("{site} {id} lost"));
            }
            _ => {
                let lies = [
                    (Step::Read, Behaviour::Flip),
                    (Step::Append, Behaviour::Flip),
                    (Step::Finish, Behaviour::Flip),
                    (Step::Finish, Behaviour::Lose),
                ];
                if let Some((step, way)) = self.dice.one_of(&lies).copied() {
                    chunks.faults().times(step, way, 0, 2);
                    self.scene.event(format!("{site} {way:?} at {step:?}"));
                }
            }
        }
    }

    /// Some commits are lost before or after they take effect, and some are refused.
    async fn commits_are_lost(&self) {
        let dice = Arc::new(Dice::new(self.dice.next(), 7));
        let often = 2 + self.dice.below(6);
        self.scene
            .event(format!("one commit in {often} meets a fault"));
        let hook = move |_: &catalog::Commit| match dice.below(often * 3) {
            0 => Fault::LostAfter,
            1 => Fault::LostBefore,
            2 => Fault::Refuse,
            _ => Fault::None,
        };
        self.scene
            .world
            .disks
            .catalog
            .set_hook(Some(Box::new(hook)));
        self.pause(1_000).await;
        if self.dice.once_in(3) {
            self.crash_and_restart().await;
        }
        self.scene.world.disks.catalog.set_hook(None);
        self.scene.event("commits are answered again");
    }

    async fn catalog_is_unreadable(&self) {
        let catalog = &self.scene.world.disks.catalog;
        self.scene.event("the catalog cannot be read");
        catalog.set_reads_failing(Some("told to fail".into()));
        self.pause(200).await;
        catalog.set_reads_failing(None);
        self.scene.event("the catalog can be read again");
    }

    /// One or two parents do not answer; with two, no site can be given up.
    async fn parents_are_silent(&self) {
        let silent = if self.dice.once_in(2) { 1 } else { 2 };
        self.scene.event(format!("{silent} parents are silent"));
        for parent in self.scene.world.disks.parents.iter().take(silent) {
            parent.set_failing(true, true);
        }
        self.site_fails().await;
        for parent in &self.scene.world.disks.parents {
            parent.set_failing(false, false);
        }
        self.scene.event("the parents answer again");
    }

    /// What a node does beside its requests.
    async fn keep_house(&self) {
        let living = self.scene.living();
        let node = &living.node;
        let work = async {
            let folded = node.vault.fold_names(&node.index).await;
            let swept = node.store.sweep().await;
            let repaired = node.mirror.repair_waiting().await;
            let well = |ok| if ok { "well" } else { "failed" };
            format!(
                "house: folding {}, sweeping {}, {repaired} repairs",
                well(folded.is_ok()),
                well(swept.is_ok())
            )
        };
        if let Some(done) = living.until_over(Duration::from_secs(20), work).await {
            self.scene.event(done);
        }
    }

    async fn look(&self, site: SiteId) {
        let living = self.scene.living();
        let looked = living
            .until_over(Duration::from_secs(20), living.node.look(site))
            .await;
        if let Some(Err(error)) = looked {
            self.scene
                .event(format!("{site} was not given up: {error}"));
        }
    }

    /// Heals a site if it is behind; now and then the healing is cut off in the middle.
    async fn heal(&self, site: SiteId) {
        let living = self.scene.living();
        if living.is_over() || living.node.behind() != Some(site) {
            return;
        }
        let patience = if self.dice.once_in(4) {
            Duration::from_micros(self.dice.below(20_000))
        } else {
            Duration::from_secs(30)
        };
        match living.until_over(patience, living.node.heal(site)).await {
            None => self.scene.event(format!("healing {site} was cut off")),
            Some(Ok(report)) => self
                .scene
                .event(format!("{site} healed, {} chunks", report.healed)),
            Some(Err(error)) => self.scene.event(format!("{site} not healed: {error}")),
        }
    }

    async fn mend_some(&self) {
        let site = self.site();
        self.scene.world.chunks(site).faults().clear();
        self.heal(site).await;
    }

    /// The node is gone; another one starts sealed and is unsealed after a while.
    pub async fn crash_and_restart(&self) {
        self.scene.crash();
        self.scene.event("the node crashed");
        self.pause(200).await;
        if let Err(error) = self.start().await {
            self.scene.broken(format!("no node starts: {error}"));
        }
    }

    async fn start(&self) -> Result<(), SimError> {
        let mut tries = 0;
        while let Err(error) = self.scene.restart() {
            self.scene
                .event(format!("the node does not start: {error}"));
            tries += 1;
            if tries > 20 {
                return Err(error);
            }
            for parent in &self.scene.world.disks.parents {
                parent.set_failing(false, false);
            }
            self.pause(500).await;
        }
        let living = self.scene.living();
        self.scene.event("a node started, sealed");
        if !living.node.vault.is_sealed() {
            self.scene.broken("a node that started is not sealed");
        }
        self.pause(300).await;
        self.unseal(&living).await
    }

    async fn unseal(&self, living: &Rc<Living>) -> Result<(), SimError> {
        const PAIRS: [[usize; 2]; 3] = [[0, 1], [1, 2], [2, 0]];
        let mut tries = 0;
        loop {
            let pair = self.dice.one_of(&PAIRS).copied().unwrap_or([0, 1]);
            match self.scene.world.unseal(&living.node, pair).await {
                Ok(()) => {
                    self.scene.event(format!("unsealed by parents {pair:?}"));
                    return Ok(());
                }
                Err(_) if !living.node.vault.is_sealed() => return Ok(()),
                Err(error) if tries > 50 => return Err(error),
                Err(error) => self.scene.event(format!("not unsealed: {error}")),
            }
            tries += 1;
            self.pause(200).await;
        }
    }

    /// Everything works again, and every site is healed.
    pub async fn calm(&self) {
        let disks = &self.scene.world.disks;
        disks.catalog.set_hook(None);
        disks.catalog.set_reads_failing(None);
        for parent in &disks.parents {
            parent.set_failing(false, false);
        }
        for site in SiteId::BOTH {
            self.scene.world.chunks(site).faults().clear();
        }
        self.scene.event("everything works again");
        for _ in 0..20 {
            let living = self.scene.living();
            let Some(site) = living.node.behind() else {
                return;
            };
            match living.node.heal(site).await {
                Ok(report) => self
                    .scene
                    .event(format!("{site} healed, {} chunks", report.healed)),
                Err(error) => self.scene.event(format!("{site} not healed: {error}")),
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        self.scene.broken("a site that works cannot be healed");
    }
}

//! The decision in force, shared by everyone who writes at the sites.

use crate::error::{StartError, TenureError};
use crate::places::Places;
use crate::record::{EpochRecord, Standing};
use crate::start::StartDecision;
use crate::view::{Reported, SiteView, Trouble, TroubleKind, View};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use words::SiteId;

/// Who is current, as this node has recorded it. Shared by `Arc`; calls that change it block on the
/// witnesses, so they belong on a thread that may wait.
pub struct Tenure {
    places: Places,
    state: Mutex<State>,
    view: watch::Sender<View>,
    head: AtomicU64,
}

struct State {
    record: EpochRecord,
    /// The highest epoch that any place may hold, attempts that failed included.
    tried: u64,
    /// Whether the record is where it has to be.
    settled: bool,
}

impl Tenure {
    /// Reads all places, decides, and records what has to be recorded before anyone is served.
    pub fn start(places: Places) -> Result<Self, StartError> {
        let survey = places.survey()?;
        for problem in &survey.problems {
            tracing::warn!("{problem}");
        }
        let (standing, highest) = match survey.decision {
            StartDecision::Serve { standing, highest } => (standing, highest),
            StartDecision::Refuse(refusal) => return Err(refusal.into()),
        };
        let tried = survey.highest().map_or(highest.epoch, |r| r.epoch);
        let why = |site: SiteId| match survey.found.get(site.index()) {
            Some(Some(_)) => "its folder is behind and has to be healed".to_owned(),
            _ => "its folder was not there at the start".to_owned(),
        };
        let own = |site: SiteId| {
            survey
                .found
                .get(site.index())
                .copied()
                .flatten()
                .and_then(|s| s.record)
        };
        let in_force = match standing {
            Standing::BothCurrent => highest.epoch == tried,
            Standing::Only(site) => {
                highest.standing == standing
                    && highest.epoch == tried
                    && own(site).is_some_and(|o| o.epoch == highest.epoch && o.standing == standing)
            }
        };
        let view = View {
            record: highest,
            settled: in_force,
            sites: [SiteView::Serving, SiteView::Serving],
            troubles: Vec::new(),
            trouble_count: [0; 2],
            repair_count: [0; 2],
        };
        let tenure = Self {
            state: Mutex::new(State {
                record: highest,
                tried,
                settled: in_force,
            }),
            view: watch::Sender::new(view),
            head: AtomicU64::new(highest.head),
            places,
        };
        tenure.take_office(standing, in_force, why)?;
        Ok(tenure)
    }

    fn take_office(
        &self,
        standing: Standing,
        in_force: bool,
        why: impl Fn(SiteId) -> String,
    ) -> Result<(), StartError> {
        let mut state = self.state();
        let record = state.record;
        if in_force {
            // Best effort: a witness that missed the record, or a new one, learns it now.
            if let Err(error) = self.places.write_quorum(record) {
                tracing::warn!("the witnesses could not be refreshed: {error}");
            }
        } else {
            let next = self.next(&state, standing, record.head);
            match standing {
                Standing::Only(site) => self.record_only(&mut state, site, next)?,
                Standing::BothCurrent => self.record_both(&mut state, SiteId::A, next)?,
            }
        }
        let record = state.record;
        drop(state);
        self.publish(|view| {
            view.record = record;
            view.settled = true;
            if let Some(site) = standing.behind() {
                *view.site_mut(site) = SiteView::Away {
                    since: record.since,
                    why: why(site),
                };
            }
        });
        Ok(())
    }

    /// The decision in force.
    #[must_use]
    pub fn record(&self) -> EpochRecord {
        self.view.borrow().record
    }

    /// Who is current.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.view.borrow().record.standing
    }

    /// Whether the site is current.
    #[must_use]
    pub fn serving(&self, site: SiteId) -> bool {
        self.standing().includes(site)
    }

    /// Whether the decision in force is recorded where it has to be. While it is not, nothing may be
    /// acknowledged; [`Tenure::drop_site`] tries again.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.view.borrow().settled
    }

    /// The state of the sites, for status and metrics.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Tells of every change of the view.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// The catalog tells how far it has come, so that a room that does not know it can give up a site.
    pub fn note_head(&self, head: u64) {
        self.head.fetch_max(head, Ordering::Relaxed);
    }

    /// Gives up a site before the node goes on without it: records that with the next epoch at a quorum of
    /// witnesses and then in the remaining site's own folder. Blocks. Calling it again is no error. If it
    /// fails, nothing more may be acknowledged until a later call succeeds.
    pub fn drop_site(
        &self,
        away: SiteId,
        head: u64,
        why: &str,
    ) -> Result<EpochRecord, TenureError> {
        let mut state = self.state();
        let remaining = Standing::Only(away.other());
        if state.record.standing == remaining && state.settled {
            return Ok(state.record);
        }
        if state.record.standing == Standing::Only(away) {
            return Err(TenureError::LastSite { site: away });
        }
        let next = self.next(&state, remaining, head);
        let recorded = self.record_only(&mut state, away.other(), next);
        let (record, settled) = (state.record, state.settled);
        drop(state);
        self.publish(|view| {
            view.record = record;
            view.settled = settled;
            if recorded.is_ok() {
                *view.site_mut(away) = SiteView::Away {
                    since: record.since,
                    why: why.to_owned(),
                };
            }
        });
        recorded?;
        tracing::warn!(site = %away, epoch = record.epoch, head = record.head, why, "a site was given up; the other goes on alone");
        Ok(record)
    }

    /// Takes a site back after it has been healed. The caller holds every write back meanwhile, and the
    /// site has everything. Recorded with the next epoch in the current folder, at a quorum, and last in
    /// the returning folder. If it fails, the site stays away.
    pub fn readmit(&self, site: SiteId, head: u64) -> Result<EpochRecord, TenureError> {
        let mut state = self.state();
        match state.record.standing {
            Standing::BothCurrent if state.settled => return Ok(state.record),
            Standing::Only(current) if current == site => {
                return Err(TenureError::LastSite { site });
            }
            Standing::BothCurrent | Standing::Only(_) => {}
        }
        let next = self.next(&state, Standing::BothCurrent, head);
        let recorded = self.record_both(&mut state, site.other(), next);
        if recorded.is_err() {
            // Some places may hold the attempt; a higher epoch that says what is true overrules it.
            let again = self.next(&state, Standing::Only(site.other()), head);
            if let Err(error) = self.record_only(&mut state, site.other(), again) {
                tracing::error!("the standing is not settled, so nothing is acknowledged: {error}");
            }
        }
        let (record, settled) = (state.record, state.settled);
        drop(state);
        self.publish(|view| {
            view.record = record;
            view.settled = settled;
            let since = record.since;
            *view.site_mut(site) = match &recorded {
                Ok(()) => SiteView::Serving,
                Err(error) => SiteView::Away {
                    since,
                    why: format!("it could not be taken back: {error}"),
                },
            };
        });
        recorded?;
        tracing::info!(%site, epoch = record.epoch, head = record.head, "a site was taken back; both are current");
        Ok(record)
    }

    /// Whether somebody else has taken this cloud over: a quorum of witnesses holds a higher epoch than any that this node
    /// tried to write. Fewer may hold what an attempt left that was never completed. Blocks.
    pub fn overtaken(&self) -> Option<u64> {
        let tried = self.state().tried;
        let (count, theirs) = self.places.above(tried);
        // An attempt of this node's own may have been written meanwhile.
        (count >= self.places.quorum && theirs > self.state().tried).then_some(theirs)
    }

    /// Tells how far the healing of a site that is away has come.
    pub fn healing(&self, site: SiteId, done: u64, total: u64) {
        self.publish(|view| {
            let since = view.record.since;
            if view.record.standing.behind() == Some(site) {
                *view.site_mut(site) = SiteView::Healing { since, done, total };
            }
        });
    }

    /// Tells that the healing of a site has stopped without success.
    pub fn healing_stopped(&self, site: SiteId, why: &str) {
        self.publish(|view| {
            let since = view.record.since;
            if view.record.standing.behind() == Some(site) {
                *view.site_mut(site) = SiteView::Away {
                    since,
                    why: why.to_owned(),
                };
            }
        });
    }

    /// Notes a trouble for status, metrics and the log. Gives up nothing by itself.
    pub fn report(&self, site: SiteId, trouble: Trouble) {
        match trouble.kind {
            TroubleKind::Repaired => tracing::info!(%site, "{}", trouble.what),
            kind => tracing::warn!(%site, ?kind, "{}", trouble.what),
        }
        let reported = Reported {
            at: self.places.host.now(),
            site,
            trouble,
        };
        self.publish(|view| view.note(reported));
    }

    fn next(&self, state: &State, standing: Standing, head: u64) -> EpochRecord {
        EpochRecord {
            cloud: self.places.cloud,
            epoch: state.tried.max(state.record.epoch).saturating_add(1),
            standing,
            since: self.places.host.now(),
            head: head.max(self.head.load(Ordering::Relaxed)),
        }
    }

    fn record_only(
        &self,
        state: &mut State,
        site: SiteId,
        next: EpochRecord,
    ) -> Result<(), TenureError> {
        let done = self
            .write_quorum(state, next)
            .and_then(|next| self.places.write_site(site, next).map(|()| next));
        self.settle(state, done)
    }

    fn record_both(
        &self,
        state: &mut State,
        current: SiteId,
        next: EpochRecord,
    ) -> Result<(), TenureError> {
        let done = self
            .places
            .write_site(current, next)
            .and_then(|()| self.write_quorum(state, next))
            .and_then(|next| self.places.write_site(current, next).map(|()| next))
            .and_then(|next| self.places.write_site(current.other(), next).map(|()| next));
        self.settle(state, done)
    }

    fn settle(
        &self,
        state: &mut State,
        done: Result<EpochRecord, TenureError>,
    ) -> Result<(), TenureError> {
        match done {
            Ok(record) => {
                state.record = record;
                state.settled = true;
                Ok(())
            }
            Err(error) => {
                state.settled = false;
                Err(error)
            }
        }
    }

    /// Records at a quorum. A witness that was not readable before may hold a higher epoch of an attempt
    /// that was never completed; then the epoch is raised above it.
    fn write_quorum(
        &self,
        state: &mut State,
        mut next: EpochRecord,
    ) -> Result<EpochRecord, TenureError> {
        state.tried = state.tried.max(next.epoch);
        if let Some(theirs) = self.places.highest_at_witnesses(next.epoch) {
            next.epoch = theirs.saturating_add(1);
            state.tried = next.epoch;
        }
        self.places.write_quorum(next)?;
        Ok(next)
    }

    fn publish(&self, change: impl FnOnce(&mut View)) {
        self.view.send_modify(change);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Who may serve after a start: a pure decision from what lies in the folders and at the witnesses.
//!
//! What makes it safe: a site is given up only after a quorum of witnesses and then the remaining site's
//! folder have recorded it, and a site is taken back only after the remaining folder, a quorum and last of
//! all the returning folder have recorded that. So a folder whose own record has the highest epoch and
//! counts it in holds everything that was acknowledged; and a folder that was given up meets, in any
//! quorum of witnesses, one that says so.

use crate::record::{EpochRecord, Standing};
use words::{SiteId, UnixMillis};

/// What lies in one site folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteFolderState {
    /// Its `epoch.clr`; `None` if that is damaged, so that the folder cannot vouch for itself.
    pub record: Option<EpochRecord>,
}

/// What to do at a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartDecision {
    /// Serve.
    Serve {
        /// From which sites.
        standing: Standing,
        /// The record with the highest epoch that counts.
        highest: EpochRecord,
    },
    /// Do not serve.
    Refuse(Refusal),
}

/// Why the node must not serve with the folders it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No site folder is there.
    #[error("neither site folder is there; nothing was changed; mount at least one of them")]
    NoFolder,
    /// One folder is there, and too few witnesses to know that it is current.
    #[error(
        "only {site} is there, and {readable} of the {needed} witnesses needed could be read, so it is not known \
         whether {site} is current; nothing was changed; bring {} or a witness folder back", site.other()
    )]
    TooFewWitnesses {
        /// The folder that is there.
        site: SiteId,
        /// Witnesses that hold a record.
        readable: usize,
        /// Witnesses that are needed.
        needed: usize,
    },
    /// The folder that is there lacks what was acknowledged without it.
    #[error(
        "{site} is behind: it lacks everything acknowledged since {} (epoch {epoch}, after catalog batch {head}), \
         which only {} holds; nothing was changed; bring {} back, or let the parties accept the loss",
        when(*since), site.other(), site.other()
    )]
    Behind {
        /// The folder that is there.
        site: SiteId,
        /// Since when it lacks.
        since: UnixMillis,
        /// The catalog's last batch that it may have.
        head: u64,
        /// The epoch in which it was given up.
        epoch: u64,
    },
    /// The folders are older than what the witnesses remember.
    #[error(
        "the site folders are older than the witnesses' record of {} (epoch {epoch}, after catalog batch {head}): they \
         look like copies from before; nothing was changed; bring the right folders, or let the parties accept the loss",
        when(*since)
    )]
    Older {
        /// When the record was made.
        since: UnixMillis,
        /// The catalog's last batch then.
        head: u64,
        /// The epoch of the record.
        epoch: u64,
    },
    /// No readable record is left anywhere.
    #[error(
        "no readable epoch record is in the folders or at the witnesses; nothing was changed; bring a witness folder back, or let the parties accept the loss"
    )]
    NothingKnown,
    /// Both folders claim to have gone on alone in the same epoch.
    #[error(
        "both site folders say that they went on alone in epoch {epoch}; this must not happen; nothing was changed; the parties have to choose"
    )]
    Contested {
        /// The epoch.
        epoch: u64,
    },
}

/// Decides who may serve. `witnesses` holds one place per witness, empty if it could not be read or holds
/// no record; `quorum` is how many are needed.
#[must_use]
pub fn decide_start(
    found: [Option<SiteFolderState>; 2],
    witnesses: &[Option<EpochRecord>],
    quorum: usize,
) -> StartDecision {
    let seen = Seen { found, witnesses };
    match found {
        [None, None] => StartDecision::Refuse(Refusal::NoFolder),
        [Some(_), Some(_)] => with_both(&seen),
        [Some(_), None] => alone(&seen, SiteId::A, quorum),
        [None, Some(_)] => alone(&seen, SiteId::B, quorum),
    }
}

struct Seen<'a> {
    found: [Option<SiteFolderState>; 2],
    witnesses: &'a [Option<EpochRecord>],
}

impl Seen<'_> {
    fn own(&self, site: SiteId) -> Option<EpochRecord> {
        let [a, b] = self.found;
        let state = match site {
            SiteId::A => a,
            SiteId::B => b,
        };
        state.and_then(|s| s.record)
    }

    fn folders(&self) -> impl Iterator<Item = EpochRecord> + '_ {
        SiteId::BOTH.into_iter().filter_map(|site| self.own(site))
    }

    fn all(&self) -> impl Iterator<Item = EpochRecord> + '_ {
        self.folders()
            .chain(self.witnesses.iter().flatten().copied())
    }

    /// Whether the folder's own record is of this epoch and counts it in.
    fn vouches(&self, site: SiteId, epoch: u64) -> bool {
        self.own(site)
            .is_some_and(|own| own.epoch == epoch && own.standing.includes(site))
    }
}

fn with_both(seen: &Seen<'_>) -> StartDecision {
    let Some(highest) = seen.all().max_by_key(|r| r.epoch) else {
        return StartDecision::Refuse(Refusal::NothingKnown);
    };
    let top: Vec<_> = seen.all().filter(|r| r.epoch == highest.epoch).collect();
    if top.iter().all(|r| r.standing == highest.standing) {
        return settle(seen, highest);
    }
    // Attempts that differ in one epoch: at most one of them was completed, and then it is in the folder
    // that went on. If none of them is in a folder, none was completed, and the folders' own word holds.
    let own: Vec<_> = seen
        .folders()
        .filter(|r| r.epoch == highest.epoch)
        .collect();
    match own.as_slice() {
        [one] => settle(seen, *one),
        [one, other] if one.standing == other.standing => settle(seen, *one),
        [one, other] => match (one.standing, other.standing) {
            (Standing::Only(_), Standing::BothCurrent) => settle(seen, *one),
            (Standing::BothCurrent, Standing::Only(_)) => settle(seen, *other),
            _ => StartDecision::Refuse(Refusal::Contested {
                epoch: highest.epoch,
            }),
        },
        _ => match seen.folders().max_by_key(|r| r.epoch) {
            Some(record) => settle(seen, record),
            None => StartDecision::Refuse(Refusal::NothingKnown),
        },
    }
}

/// Both folders are there and `record` is the decision that counts.
fn settle(seen: &Seen<'_>, record: EpochRecord) -> StartDecision {
    let standing = match record.standing {
        Standing::Only(site) => Standing::Only(site),
        Standing::BothCurrent => {
            match (
                seen.vouches(SiteId::A, record.epoch),
                seen.vouches(SiteId::B, record.epoch),
            ) {
                (true, true) => Standing::BothCurrent,
                (true, false) => Standing::Only(SiteId::A),
                (false, true) => Standing::Only(SiteId::B),
                (false, false) => {
                    let EpochRecord {
                        since, head, epoch, ..
                    } = record;
                    return StartDecision::Refuse(Refusal::Older { since, head, epoch });
                }
            }
        }
    };
    StartDecision::Serve {
        standing,
        highest: record,
    }
}

fn alone(seen: &Seen<'_>, site: SiteId, quorum: usize) -> StartDecision {
    let readable = seen.witnesses.iter().flatten().count();
    if readable < quorum {
        return StartDecision::Refuse(Refusal::TooFewWitnesses {
            site,
            readable,
            needed: quorum,
        });
    }
    let Some(highest) = seen.all().max_by_key(|r| r.epoch) else {
        return StartDecision::Refuse(Refusal::NothingKnown);
    };
    let top: Vec<_> = seen.all().filter(|r| r.epoch == highest.epoch).collect();
    let behind = |r: &EpochRecord| {
        StartDecision::Refuse(Refusal::Behind {
            site,
            since: r.since,
            head: r.head,
            epoch: r.epoch,
        })
    };
    if let Some(against) = top
        .iter()
        .find(|r| r.standing == Standing::Only(site.other()))
    {
        return behind(against);
    }
    let chosen = top.iter().any(|r| r.standing == Standing::Only(site));
    if chosen || seen.vouches(site, highest.epoch) {
        return StartDecision::Serve {
            standing: Standing::Only(site),
            highest,
        };
    }
    behind(&highest)
}

/// A time as people write it: `2026-11-23 23:44:46 UTC`.
#[must_use]
pub fn when(time: UnixMillis) -> String {
    let (days, second) = (time.seconds() / 86_400, time.seconds() % 86_400);
    // Civil date from days, by Howard Hinnant's algorithm: years begin in March, eras have 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

//! What the other rooms, `status` and the metrics see of the two sites.

use crate::record::{EpochRecord, Standing};
use words::{SiteId, UnixMillis};

/// How many troubles are remembered.
pub const TROUBLES_MAX: usize = 64;

/// How one site stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteView {
    /// It holds everything and serves.
    Serving,
    /// It is behind and does not serve.
    Away {
        /// Since when.
        since: UnixMillis,
        /// Why.
        why: String,
    },
    /// It is being brought up to date and does not serve yet.
    Healing {
        /// Since when it is behind.
        since: UnixMillis,
        /// How much is done, in whatever the healer counts.
        done: u64,
        /// How much there is.
        total: u64,
    },
}

/// What kind of trouble a site had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TroubleKind {
    /// A call failed.
    Failed,
    /// A call took longer than its deadline.
    Slow,
    /// Bytes were not what was written.
    Damaged,
    /// The disk is full.
    Full,
    /// The folder is not there any more, or is another one.
    Gone,
    /// Something was put right.
    Repaired,
}

/// One trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its kind.
    pub kind: TroubleKind,
    /// What happened, in a sentence.
    pub what: String,
}

/// A trouble with its place and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// When.
    pub at: UnixMillis,
    /// Where.
    pub site: SiteId,
    /// What.
    pub trouble: Trouble,
}

/// The state of the two sites at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The decision in force.
    pub record: EpochRecord,
    /// Whether it is recorded where it has to be. While it is not, nothing may be acknowledged.
    pub settled: bool,
    /// Site A, site B.
    pub sites: [SiteView; 2],
    /// The last troubles, oldest first; at most `TROUBLES_MAX`.
    pub troubles: Vec<Reported>,
    /// How many troubles there were since the start, at A and at B, repairs not counted.
    pub trouble_count: [u64; 2],
    /// How many repairs there were since the start, at A and at B.
    pub repair_count: [u64; 2],
}

impl View {
    /// One site.
    #[must_use]
    pub const fn site(&self, site: SiteId) -> &SiteView {
        let [a, b] = &self.sites;
        match site {
            SiteId::A => a,
            SiteId::B => b,
        }
    }

    /// Who is current.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.record.standing
    }

    pub(crate) fn site_mut(&mut self, site: SiteId) -> &mut SiteView {
        let [a, b] = &mut self.sites;
        match site {
            SiteId::A => a,
            SiteId::B => b,
        }
    }

    pub(crate) fn note(&mut self, reported: Reported) {
        let [a, b] = match reported.trouble.kind {
            TroubleKind::Repaired => &mut self.repair_count,
            _ => &mut self.trouble_count,
        };
        let count = match reported.site {
            SiteId::A => a,
            SiteId::B => b,
        };
        *count = count.saturating_add(1);
        if self.troubles.len() >= TROUBLES_MAX {
            self.troubles.remove(0);
        }
        self.troubles.push(reported);
    }
}

//! How well a site does, judged from what its steps come to. Pure: time is handed in, nothing is read or
//! written. A breaker keeps requests away from a site that is known to fail and lets one through now and
//! then to see whether it is back.

use std::collections::VecDeque;
use std::time::Duration;
use words::limits::{SITE_RETRY_MS, SITE_TROUBLE_WINDOW_MS, SITE_TROUBLES_MAX};

/// What one step at a site came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It went well.
    Well,
    /// An error that may be chance: three within ten seconds are not.
    Trouble,
    /// It took longer than its deadline. One is enough: the next request would wait as long.
    Slow,
    /// The folder is gone, exchanged or closed to us. One is enough.
    FolderAway,
    /// Full or read-only: no writes, but reads and deletes go on.
    CannotWrite,
}

/// How the writing side of a site is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writing {
    /// Nothing is wrong.
    Well,
    /// It had trouble a moment ago, and is still written to.
    Suspect,
    /// Full or read-only: writes become debt, reads go on.
    CannotWrite(String),
    /// Lost: it has to be recorded as behind before a write is acknowledged without it.
    Lost(String),
}

/// Opens after trouble, lets one attempt through per interval, closes after one that went well.
#[derive(Debug, Default)]
struct Breaker {
    troubles: VecDeque<Duration>,
    open_until: Option<Duration>,
}

impl Breaker {
    /// Counts trouble; true if the breaker is open now.
    fn trouble(&mut self, now: Duration, conclusive: bool) -> bool {
        self.forget_old(now);
        self.troubles.push_back(now);
        if conclusive || self.troubles.len() >= SITE_TROUBLES_MAX || self.open_until.is_some() {
            self.open_until = Some(now.saturating_add(Duration::from_millis(SITE_RETRY_MS)));
        }
        self.open_until.is_some()
    }

    /// Counts a step that went well and was begun at `began`. It closes an open breaker only if it was begun
    /// after the last trouble: what was under way before proves nothing. True if nothing is held against the
    /// site any more.
    fn well(&mut self, now: Duration, began: Duration) -> bool {
        let after_trouble = self.troubles.back().is_none_or(|last| began >= *last);
        if self.open_until.is_some() && after_trouble {
            *self = Self::default();
        }
        self.forget_old(now);
        self.open_until.is_none() && self.troubles.is_empty()
    }

    fn forget_old(&mut self, now: Duration) {
        let window = Duration::from_millis(SITE_TROUBLE_WINDOW_MS);
        let old = |first: &Duration| now.saturating_sub(*first) > window;
        while self.troubles.len() > SITE_TROUBLES_MAX || self.troubles.front().is_some_and(old) {
            self.troubles.pop_front();
        }
    }

    /// Whether an attempt may be made. While open, the one attempt per interval is handed out here.
    fn allows(&mut self, now: Duration) -> bool {
        match self.open_until {
            Some(until) if now < until => false,
            Some(_) => {
                self.open_until = Some(now.saturating_add(Duration::from_millis(SITE_RETRY_MS)));
                true
            }
            None => true,
        }
    }
}

/// The health of one site, reading and writing apart: a read never makes a site count as lost.
#[derive(Debug)]
pub struct SiteHealth {
    writes: Breaker,
    reads: Breaker,
    writing: Writing,
}

impl Default for SiteHealth {
    fn default() -> Self {
        Self {
            writes: Breaker::default(),
            reads: Breaker::default(),
            writing: Writing::Well,
        }
    }
}

impl SiteHealth {
    /// Takes in what a chunk written from `began` to `now` came to, and gives the judgement.
    pub fn wrote(&mut self, now: Duration, began: Duration, signal: Signal, why: &str) -> &Writing {
        match signal {
            Signal::Well => {
                if self.writes.well(now, began) {
                    self.writing = Writing::Well;
                }
            }
            Signal::CannotWrite => {
                self.writes.trouble(now, true);
                if !matches!(self.writing, Writing::Lost(_)) {
                    self.writing = Writing::CannotWrite(why.to_owned());
                }
            }
            Signal::Slow | Signal::FolderAway | Signal::Trouble => {
                let open = self.writes.trouble(now, signal != Signal::Trouble);
                self.writing = if open {
                    Writing::Lost(why.to_owned())
                } else {
                    Writing::Suspect
                };
            }
        }
        &self.writing
    }

    /// Takes in what a read from `began` to `now` came to. A slow read counts as trouble: it has another
    /// copy to turn to.
    pub fn read(&mut self, now: Duration, began: Duration, signal: Signal) {
        match signal {
            Signal::Well => {
                self.reads.well(now, began);
            }
            Signal::FolderAway => {
                self.reads.trouble(now, true);
            }
            Signal::Slow | Signal::Trouble | Signal::CannotWrite => {
                self.reads.trouble(now, false);
            }
        }
    }

    /// Whether a chunk may be written to the site now.
    pub fn may_write(&mut self, now: Duration) -> bool {
        self.writes.allows(now)
    }
    /// Whether the site may be the first that a read asks.
    pub fn may_read(&mut self, now: Duration) -> bool {
        self.reads.allows(now)
    }
    /// The judgement on writing.
    #[must_use]
    pub const fn writing(&self) -> &Writing {
        &self.writing
    }
    /// Forgets everything: the site was probed and is well.
    pub fn trust(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::{Signal, SiteHealth, Writing};
    use std::time::Duration;
    use words::limits::SITE_RETRY_MS;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn three_troubles_within_ten_seconds_are_a_loss() {
        // Times of trouble, and whether the last one makes the site count as lost.
        let table: [(&[u64], bool); 6] = [
            (&[0], false),
            (&[0, 1], false),
            (&[0, 1, 2], true),
            (&[0, 5_000, 10_000], true),
            (&[0, 5_000, 10_001], false),
            (&[0, 9_000, 18_000, 19_000], true),
        ];
        for (times, lost) in table {
            let mut health = SiteHealth::default();
            for time in times {
                // What goes well in between does not take trouble back.
                health.wrote(at(*time), at(*time), Signal::Well, "");
                health.wrote(at(*time), at(*time), Signal::Trouble, "disk");
            }
            assert_eq!(
                matches!(health.writing(), Writing::Lost(_)),
                lost,
                "{times:?}"
            );
        }
    }

    #[test]
    fn some_signals_are_conclusive() {
        for (signal, lost) in [
            (Signal::Slow, true),
            (Signal::FolderAway, true),
            (Signal::CannotWrite, false),
        ] {
            let mut health = SiteHealth::default();
            health.wrote(at(0), at(0), signal, "why");
            let expected = if lost {
                Writing::Lost("why".into())
            } else {
                Writing::CannotWrite("why".into())
            };
            assert_eq!(*health.writing(), expected);
            assert!(!health.may_write(at(1)) && health.may_read(at(1)));
        }
        // A lost site that is full besides stays lost.
        let mut health = SiteHealth::default();
        health.wrote(at(0), at(0), Signal::Slow, "slow");
        health.wrote(at(1), at(1), Signal::CannotWrite, "full");
        assert_eq!(*health.writing(), Writing::Lost("slow".into()));
    }

    #[test]
    fn one_attempt_per_interval_and_one_success_closes() {
        let mut health = SiteHealth::default();
        health.wrote(at(100), at(0), Signal::Slow, "slow");
        assert!(!health.may_write(at(99 + SITE_RETRY_MS)));
        assert!(health.may_write(at(100 + SITE_RETRY_MS)));
        assert!(
            !health.may_write(at(101 + SITE_RETRY_MS)),
            "only one is let through"
        );
        // What was begun before the trouble proves nothing.
        health.wrote(at(200), at(50), Signal::Well, "");
        assert_eq!(*health.writing(), Writing::Lost("slow".into()));
        health.wrote(
            at(200 + SITE_RETRY_MS),
            at(100 + SITE_RETRY_MS),
            Signal::Well,
            "",
        );
        assert_eq!(*health.writing(), Writing::Well);
        assert!(health.may_write(at(201 + SITE_RETRY_MS)));
    }

    #[test]
    fn suspicion_passes() {
        let mut health = SiteHealth::default();
        health.wrote(at(0), at(0), Signal::Trouble, "disk");
        assert_eq!(*health.writing(), Writing::Suspect);
        health.wrote(at(9_000), at(8_000), Signal::Well, "");
        assert_eq!(*health.writing(), Writing::Suspect);
        health.wrote(at(10_001), at(10_000), Signal::Well, "");
        assert_eq!(*health.writing(), Writing::Well);
    }

    #[test]
    fn reads_have_a_breaker_of_their_own() {
        let mut health = SiteHealth::default();
        for time in 0..3 {
            assert!(health.may_read(at(time)));
            health.read(at(time), at(time), Signal::Slow);
        }
        assert!(!health.may_read(at(3)) && health.may_write(at(3)));
        assert_eq!(*health.writing(), Writing::Well);
        assert!(health.may_read(at(2 + SITE_RETRY_MS)));
        health.read(at(3 + SITE_RETRY_MS), at(2 + SITE_RETRY_MS), Signal::Well);
        assert!(health.may_read(at(3 + SITE_RETRY_MS)));
    }
}

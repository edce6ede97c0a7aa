//! Failed signatures, counted for each access key and address. Too many within a minute, and the pair is
//! shut for the rest of it, right signature or not; an address that fails under ever other names is answered
//! without an entry for each. Memory is bounded: what was longest unused is forgotten.

use quick_cache::sync::Cache;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use words::{AccessKeyId, UnixMillis};

/// Pairs and addresses that are remembered.
const REMEMBERED: usize = 10_000;
/// How long failures are counted together, in milliseconds.
const WINDOW_MS: u64 = 60_000;
/// Failures of one access key from one address.
const PAIR_MAX: u32 = 200;
/// Failures from one address, whatever the key.
const ADDRESS_MAX: u32 = 1000;

type Who = (Option<AccessKeyId>, Option<IpAddr>);

#[derive(Default)]
struct Window {
    began: u64,
    failures: u32,
}

/// What is remembered of failures.
pub struct Attempts(Cache<Who, Arc<Mutex<Window>>>);

/// What a failure came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    /// It is one of few.
    Few,
    /// It is the one too many: worth an entry.
    Locks,
    /// There were too many before it.
    Locked,
}

impl Attempts {
    pub fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }

    fn failures(&self, who: &Who, now: UnixMillis) -> u32 {
        self.0.get(who).map_or(0, |window| {
            let window = window.lock().unwrap_or_else(PoisonError::into_inner);
            if now.0 < window.began.saturating_add(WINDOW_MS) {
                window.failures
            } else {
                0
            }
        })
    }

    fn count(&self, who: Who, now: UnixMillis) -> u32 {
        let window = self.0.get(&who).unwrap_or_else(|| {
            let fresh = Arc::new(Mutex::new(Window::default()));
            self.0.insert(who, Arc::clone(&fresh));
            fresh
        });
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 >= window.began.saturating_add(WINDOW_MS) {
            *window = Window {
                began: now.0,
                failures: 0,
            };
        }
        window.failures = window.failures.saturating_add(1);
        window.failures
    }

    /// Whether a key is shut for an address.
    pub fn is_locked(&self, key: &AccessKeyId, source: Option<IpAddr>, now: UnixMillis) -> bool {
        self.failures(&(Some(key.clone()), narrow(source)), now) > PAIR_MAX
    }

    /// Counts a failure.
    pub fn failed(
        &self,
        key: Option<&AccessKeyId>,
        source: Option<IpAddr>,
        now: UnixMillis,
    ) -> Failed {
        let source = narrow(source);
        let pair = key.map_or(0, |key| self.count((Some(key.clone()), source), now));
        let address = self.count((None, source), now);
        if pair == PAIR_MAX + 1 || address == ADDRESS_MAX + 1 {
            Failed::Locks
        } else if pair > PAIR_MAX || address > ADDRESS_MAX {
            Failed::Locked
        } else {
            Failed::Few
        }
    }
}

/// Whoever has one address of version 6 has a whole network of them.
fn narrow(source: Option<IpAddr>) -> Option<IpAddr> {
    match source {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            Some(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_shut_for_the_rest_of_its_minute_and_memory_is_bounded() {
        let attempts = Attempts::new();
        let key = AccessKeyId::parse("CLRX").unwrap();
        let here = Some("192.0.2.1".parse().unwrap());
        let there = Some("192.0.2.2".parse().unwrap());
        for n in 0..PAIR_MAX {
            assert_eq!(
                attempts.failed(Some(&key), here, UnixMillis(u64::from(n))),
                Failed::Few
            );
        }
        assert!(!attempts.is_locked(&key, here, UnixMillis(500)));
        assert_eq!(
            attempts.failed(Some(&key), here, UnixMillis(500)),
            Failed::Locks
        );
        assert_eq!(
            attempts.failed(Some(&key), here, UnixMillis(501)),
            Failed::Locked
        );
        assert!(attempts.is_locked(&key, here, UnixMillis(59_999)));
        assert!(!attempts.is_locked(&key, there, UnixMillis(501)));
        assert!(!attempts.is_locked(&key, here, UnixMillis(60_000)));
        for n in 0..50_000 {
            let other = AccessKeyId::parse(&format!("CLR{n}")).unwrap();
            attempts.failed(Some(&other), there, UnixMillis(1000));
        }
        assert!(attempts.0.len() <= REMEMBERED);
        let one = narrow(Some("2001:db8:1:2:3::4".parse().unwrap()));
        assert_eq!(one, narrow(Some("2001:db8:1:2:ffff::1".parse().unwrap())));
    }
}

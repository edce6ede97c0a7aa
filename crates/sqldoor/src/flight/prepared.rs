//! Statements that clients have prepared: their texts and the values that were bound. They are planned anew when they run, for
//! what somebody sees may have changed.

use crate::http::answer::Refusal;
use crate::http::runs::Owner;
use datafusion::common::ScalarValue;
use host::Host;
use http::StatusCode;
use sql::datafusion;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use words::hex;

/// How long a statement is kept that nobody uses.
const UNUSED: Duration = Duration::from_secs(3600);
/// Statements of one key.
const OF_ONE_MAX: usize = 256;
/// Statements of all keys, and bytes of their texts and values.
const ALL_MAX: usize = 4096;
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// All of them.
pub struct Shelf {
    host: Host,
    all: Mutex<BTreeMap<String, One>>,
}

struct One {
    owner: Owner,
    text: Arc<str>,
    bound: Arc<[ScalarValue]>,
    bytes: usize,
    used: Duration,
}

/// A statement with its values.
pub struct Taken {
    pub text: Arc<str>,
    pub bound: Arc<[ScalarValue]>,
}

impl Shelf {
    pub const fn new(host: Host) -> Self {
        Self {
            host,
            all: Mutex::new(BTreeMap::new()),
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, One>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a statement, and gives the handle by which its key finds it.
    pub fn keep(&self, owner: &Owner, text: &str) -> Result<String, Refusal> {
        self.sweep();
        let mut all = self.all();
        let own = all.values().filter(|one| one.owner == *owner);
        if own.count() >= OF_ONE_MAX {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "53300",
                format!("{OF_ONE_MAX} statements of this key are prepared; close some first"),
            ));
        }
        if all.len() >= ALL_MAX || held(&all).saturating_add(text.len()) > BYTES_MAX {
            return Err(full());
        }
        let handle = hex::encode(&self.host.random::<16>());
        let one = One {
            owner: owner.clone(),
            text: text.into(),
            bound: Arc::default(),
            bytes: text.len(),
            used: self.host.elapsed(),
        };
        all.insert(handle.clone(), one);
        Ok(handle)
    }

    /// One of somebody's own.
    pub fn of(&self, owner: &Owner, handle: &[u8]) -> Result<Taken, Refusal> {
        let now = self.host.elapsed();
        let mut all = self.all();
        let one = found(&mut all, owner, handle, now)?;
        one.used = now;
        Ok(Taken {
            text: Arc::clone(&one.text),
            bound: Arc::clone(&one.bound),
        })
    }

    /// Binds values, until others are bound.
    pub fn bind(
        &self,
        owner: &Owner,
        handle: &[u8],
        values: Vec<ScalarValue>,
    ) -> Result<(), Refusal> {
        let now = self.host.elapsed();
        let bytes: usize = values.iter().map(ScalarValue::size).sum();
        let mut all = self.all();
        let elsewhere = held(&all);
        let one = found(&mut all, owner, handle, now)?;
        let bytes = bytes.saturating_add(one.text.len());
        if elsewhere.saturating_sub(one.bytes).saturating_add(bytes) > BYTES_MAX {
            return Err(full());
        }
        one.bytes = bytes;
        one.bound = values.into();
        one.used = now;
        Ok(())
    }

    /// Forgets one; one that is not there is forgotten already.
    pub fn close(&self, owner: &Owner, handle: &[u8]) {
        let mut all = self.all();
        if let Ok(handle) = std::str::from_utf8(handle)
            && all.get(handle).is_some_and(|one| one.owner == *owner)
        {
            all.remove(handle);
        }
    }

    /// Forgets those that nobody used for too long.
    pub fn sweep(&self) {
        let now = self.host.elapsed();
        self.all().retain(|_, one| fresh(one, now));
    }
}

fn fresh(one: &One, now: Duration) -> bool {
    now.saturating_sub(one.used) < UNUSED
}

fn held(all: &BTreeMap<String, One>) -> usize {
    all.values().map(|one| one.bytes).sum()
}

fn found<'a>(
    all: &'a mut BTreeMap<String, One>,
    owner: &Owner,
    handle: &[u8],
    now: Duration,
) -> Result<&'a mut One, Refusal> {
    let handle = std::str::from_utf8(handle).unwrap_or_default();
    all.get_mut(handle)
        .filter(|one| one.owner == *owner && fresh(one, now))
        .ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "26000",
                "there is no such prepared statement of this key; one that nobody used for an hour is forgotten",
            )
        })
}

fn full() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "53300",
        "too many statements are prepared; come again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::{Clock, Random};
    use std::sync::atomic::{AtomicU64, Ordering};
    use words::UnixMillis;

    #[derive(Default)]
    struct World(AtomicU64);

    impl Clock for World {
        fn now(&self) -> UnixMillis {
            UnixMillis(0)
        }
        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    struct Counted(AtomicU64);

    impl Random for Counted {
        fn fill(&self, bytes: &mut [u8]) {
            let next = self.0.fetch_add(1, Ordering::Relaxed);
            bytes[..8].copy_from_slice(&next.to_be_bytes());
        }
    }

    fn shelf() -> (Arc<World>, Shelf) {
        let world = Arc::new(World::default());
        let random = Arc::new(Counted(AtomicU64::new(0)));
        let host = Host::new(Arc::clone(&world) as Arc<dyn Clock>, random);
        (world, Shelf::new(host))
    }

    #[test]
    fn a_statement_is_its_keys_own_and_forgotten_after_an_hour() {
        let (world, shelf) = shelf();
        let (me, other) = (Owner::named("me", "a"), Owner::named("other", "a"));
        let handle = shelf.keep(&me, "SELECT $1").unwrap();
        let handle = handle.as_bytes();
        let value = vec![ScalarValue::Int64(Some(7))];
        assert!(shelf.bind(&other, handle, value.clone()).is_err());
        shelf.bind(&me, handle, value).unwrap();
        assert_eq!(shelf.of(&me, handle).unwrap().bound.len(), 1);
        assert!(shelf.of(&other, handle).is_err());
        shelf.close(&other, handle);
        world.0.store(3599, Ordering::Relaxed);
        assert!(shelf.of(&me, handle).is_ok(), "using it keeps it");
        world.0.store(3599 + 3600, Ordering::Relaxed);
        assert!(shelf.of(&me, handle).is_err());
        shelf.sweep();
        assert!(shelf.all().is_empty());
    }

    #[test]
    fn there_are_so_many_and_so_large_and_no_more() {
        let (_, shelf) = shelf();
        let me = Owner::named("me", "a");
        for _ in 0..OF_ONE_MAX {
            shelf.keep(&me, "SELECT 1").unwrap();
        }
        let refused = shelf.keep(&me, "SELECT 1").unwrap_err();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        let other = Owner::named("other", "a");
        let handle = shelf.keep(&other, "SELECT $1").unwrap();
        let large = vec![ScalarValue::Utf8(Some("x".repeat(BYTES_MAX)))];
        let refused = shelf.bind(&other, handle.as_bytes(), large).unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        shelf.close(&other, handle.as_bytes());
        assert!(shelf.of(&other, handle.as_bytes()).is_err());
    }
}

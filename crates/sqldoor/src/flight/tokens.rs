//! Tokens of those who have signed in. A token stands for a session with the vault; the door keeps no secret for it.

use crate::http::answer::Refusal;
use crate::http::runs::Owner;
use host::Host;
use http::StatusCode;
use sql::Connection;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use words::hex;

/// How long a token lives without being used.
const UNUSED: Duration = Duration::from_secs(3600);
/// Tokens of one key.
const OF_ONE_MAX: usize = 256;
/// Tokens of all keys.
const ALL_MAX: usize = 4096;
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
const TOKEN_BYTES: usize = ID_BYTES + SECRET_BYTES;

/// Somebody whom the vault believed. Their session ends when nothing needs it any more.
pub struct Signed {
    pub connection: Arc<Connection>,
    pub owner: Owner,
    /// The database, as they named it.
    pub database: String,
}

impl Signed {
    pub fn new(connection: Arc<Connection>, database: &str) -> Self {
        Self {
            owner: Owner::of(&connection),
            connection,
            database: database.to_owned(),
        }
    }
}

impl Drop for Signed {
    fn drop(&mut self) {
        let connection = Arc::clone(&self.connection);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { connection.end().await });
        }
    }
}

/// All tokens. Half of one finds its session, the other half proves it.
pub struct Tokens {
    host: Host,
    all: Mutex<BTreeMap<[u8; ID_BYTES], Kept>>,
}

struct Kept {
    secret: [u8; SECRET_BYTES],
    signed: Arc<Signed>,
    used: Duration,
    /// When its session ends, used or not.
    ends: Duration,
}

impl Kept {
    fn lives(&self, now: Duration) -> bool {
        now < self.ends && now.saturating_sub(self.used) < UNUSED
    }

    /// Nothing is under way in its session.
    fn rests(&self) -> bool {
        Arc::strong_count(&self.signed) == 1
    }
}

impl Tokens {
    pub const fn new(host: Host) -> Self {
        Self {
            host,
            all: Mutex::new(BTreeMap::new()),
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<[u8; ID_BYTES], Kept>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token for somebody. Where a key has too many, the one that was not used for longest ends.
    pub fn give(&self, signed: Arc<Signed>) -> Result<String, Refusal> {
        self.sweep();
        let now = self.host.elapsed();
        let left = signed.connection.session().expires.0;
        let left = Duration::from_millis(left.saturating_sub(self.host.now().0));
        let bytes: [u8; TOKEN_BYTES] = self.host.random();
        let mut all = self.all();
        let own = || {
            let all = all.iter();
            all.filter(|(_, kept)| kept.signed.owner == signed.owner)
        };
        if own().count() >= OF_ONE_MAX {
            let resting = own().filter(|(_, kept)| kept.rests());
            let oldest = resting.min_by_key(|(_, kept)| kept.used).map(|(id, _)| *id);
            let oldest = oldest.ok_or_else(|| {
                Refusal::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "53300",
                    format!("{OF_ONE_MAX} sessions of this key are in use; close some first"),
                )
            })?;
            all.remove(&oldest);
        }
        if all.len() >= ALL_MAX {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "53300",
                format!("{ALL_MAX} sessions are open; come again"),
            ));
        }
        let (id, secret) = halves(&bytes);
        let kept = Kept {
            secret,
            signed,
            used: now,
            ends: now.saturating_add(left),
        };
        all.insert(id, kept);
        Ok(hex::encode(&bytes))
    }

    /// Whose token it is.
    pub fn of(&self, token: &str) -> Option<Arc<Signed>> {
        let (id, secret) = halves(&hex::decode_array(token)?);
        let now = self.host.elapsed();
        let mut all = self.all();
        let kept = all.get_mut(&id).filter(|kept| kept.lives(now))?;
        if !same(&kept.secret, &secret) {
            return None;
        }
        kept.used = now;
        Some(Arc::clone(&kept.signed))
    }

    /// Ends a token. What is under way in its session goes on to its end.
    pub fn end(&self, token: &str) {
        if self.of(token).is_some()
            && let Some(bytes) = hex::decode_array(token)
        {
            self.all().remove(&halves(&bytes).0);
        }
    }

    /// Ends those that nobody used for too long.
    pub fn sweep(&self) {
        let now = self.host.elapsed();
        self.all().retain(|_, kept| kept.lives(now));
    }
}

fn halves(bytes: &[u8; TOKEN_BYTES]) -> ([u8; ID_BYTES], [u8; SECRET_BYTES]) {
    let mut halves = ([0; ID_BYTES], [0; SECRET_BYTES]);
    halves.0.copy_from_slice(&bytes[..ID_BYTES]);
    halves.1.copy_from_slice(&bytes[ID_BYTES..]);
    halves
}

/// All bytes are compared, however many are right.
fn same(one: &[u8; SECRET_BYTES], other: &[u8; SECRET_BYTES]) -> bool {
    let pairs = one.iter().zip(other);
    let differ = pairs.fold(0, |all, (one, other)| black_box(all | (one ^ other)));
    differ == 0
}

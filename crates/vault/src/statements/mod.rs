//! SQL: who sits at the desk, which tables they see, and what a statement is granted. A statement asks for all its
//! tables at once; each is decided, each gets an entry of its own, and only then the objects' keys open.
//!
//! Reading order: `sign`, `tables`, `places`, `agreed`, `grant`, `cohorts`, `end`.

mod agreed;
mod cohorts;
mod end;
mod grant;
mod places;
mod sign;
mod tables;
mod versions;

pub use cohorts::Shown;
pub use grant::{StatementGrant, TableGrant};
pub use places::{Listing, TablePlace};
pub use sign::Seat;

use crate::Vault;
use crate::error::VaultError;
use seal::NameKey;
use sign::Exchange;
use statement::SessionId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use words::UnixMillis;

/// Sessions that are kept.
const SESSIONS_MAX: usize = 10_000;
/// Exchanges under way.
const EXCHANGES_MAX: usize = 4096;
/// How long an exchange may take.
const EXCHANGE_MS_MAX: u64 = 60_000;

/// Who is signed in, and who is about to.
pub struct Desk {
    seats: Mutex<BTreeMap<SessionId, Arc<Seat>>>,
    exchanges: Mutex<BTreeMap<[u8; 16], Exchange>>,
    /// Salts are made with it, so that a user who is not there has one too, and always the same.
    salt_key: NameKey,
}

impl Desk {
    /// Nobody yet.
    pub fn new(salt_key: NameKey) -> Self {
        Self {
            seats: Mutex::default(),
            exchanges: Mutex::default(),
            salt_key,
        }
    }

    fn seats(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionId, Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchanges(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 16], Exchange>> {
        self.exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn sit(&self, seat: Arc<Seat>, now: UnixMillis) -> Result<(), VaultError> {
        let mut seats = self.seats();
        if seats.len() >= SESSIONS_MAX {
            seats.retain(|_, seat| seat.expires > now);
        }
        if seats.len() >= SESSIONS_MAX {
            return Err(VaultError::Limit(format!(
                "{SESSIONS_MAX} sessions are open, the most there may be; close some or come again"
            )));
        }
        seats.insert(seat.id, seat);
        Ok(())
    }

    fn wait(&self, id: [u8; 16], exchange: Exchange, now: UnixMillis) -> Result<(), VaultError> {
        let mut exchanges = self.exchanges();
        if exchanges.len() >= EXCHANGES_MAX {
            exchanges.retain(|_, kept| kept.at.plus(EXCHANGE_MS_MAX) > now);
        }
        if exchanges.len() >= EXCHANGES_MAX {
            return Err(VaultError::Locked);
        }
        exchanges.insert(id, exchange);
        Ok(())
    }
}

impl Vault {
    /// Ends a session.
    pub fn sql_sign_out(&self, session: SessionId) {
        self.desk.seats().remove(&session);
    }

    /// Whoever sits there.
    pub(crate) fn seat(&self, session: SessionId) -> Result<Arc<Seat>, VaultError> {
        let found = self.desk.seats().get(&session).cloned();
        let now = self.host.now();
        found
            .filter(|seat| seat.expires > now)
            .ok_or(VaultError::SessionEnded)
    }
}

//! One engine, as the vault's side sees it: which sessions and grants came over its trunk, and what is still open.

use crate::check;
use crate::counts::{Counts, add};
use statement::{
    Ended, GrantId, Granted, Refused, Road, Session, SessionId, Sign, Signed, Whom, Why,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Sessions of one engine; the oldest one is signed out for the next.
const SESSIONS_MAX: usize = 16_384;
/// Grants of one engine that are open at once.
const GRANTS_MAX: usize = 4096;
/// Exchanges of SCRAM that were begun and not yet finished.
const EXCHANGES_MAX: usize = 4096;
/// How often, and after how long, it is tried again to close what an engine has left open.
const CLOSE_TRIES: u32 = 5;
const CLOSE_AGAIN: Duration = Duration::from_secs(1);

/// A grant that has to be closed.
struct Open {
    /// Bytes given, for each table.
    given: Vec<u64>,
    /// The engine is closing it now.
    closing: bool,
}

#[derive(Default)]
struct State {
    ended: bool,
    exchanges: VecDeque<[u8; 16]>,
    sessions: HashMap<SessionId, u64>,
    by_age: BTreeMap<u64, SessionId>,
    age: u64,
    grants: HashMap<GrantId, Open>,
}

/// One engine.
pub struct Engine {
    pub road: Arc<dyn Road>,
    pub counts: Arc<Counts>,
    state: Mutex<State>,
}

impl Engine {
    pub fn new(road: Arc<dyn Road>, counts: Arc<Counts>) -> Self {
        add(&counts.engines, 1);
        Self {
            road,
            counts,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a session that did not come over this trunk.
    pub fn own_session(&self, session: SessionId) -> Result<(), Refused> {
        match self.state().sessions.contains_key(&session) {
            true => Ok(()),
            false => Err(Refused::new(
                Why::SessionEnded,
                "the session has ended, or it is not one of this query engine's; sign in again",
            )),
        }
    }

    pub async fn sign_in(
        &self,
        sign: Sign,
        database: &str,
        from: Option<IpAddr>,
    ) -> Result<Signed, Refused> {
        if let Sign::ScramFinal { exchange, .. } = &sign {
            let exchanges = &mut self.state().exchanges;
            let at = exchanges.iter().position(|known| known == exchange);
            match at {
                Some(at) => exchanges.remove(at),
                None => {
                    return Err(Refused::new(
                        Why::Unauthenticated,
                        "the exchange was not begun here, or too long ago; sign in again",
                    ));
                }
            };
        }
        let signed = self.road.sign_in(sign, database, from).await?;
        match &signed {
            Signed::Challenge { exchange, .. } => {
                let exchanges = &mut self.state().exchanges;
                if exchanges.len() >= EXCHANGES_MAX {
                    exchanges.pop_front();
                }
                exchanges.push_back(*exchange);
            }
            Signed::In { session, .. } => self.signed_in(session).await,
        }
        Ok(signed)
    }

    async fn signed_in(&self, session: &Session) {
        let out = {
            let state = &mut *self.state();
            state.age += 1;
            state.sessions.insert(session.id, state.age);
            state.by_age.insert(state.age, session.id);
            let oldest = (state.sessions.len() > SESSIONS_MAX)
                .then(|| state.by_age.pop_first())
                .flatten();
            if let Some((_, oldest)) = oldest {
                state.sessions.remove(&oldest);
            }
            match state.ended {
                true => Some(session.id),
                false => oldest.map(|(_, oldest)| oldest),
            }
        };
        if let Some(out) = out {
            self.road.sign_out(out).await;
        }
    }

    pub async fn sign_out(&self, session: SessionId) {
        if self.forget(session) {
            self.road.sign_out(session).await;
        }
    }

    fn forget(&self, session: SessionId) -> bool {
        let state = &mut *self.state();
        let age = state.sessions.remove(&session);
        age.is_some_and(|age| state.by_age.remove(&age).is_some())
    }

    /// Whether one more statement may begin.
    pub fn may_begin(&self) -> Result<(), Refused> {
        match self.state().grants.len() < GRANTS_MAX {
            true => Ok(()),
            false => Err(Refused::new(
                Why::Unavailable,
                format!("{GRANTS_MAX} statements run already; nothing was done, try again"),
            )),
        }
    }

    /// A statement has begun. If the engine has ended meanwhile, it is closed at once.
    pub async fn begun(&self, granted: &Granted) -> Result<(), Refused> {
        add(&self.counts.running, 1);
        let given = vec![0; granted.tables.len()];
        let ended = {
            let state = &mut *self.state();
            let open = Open {
                given,
                closing: false,
            };
            state.grants.insert(granted.id, open);
            state.ended
        };
        match ended {
            false => Ok(()),
            true => {
                self.close_broken(granted.id).await;
                Err(Refused::new(Why::Revoked, "the query engine has ended"))
            }
        }
    }

    /// Refuses a grant that did not come over this trunk, and a table that it does not have.
    pub fn own_grant(&self, grant: GrantId, table: Option<u32>) -> Result<(), Refused> {
        let state = self.state();
        let open = state.grants.get(&grant).ok_or_else(no_grant)?;
        match table {
            Some(table) if open.given.len() <= table as usize => Err(Refused::new(
                Why::Invalid,
                format!("the statement has no table {table}; nothing was done"),
            )),
            _ => Ok(()),
        }
    }

    /// Bytes of a table that are about to leave.
    pub fn gives(&self, grant: GrantId, table: u32, bytes: u64) {
        add(&self.counts.read_bytes, bytes);
        if let Some(open) = self.state().grants.get_mut(&grant)
            && let Some(given) = open.given.get_mut(table as usize)
        {
            *given = given.saturating_add(bytes);
        }
    }

    pub async fn close(&self, grant: GrantId, said: Ended) -> Result<(), Refused> {
        let said = {
            let state = &mut *self.state();
            let open = state.grants.get_mut(&grant).ok_or_else(no_grant)?;
            if open.closing {
                return Err(Refused::new(Why::Conflict, "the statement is being closed"));
            }
            let said = check::ended(said, &open.given)?;
            open.closing = true;
            said
        };
        let broke = said.broken.is_some();
        let outcome = self.road.close(grant, said).await;
        let ended = {
            let state = &mut *self.state();
            if is_over(&outcome) {
                state.grants.remove(&grant);
            } else if let Some(open) = state.grants.get_mut(&grant) {
                open.closing = false;
            }
            state.ended
        };
        match is_over(&outcome) {
            true => self.counted(broke),
            false if ended => self.close_broken(grant).await,
            false => {}
        }
        outcome
    }

    fn counted(&self, broke: bool) {
        self.counts.running.fetch_sub(1, Ordering::Relaxed);
        let counter = match broke {
            true => &self.counts.broken,
            false => &self.counts.done,
        };
        add(counter, 1);
    }

    /// Closes a grant in the engine's place: what it was given counts as read, and as read about anybody.
    pub async fn close_broken(&self, grant: GrantId) {
        let ended = {
            let state = &mut *self.state();
            let Some(open) = state.grants.get_mut(&grant) else {
                return;
            };
            if open.closing {
                return; // whoever is closing it sees to the rest
            }
            open.closing = true;
            Ended {
                rows: 0,
                bytes: open.given.clone(),
                whom: vec![Whom::Whole; open.given.len()],
                broken: Some("the query engine ended before the statement did".into()),
            }
        };
        for again in 0..CLOSE_TRIES {
            if again > 0 {
                tokio::time::sleep(CLOSE_AGAIN).await;
            }
            let outcome = self.road.close(grant, ended.clone()).await;
            match outcome {
                Err(no) if !is_over(&Err(no.clone())) => {
                    tracing::warn!(%grant, why = no.message, "a statement that its query engine left open is not closed yet");
                }
                _ => break,
            }
        }
        self.state().grants.remove(&grant);
        self.counted(true);
    }

    /// The engine has ended: what it left open is closed.
    pub async fn end(&self) {
        let (sessions, grants) = {
            let state = &mut *self.state();
            state.ended = true;
            state.by_age.clear();
            let sessions: Vec<SessionId> = state.sessions.drain().map(|(id, _)| id).collect();
            let grants: Vec<GrantId> = state.grants.keys().copied().collect();
            (sessions, grants)
        };
        if !grants.is_empty() {
            tracing::warn!(
                statements = grants.len(),
                "a query engine ended with statements open; each is closed as broken"
            );
        }
        let closing = grants.into_iter().map(|grant| self.close_broken(grant));
        futures::future::join_all(closing).await;
        for session in sessions {
            self.road.sign_out(session).await;
        }
    }
}

fn no_grant() -> Refused {
    Refused::new(
        Why::Revoked,
        "the statement has ended, or it is not one of this query engine's; begin it again",
    )
}

/// Whether there is nothing more to close.
fn is_over(outcome: &Result<(), Refused>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(no) => matches!(no.why, Why::Revoked | Why::NotFound),
    }
}

//! Reads, from the primary only: a standby has what was flushed there, not always applied.

use super::batch::{end_of, unsigned};
use super::cluster::{AGAIN, Cluster};
use super::session::{Session, Statements, error_chain};
use crate::engine::{KeyRange, Order, ReadError, Row};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::{Client, Error};

pub const GET: &str = "SELECT ver, v FROM clarence.row WHERE k = $1";
pub const UP: &str =
    "SELECT k, ver, v FROM clarence.row WHERE k >= $1 AND k < $2 ORDER BY k LIMIT $3";
pub const DOWN: &str =
    "SELECT k, ver, v FROM clarence.row WHERE k >= $1 AND k < $2 ORDER BY k DESC LIMIT $3";

/// What is asked.
enum Question {
    Get(Vec<u8>),
    Up(Vec<u8>, Vec<u8>, i64),
    Down(Vec<u8>, Vec<u8>, i64),
}

impl Question {
    async fn put(
        &self,
        client: &Client,
        statements: &Statements,
    ) -> Result<Vec<tokio_postgres::Row>, Error> {
        match self {
            Self::Get(key) => client.query(&statements.get, &[key]).await,
            Self::Up(start, end, limit) => client.query(&statements.up, &[start, end, limit]).await,
            Self::Down(start, end, limit) => {
                client.query(&statements.down, &[start, end, limit]).await
            }
        }
    }
}

/// Connections for reads; each carries many at once.
pub struct Reads {
    cluster: Arc<Cluster>,
    slots: Vec<Mutex<Option<Arc<Session>>>>,
    turn: AtomicUsize,
}

impl Reads {
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let slots = cluster.options().readers.max(1);
        Self {
            cluster,
            slots: (0..slots).map(|_| Mutex::default()).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    pub async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        let rows = self.ask(&Question::Get(key.to_vec())).await?;
        let Some(found) = rows.first() else {
            return Ok(None);
        };
        let read = || {
            Ok(Row {
                version: unsigned(found.try_get(0)?),
                value: Bytes::from(found.try_get::<_, Vec<u8>>(1)?),
            })
        };
        read().map(Some).map_err(unreadable)
    }

    pub async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        let end = end_of(&range);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if limit == 0 || end <= range.start {
            return Ok(Vec::new());
        }
        let start = range.start;
        let rows = match order {
            Order::Ascending => self.ask(&Question::Up(start, end, limit)).await?,
            Order::Descending => self.ask(&Question::Down(start, end, limit)).await?,
        };
        let read = |row: &tokio_postgres::Row| {
            let found = Row {
                version: unsigned(row.try_get(1)?),
                value: Bytes::from(row.try_get::<_, Vec<u8>>(2)?),
            };
            Ok((row.try_get(0)?, found))
        };
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(unreadable)
    }

    /// Asks the primary, again over a take-over. What an older primary answered is not taken once a newer one is
    /// known.
    async fn ask(&self, question: &Question) -> Result<Vec<tokio_postgres::Row>, ReadError> {
        let until = Instant::now() + self.cluster.options().hold;
        let deadline = self.cluster.options().deadline;
        let slot = self.turn.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        loop {
            let session = self.session(slot, until).await?;
            let Some(statements) = &session.statements else {
                continue;
            };
            let answer = question.put(&session.client, statements);
            let answer = timeout(deadline, answer).await;
            let why = match answer {
                Ok(Ok(rows)) if self.cluster.newest(&session) => return Ok(rows),
                Ok(Ok(_)) => "another server became primary meanwhile".to_owned(),
                Ok(Err(error)) => error_chain(&error),
                Err(_) => "the primary did not answer in time".to_owned(),
            };
            self.discard(slot, &session).await;
            if Instant::now() + AGAIN >= until {
                return Err(ReadError::Away(why));
            }
            sleep(AGAIN).await;
        }
    }

    async fn session(&self, slot: usize, until: Instant) -> Result<Arc<Session>, ReadError> {
        let held = timeout_at(until, self.slots[slot].lock()).await;
        let late = |_| ReadError::Away("no primary answered in time".to_owned());
        let mut held = held.map_err(late)?;
        if let Some(session) = held.as_ref()
            && !session.client.is_closed()
        {
            return Ok(Arc::clone(session));
        }
        let session = self.cluster.session(until).await;
        let session = Arc::new(session.map_err(ReadError::Away)?);
        *held = Some(Arc::clone(&session));
        Ok(session)
    }

    async fn discard(&self, slot: usize, session: &Arc<Session>) {
        self.cluster.forget(session.timeline.unwrap_or_default());
        let mut held = self.slots[slot].lock().await;
        if held
            .as_ref()
            .is_some_and(|there| Arc::ptr_eq(there, session))
        {
            *held = None;
        }
    }
}

/// A row that is not as the tables have it.
#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
fn unreadable(error: Error) -> ReadError {
    ReadError::Unreadable(error_chain(&error))
}

//! All rows of one moment, from one transaction of the primary that sees nothing of what is committed behind it.

use super::Postgres;
use super::batch::{end_of, unsigned};
use super::session::{Session, error_chain};
use crate::engine::{KeyRange, ReadError, Row};
use crate::plan::RESERVED_TAG;
use crate::snapshot::{Point, Snapshot};
use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_postgres::Error;

/// The moment is that of the first query behind this. Whoever takes the rows may write them to a slow disk in between.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL idle_in_transaction_session_timeout = '20min'";
const HEAD: &str = "SELECT version, next_index FROM clarence.head";
/// Rows of one answer of the server; each may have 64 KiB.
const PAGE: i64 = 256;

struct Rows {
    session: Session,
    point: Point,
    left: KeyRange,
    deadline: Duration,
}

impl Postgres {
    /// Every row of this moment, to be taken piece by piece. What the primary shows its standby need not have yet: a
    /// lookup behind this waits for it.
    pub async fn snapshot(&self) -> Result<Box<dyn Snapshot>, ReadError> {
        let options = self.cluster.options();
        let until = Instant::now() + options.hold;
        let session = self.cluster.session(until).await;
        let session = session.map_err(ReadError::Unreadable)?;
        let begun = async {
            session.client.batch_execute(BEGIN).await?;
            let head = session.client.query_one(HEAD, &[]).await?;
            Ok::<_, Error>(Point {
                version: unsigned(head.try_get(0)?),
                next_index: unsigned(head.try_get(1)?),
            })
        };
        let point = timeout(options.deadline, begun).await.map_err(|_| late())?;
        let point = point.map_err(|e| ReadError::Unreadable(error_chain(&e)))?;
        let left = KeyRange {
            start: vec![RESERVED_TAG + 1],
            end: None,
        };
        Ok(Box::new(Rows {
            point,
            left,
            deadline: options.deadline,
            session,
        }))
    }
}

fn late() -> ReadError {
    ReadError::Unreadable("the primary did not answer in time".to_owned())
}

impl Rows {
    async fn page(&self) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        let stopped = || ReadError::Stopped("the connection has no statements".to_owned());
        let statements = self.session.statements.as_ref().ok_or_else(stopped)?;
        let (start, end) = (&self.left.start, end_of(&self.left));
        let client = &self.session.client;
        let asked = async { client.query(&statements.up, &[start, &end, &PAGE]).await };
        let answered = timeout(self.deadline, asked).await.map_err(|_| late())?;
        let read = |row: &tokio_postgres::Row| {
            let found = Row {
                version: unsigned(row.try_get(1)?),
                value: Bytes::from(row.try_get::<_, Vec<u8>>(2)?),
            };
            Ok((row.try_get(0)?, found))
        };
        let rows = answered.and_then(|rows| rows.iter().map(read).collect());
        rows.map_err(|error: Error| ReadError::Unreadable(error_chain(&error)))
    }
}

#[async_trait]
impl Snapshot for Rows {
    fn point(&self) -> Point {
        self.point
    }

    async fn next(&mut self, bytes_max: usize) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max {
            let page = self.page().await?;
            let Some((last, _)) = page.last() else { break };
            self.left = self.left.clone().after(last);
            bytes += page
                .iter()
                .map(|(key, row)| key.len() + row.value.len())
                .sum::<usize>();
            rows.extend(page);
        }
        Ok(rows)
    }
}

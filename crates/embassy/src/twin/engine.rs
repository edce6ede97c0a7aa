//! The catalog with its twin: a commit that changes rows is acknowledged when it is durable at home and, if
//! the guest wants it so, at the host. One that only adds entries to the ledger, as every read does, never
//! waits for the host: it travels with the next object.

use crate::twin::keeper::{Acknowledge, Twin};
use async_trait::async_trait;
use catalog::{Commit, Embedded, Engine, KeyRange, Order, Outcome, ReadError, Refused, Row};
use std::sync::Arc;
use words::OpId;

/// The catalog of a guest.
pub struct Twinned {
    home: Arc<Embedded>,
    twin: Arc<Twin>,
}

impl Twinned {
    /// Commits go to `home` first and then, through `twin`, to the host.
    #[must_use]
    pub const fn new(home: Arc<Embedded>, twin: Arc<Twin>) -> Self {
        Self { home, twin }
    }

    /// Waits until everything that is durable at home is so at the host.
    async fn at_host(&self) -> Result<(), String> {
        let head = self.home.head().map_err(|e| e.to_string())?;
        self.twin.nudge();
        self.twin.wait(head).await
    }
}

#[async_trait]
impl Engine for Twinned {
    async fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        self.home.get(key).await
    }

    async fn scan(
        &self,
        range: KeyRange,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        self.home.scan(range, limit, order).await
    }

    async fn commit(&self, request: Commit) -> Outcome {
        if request.mutations.is_empty() {
            return self.home.commit(request).await;
        }
        if self.twin.acknowledge() == Acknowledge::AtHome {
            let outcome = self.home.commit(request).await;
            self.twin.nudge();
            return outcome;
        }
        if let Err(why) = self.twin.ready().await {
            return Outcome::Refused(Refused::NotWritable(why));
        }
        match self.home.commit(request).await {
            Outcome::Committed(committed) => match self.at_host().await {
                Ok(()) => Outcome::Committed(committed),
                Err(why) => Outcome::Unknown(why),
            },
            other => other,
        }
    }

    async fn lookup(&self, op: OpId) -> Result<Option<u64>, ReadError> {
        let found = self.home.lookup(op).await?;
        if found.is_some() && self.twin.acknowledge() == Acknowledge::AtHost {
            self.at_host().await.map_err(ReadError::Unreadable)?;
        }
        Ok(found)
    }
}

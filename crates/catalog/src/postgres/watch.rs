//! What a node that stands by sees of a catalog that another node holds. Nothing is written.

use super::cluster::Cluster;
use super::dial::Dial;
use super::error::OpenError;
use super::found;
use super::options::Options;
use super::session::{self, Session, callable, error_chain};
use crate::engine::KeyRange;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::timeout;
use words::CloudId;
use words::limits::SCAN_ROWS_MAX;

/// What was seen at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The start of the node that holds the catalog; none if the last one let go of it.
    pub holder: Option<[u8; 16]>,
    /// Moves with each batch and each lookup.
    pub moved: (i64, i64),
    /// Whether a node shows that it uses the catalog.
    pub in_use: bool,
    /// The primary's timeline.
    pub timeline: u32,
}

/// Looks at a catalog from outside.
pub struct Watch {
    cluster: Cluster,
    expected: Option<CloudId>,
    session: Mutex<Option<Session>>,
}

impl Watch {
    /// Will look at these servers. Nothing is called yet.
    pub fn new(options: Options, dial: Arc<dyn Dial>) -> Result<Self, OpenError> {
        callable(&options)?;
        Ok(Self {
            cluster: Cluster::new(options, dial),
            expected: None,
            session: Mutex::default(),
        })
    }

    /// Refuses to look at another cloud's.
    #[must_use]
    pub const fn of(mut self, cloud: CloudId) -> Self {
        self.expected = Some(cloud);
        self
    }

    /// Whose catalog it is.
    pub async fn cloud(&self) -> Result<CloudId, OpenError> {
        self.with(async |session| found::founded(session).await)
            .await
    }

    /// One look. An answer that takes longer than the deadline is an error.
    pub async fn look(&self) -> Result<Seen, OpenError> {
        self.with(async |session| {
            let row = session.client.query_one(session::LOOK, &[]).await;
            let read = |row: tokio_postgres::Row| {
                let holder: Option<Vec<u8>> = row.try_get(0)?;
                Ok(Seen {
                    holder: holder.and_then(|holder| holder.try_into().ok()),
                    moved: (row.try_get(1)?, row.try_get(2)?),
                    in_use: row.try_get(3)?,
                    timeline: session.timeline.unwrap_or_default(),
                })
            };
            row.and_then(read).map_err(broken)
        })
        .await
    }

    /// The rows of a range, at most [`SCAN_ROWS_MAX`], as the primary shows them.
    pub async fn rows(&self, range: &KeyRange) -> Result<Vec<(Vec<u8>, Vec<u8>)>, OpenError> {
        let end = super::batch::end_of(range);
        let limit = i64::try_from(SCAN_ROWS_MAX).unwrap_or(i64::MAX);
        self.with(async |session| {
            let text = super::reads::UP;
            let rows = session
                .client
                .query(text, &[&range.start, &end, &limit])
                .await
                .map_err(broken)?;
            let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(2)?));
            rows.iter()
                .map(read)
                .collect::<Result<_, _>>()
                .map_err(broken)
        })
        .await
    }

    /// Asks over the connection that is there, or a new one. One that failed, or is with an older primary, is not used again.
    async fn with<T>(
        &self,
        ask: impl AsyncFnOnce(&Session) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let mut held = self.session.lock().await;
        if held.as_ref().is_some_and(|s| s.client.is_closed()) {
            *held = None;
        }
        let deadline = self.cluster.options().deadline;
        let session = match held.take() {
            Some(session) => session,
            None => {
                let session = self.cluster.find().await?;
                if let Some(cloud) = self.expected {
                    let checked = timeout(deadline, found::check(&session, cloud)).await;
                    checked.map_err(|_| OpenError::NoAnswer)??;
                }
                session
            }
        };
        let asked = timeout(deadline, ask(&session)).await;
        let asked = asked.unwrap_or_else(|_| Err(OpenError::NoAnswer));
        match asked {
            Ok(answer) => {
                *held = Some(session);
                Ok(answer)
            }
            Err(error) => {
                self.cluster.forget(session.timeline.unwrap_or_default());
                Err(error)
            }
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
fn broken(error: tokio_postgres::Error) -> OpenError {
    OpenError::Server(error_chain(&error))
}

//! One client's connection: who they are, what they said, what they see, and what runs for them.

use crate::catalog::catalogs;
use crate::engine::Engine;
use crate::error::{Fault, SqlError};
use crate::prepared::Prepared;
use crate::stop::Stop;
use crate::text;
use aws_lc_rs::digest::{SHA256, digest};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::sql::parser::Statement;
use statement::{Session, TableShown};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// How long what somebody sees is believed. What they get is decided anew for each statement.
const SEEN_FOR: Duration = Duration::from_secs(10);

/// What a client said of its statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What for (`clarence.purpose`).
    pub purpose: Option<String>,
    /// In which case (`clarence.case`).
    pub case: Option<String>,
    /// How long a statement may take, if less than the operator allows.
    pub timeout: Option<Duration>,
    /// The bucket for tables that are made (`clarence.bucket`).
    pub bucket: Option<String>,
}

/// What somebody sees, and a planner over it.
pub struct Seen {
    /// The tables.
    pub shown: Arc<Vec<TableShown>>,
    /// The planner.
    pub state: SessionState,
    at: Duration,
}

/// One client's connection.
pub struct Connection {
    pub(crate) engine: Arc<Engine>,
    session: Session,
    said: Mutex<Said>,
    seen: Mutex<Option<Arc<Seen>>>,
    running: Mutex<Vec<Weak<Stop>>>,
}

impl Connection {
    pub(crate) fn new(engine: Arc<Engine>, session: Session) -> Arc<Self> {
        Arc::new(Self {
            engine,
            session,
            said: Mutex::default(),
            seen: Mutex::default(),
            running: Mutex::default(),
        })
    }

    /// Another one of the same session: what is said and cancelled there is its own. Whoever signs out ends both.
    #[must_use]
    pub fn beside(&self) -> Arc<Self> {
        Self::new(Arc::clone(&self.engine), self.session.clone())
    }

    /// Whose it is.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Changes what is said of the next statements.
    pub fn say(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is said.
    #[must_use]
    pub fn said(&self) -> Said {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    /// The tables that are seen now.
    pub async fn tables(&self) -> Result<Arc<Vec<TableShown>>, SqlError> {
        Ok(Arc::clone(&self.look().await?.shown))
    }

    /// Parses and plans one statement.
    pub async fn prepare(&self, text: &str) -> Result<Prepared, SqlError> {
        let statement = text::parse(text)?;
        self.prepare_rewritten(text, statement).await
    }

    /// Plans a statement that a door rewrote; `text` is what its client sent.
    pub async fn prepare_rewritten(
        &self,
        text: &str,
        statement: Statement,
    ) -> Result<Prepared, SqlError> {
        let mut digest_of_text = [0; 32];
        digest_of_text.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        let kept = self.kept();
        let fresh = kept.is_none();
        let seen = match kept {
            Some(seen) => seen,
            None => self.look().await?,
        };
        let planned = Prepared::plan(self, seen, statement.clone(), digest_of_text).await;
        match planned {
            // Perhaps it was declared since.
            Err(error) if matches!(error.fault, Fault::Name | Fault::Column) && !fresh => {
                let seen = self.look().await?;
                Prepared::plan(self, seen, statement, digest_of_text).await
            }
            other => other,
        }
    }

    /// Ends what runs.
    pub fn cancel(&self) {
        for stop in self.running().drain(..) {
            if let Some(stop) = stop.upgrade() {
                stop.stop(SqlError::new(
                    Fault::Cancelled,
                    "the statement was cancelled by its user; what was shown until then is on the ledger",
                ));
            }
        }
    }

    /// Signs out.
    pub async fn end(&self) {
        self.cancel();
        self.engine.road.sign_out(self.session.id).await;
    }

    /// A statement begins that [`Self::cancel`] ends.
    pub(crate) fn starts(&self) -> Arc<Stop> {
        let stop = Arc::new(Stop::default());
        let mut running = self.running();
        running.retain(|stop| stop.strong_count() > 0);
        running.push(Arc::downgrade(&stop));
        stop
    }

    fn running(&self) -> MutexGuard<'_, Vec<Weak<Stop>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> Option<Arc<Seen>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.engine.host.elapsed();
        seen.clone()
            .filter(|seen| now.saturating_sub(seen.at) < SEEN_FOR)
    }

    /// Forgets what was seen: it has changed.
    pub(crate) fn forget(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = None;
    }

    /// Asks the vault what is seen.
    async fn look(&self) -> Result<Arc<Seen>, SqlError> {
        let engine = &self.engine;
        let shown = engine.road.tables(self.session.id).await?;
        let schemas = engine.extra.schemas(&self.session, &shown);
        let list = catalogs(&self.session, &shown, schemas)?;
        let mut config = engine.state().config().clone();
        let options = config.options_mut();
        options.catalog.default_catalog =
            crate::catalog::catalog_of(&self.session, &self.session.database);
        options.catalog.default_schema = crate::catalog::SCHEMA.to_owned();
        let mut state = SessionStateBuilder::new_from_existing(engine.state().clone())
            .with_config(config)
            .with_catalog_list(list)
            .build();
        for function in engine.extra.functions(&self.session, &shown) {
            use datafusion::logical_expr::registry::FunctionRegistry as _;
            state.register_udf(function)?;
        }
        let seen = Arc::new(Seen {
            shown: Arc::new(shown),
            state,
            at: engine.host.elapsed(),
        });
        let mut kept = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Arc::clone(&seen));
        Ok(seen)
    }
}

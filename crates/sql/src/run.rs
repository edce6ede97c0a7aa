//! A statement runs: its tables are asked for, granted, read, and its end is on the ledger before its client hears that it is
//! done.

use crate::catalog::{Slot, When};
use crate::check::check;
use crate::compute::Driven;
use crate::connection::Connection;
use crate::engine::Engine;
use crate::error::{Fault, SqlError};
use crate::once::held_once;
use crate::prepared::{Prepared, Verb, What, explained};
use crate::registry::Registry;
use crate::scan::Grants;
use crate::stop::Stop;
use crate::terms;
use crate::{learn, write};
use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use futures::stream::BoxStream;
use statement::{Asked, Ended, Granted, Source, TableAsked, TableRef, Use};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What a statement came to.
pub enum Done {
    /// Rows, as they come.
    Rows(Answer),
    /// It is done.
    Count {
        /// What was done.
        verb: Verb,
        /// To how many rows.
        rows: u64,
    },
}

/// An answer.
pub struct Answer {
    /// Its columns.
    pub schema: SchemaRef,
    /// What made it.
    pub verb: Verb,
    /// How it is ended from outside; for a door that waits before it takes more rows.
    pub stop: Arc<Stop>,
    /// Its rows. What was read is on the ledger when this has ended; dropped before, the statement ends and the ledger says so.
    pub rows: BoxStream<'static, Result<RecordBatch, SqlError>>,
}

/// One table that a plan reads.
pub struct Reads {
    /// Which.
    pub table: TableRef,
    /// Which state of it.
    pub when: When,
    /// Its columns that the plan touches.
    pub columns: BTreeSet<String>,
}

impl Connection {
    /// Runs a statement with values for its parameters.
    pub async fn run(
        self: &Arc<Self>,
        prepared: &Prepared,
        values: Vec<ScalarValue>,
    ) -> Result<Done, SqlError> {
        let done = match &prepared.what {
            What::Query(plan) => {
                let plan = prepared.bound(plan, values)?;
                let verb = prepared.verb();
                let stop = self.starts();
                Box::pin(self.query(prepared, plan, &stop))
                    .await
                    .map(|rows| {
                        Done::Rows(Answer {
                            schema: prepared.schema(),
                            verb,
                            stop,
                            rows,
                        })
                    })
            }
            What::Explain(plan) => {
                explain(prepared, &prepared.bound(plan, values)?).map(Done::Rows)
            }
            What::Declare(declaration) => {
                Box::pin(learn::declare(self, prepared, declaration)).await
            }
            What::MakeAs(make, plan) => {
                let plan = prepared.bound(plan, values)?;
                Box::pin(write::make(self, prepared, make, plan)).await
            }
            What::Insert(table, plan) => {
                let plan = prepared.bound(plan, values)?;
                Box::pin(write::insert(self, prepared, table, plan)).await
            }
            What::Drop(tables, if_exists) => learn::withdraw(self, tables, *if_exists).await,
        };
        let changes = !matches!(prepared.what, What::Query(_) | What::Explain(_));
        if changes
            || done
                .as_ref()
                .is_err_and(|error| error.fault == Fault::Stale)
        {
            self.forget();
        }
        done
    }

    async fn query(
        self: &Arc<Self>,
        prepared: &Prepared,
        plan: LogicalPlan,
        stop: &Arc<Stop>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, SqlError>>, SqlError> {
        let optimised = prepared.seen.state.optimize(&plan)?;
        let reads = reads(&optimised)?;
        if reads.is_empty() {
            let physical = physical(&prepared.seen.state, &optimised).await?;
            check(physical.as_ref(), &none(), &[])?;
            let context = prepared.seen.state.task_ctx();
            let rows = self.engine.compute.begin(physical, context)?;
            return Ok(Statement::new(self, None, Arc::clone(stop), rows).into_stream());
        }
        let begun = Begun::begin(self, prepared, reads, Vec::new(), stop).await?;
        let timeout = timeout_of(self);
        // To look at objects before the plan stands may take its time already.
        let started = tokio::select! {
            biased;
            cause = stop.stopped() => Err(cause),
            () = tokio::time::sleep(timeout) => Err(too_long(timeout)),
            started = begun.start(&prepared.seen.state, &plan, optimised) => started,
        };
        match started {
            Ok(rows) => Ok(Statement::new(self, Some(begun), Arc::clone(stop), rows).into_stream()),
            Err(error) => Err(begun.break_off(error).await),
        }
    }
}

fn none() -> Granted {
    Granted {
        id: statement::GrantId([0; 16]),
        tables: Vec::new(),
        ends: words::UnixMillis(0),
    }
}

/// The tables that an optimised plan reads, and what it touches of each.
pub fn reads(plan: &LogicalPlan) -> Result<Vec<Reads>, SqlError> {
    let mut found: Vec<Reads> = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(slot) = provider.downcast_ref::<Slot>()
        {
            let mut columns: BTreeSet<String> = scan
                .projected_schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            for filter in &scan.filters {
                columns.extend(crate::rows::columns_in(filter));
            }
            let known = found
                .iter_mut()
                .find(|read| read.table == slot.table && read.when == slot.when);
            match known {
                Some(read) => read.columns.extend(columns),
                None => found.push(Reads {
                    table: slot.table.clone(),
                    when: slot.when,
                    columns,
                }),
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

async fn physical(
    state: &SessionState,
    optimised: &LogicalPlan,
) -> Result<Arc<dyn ExecutionPlan>, SqlError> {
    let planner = state.query_planner();
    let plan = Box::pin(planner.create_physical_plan(optimised, state)).await?;
    Ok(held_once(plan)?)
}

fn explain(prepared: &Prepared, plan: &LogicalPlan) -> Result<Answer, SqlError> {
    let plan = prepared.seen.state.optimize(plan)?;
    let text = plan.display_indent().to_string();
    let lines: StringArray = text.lines().map(Some).collect();
    let batch = RecordBatch::try_new(explained(), vec![Arc::new(lines)])
        .map_err(datafusion::error::DataFusionError::from)?;
    Ok(Answer {
        schema: explained(),
        verb: Verb::Explain,
        stop: Arc::default(),
        rows: futures::stream::once(async move { Ok(batch) }).boxed(),
    })
}

/// A statement that was granted. Its end is told, whatever happens.
pub struct Begun {
    engine: Arc<Engine>,
    /// What was granted.
    pub grants: Arc<Grants>,
    asked: Vec<TableRef>,
    told: bool,
}

impl Begun {
    /// Asks for what a plan reads, and for what the statement writes.
    pub async fn begin(
        connection: &Connection,
        prepared: &Prepared,
        reads: Vec<Reads>,
        writes: Vec<TableAsked>,
        stop: &Arc<Stop>,
    ) -> Result<Self, SqlError> {
        let said = connection.said();
        let mut tables: Vec<TableAsked> = reads
            .iter()
            .map(|read| TableAsked {
                source: Source::Table {
                    table: read.table.clone(),
                    version: match read.when {
                        When::Version(version) => Some(version),
                        _ => None,
                    },
                    at: match read.when {
                        When::At(at) => Some(at),
                        _ => None,
                    },
                },
                columns: Some(read.columns.iter().cloned().collect()),
                used: Use::Read,
            })
            .collect();
        tables.extend(writes);
        let asked = Asked {
            tables,
            statement: prepared.digest,
            purpose: said.purpose,
            case: said.case,
        };
        let engine = &connection.engine;
        let count = asked.tables.len();
        let granted = engine.road.begin(connection.session().id, asked).await?;
        engine.begun(granted.id, stop);
        let whole = granted.tables.len() == count;
        let slots: Vec<(TableRef, When)> = reads
            .into_iter()
            .map(|read| (read.table, read.when))
            .collect();
        let begun = Self {
            engine: Arc::clone(engine),
            asked: slots.iter().map(|(table, _)| table.clone()).collect(),
            grants: Arc::new(Grants::new(&engine.road, &engine.kept, granted, slots)),
            told: false,
        };
        if whole {
            return Ok(begun);
        }
        let error = SqlError::new(
            Fault::Internal,
            "the vault granted other tables than were asked for; nothing was read",
        );
        Err(begun.break_off(error).await)
    }

    /// Begins to read, by the plan as it was written and as it was optimised.
    pub async fn start(
        &self,
        state: &SessionState,
        written: &LogicalPlan,
        optimised: LogicalPlan,
    ) -> Result<SendableRecordBatchStream, SqlError> {
        let plan = match terms::speak(&self.grants) {
            true => state.optimize(&terms::enforce(written, &self.grants)?)?,
            false => optimised,
        };
        let registry = Registry::new(self.grants.objects());
        let config = state
            .config()
            .clone()
            .with_extension(Arc::clone(&self.grants));
        let state = SessionStateBuilder::new_from_existing(state.clone())
            .with_config(config)
            .with_runtime_env(self.engine.runtime_with(registry))
            .build();
        let physical = physical(&state, &plan).await?;
        check(physical.as_ref(), self.grants.granted(), &self.asked)?;
        Ok(self.engine.compute.begin(physical, state.task_ctx())?)
    }

    /// Tells the end, and waits until it is on the ledger.
    pub async fn close(mut self, rows: u64, broken: Option<String>) -> Result<(), SqlError> {
        self.told = true;
        let granted = self.grants.granted();
        let ended = self.ended(rows, broken);
        self.engine.ended(granted.id);
        Ok(self.engine.road.close(granted.id, ended).await?)
    }

    /// Tells that it ended early; gives back why.
    pub async fn break_off(self, error: SqlError) -> SqlError {
        match self.close(0, Some(shortened(&error.message))).await {
            Ok(()) => error,
            Err(other) => {
                tracing::warn!(%other, "the end of a statement could not be told; it counts as about anybody");
                error
            }
        }
    }

    fn ended(&self, rows: u64, broken: Option<String>) -> Ended {
        Ended {
            rows,
            bytes: self.grants.bytes(),
            whom: self.grants.whom(),
            broken,
        }
    }
}

/// A reason as the ledger keeps it. What a value was does not belong there.
fn shortened(reason: &str) -> String {
    reason.chars().take(200).collect()
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        let granted = self.grants.granted().id;
        self.engine.ended(granted);
        let ended = self.ended(0, Some("the client went away".into()));
        let engine = Arc::clone(&self.engine);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = engine.road.close(granted, ended).await {
                    tracing::warn!(%error, "the end of a statement could not be told; it counts as about anybody");
                }
            });
        }
    }
}

/// A statement whose rows are on their way.
struct Statement {
    begun: Option<Begun>,
    stop: Arc<Stop>,
    input: Option<Driven>,
    rows: u64,
    ends: tokio::time::Instant,
    timeout: Duration,
}

impl Statement {
    fn new(
        connection: &Connection,
        begun: Option<Begun>,
        stop: Arc<Stop>,
        input: SendableRecordBatchStream,
    ) -> Self {
        let timeout = timeout_of(connection);
        Self {
            begun,
            stop,
            input: Some(connection.engine.compute.drive(input)),
            rows: 0,
            ends: tokio::time::Instant::now() + timeout,
            timeout,
        }
    }

    fn into_stream(self) -> BoxStream<'static, Result<RecordBatch, SqlError>> {
        futures::stream::unfold(self, Self::next).boxed()
    }

    async fn next(mut self) -> Option<(Result<RecordBatch, SqlError>, Self)> {
        let input = self.input.as_mut()?;
        let next = tokio::select! {
            biased;
            cause = self.stop.stopped() => Some(Err(cause)),
            () = tokio::time::sleep_until(self.ends) => Some(Err(too_long(self.timeout))),
            next = input.next() => next.map(|batch| batch.map_err(SqlError::from)),
        };
        match next {
            Some(Ok(batch)) => {
                self.rows += batch.num_rows() as u64;
                Some((Ok(batch), self))
            }
            Some(Err(error)) => {
                // Nothing is read any more when its end is told.
                self.input = None;
                let error = match self.begun.take() {
                    Some(begun) => begun.break_off(error).await,
                    None => error,
                };
                Some((Err(error), self))
            }
            None => {
                self.input = None;
                let closed = match self.begun.take() {
                    Some(begun) => begun.close(self.rows, None).await,
                    None => Ok(()),
                };
                closed.err().map(|error| (Err(error), self))
            }
        }
    }
}

/// How long a connection's statements may take.
pub fn timeout_of(connection: &Connection) -> Duration {
    let most = connection.engine.limits.statement_timeout;
    let said = connection.said().timeout.filter(|said| !said.is_zero());
    said.map_or(most, |said| said.min(most))
}

/// What is said when it took longer.
pub fn too_long(timeout: Duration) -> SqlError {
    SqlError::new(
        Fault::Timeout,
        format!(
            "the statement took longer than {} s and was ended; ask for less at once, or see statement_timeout and sql.statement_timeout",
            timeout.as_secs_f32()
        ),
    )
}
